"""The built-in data set: what makes it a data set worth comparing networks on."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import numpy as np
import pytest

from bakeoff.data.config import DataConfig
from bakeoff.data.dataset import Dataset, Images, Split
from bakeoff.data.drawn import catalogue as catalogue_module
from bakeoff.data.drawn import drawing
from bakeoff.data.drawn.forms import OUTLINES, rgb

TRAIN, TEST = 0, 1
CLASSES, SUPERCLASSES = 100, 20


def catalogue() -> catalogue_module.Looks:
    return catalogue_module.catalogue(CLASSES, SUPERCLASSES)


def superclasses() -> np.ndarray:
    return catalogue_module.shape_of_class(CLASSES, SUPERCLASSES)


def class_names() -> tuple[str, ...]:
    return catalogue_module.class_names(CLASSES, SUPERCLASSES)


def superclass_names() -> tuple[str, ...]:
    return catalogue_module.shape_names(SUPERCLASSES)


def draw_split(seed: int, split: int, images: int) -> Split:
    return Split(*drawing.draw_split(catalogue(), images, 32, 0.5, seed, split))


def make_shapes(**shapes: int) -> Dataset:
    return DataConfig.model_validate({"kind": "shapes", "shapes": shapes}).read(None)


@pytest.fixture(scope="module")
def train() -> Split:
    return draw_split(0, TRAIN, 2000)


@pytest.fixture(scope="module")
def test() -> Split:
    return draw_split(0, TEST, 1000)


def test_names_are_distinct_and_say_what_is_shown() -> None:
    names = class_names()
    assert len(set(names)) == 100
    assert len(set(superclass_names())) == 20
    assert "solid red disk" in names
    for name, superclass in zip(names, superclasses(), strict=True):
        assert name.split(" ", 2)[2] == superclass_names()[superclass]


def test_each_superclass_has_five_classes_that_no_single_property_tells_apart() -> None:
    looks = catalogue()
    for superclass in range(20):
        members = np.flatnonzero(superclasses() == superclass)
        patterns = {(looks.texture[m], looks.hue[m]) for m in members}
        assert len(patterns) == 5
        assert max(Counter(looks.texture[members]).values()) >= 2
        assert max(Counter(looks.hue[members]).values()) >= 2
    pairs = Counter(zip(looks.texture.tolist(), looks.hue.tolist(), strict=True))
    assert set(pairs.values()) == {4}, "each texture meets each colour equally often"
    assert len(pairs) == 25


def test_splits_are_balanced_and_differ() -> None:
    data = make_shapes(train_images=300, test_images=200, seed=3, superclasses=20)
    assert data.train.images.shape == (300, 3, 32, 32)
    assert data.train.images.dtype == np.uint8
    assert data.train.fine.dtype == np.int64
    assert set(np.bincount(data.train.fine)) == {3}
    assert set(np.bincount(data.test.fine)) == {2}
    assert data.class_to_superclass == tuple(superclasses())
    assert not (data.train.images[:200] == data.test.images).all(axis=(1, 2, 3)).any()


def test_same_seed_same_images_other_seed_other_images() -> None:
    first, again, other = (draw_split(seed, TRAIN, 100).images for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not (first == other).all(axis=(1, 2, 3)).any()


def test_a_larger_set_begins_with_the_smaller_one(train: Split) -> None:
    # 730 is no multiple of the internal chunk, so chunks of other sizes are drawn.
    np.testing.assert_array_equal(draw_split(0, TRAIN, 730).images, train.images[:730])


def test_images_of_a_class_vary(train: Split) -> None:
    one = train.images[train.fine == 17].astype(float)
    assert one.std(axis=0).mean() > 30, "levels: pose, light and background change"


def test_images_use_the_range_without_clipping_it_away(train: Split) -> None:
    assert train.images.min() == 0
    assert train.images.max() == 255
    clipped = ((train.images == 0) | (train.images == 255)).mean()
    assert clipped < 0.05
    assert 60 < train.images.mean() < 190


def test_no_class_is_decided_by_mean_colour(train: Split, test: Split) -> None:
    accuracy = _nearest_centroid(_mean_colour(train.images), train, _mean_colour(test.images), test)
    assert accuracy < 0.06


def test_a_linear_classifier_does_better_than_chance_but_stays_poor(
    train: Split, test: Split
) -> None:
    accuracy = _linear_accuracy(train, test)
    assert 0.02 < accuracy < 0.2


def test_the_class_can_be_seen_through_the_nuisance() -> None:
    """With many images of a class, what they share shows: hue and the number of shapes do."""
    images = draw_split(0, TRAIN, 6000)
    looks = catalogue()
    centre = images.images[:, :, 12:20, 12:20].mean(axis=(2, 3)) - _mean_colour(images.images)
    single = looks.layout[images.fine] == 0
    red = looks.hue[images.fine] == 0
    blue = looks.hue[images.fine] == 3
    redness = centre[:, 0] - centre[:, 2]
    assert redness[single & red].mean() - redness[single & blue].mean() > 40


def test_outlines_are_closed_distinct_and_of_like_size() -> None:
    axis = np.linspace(-1.6, 1.6, 129, dtype=np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    masks = {name: outline(x, y) < 0 for name, outline in OUTLINES.items()}
    cell = float(axis[1] - axis[0]) ** 2
    for name, mask in masks.items():
        assert 0.8 < mask.sum() * cell < 3.2, name
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not border.any(), name
    for (one, a), (other, b) in itertools.combinations(masks.items(), 2):
        assert (a & b).sum() / (a | b).sum() < 0.93, (one, other)


@pytest.mark.parametrize(
    ("hsv", "expected"),
    [((0, 1, 1), (1, 0, 0)), ((1 / 3, 1, 1), (0, 1, 0)), ((2 / 3, 1, 0.5), (0, 0, 0.5)),
     ((0.7, 0, 0.4), (0.4, 0.4, 0.4)), ((7 / 6, 1, 1), (1, 1, 0))],
)  # fmt: skip
def test_hsv_colours(hsv: tuple[float, ...], expected: tuple[float, ...]) -> None:
    got = rgb(*(np.array([v], np.float32) for v in hsv))
    np.testing.assert_allclose(got[:, 0], expected, atol=1e-6)


def test_drawing_is_fast() -> None:
    start = time.process_time()
    draw_split(1, TRAIN, 1000)
    assert time.process_time() - start < 3.0, "10,000 images are to take seconds, not minutes"


def _mean_colour(images: Images) -> np.ndarray:
    return images.mean(axis=(2, 3))


def _nearest_centroid(
    features: np.ndarray, train: Split, test_features: np.ndarray, test: Split
) -> float:
    centroids = np.stack([features[train.fine == c].mean(axis=0) for c in range(100)])
    distances = ((test_features[:, None] - centroids) ** 2).sum(axis=-1)
    return float((distances.argmin(axis=1) == test.fine).mean())


def _linear_accuracy(train: Split, test: Split) -> float:
    """Ridge regression onto the classes, from pixels averaged over 2 x 2: the best linear rule."""

    def features(split: Split) -> np.ndarray:
        n = len(split.fine)
        small = split.images.reshape(n, 3, 16, 2, 16, 2).mean(axis=(3, 5)).reshape(n, -1)
        return (small - 127.5) / 64

    x, y = features(train), np.eye(100)[train.fine] - 0.01
    weights = np.linalg.solve(x.T @ x + 2000 * np.eye(x.shape[1]), x.T @ y)
    return float(((features(test) @ weights).argmax(axis=1) == test.fine).mean())
