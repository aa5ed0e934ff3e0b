"""From a configuration to prepared data."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from bakeoff.data.config import DataConfig
from bakeoff.data.dataset import Dataset, Images, Labels, Split
from bakeoff.data.duplicates import FILE as DUPLICATES
from bakeoff.data.duplicates import equal_images, find_duplicates, write_duplicates
from bakeoff.data.near_copies import FILE as NEAR_COPIES
from bakeoff.data.near_copies import find_near_copies, write_near_copies
from bakeoff.data.prepared import DataMeta, arrays_checksum, write_arrays, write_meta
from bakeoff.data.reading import reading, write_reading
from bakeoff.data.sampling import Purpose, stratified_sample
from bakeoff.errors import UserError

log = logging.getLogger(__name__)
BLOCK = 1000  # images counted together: counting widens their bytes to whole words


def prepare(config: DataConfig, source: Path | None, out: Path) -> None:
    """Write the prepared data of `config` to the folder `out`; `meta.json` comes last. Copies are listed and told.

    Args:
        config: of the data's kind.
        source: the first of its sources; None for that of the configuration.
        out: folder of the prepared data.

    Raises:
        UserError: the data are refused, are not what they were described as, or too few for the validation split.
    """
    dataset = config.read(source)
    _check_description(dataset, config)
    seed = config.validation.seed
    train = _limited(dataset.train, config.limit.train, seed, Purpose.LIMIT_TRAIN)
    test = _limited(dataset.test, config.limit.test, seed, Purpose.LIMIT_TEST)
    if dataset.held_out is None:
        validation = hold_out(train.fine, config.validation.images, seed)
    elif config.limit.train is None:
        validation = dataset.held_out
    else:
        raise UserError(
            "data.limit.train leaves out images of train, but these data have a validation split of their own. Set "
            "data.limit.train to null."
        )
    mean, std = channel_statistics(np.delete(train.images, validation, axis=0))

    write_arrays(out, train, test, validation, dataset.class_to_superclass)
    equal = equal_images(train, test)
    duplicates = find_duplicates(train, test, equal)
    near = find_near_copies(train, test, equal)
    write_duplicates(Path(out), duplicates, dataset.classes)
    write_near_copies(Path(out), near, dataset.classes)
    for sentence in duplicates.sentences():
        log.warning("%s They are listed in %s.", sentence, DUPLICATES)
    for sentence in near.sentences():
        log.warning("%s They are listed in %s.", sentence, NEAR_COPIES)
    write_reading(Path(out), reading(dataset.origin, duplicates, near))
    meta = DataMeta(
        name=dataset.name,
        kind=config.kind,
        classes=dataset.classes,
        superclasses=dataset.superclasses,
        class_to_superclass=dataset.class_to_superclass,
        mean=mean,
        std=std,
        image_size=train.images.shape[-1],
        train_images=len(train.fine),
        validation_images=len(validation),
        test_images=len(test.fine),
        checksum=arrays_checksum(out),
        source=dataset.source,
    )
    write_meta(out, meta)


def hold_out(fine: Labels, images: int, seed: int) -> Labels:
    """Return sorted indices of `images` images, stratified by the classes `fine` (int64, N).

    Raises:
        UserError: no image remains to train on.
    """
    if not 0 < images < len(fine):
        raise UserError(
            f"data.validation.images is {images}, expected 1 to {len(fine) - 1}, as train has "
            f"{len(fine)} images; a tenth of them ({max(1, len(fine) // 10)}) is usual."
        )
    return stratified_sample(fine, images, seed, Purpose.VALIDATION)


def channel_statistics(
    images: Images,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation (population) of each channel of N x 3 x H x W bytes.

    On the 0..1 scale; computed from histograms of whole numbers, thus exact for any N.
    """
    counts = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), BLOCK):
        for channel in range(3):
            block = images[start : start + BLOCK, channel]
            counts[channel] += np.bincount(block.reshape(-1), minlength=256)
    levels = np.arange(256) / 255
    means = counts @ levels / counts.sum(axis=1)
    deviations = [
        np.sqrt(np.average((levels - mean) ** 2, weights=weights))
        for mean, weights in zip(means, counts, strict=True)
    ]
    r, g, b = (float(mean) for mean in means)
    sd_r, sd_g, sd_b = (float(deviation) for deviation in deviations)
    return (r, g, b), (sd_r, sd_g, sd_b)


def _check_description(dataset: Dataset, config: DataConfig) -> None:
    """Refuse data that are not what the networks were made and the work was planned for."""
    described, classes = config.describe(), len(dataset.classes)
    if classes != described.classes:
        usual = "" if config.classes else f", which is usual for data.kind {config.kind}"
        raise UserError(
            f"data.classes is {described.classes}{usual}, but the data ({dataset.source.file or dataset.name}) have "
            f"{classes} classes. Set data.classes to {classes}."
        )


def _limited(split: Split, limit: int | None, seed: int, purpose: Purpose) -> Split:
    if limit is None or limit >= len(split.fine):
        return split
    return split.take(stratified_sample(split.fine, limit, seed, purpose))
