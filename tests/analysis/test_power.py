"""What is open, what would settle it, and in which order that is cheapest."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bakeoff.analysis.power import (
    NEVER,
    ONE_SEED,
    Question,
    in_order,
    in_words,
    more_seeds_of_claim,
    questions,
    read_tables,
    write_power,
)
from bakeoff.analysis.tables import read_table
from bakeoff.files import read_json
from bakeoff.study.claims import ClaimConfig
from tests.support.analysis import make, variant
from tests.support.fake_study import FakeStudy
from tests.support.project import REPOSITORY

HOURS = {"a": 1.0, "b": 2.0, "c": 10.0}


def question(more: float, *runs: str, why: str = "") -> Question:
    return Question("pair", " or ".join(runs), 1.0, -1.0, 3.0, runs, more, why)


def test_the_cheapest_comes_first_and_seeds_that_are_bought_count_for_all() -> None:
    found = [
        question(10, "a", "c"),  # 110 hours alone
        question(4, "a", "b"),  # 12 hours
        question(math.nan, "b", "c", why=NEVER),
        question(2, "a", "b"),  # 6 hours, and then 6 more for the four
    ]
    table = in_order(found, HOURS, price=3.0)
    assert table["question"].tolist() == ["a or b", "a or b", "a or c", "b or c"]
    assert table["hours"].tolist()[:3] == [6, 12, 110]
    # Four of the ten that a needs are there.
    assert table["added_hours"].tolist()[:3] == [6, 6, 6 + 100]
    assert table["total_hours"].tolist()[:3] == [6, 12, 118]
    assert table["cost"].tolist()[:3] == [18, 36, 354]
    assert table["order"].isna().tolist() == [False, False, False, True]
    said = in_words(table, "GPU-hours", "USD")
    assert "1  pair: a or b: 2 more seeds, 6 GPU-hours (so far 6)" in said
    assert "All 3 of them: 118 GPU-hours, 354.00 USD." in said
    assert f"1 open: {NEVER}." in said


def test_what_comes_with_others_costs_nothing_more_and_says_so() -> None:
    table = in_order([question(3, "a"), question(3, "a")], HOURS, math.nan)
    assert table["added_hours"].tolist() == [3, 0]
    assert "come with the questions before" in table["why"][1]
    assert "USD" not in in_words(table, "core-hours", "USD")
    assert "Nothing is open" in in_words(in_order([], HOURS, 1.0), "core-hours", "USD")


@pytest.mark.parametrize(
    ("value", "agrees", "needed"),
    [
        # Half-widths of 1 with 4 seeds. 0.5 inside what agrees needs a half-width of 0.35: 8.2 times the seeds.
        (1.5, (1.0, math.inf), 29),
        (0.5, (1.0, math.inf), 29),
        (1.5, (-math.inf, 2.0), 29),
        (1.5, (1.0, 2.0), 29),
        (3.0, (1.0, 2.0), 5),
    ],
)
def test_a_claim_needs_the_seeds_after_which_its_bounds_are_on_one_side(
    value: float, agrees: tuple[float, float], needed: int
) -> None:
    bounds = (value - 1, value + 1)
    assert more_seeds_of_claim(value, bounds, agrees, 4, 0.0) == needed
    # The part of the images stays.
    assert math.isnan(more_seeds_of_claim(value, bounds, agrees, 4, 0.6))


def test_the_seeds_of_a_claim_do_settle_it_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(0)
    seeds, truth, spread = 4, 70.5, 1.0
    half = 1.96 * spread / math.sqrt(seeds)
    more = more_seeds_of_claim(truth, (truth - half, truth + half), (70.0, math.inf), seeds, 0.0)
    total = seeds + int(more)
    means = truth + spread / math.sqrt(total) * rng.standard_normal(20_000)
    settled = (means - 1.96 * spread / math.sqrt(total) > 70).mean()
    assert settled == pytest.approx(0.8, abs=0.02)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = FakeStudy(
        variants=(
            variant("good", 80.0),
            variant("as_good", 79.5),
            variant("bad", 30.0),
            variant("alone", 80.0, seeds=(0,)),
        ),
        arms=(variant("other", 80.3),),
        ablations={"x": (("base", "good"), ("other", "other"))},
        claims=[
            {
                "id": "c", "source": "x", "statement": {"en": "x", "zh": "x"}, "claimed": 80.0,
                "unit": "percent", "relation": "at_least",
                "measure": {"kind": "top1", "variant": "good"},
            }
        ],
        epochs=2,
        images=2000,
        seed_sd=1.0,
    )  # fmt: skip
    return make(tmp_path_factory.mktemp("power"), study)


def test_open_are_pairs_at_the_top_arms_and_claims(root: Path) -> None:
    claims = [
        ClaimConfig.model_validate(c) for c in read_json(root / "specs/claims.json")["claims"]
    ]
    found = {each.text: each for each in questions(read_tables(root, ["x"]), claims)}
    assert set(found) == {
        "good or as_good",
        "good or alone",
        "as_good or alone",
        "other or base",
        "x",
    } or set(found) == {
        "as_good or good",
        "alone or good",
        "alone or as_good",
        "other or base",
        "x",
    }
    pairs = read_table(root / "comparison/pairwise.csv")
    told = pairs[pairs["verdict"] == "cannot tell"].iloc[0]
    (open_,) = (each for each in found.values() if set(each.runs) == {"good", "as_good"})
    assert (open_.measured, open_.low) == (told["delta"], told["ci_low"])
    assert open_.more_seeds == told["more_seeds"] or math.isnan(told["more_seeds"])
    single = [each for each in found.values() if "alone" in each.runs]
    assert all(each.why == ONE_SEED and math.isnan(each.more_seeds) for each in single)
    assert found["x"].runs == ("good",)
    assert "bad" not in {run for each in found.values() for run in each.runs}


def test_the_error_has_a_part_that_seeds_do_not_take_away(root: Path) -> None:
    models = read_table(root / "comparison/models.csv").set_index("variant")
    assert (models["top1_image_error"] < models["top1_error"])[["good", "as_good", "bad"]].all()
    assert np.isnan(models.loc["alone", "top1_error"])
    row = models.loc["good"]
    # Less than what 2,000 images alone would leave: some of that is noise of single runs.
    share = row["top1_mean"] / 100
    binomial = 100 * math.sqrt(share * (1 - share) / 2000)
    assert 0.5 * binomial < row["top1_image_error"] < binomial


def test_the_table_is_written_for_any_study_and_its_claims(root: Path) -> None:
    spec = {"study": {}, "price": {"gpu_hour": 2.0, "currency": "EUR"}}
    claims = read_json(root / "specs/claims.json") | {"ablations": ["x"]}
    hours = dict.fromkeys(("good", "as_good", "bad", "alone", "other"), 0.5)
    said = write_power(spec, claims, root, hours, "GPU-hours")
    table = read_table(root / "power/power.csv")
    assert len(table) == 5
    assert "one seed" in said
    assert "Cost in EUR" in (root / "power/power.md").read_text(encoding="utf-8")
    again = write_power(spec, claims, root, hours, "GPU-hours")
    assert again == said


def test_every_shipped_claim_can_be_asked_for(full: Path) -> None:
    shipped = yaml.safe_load((REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8"))
    claims = read_json(full / "specs/claims.json")
    assert len(claims["claims"]) == len(shipped)
    names = [path.stem for path in (full / "ablation").glob("*.csv")]
    runs = {path.name: 1.0 for path in (full / "runs").iterdir()}
    spec = {"study": {}, "price": {"gpu_hour": 2.0, "currency": "USD"}}
    write_power(spec, claims | {"ablations": names}, full, runs, "GPU-hours")
    table: pd.DataFrame = read_table(full / "power/power.csv")
    open_claims = (read_table(full / "claims/claims.csv")["verdict"] == "inconclusive").sum()
    assert (table["kind"] == "claim").sum() == open_claims > 0
