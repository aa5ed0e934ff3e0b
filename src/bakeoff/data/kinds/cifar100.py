"""CIFAR-100 as published, or images of one's own in its layout: https://www.cs.toronto.edu/~kriz/cifar.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bakeoff.data.published import ArchiveLayout, LabelNames, Published, PublishedConfig


class Data(PublishedConfig):
    """The data of a study on CIFAR-100."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "CIFAR-100", "zh": "CIFAR-100"}
    PUBLISHED = Published(
        name="cifar-100",
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        md5={
            "03b5dce01913d631647c71ecec9e9cb8": "cifar-100-binary.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85": "cifar-100-python.tar.gz",
        },
        pickle_md5={
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
        binary=ArchiveLayout(
            ("train.bin",), ("test.bin",), ("fine_label_names.txt", "coarse_label_names.txt")
        ),
        python=ArchiveLayout(("train",), ("test",), ("meta",)),
        labels=(
            LabelNames("fine_labels", "fine_label_names", "fine_label_names.txt"),
            LabelNames("coarse_labels", "coarse_label_names", "coarse_label_names.txt"),
        ),
        classes=100,
        superclasses=20,
        train_images=50_000,
        archive_bytes=169e6,
    )
