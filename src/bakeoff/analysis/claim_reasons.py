"""Why a claim got its verdict, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

# Why a verdict was given, in English and Chinese. The reason of a tested claim is put together from
# what was expected, what was found, how the two lie, and how an arm was picked.
REASONS: Mapping[str, tuple[str, str]] = {
    "at_least": ("expected at least {least}; ", "要求不低于 {least}；"),
    "at_most": ("expected at most {most}; ", "要求不高于 {most}；"),
    "equals": ("expected {least} to {most}; ", "要求介于 {least} 与 {most} 之间；"),
    "interval": ("the interval from {low} to {high} ", "区间 {low} 至 {high} "),
    "value": ("the value {value} ", "数值 {value} "),
    "inside": ("lies within", "满足该要求"),
    "outside": ("lies outside", "不满足该要求"),
    "overlaps": ("lies only partly within", "仅部分满足该要求"),
    "best": (
        "; '{arm}' is the best of {arms} arms",
        "；“{arm}”是 {arms} 个实验臂中的最优者",
    ),
    "worst": (
        "; '{arm}' is the worst of {arms} arms",
        "；“{arm}”是 {arms} 个实验臂中的最差者",
    ),
    "simultaneous": (
        ", and the interval holds for all of them",
        "，区间同时适用于所有实验臂",
    ),
    "variant_absent": (
        "variant '{name}' is not part of this study",
        "本研究未包含变体 {name}",
    ),
    "all_diverged": (
        "all runs of variant '{name}' diverged",
        "变体 {name} 的所有训练均已发散",
    ),
    "ablation_absent": (
        "ablation '{name}' is not part of this study",
        "本研究未包含消融实验 {name}",
    ),
    "arm_absent": (
        "ablation '{name}' has no arm '{arm}' that differs from its baseline",
        "消融实验 {name} 中没有与基线不同的实验臂 {arm}",
    ),
    "dataset": (
        "the claim is about {wanted[0]}, this study used {found[0]}",
        "该论断针对 {wanted[1]}，而本研究使用 {found[1]}",
    ),
    "metric": (
        "the claim is about {wanted}, the verdicts of this study are on {found}",
        "该论断针对{wanted_zh}，而本研究按{found_zh}判定",
    ),
    "min_epochs": (
        "the claim needs at least {wanted} epochs, this study trained {found}",
        "该论断要求至少训练 {wanted} 个 epoch，而本研究仅训练 {found} 个",
    ),
    "protocol": (
        "the claim is about the protocol '{wanted}', this study used '{found}'",
        "该论断针对训练方案 {wanted}，而本研究使用 {found}",
    ),
    "pretrained": (
        "the claim is about {wanted[0]}, what was measured {found[0]}",
        "该论断针对{wanted[1]}的网络，而实测的网络{found[1]}",
    ),
    "epochs": (
        "the claim is about {wanted} epochs, this study trained {found}",
        "该论断针对 {wanted} 个 epoch 的训练，而本研究训练了 {found} 个",
    ),
    "device": (
        "the claim is about {wanted}, this study trained on {found}",
        "该论断针对 {wanted}，而本研究在 {found} 上训练",
    ),
    "gpus": (
        "the claim is about {wanted} GPUs, a run of this study had {found}",
        "该论断针对 {wanted} 块 GPU，而本研究每次训练使用 {found} 块",
    ),
    "other_machines": (
        "the variants were not all trained on one kind of device and on as many GPUs",
        "各变体并非都在同一种设备、同样数量的 GPU 上训练",
    ),
    "no_others": (
        "there is nothing in this study to compare it with",
        "本研究中没有可与之比较的对象",
    ),
    "not_measured": ("the study has no figure for it", "本研究没有相应的数值"),
    "beyond_all_images": (
        "with its {params} parameters it would need an accuracy of {needed} %, so the claim is about another network",
        "以其 {params} 个参数，准确率须达到 {needed}%，可见该论断针对的是另一个网络",
    ),
    "other_size": (
        "that would be a network of {wanted} parameters; the arm nearest to it, '{arm}', has {smallest}, so the claim "
        "is about another network",
        "那将是一个有 {wanted} 个参数的网络，而最接近的实验臂“{arm}”有 {smallest} 个，可见该论断针对的是另一个网络",
    ),
    "one_network": (
        "'{arm}' and '{other}' are one network here, so neither can be better",
        "“{arm}”与“{other}”在此为同一网络，谁也不可能更好",
    ),
    "seeds": (
        "an accuracy needs at least {wanted} seeds, this study has {found}",
        "检验准确率至少需要 {wanted} 个随机种子，而本研究仅有 {found} 个",
    ),
}


def reason(code: str, facts: Mapping[str, object]) -> tuple[str, str]:
    """Return the text `code` in English and Chinese, filled with `facts`."""
    english, chinese = REASONS[code]
    return english.format_map(facts), chinese.format_map(facts)
