"""The words of the page in English and Chinese, and the headings of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import yaml

from bakeoff.study.metric import Metric

_HEADINGS: Mapping[str, tuple[str, str]] = {
    "rank": ("Rank", "名次"),
    "rank_low": ("Rank from", "名次自"),
    "rank_high": ("Rank to", "名次至"),
    "letters": ("Not told apart", "不可区分"),
    "variant": ("Variant", "变体"),
    "variants": ("Variants", "变体数"),
    "family": ("Family", "家族"),
    "seeds": ("Seeds", "种子数"),
    "seed": ("Seed", "种子"),
    "score_mean": ("{metric} (%)", "{metric} (%)"),
    "top1_mean": ("Top-1 (%)", "Top-1 (%)"),
    "balanced_mean": ("Balanced accuracy (%)", "平衡准确率 (%)"),
    "macro_f1_mean": ("Macro F1 (%)", "宏平均F1 (%)"),
    "score_sd": ("SD over seeds", "种子间标准差"),
    "score_best": ("That of the best (%)", "最佳者的 (%)"),
    "best_variant": ("Best variant", "最佳变体"),
    "without_copies_mean": ("Without copies of training images (%)", "不含训练图像副本 (%)"),
    "top5_mean": ("Top-5 (%)", "Top-5 (%)"),
    "ece_mean": ("Calibration error (%)", "校准误差 (%)"),
    "loss_mean": ("Test loss", "测试损失"),
    "brier_mean": ("Brier score", "Brier分数"),
    "worst_class_top1_mean": ("Worst class (%)", "最差类别 (%)"),
    "best_epoch_gain_mean": ("Best epoch over last (points)", "最佳轮次高于末轮（百分点）"),
    "agreement": ("Both right or both wrong (%)", "同对或同错 (%)"),
    "error_consistency": ("Error consistency", "错误一致性"),
    "superclass_top1_mean": ("Superclass top-1 (%)", "超类top-1 (%)"),
    "params_m": ("Parameters (M)", "参数量 (M)"),
    "macs_m": ("Multiply-accumulates (M)", "乘加数 (M)"),
    "train_hours": ("Training (h)", "训练 (h)"),
    "gpu_hours": ("GPU-hours of a run", "单次GPU小时"),
    "latency_ms": ("Latency (ms)", "延迟 (ms)"),
    "images_per_s": ("Training images/s", "训练图像/s"),
    "inference_images_per_s": ("Inference images/s", "推理图像/s"),
    "peak_memory_mb": ("Peak memory (MiB)", "峰值内存 (MiB)"),
    "param_efficiency": ("{metric} per M parameters", "每百万参数{metric}"),
    "same_network_as": ("Same network as", "同一网络"),
    "group": ("Group", "组"),
    "dominated_by": ("Beaten by one as small", "被同样小者胜过"),
    "front_share_params": ("On the front over parameters (%)", "在参数量前沿上 (%)"),
    "front_share_macs": ("On the front over MACs (%)", "在乘加数前沿上 (%)"),
    "front_share_gpu_hours": ("On the front over GPU-hours (%)", "在GPU小时前沿上 (%)"),
    "front_share_latency": ("On the front over latency (%)", "在延迟前沿上 (%)"),
    "diverged": ("Diverged runs", "发散次数"),
    "device": ("Device", "设备"),
    "variant_a": ("A", "A"),
    "variant_b": ("B", "B"),
    "delta": ("Difference (points)", "差异（百分点）"),
    "p_adjusted": ("p (adjusted)", "p（校正）"),
    "verdict": ("Verdict", "判定"),
    "errors_change_pct": ("Errors (%)", "错误变化 (%)"),
    "detectable": ("Detectable (points)", "可检出（百分点）"),
    "equivalent_within": ("Equivalent within (points)", "等价范围（百分点）"),
    "more_seeds": ("More seeds", "还需种子"),
    "more_gpu_hours": ("GPU-hours for them", "所需GPU小时"),
    "margin": ("Margin (points)", "等价界限"),
    "seeds_a": ("Seeds of A", "A的种子"),
    "seeds_b": ("Seeds of B", "B的种子"),
    "top1": ("Top-1 (%)", "Top-1 (%)"),
    "balanced": ("Balanced accuracy (%)", "平衡准确率 (%)"),
    "macro_f1": ("Macro F1 (%)", "宏平均F1 (%)"),
    "top5": ("Top-5 (%)", "Top-5 (%)"),
    "val_top1": ("Held-out top-1 (%)", "验证top-1 (%)"),
    "loss": ("Test loss", "测试损失"),
    "ece": ("Calibration error (%)", "校准误差 (%)"),
    "superclass_top1": ("Superclass top-1 (%)", "超类top-1 (%)"),
    "epochs": ("Epochs", "轮次"),
    "outcome": ("Outcome", "结果"),
    "origin": ("Whose", "来自"),
    "source": ("Source", "出处"),
    "statement": ("Statement", "论断"),
    "claimed": ("Claimed", "论断值"),
    "measured": ("Measured", "实测值"),
    "unit": ("Unit", "单位"),
    "reason": ("Reason", "理由"),
    "arm": ("Arm", "实验臂"),
    "display": ("Variant", "变体"),
    "params_change_pct": ("Parameters (change in %)", "参数量变化 (%)"),
    "macs_change_pct": ("MACs (change in %)", "乘加数变化 (%)"),
    "gpu_hours_change": ("GPU-hours (change)", "GPU小时变化"),
}


_METRICS: Mapping[Metric, tuple[str, str]] = {
    "top1": ("Top-1", "Top-1"),
    "balanced": ("Balanced accuracy", "平衡准确率"),
}


def headings(name: str, title: str, metric: Metric) -> dict[str, str]:
    """Return the heading of a column in each language; `title` is what it is called elsewhere, in English."""
    english, chinese = _HEADINGS.get(name, (title, title))
    called = zip(("en", "zh"), (english, chinese), _METRICS[metric], strict=True)
    return {language: text.replace("{metric}", of) for language, text, of in called}


def load_words() -> dict[str, dict[str, str]]:
    """Return the words of the page: {language: {key: text}}."""
    text = (files("bakeoff.page") / "assets" / "words.yaml").read_text(encoding="utf-8")
    read: dict[str, dict[str, str]] = yaml.safe_load(text)
    return read
