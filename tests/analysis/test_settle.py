"""Which seeds a round adds, and when there is no further one."""

from __future__ import annotations

import math

import pytest

from bakeoff.analysis.power import NEVER, Question
from bakeoff.analysis.settle import Decision, chosen, decide, rounds_table, unused
from bakeoff.study.growth import Growth, Round, SettleConfig

HOURS = {"a": 1.0, "b": 2.0, "c": 10.0}
RUNS = {"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 5]}


def question(more: float, *runs: str, kind: str = "pair", topic: str = "") -> Question:
    why = "" if math.isfinite(more) else NEVER
    return Question(kind, " or ".join(runs), 1.0, -1.0, 3.0, runs, more, why, topic)


def decision(asked: list[Question], gpu_hours: float, *rounds: Round) -> Decision:
    config = SettleConfig(gpu_hours=gpu_hours, rounds=3)
    return decide(asked, config, Growth(looks=4, rounds=rounds), RUNS, HOURS, "GPU-hours")


def test_a_round_takes_the_cheapest_questions_within_its_share() -> None:
    asked = [question(10, "a", "c"), question(4, "a", "b"), question(2, "a", "b")]
    # A third of 36 hours: 2 and then 4 seeds for a and b take 12, those for c would be 106 more.
    found = decision(asked, 36.0)
    assert found.next is not None
    assert found.next.added == {"a": (3, 4, 5, 6), "b": (3, 4, 5, 6)}
    assert found.next.questions == ("a or b", "a or b")
    assert found.why.startswith("Round 1 of 3: 8 more runs, about 12 GPU-hours, for 2 of 3 open")


def test_a_share_that_is_too_small_takes_that_of_later_rounds() -> None:
    asked = [question(4, "a", "b")]
    assert decision(asked, 36.0).next == decision(asked, 12.0).next
    none = decision(asked, 11.9)
    assert none.next is None
    assert none.why.startswith(
        "The budget is spent: 1 still open, and the cheapest needs 12 GPU-hours more"
    )


def test_what_was_added_before_has_been_paid() -> None:
    before = Round(added={"a": (3,), "b": (3, 4)}, questions=("a or b",))
    asked = [question(4, "a", "b")]
    assert decision(asked, 17.0, before).next is not None
    none = decision(asked, 16.9, before)
    assert none.next is None
    assert "(1 of 3 rounds, 5 of 16.9 GPU-hours)" in none.why
    table = rounds_table(Growth(looks=4, rounds=(before,)), HOURS)
    assert table["hours"].tolist() == [1.0, 4.0]
    assert table["seeds"].tolist() == ["3", "3 4"]


def test_it_ends_where_nothing_is_open_or_can_be_settled_or_no_look_is_left() -> None:
    one = Round(added={"a": (3,)}, questions=())
    assert decision([], 9.0).why.startswith("Settled")
    assert NEVER in decision([question(math.nan, "a", "b")], 99.0).why
    assert decision([question(1, "a")], 99.0, one, one, one).why.startswith(
        "All rounds are done: 1"
    )


def test_only_what_was_asked_is_settled() -> None:
    found = [
        question(1, "a", "b"),
        question(1, "a", kind="arm of eca", topic="eca"),
        question(1, "b", kind="arm of ghost", topic="ghost"),
        question(1, "c", kind="claim", topic="best"),
    ]
    assert chosen(found, ("top",)) == found[:1]
    assert chosen(found, ("ablations",)) == found[1:3]
    assert chosen(found, ("ghost", "best")) == found[2:]
    assert chosen(found, ("top", "ablations", "claims")) == found


@pytest.mark.parametrize(
    ("seeds", "count", "free"), [([0, 1, 5], 4, (2, 3, 4, 6)), ([7], 2, (0, 1)), ([], 1, (0,))]
)
def test_new_seeds_are_the_smallest_that_are_free(
    seeds: list[int], count: int, free: tuple[int, ...]
) -> None:
    assert unused(seeds, count) == free
