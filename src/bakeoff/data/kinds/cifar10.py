"""CIFAR-10 as published, or images of one's own in its layout: https://www.cs.toronto.edu/~kriz/cifar.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bakeoff.data.published import ArchiveLayout, LabelNames, Published, PublishedConfig

BATCHES = range(1, 6)


class Data(PublishedConfig):
    """The data of a study on CIFAR-10."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "CIFAR-10", "zh": "CIFAR-10"}
    PUBLISHED = Published(
        name="cifar-10",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        md5={
            "c32a1d4ab5d03f1284b67883e8d87530": "cifar-10-binary.tar.gz",
            "c58f30108f718f92721af3b95e74349a": "cifar-10-python.tar.gz",
        },
        pickle_md5={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        binary=ArchiveLayout(
            tuple(f"data_batch_{n}.bin" for n in BATCHES),
            ("test_batch.bin",),
            ("batches.meta.txt",),
        ),
        python=ArchiveLayout(
            tuple(f"data_batch_{n}" for n in BATCHES), ("test_batch",), ("batches.meta",)
        ),
        labels=(LabelNames("labels", "label_names", "batches.meta.txt"),),
        classes=10,
        superclasses=None,
        train_images=50_000,
        archive_bytes=170e6,
    )
