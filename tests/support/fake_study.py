"""A made-up study on disk: runs, profiles, data description and specs, as the workflow writes them.

For tests of what comes after training. Nothing is trained: correct and wrong answers are drawn from
a crossed model (network x test image) whose parts are known, so that a test can ask whether the
analysis finds them again. The same arguments always give the same bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bakeoff.analysis.predictions import Predictions
from bakeoff.training.history import EpochRecord, write_history
from tests.support.study import recipe

CLASSES = 100
TITLES = {
    "cifar100": {"en": "CIFAR-100", "zh": "CIFAR-100"},
    "shapes": {"en": "drawn images", "zh": "程序绘制的图像"},
}
SHAPES = (
    *("bell", "bottle", "cactus", "cloud", "crown", "drum", "fan", "fish", "fork", "gem"),
    *("key", "ladder", "lamp", "leaf", "mug", "pear", "ring", "sail", "star", "wheel"),
)
RECIPE: Mapping[str, Any] = recipe(
    {
        **{"epochs": 200, "global_batch": 1024, "micro_batch": 128, "warmup_epochs": 5, "precision": "auto"},
        "optimizer": {"nesterov": True, "weight_decay": 0.0005},
        "augmentation": {"crop_padding": 4, "flip": True},
    }
)  # fmt: skip


@dataclass(frozen=True)
class FakeVariant:
    """One variant of the made-up study; `top1` in percent is what its runs scatter around."""

    name: str
    family: str
    top1: float
    params: int
    seeds: tuple[int, ...] = (0, 1, 2)
    year: int = 2020
    paper: str = "Author et al. 2020"
    display: str = ""
    run: str = ""  # the variant whose runs are used, when it is another one
    pretrained: bool = False
    input_policy: str = "native32"
    diverged: tuple[int, ...] = ()  # those of `seeds` whose run diverged
    rare: float = 0.0  # how much abler it is where classes have few images, in SDs of difficulty

    @property
    def runs_of(self) -> str:
        return self.run or self.name


@dataclass(frozen=True)
class FakeStudy:
    """What `write_study` writes; `ablations`: name -> (arm, variant) pairs, baseline first."""

    variants: tuple[FakeVariant, ...]
    arms: tuple[FakeVariant, ...] = ()  # variants that are in ablations only
    ablations: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    claims: Sequence[Mapping[str, Any]] = ()
    name: str = "fake"
    dataset: str = "cifar100"
    protocol: str = "uniform"
    epochs: int = 12
    images: int = 500
    seed_sd: float = 0.5  # SD between seeds, points
    metric: str = "top1"
    copies: tuple[int, ...] = ()  # rows of the test images that also stand in train
    looks: int = 1  # at how many it is judged at most
    uneven: bool = False  # whether classes have different numbers of test images

    @property
    def header(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dataset": self.dataset,
            "protocol": self.protocol,
            "epochs": self.epochs,
            "metric": self.metric,
            "looks": self.looks,
        }


def generator(*parts: object) -> np.random.Generator:
    """Return a generator that depends on `parts` only."""
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def draw_predictions(
    of: FakeVariant, seed: int, study: FakeStudy
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return made-up test logits (float16, images x 100) and labels (int64, images).

    An image is answered correctly when the network's ability exceeds the image's difficulty; the
    difficulty has a part that all networks share, one of the variant and one of the single run.
    """
    variant, images = of.name, study.images
    order = np.arange(images) % CLASSES
    if study.uneven:
        # Twice as many of a class in the first half as of one in the second.
        order = np.where((np.arange(images) // CLASSES) % 3 < 2, order % (CLASSES // 2), order)
    labels = generator("labels").permutation(order).astype(np.int64)
    shared = generator("images").permutation(norm.ppf((np.arange(images) + 0.5) / images))
    own = generator("variant", variant).normal(size=images)
    single = generator("run", variant, seed)
    difficulty = np.sqrt(0.6) * shared + np.sqrt(0.2) * own
    difficulty += np.sqrt(0.2) * single.normal(size=images)
    difficulty -= of.rare * (labels >= CLASSES // 2)
    accuracy = np.clip((of.top1 + study.seed_sd * single.normal()) / 100, 0.002, 0.998)
    margin = norm.ppf(accuracy) - difficulty

    logits = single.normal(size=(images, CLASSES))
    relatives = np.arange(CLASSES) // 5 == labels[:, None] // 5
    logits += 1.2 * relatives
    rows = np.arange(images)
    logits[rows, labels] = -np.inf
    strongest = logits.max(axis=1)
    # At least 0.05 away from a tie, which float16 could not tell.
    logits[rows, labels] = strongest + 2 * margin + np.where(margin > 0, 0.05, -0.05)
    return (2 * logits).astype(np.float16), labels


def write_run(study: FakeStudy, variant: FakeVariant, seed: int, folder: Path) -> None:
    """Write metrics.json, history.csv, predictions.npz and provenance.json of one run."""
    folder.mkdir(parents=True, exist_ok=True)
    logits, labels = draw_predictions(variant, seed, study)
    np.savez(folder / "predictions.npz", logits=logits, labels=labels)

    answers = Predictions(logits.astype(np.float32), labels)
    top1, top5 = (100 * float(answers.correct(k).mean()) for k in (1, 5))
    loss = answers.cross_entropy()
    noise = generator("history", variant.name, seed)
    seconds = 2.0 + 30 * (variant.params / 2e7) ** 0.5
    curve = list(made_up_history(study.epochs, top1, seconds, noise))
    write_history(folder / "history.csv", curve)

    hours = study.epochs * seconds / 3600
    metrics = {
        "variant": variant.name,
        "seed": seed,
        "pretrained": variant.pretrained,
        "epochs": study.epochs,
        "test": {"top1": top1, "top5": top5, "loss": loss, "images": study.images},
        "validation": {
            "top1": top1 + float(noise.normal(0, 0.4)),
            "top5": min(100.0, top5 + float(noise.normal(0, 0.2))),
            "loss": loss * 1.01,
            "images": study.images // 2,
        },
        "params": variant.params,
        "macs": int(variant.params * 60),
        "input_size": 32 if variant.input_policy == "native32" else 224,
        "images_per_s": 45000 / seconds,
        "peak_memory_mb": 400 + variant.params / 2e4,
        "wall_hours": hours,
        "gpu_hours": 4 * hours,
        "processes": 4,
        "precision": "fp16",
        "device": "Tesla V100-SXM2-16GB",
    }
    if seed in variant.diverged:
        write_history(folder / "history.csv", curve[:1])
        np.savez(
            folder / "predictions.npz",
            logits=np.empty((0, CLASSES), np.float16),
            labels=np.empty(0, np.int64),
        )
        how = {"what": "loss", "step": 60, "epoch": 1, "learning_rate": 0.4}
        metrics |= {"test": None, "validation": None, "diverged": how}
    write_json(folder / "metrics.json", metrics)
    provenance = {
        "configuration": {
            "variant": variant.name,
            "model": {"builder": variant.name, "args": {}, "input_policy": variant.input_policy},
            "recipe": {**RECIPE, "epochs": study.epochs},
        },
        "seed": seed,
        "data_checksum": "ab" * 32,
        "sources": {"bakeoff.evaluation.run": "cd" * 32},
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "versions": {"python": "3.12.4", "torch": "2.10.0", "timm": "1.0.20", "numpy": "2.2.0"},
        "hardware": {
            "host": "node1",
            "processor": "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz",
            "cpus": 40,
            "gpus": 8 * ["Tesla V100-SXM2-16GB"],
            "cuda": "12.6",
            "system": "Linux 5.15.0",
        },
        "start": "2025-03-01T10:00:00+00:00",
        "end": f"2025-03-01T{11 + seed % 10:02d}:30:00+00:00",
    }
    write_json(folder / "provenance.json", provenance)


def made_up_history(
    epochs: int, final: float, seconds: float, noise: np.random.Generator
) -> Iterator[EpochRecord]:
    """Yield a learning curve that rises to `final` (percent) with a cosine learning rate."""
    for epoch in range(1, epochs + 1):
        done = epoch / epochs
        top1 = final * (1 - np.exp(-4 * done)) / (1 - np.exp(-4))
        top1 += float(noise.normal(0, 1.5)) * (1 - done)
        top1 = float(np.clip(top1, 0.5, 99.5))
        yield EpochRecord(
            epoch=epoch,
            lr=0.05 * (1 + np.cos(np.pi * (epoch - 1) / epochs)),
            train_loss=4.6 - 0.035 * top1,
            train_top1=min(99.9, top1 * 1.05),
            val_loss=4.6 - 0.034 * top1,
            val_top1=top1,
            val_top5=min(100.0, top1 + 0.5 * (100 - top1)),
            images_per_s=45000 / seconds,
            seconds=seconds,
        )


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_meta(root: Path, study: FakeStudy) -> None:
    """Write data/meta.json: 100 classes in 20 superclasses of five."""
    classes = [f"{SHAPES[i // 5]} {'abcde'[i % 5]}" for i in range(CLASSES)]
    meta = {
        "name": study.dataset,
        "kind": "cifar100" if study.dataset == "cifar100" else study.dataset,
        "classes": classes,
        "superclasses": list(SHAPES),
        "class_to_superclass": [i // 5 for i in range(CLASSES)],
        "mean": [0.5071, 0.4865, 0.4409],
        "std": [0.2673, 0.2564, 0.2762],
        "image_size": 32,
        "train_images": 50000,
        "validation_images": study.images // 2,
        "test_images": study.images,
        "checksum": "ab" * 32,
        "source": {"file": "fake.tar.gz", "md5": "00" * 16},
    }
    write_json(root / "data" / "meta.json", meta)
    reading = {
        "sizes": [[32, 32, 50000 + study.images]],
        "left_out": 0,
        "left_out_files": [],
        "test_in_train": list(study.copies),
        "test_nearly_in_train": [],
        "sentences": [f"Copies: {len(study.copies)}."] if study.copies else [],
    }
    write_json(root / "data" / "reading.json", reading)


def write_profile(root: Path, variant: FakeVariant) -> None:
    profile = {
        "variant": variant.name,
        "params": variant.params,
        "macs": int(variant.params * 60),
        "input_size": 32 if variant.input_policy == "native32" else 224,
        "latency_ms": 2 + (variant.params / 1e5) ** 0.5,
        "inference_images_per_s": 2e6 / (50 + variant.params / 1e4),
        "batch": 256,
        "device": "Tesla V100-SXM2-16GB",
        "threads": 4,
        "measured": "2025-03-01T09:00:00+00:00",
    }
    write_json(root / "profiles" / f"{variant.name}.json", profile)


def write_study(root: Path, study: FakeStudy) -> Path:
    """Write the whole tree of `study` below `root` and return `root`.

    Makes runs/, profiles/, data/meta.json, specs/comparison.json, specs/ablations/{name}.json and
    specs/claims.json.
    """
    everyone = {variant.name: variant for variant in (*study.variants, *study.arms)}
    for variant in everyone.values():
        write_profile(root, variant)
        if variant.runs_of == variant.name:
            for seed in variant.seeds:
                folder = root / "runs" / variant.name / f"seed{seed}"
                write_run(study, variant, seed, folder)
    write_meta(root, study)
    write_json(
        root / "specs" / "comparison.json",
        {
            "study": study.header,
            "margin": 1.0,
            "variants": [
                {
                    "variant": variant.name,
                    "display": variant.display or variant.name,
                    "family": variant.family,
                    "pretrained": variant.pretrained,
                    "input_policy": variant.input_policy,
                    "run": variant.runs_of,
                    "seeds": list(variant.seeds),
                    "paper": variant.paper,
                    "year": variant.year,
                }
                for variant in study.variants
            ],
        },
    )
    for name, arms in study.ablations.items():
        write_json(
            root / "specs" / "ablations" / f"{name}.json",
            {
                "study": study.header,
                "margin": 1.0,
                "ablation": name,
                "title": {"en": f"Ablation of {name.replace('_', ' ')}", "zh": f"消融：{name}"},
                "baseline": arms[0][0],
                "arms": [
                    {
                        "arm": arm,
                        "variant": variant,
                        "display": everyone[variant].display or variant,
                        "run": everyone[variant].runs_of,
                        "seeds": list(everyone[variant].seeds),
                    }
                    for arm, variant in arms
                ],
            },
        )
    write_json(
        root / "specs" / "claims.json",
        {"study": study.header, "claims": list(study.claims), "datasets": TITLES},
    )
    return root


def small_study(seeds: tuple[int, ...] = (0,)) -> FakeStudy:
    """Return a study of three variants, like the demo: synthetic data, few epochs."""
    return FakeStudy(
        variants=(
            FakeVariant("resnet_20", "ResNet", 31.0, 275_572, seeds, 2016, "He et al. 2016"),
            FakeVariant("eca_resnet_20", "ECA-Net", 32.0, 275_599, seeds, 2020, "Wang et al. 2020"),
            FakeVariant(
                "ghost_resnet_20", "GhostNet", 24.0, 144_964, seeds, 2020, "Han et al. 2020"
            ),
        ),
        name="demo",
        dataset="shapes",
        epochs=3,
    )


def full_study(
    seeds: tuple[int, ...] = (0, 1, 2),
    arm_seeds: tuple[int, ...] = tuple(range(10)),
    claims: Sequence[Mapping[str, Any]] = (),
    epochs: int = 200,
) -> FakeStudy:
    """Return a study of all 18 variants and three ablations with their own arms."""
    rows = (
        ("resnet_20", "ResNet", 68.6, 275_572, 2016),
        ("resnet_32", "ResNet", 70.3, 470_004, 2016),
        ("resnet_56", "ResNet", 72.7, 858_868, 2016),
        ("eca_resnet_20", "ECA-Net", 68.9, 275_599, 2020),
        ("eca_resnet_32", "ECA-Net", 70.5, 470_049, 2020),
        ("ghost_resnet_20", "GhostNet", 62.4, 144_964, 2020),
        ("ghost_resnet_32", "GhostNet", 65.0, 244_644, 2020),
        ("ghostnet_100", "GhostNet", 70.1, 4_029_608, 2020),
        ("convnext_tiny", "ConvNeXt", 73.5, 4_869_124, 2022),
        ("convnext_tiny_timm", "ConvNeXt", 70.9, 27_892_708, 2022),
        ("segnext_mscan_tiny", "SegNeXt", 74.3, 3_929_284, 2022),
        ("lsknet_tiny", "LSKNet", 73.9, 4_015_890, 2023),
        ("coatnet_0", "CoAtNet", 72.0, 24_296_240, 2021),
        ("cspresnet50", "CSPNet", 77.6, 20_693_668, 2020),
        ("hornet_tiny", "HorNet", 74.8, 21_946_468, 2022),
        ("resnest50d", "ResNeSt", 78.9, 25_639_140, 2022),
        ("mlp_mixer_tiny", "MLP-Mixer", 57.8, 2_501_796, 2021),
        ("mlp_mixer_b16", "MLP-Mixer", 60.6, 57_417_316, 2021),
    )
    ablated = {"resnet_20", "eca_resnet_20", "ghost_resnet_20"}
    variants = tuple(
        FakeVariant(
            name, family, top1, params, arm_seeds if name in ablated else seeds, year,
            f"Author et al. {year}",
        )
        for name, family, top1, params, year in rows
    )  # fmt: skip
    eca, arms = "eca_resnet_20", []
    for suffix, top1, extra, run in (
        ("k3", 68.9, 27, eca), ("k5", 69.1, 45, ""), ("k7", 68.8, 63, ""), ("k9", 68.7, 81, ""),
        ("after_conv1", 68.7, 27, ""), ("after_conv2", 68.9, 27, eca),
        ("after_addition", 68.0, 27, ""),
    ):  # fmt: skip
        arms.append(
            FakeVariant(f"{eca}_{suffix}", "ECA-Net", top1, 275_572 + extra, arm_seeds, run=run)
        )
    arms.append(FakeVariant("ghost_resnet_20_r3", "GhostNet", 59.1, 104_884, arm_seeds))
    arms.append(FakeVariant("ghost_resnet_20_r4", "GhostNet", 56.0, 79_660, arm_seeds))
    return FakeStudy(
        variants=variants,
        arms=tuple(arms),
        ablations={
            "eca": (
                ("none", "resnet_20"),
                ("adaptive", eca),
                *((f"k={k}", f"{eca}_k{k}") for k in (3, 5, 7, 9)),
            ),
            "attention_position": (
                ("none", "resnet_20"),
                ("after conv1", f"{eca}_after_conv1"),
                ("before addition", f"{eca}_after_conv2"),
                ("after addition", f"{eca}_after_addition"),
            ),
            "ghost": (
                ("none", "resnet_20"),
                ("ratio 2", "ghost_resnet_20"),
                ("ratio 3", "ghost_resnet_20_r3"),
                ("ratio 4", "ghost_resnet_20_r4"),
            ),
        },
        claims=claims,
        name="main",
        epochs=epochs,
    )
