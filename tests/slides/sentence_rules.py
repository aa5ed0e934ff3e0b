"""What has to hold for each sentence of the findings to be said: rules that know the tables, and not how it was made."""
# ruff: noqa: E501  (a sentence stands on one line)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bakeoff.slides.results import Results


@dataclass(frozen=True)
class Study:
    models: pd.DataFrame
    pairs: pd.DataFrame
    arms: pd.DataFrame
    claims: pd.DataFrame
    results: Results


# --- what the tables say --------------------------------------------------------------------------


class Facts:
    """What follows from the tables by definition."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.models = study.models[study.models["distinct"]].set_index("variant")
        self.judged = [name for name in self.models.index if self.models.loc[name, "seeds"] > 1]
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        for row in study.pairs.to_dict("records"):
            self.rows[row["variant_a"], row["variant_b"]] = row
        self.leading = [x for x in self.judged if not any(self.better(y, x) for y in self.judged)]

    def pair(self, a: str, b: str) -> dict[str, Any]:
        return self.rows[a, b] if (a, b) in self.rows else self.rows[b, a]

    def better(self, a: str, b: str) -> bool:
        """Tell by the interval alone whether `a` is better than `b`."""
        if a == b:
            return False
        straight = (a, b) in self.rows
        row = self.pair(a, b)
        return bool(row["ci_low"] > 0 if straight else row["ci_high"] < 0)

    def told_apart(self, a: str, b: str) -> bool:
        return self.better(a, b) or self.better(b, a)

    def equivalent(self, a: str, b: str) -> bool:
        row = self.pair(a, b)
        return not self.told_apart(a, b) and bool(row["equivalent_within"] <= row["margin"])

    def size(self, name: str) -> float:
        return float(self.models.loc[name, "params_m"])


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def close(text: str, value: float) -> bool:
    decimals = len(text.partition(".")[2])
    return abs(number(text) - value) <= 0.50001 * 10.0**-decimals


def listed(text: str) -> set[str]:
    return set(re.split(r", | and |、|和", text))


# --- rules ----------------------------------------------------------------------------------------

W = r"(?P<{}>[a-z-]+)"
N = r"(?P<{}>[+−]?[\d.,]*\d)"
INTERVAL = rf"\[{N.format('low')}, {N.format('high')}\]"

Rule = Callable[[Facts, Mapping[str, str]], object]
RULES: list[tuple[str, str, Rule]] = []


def rule(english: str, chinese: str) -> Callable[[Rule], Rule]:
    """Say which sentences a check is about. In the patterns <best> is a name, <n:delta> a number, <names:x> a list."""

    def pattern(text: str) -> str:
        text = re.escape(text)
        text = text.replace("<interval>", INTERVAL)
        text = re.sub(r"<n:(\w+)>", lambda m: N.format(m[1]), text)
        text = re.sub(r"<names:(\w+)>", r"(?P<\1>.+?)", text)
        return re.sub(r"(?<!\?P)<(\w+)>", lambda m: W.format(m[1]), text)

    def keep(check: Rule) -> Rule:
        RULES.append((pattern(english), pattern(chinese), check))
        return check

    return keep


@rule(
    "Of the <n:judged> variants with several seeds, <best> is the most accurate: <n:delta> points <interval> ahead of <second>",
    "在<n:judged>个多种子变体中，<best>准确率最高：比<second>高<n:delta>个百分点 <interval>",
)
def _separable(f: Facts, m: Mapping[str, str]) -> None:
    assert int(m["judged"]) == len(f.judged) > 1
    assert f.leading == [m["best"]]
    assert f.better(m["best"], m["second"])
    row = f.pair(m["best"], m["second"])
    assert close(m["delta"], row["delta"]) and close(m["low"], row["ci_low"])
    assert close(m["high"], row["ci_high"]) and "+" not in m["delta"]


@rule(
    "Of the <n:judged> variants with several seeds, <n:count> lead and are not told apart; <best> has the highest mean",
    "在<n:judged>个多种子变体中，有<n:count>个领先且彼此不可区分；均值最高的是<best>",
)
def _tied(f: Facts, m: Mapping[str, str]) -> None:
    assert int(m["judged"]) == len(f.judged)
    assert 1 < int(m["count"]) == len(f.leading) < len(f.judged)
    assert not any(f.told_apart(x, y) for x in f.leading for y in f.leading if x != y)
    assert m["best"] == f.models.loc[f.judged, "score_mean"].idxmax()


@rule(
    "None of the <n:judged> variants with several seeds is told apart from another; <best> has the highest mean",
    "<n:judged>个多种子变体两两不可区分；均值最高的是<best>",
)
def _all_tied(f: Facts, m: Mapping[str, str]) -> None:
    assert int(m["judged"]) == len(f.judged) > 1
    assert not any(f.told_apart(x, y) for x in f.judged for y in f.judged if x != y)
    assert m["best"] == f.models.loc[f.judged, "score_mean"].idxmax()


@rule(
    "One seed: no statement about the architectures is possible; shown to try the pipeline",
    "只有一个种子：无法对架构下任何结论，仅用于演示流程",
)
def _one_seed(f: Facts, m: Mapping[str, str]) -> None:
    assert not f.judged


@rule(
    "Only <best> has several seeds: there is none yet that it can be compared with",
    "只有<best>有多个种子：尚无可与之比较的变体",
)
def _one_judged(f: Facts, m: Mapping[str, str]) -> None:
    assert f.judged == [m["best"]] and len(f.models) > 1


@rule(
    "<best> and <second> resolve to the same network: there is nothing to compare",
    "<best>与<second>实为同一网络：没有可比较的差异",
)
def _identical(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.models) == 1 < len(f.study.models)


@rule(
    "<best> reaches <n:accuracy> % <names:metric> on the test images",
    "<best>在测试图像上的<names:metric>准确率为<n:accuracy>%",
)
def _one_variant(f: Facts, m: Mapping[str, str]) -> None:
    row = f.models.iloc[0]
    assert len(f.study.models) == 1 and close(m["accuracy"], row["score_mean"])
    named = {"top-1": "top1", "balanced accuracy": "balanced", "平衡": "balanced"}
    assert named[m["metric"]] == row["metric"]
    assert row["score_mean"] == row[f"{row['metric']}_mean"]


@rule("Not told apart from <best>: <names:names>.", "与<best>不可区分的变体：<names:names>。")
def _not_apart(f: Facts, m: Mapping[str, str]) -> None:
    others = [x for x in f.leading if x != m["best"]]
    assert listed(m["names"]) == {x for x in others if not f.equivalent(x, m["best"])}


@rule(
    "Equivalent to <best> within <n:margin> points: <names:names>.",
    "在<n:margin>个百分点内与<best>等价的变体：<names:names>。",
)
def _equivalent(f: Facts, m: Mapping[str, str]) -> None:
    others = [x for x in f.leading if x != m["best"]]
    assert listed(m["names"]) == {x for x in others if f.equivalent(x, m["best"])}


@rule(
    "Highest mean: <best>, <n:top> %; lowest: <worst>, <n:bottom> %.",
    "均值最高：<best>，<n:top>%；最低：<worst>，<n:bottom>%。",
)
def _range(f: Facts, m: Mapping[str, str]) -> None:
    means = f.models["score_mean"]
    assert close(m["top"], means.max()) and close(m["bottom"], means.min())
    assert means[m["best"]] == means.max() and means[m["worst"]] == means.min()


@rule(
    "Taken together, the pairs leave <best> no rank but <n:rank>.",
    "综合全部两两比较，<best>只能排在第<n:rank>名。",
)
def _rank(f: Facts, m: Mapping[str, str]) -> None:
    assert int(m["rank"]) == 1 and f.leading == [m["best"]]
    assert all(f.better(m["best"], x) for x in f.judged if x != m["best"])


@rule(
    "Taken together, the pairs leave <best> any rank from <n:first> to <n:last> among <n:judged>.",
    "综合全部两两比较，<best>在<n:judged>个变体中的名次可能是第<n:first>至第<n:last>名。",
)
def _ranks(f: Facts, m: Mapping[str, str]) -> None:
    behind = sum(f.better(m["best"], x) for x in f.judged)
    assert int(m["first"]) == 1 and int(m["last"]) == len(f.judged) - behind > 1
    assert int(m["judged"]) == len(f.judged)


@rule(
    "Of <n:pairs> pairs of networks: told apart <n:apart>, equivalent within <n:margin> points <n:same>, open <n:open>, "
    "not judged for want of seeds <n:unjudged>.",
    "网络两两比较共<n:pairs>对：可区分<n:apart>对，在<n:margin>个百分点内等价<n:same>对，尚无定论<n:open>对，"
    "因种子不足而未判定<n:unjudged>对。",
)
def _pairs(f: Facts, m: Mapping[str, str]) -> None:
    names = list(f.models.index)
    every = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    judged = [(x, y) for x, y in every if x in f.judged and y in f.judged]
    assert int(m["pairs"]) == len(every)
    assert int(m["apart"]) == sum(f.told_apart(x, y) for x, y in judged)
    assert int(m["same"]) == sum(f.equivalent(x, y) for x, y in judged)
    assert int(m["unjudged"]) == len(every) - len(judged)
    assert int(m["open"]) == len(judged) - int(m["apart"]) - int(m["same"])


@rule("One seed, and so not judged: <names:names>.", "只有一个种子，故未作判定：<names:names>。")
def _not_judged(f: Facts, m: Mapping[str, str]) -> None:
    assert listed(m["names"]) == set(f.models.index) - set(f.judged)


@rule(
    "Seeds vary more than those of the others: <names:names>. Verdicts on them are less certain than on the others.",
    "种子间波动明显大于其他变体：<names:names>。对它们的判定不如对其他变体可靠。",
)
def _uneven(f: Facts, m: Mapping[str, str]) -> None:
    named = listed(m["names"])
    others = f.models.loc[[name for name in f.judged if name not in named], "score_sd"]
    assert 2 * len(named) <= len(f.judged)
    assert f.models.loc[list(named), "score_sd"].min() > (others**2).mean() ** 0.5


@rule(
    "<small> with <n:small_params> M parameters leads together with <best> with <n:best_params> M",
    "<small>（参数量<n:small_params> M）与<best>（<n:best_params> M）同属领先组",
)
def _cheaper(f: Facts, m: Mapping[str, str]) -> None:
    assert {m["small"], m["best"]} <= set(f.leading)
    assert f.size(m["small"]) == min(map(f.size, f.leading)) < f.size(m["best"])
    assert close(m["small_params"], f.size(m["small"])) and close(
        m["best_params"], f.size(m["best"])
    )


@rule(
    "No variant of the leading group is smaller than <best> with its <n:params> M parameters",
    "领先组中没有比<best>（<n:params> M参数）更小的变体",
)
def _size_pays(f: Facts, m: Mapping[str, str]) -> None:
    smaller = [x for x in f.judged if f.size(x) < f.size(m["best"])]
    assert smaller and not set(smaller) & set(f.leading)


@rule(
    "Of the <n:judged> variants with several seeds, <best> has the highest mean, and none is smaller than its <n:params> M parameters",
    "在<n:judged>个多种子变体中，<best>均值最高，且没有比它（<n:params> M参数）更小的",
)
def _smallest(f: Facts, m: Mapping[str, str]) -> None:
    assert f.size(m["best"]) == min(map(f.size, f.judged)) and int(m["judged"]) == len(f.judged)
    assert f.models.loc[f.judged, "score_mean"].idxmax() == m["best"]


@rule(
    "Accuracy against parameters: with one seed, a picture of these trained networks only",
    "准确率与参数量：只有一个种子，图中只反映这些训练好的网络",
)
def _size_unknown(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.judged) < 2


@rule("<best> has <n:params> M parameters", "<best>有<n:params> M参数")
def _size_alone(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.models) == 1 and close(m["params"], f.size(m["best"]))


def gap(f: Facts, m: Mapping[str, str]) -> bool:
    sign = 1 if (m["small"], m["best"]) in f.rows else -1
    row = f.pair(m["small"], m["best"])
    low, high = sorted(sign * row[end] for end in ("ci_low", "ci_high"))
    assert low <= 0 <= high
    assert (
        close(m["delta"], sign * row["delta"]) and close(m["low"], low) and close(m["high"], high)
    )
    return f.equivalent(m["small"], m["best"])


@rule(
    "<small> minus <best>: <n:delta> points <interval>. Zero is inside the interval, which is no proof that they are equal.",
    "<small>减<best>：<n:delta>个百分点 <interval>。区间包含零，但这并不证明两者相等。",
)
def _gap_open(f: Facts, m: Mapping[str, str]) -> None:
    assert not gap(f, m)


@rule(
    "<small> minus <best>: <n:delta> points <interval>, shown to be equivalent within <n:margin> points.",
    "<small>减<best>：<n:delta>个百分点 <interval>，已证明在<n:margin>个百分点内等价。",
)
def _gap_closed(f: Facts, m: Mapping[str, str]) -> None:
    assert gap(f, m)


@rule(
    "None as small or smaller is shown to be better than: <names:names>.",
    "没有同样小或更小的变体被证明优于它们的有：<names:names>。",
)
def _front(f: Facts, m: Mapping[str, str]) -> None:
    def beaten(x: str) -> bool:
        return any(f.better(y, x) and f.size(y) <= f.size(x) for y in f.judged)

    assert listed(m["names"]) == {x for x in f.judged if not beaten(x)}


@rule(
    "Most accuracy per million parameters: <best>, <n:ratio> % per million (<n:accuracy> % with <n:params> M).",
    "单位参数准确率最高的是<best>：每百万参数<n:ratio>%（<n:accuracy>%，<n:params> M参数）。",
)
def _ratio(f: Facts, m: Mapping[str, str]) -> None:
    ratios = f.models["score_mean"] / f.models["params_m"]
    assert ratios[m["best"]] == pytest.approx(ratios.max()) and close(m["ratio"], ratios.max())


def hours(f: Facts, m: Mapping[str, str], column: str) -> None:
    times = f.models[column]
    assert times[m["best"]] == times.min() and close(m["least"], times.min())
    assert times[m["worst"]] == times.max() and close(m["most"], times.max())


@rule(
    "One run takes <n:least> h for <best>, and up to <n:most> h for <worst>",
    "一次训练耗时：<best>为<n:least> h，<worst>为<n:most> h",
)
def _wall(f: Facts, m: Mapping[str, str]) -> None:
    assert (f.models["gpu_hours"] / f.models["train_hours"]).nunique() == 1
    hours(f, m, "train_hours")


@rule(
    "One run takes <n:least> h of one GPU for <best>, and up to <n:most> h for <worst>",
    "一次训练占用单个GPU的时间：<best>为<n:least> h，<worst>为<n:most> h",
)
def _gpu(f: Facts, m: Mapping[str, str]) -> None:
    assert (f.models["gpu_hours"] / f.models["train_hours"]).nunique() > 1
    hours(f, m, "gpu_hours")


@rule("One run of <best> takes <n:least> h", "<best>一次训练耗时<n:least> h")
def _time_alone(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.models) == 1


# The arms of the ablation.


def arm(f: Facts, m: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of an arm, after holding its figures against the sentence."""
    row: dict[str, Any] = f.study.arms.set_index("arm").loc[m["arm"]].to_dict()
    assert m.get("baseline", row["baseline"]) == row["baseline"]
    for name, column in (
        ("delta", "delta"),
        ("low", "ci_low"),
        ("high", "ci_high"),
        ("seeds", "seeds"),
    ):
        assert name not in m or close(m[name], row[column])
    assert "other_seeds" not in m or close(m["other_seeds"], row["baseline_seeds"])
    assert "saved" not in m or close(m["saved"], -row["params_change_pct"])
    return row


def open_arms(f: Facts, equivalent: bool) -> set[str]:
    rows = f.study.arms[f.study.arms["ci_low"].notna() & (f.study.arms["ci_low"] <= 0)]
    rows = rows[(rows["ci_high"] >= 0) & ~rows["same_network_as"].str.startswith("arm-")]
    return set(rows.loc[(rows["equivalent_within"] <= rows["margin"]) == equivalent, "arm"])


ARM = "<n:delta> points <interval> (<n:seeds> seeds against <n:other_seeds>)."
ARM_ZH = "<n:delta>个百分点 <interval>（种子数<n:seeds>对<n:other_seeds>）。"


@rule(f"“<arm>” improves on “<baseline>” by {ARM}", f"“<arm>”比“<baseline>”高{ARM_ZH}")
def _arm_better(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m)["ci_low"] > 0 and "+" not in m["delta"]
    assert f.study.arms["delta"].max() == arm(f, m)["delta"]


@rule(f"“<arm>” is worse than “<baseline>”: {ARM}", f"“<arm>”劣于“<baseline>”：{ARM_ZH}")
def _arm_worse(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m)["ci_high"] < 0


@rule(
    f"No arm is told apart from “<baseline>”. Largest difference that is open: “<arm>”, {ARM}",
    f"没有任何一组与“<baseline>”可区分；尚无定论的差异中最大的是“<arm>”：{ARM_ZH}",
)
def _arm_open(f: Facts, m: Mapping[str, str]) -> None:
    assert not ((f.study.arms["ci_low"] > 0) | (f.study.arms["ci_high"] < 0)).any()
    assert arm(f, m) and m["arm"] in open_arms(f, equivalent=False)


@rule(
    "Equivalent to “<baseline>” within <n:margin> points: <names:names>.",
    "在<n:margin>个百分点内与“<baseline>”等价：<names:names>。",
)
def _arms_equivalent(f: Facts, m: Mapping[str, str]) -> None:
    assert listed(m["names"]) == open_arms(f, equivalent=True)


@rule(
    "One seed: differences from “<baseline>” cannot be told from chance.",
    "只有一个种子：与“<baseline>”的差异无法与偶然波动区分。",
)
def _arms_one_seed(f: Facts, m: Mapping[str, str]) -> None:
    assert f.study.arms["ci_low"].isna().all()


@rule(
    "Every arm resolves to the same network as “<baseline>”: there is no difference to measure.",
    "所有组与“<baseline>”实为同一网络，没有可测量的差异。",
)
def _arms_identical(f: Facts, m: Mapping[str, str]) -> None:
    assert f.study.arms["run"].nunique() == 1


@rule("“<arm>” saves <n:saved> % of the parameters.", "“<arm>”节省<n:saved>%的参数。")
def _saves(f: Facts, m: Mapping[str, str]) -> None:
    arm(f, m)


@rule(
    "“<arm>” saves <n:saved> % of the parameters and gains <n:delta> points <interval>.",
    "“<arm>”节省<n:saved>%的参数，准确率提高<n:delta>个百分点 <interval>。",
)
def _saves_and_gains(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m)["ci_low"] > 0


@rule(
    "“<arm>” saves <n:saved> % of the parameters at <n:delta> points <interval>.",
    "“<arm>”节省<n:saved>%的参数，准确率变化<n:delta>个百分点 <interval>。",
)
def _saves_and_loses(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m)["ci_high"] < 0


@rule(
    "“<arm>” saves <n:saved> % of the parameters and is equivalent to “<baseline>” within <n:margin> points (<n:delta> <interval>).",
    "“<arm>”节省<n:saved>%的参数，且在<n:margin>个百分点内与“<baseline>”等价（<n:delta> <interval>）。",
)
def _saves_at_no_cost(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m) and m["arm"] in open_arms(f, equivalent=True)


@rule(
    "“<arm>” saves <n:saved> % of the parameters; its accuracy is not told apart from “<baseline>” (<n:delta> <interval>).",
    "“<arm>”节省<n:saved>%的参数，准确率与“<baseline>”不可区分（<n:delta> <interval>）。",
)
def _saves_openly(f: Facts, m: Mapping[str, str]) -> None:
    assert arm(f, m) and m["arm"] in open_arms(f, equivalent=False)


@rule(
    "“<arm>” saves <n:saved> % of the parameters; telling what that costs needs more seeds.",
    "“<arm>”节省<n:saved>%的参数；代价多大，需要更多种子才能判断。",
)
def _saves_unknown(f: Facts, m: Mapping[str, str]) -> None:
    assert np.isnan(arm(f, m)["ci_low"])


@rule("“<arm>” and “<other>” resolve to the same network.", "“<arm>”与“<other>”实为同一网络。")
def _same(f: Facts, m: Mapping[str, str]) -> None:
    runs = f.study.arms.set_index("arm")["run"]
    assert runs[m["arm"]] == runs[m["other"]]


@rule(
    "Better than the baseline: at least one arm of <names:b>; worse: at least one of <names:w>",
    "<names:b>：至少有一组优于基线；<names:w>：至少有一组劣于基线",
)
def _title_both(f: Facts, m: Mapping[str, str]) -> None:
    assert (f.study.arms["ci_low"] > 0).any() and (f.study.arms["ci_high"] < 0).any()


@rule("Better than the baseline: at least one arm of <b>", "<b>：至少有一组优于基线")
def _title_better(f: Facts, m: Mapping[str, str]) -> None:
    assert (f.study.arms["ci_low"] > 0).any() and not (f.study.arms["ci_high"] < 0).any()


@rule(
    "No arm is shown to improve on its baseline; worse: at least one arm of <b>",
    "没有任何一组被证明优于基线；<b>：至少有一组劣于基线",
)
def _title_worse(f: Facts, m: Mapping[str, str]) -> None:
    assert not (f.study.arms["ci_low"] > 0).any() and (f.study.arms["ci_high"] < 0).any()


@rule(
    "Every arm is equivalent to its baseline within <n:margin> points",
    "所有组在<n:margin>个百分点内与基线等价",
)
def _title_equivalent(f: Facts, m: Mapping[str, str]) -> None:
    assert open_arms(f, equivalent=True) and not open_arms(f, equivalent=False)
    assert not ((f.study.arms["ci_low"] > 0) | (f.study.arms["ci_high"] < 0)).any()
    assert "one seed" not in set(f.study.arms["verdict"])


@rule(
    "No arm of any ablation is told apart from its baseline",
    "各消融实验中，没有任何一组与基线可区分",
)
def _title_open(f: Facts, m: Mapping[str, str]) -> None:
    assert not ((f.study.arms["ci_low"] > 0) | (f.study.arms["ci_high"] < 0)).any()


@rule("This study has no ablation", "本研究不含消融实验")
def _title_none(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.study.models) == len(f.study.arms) == 1


@rule(
    "No ablation could be judged, because its trainings diverged",
    "训练发散，没有消融实验可供判定",
)
def _title_diverged(f: Facts, m: Mapping[str, str]) -> None:
    assert len(f.study.arms) < 2


@rule(
    "Ablations with one seed: no effect can be told from chance; shown to try the pipeline",
    "消融实验只有一个种子：效应无法与偶然波动区分，仅用于演示流程",
)
def _title_one_seed(f: Facts, m: Mapping[str, str]) -> None:
    assert f.study.arms["ci_low"].isna().all()


VERDICTS = (
    *("confirmed", "refuted", "inconclusive", "not tested"),
    *("not this network", "settled by construction"),
)


def counted(f: Facts, m: Mapping[str, str], origin: str) -> None:
    found = f.study.claims[f.study.claims["origin"] == origin]
    assert int(m["claims"]) == len(found) > 0
    for verdict in VERDICTS:
        assert int(m[verdict.replace(" ", "_")]) == (found["verdict"] == verdict).sum()


COUNTS = (
    "claims <n:claims>, confirmed <n:confirmed>, refuted <n:refuted>, inconclusive <n:inconclusive>, about another "
    "network <n:not_this_network>, settled by construction <n:settled_by_construction>, not tested <n:not_tested>."
)
COUNTS_ZH = (
    "论断<n:claims>条，证实<n:confirmed>条，否定<n:refuted>条，未定<n:inconclusive>条，所指为另一网络<n:not_this_network>条，"
    "由构造决定<n:settled_by_construction>条，未检验<n:not_tested>条。"
)


@rule(f"The original talk: {COUNTS}", f"原报告：{COUNTS_ZH}")
def _talk(f: Facts, m: Mapping[str, str]) -> None:
    counted(f, m, "talk")


@rule(f"Papers: {COUNTS}", f"论文：{COUNTS_ZH}")
def _papers(f: Facts, m: Mapping[str, str]) -> None:
    counted(f, m, "paper")
