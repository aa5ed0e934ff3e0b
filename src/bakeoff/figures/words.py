"""The words of all figures, in each language. Names of variants, arms and classes come from the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "one_seed": "1 seed",
        "seeds": "{low} seeds",
        "seed_range": "{low} to {high} seeds",
        "top1": "top-1 accuracy",
        "balanced": "balanced accuracy",
        "test_accuracy": "Test {accuracy} (%)",
        "test_accuracy_seeds": "Test {accuracy} (%), {seeds}",
        "mean_interval": "mean [{level} % interval, each by itself]",
        "parameters": "Parameters (millions, log scale)",
        "time": "Training time of one run ({unit}, log scale)\non {where}",
        "hours": "hours",
        "minutes": "minutes",
        "seconds": "seconds",
        "devices": "{count} different devices",
        "not_measured": "{label}; {count} not measured",
        "front": "Pareto front of the means",
        "held_out_accuracy": "Held-out top-1 accuracy (%)",
        "epoch": "Epoch ({seeds})",
        "epoch_band": "Epoch (mean; band: range of {seeds})",
        "delta": "Change in {accuracy} against the baseline (points)",
        "baseline": "Baseline: {arm}, {mean} %; {seeds}",
        "same_as_baseline": "same network as the baseline",
        "better": "better",
        "worse": "worse",
        "equivalent": "equivalent",
        "open": "cannot tell",
        "nothing_finished": "No ablation has a finished run of its baseline and of another arm.",
        "true_superclass": "True superclass",
        "predicted_superclass": "Predicted superclass, by number",
        "right_superclass": "{name}: {share} % in the right superclass ({seeds})",
        "share": "Share of the true superclass (%)",
    },
    "zh": {
        "one_seed": "1个种子",
        "seeds": "{low}个种子",
        "seed_range": "{low}至{high}个种子",
        "top1": "top-1准确率",
        "balanced": "平衡准确率",
        "test_accuracy": "测试集{accuracy} (%)",
        "test_accuracy_seeds": "测试集{accuracy} (%)，{seeds}",
        "mean_interval": "均值 [{level}%置信区间，各自单独]",
        "parameters": "参数量（百万，对数坐标）",
        "time": "单次训练时间（{unit}，对数坐标）\n设备：{where}",
        "hours": "小时",
        "minutes": "分钟",
        "seconds": "秒",
        "devices": "{count}种",
        "not_measured": "{label}；{count}个未测量",
        "front": "均值的帕累托前沿",
        "held_out_accuracy": "验证集top-1准确率 (%)",
        "epoch": "训练轮次（{seeds}）",
        "epoch_band": "训练轮次（均值；色带：{seeds}的范围）",
        "delta": "{accuracy}相对基线的变化（百分点）",
        "baseline": "基线：{arm}，{mean}%；{seeds}",
        "same_as_baseline": "与基线为同一网络",
        "better": "更好",
        "worse": "更差",
        "equivalent": "等价",
        "open": "尚无定论",
        "nothing_finished": "没有哪项消融的基线与另一实验臂都有完成的训练。",
        "true_superclass": "真实超类",
        "predicted_superclass": "预测超类（编号）",
        "right_superclass": "{name}：{share}%归入正确的超类（{seeds}）",
        "share": "占真实超类的比例 (%)",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """Return the words `key` in `language`, with their placeholders filled."""
    return WORDS[language][key].format_map(values)


def say_seeds(language: str, counts: Iterable[int]) -> str:
    """Return how many seeds there are: "1 seed", "3 seeds" or "3 to 10 seeds"."""
    low, high = min(counts := [int(count) for count in counts]), max(counts)
    if low != high:
        return say(language, "seed_range", low=low, high=high)
    return say(language, "one_seed" if low == 1 else "seeds", low=low)
