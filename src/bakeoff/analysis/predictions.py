"""The answers of one trained network on the test split, and the scores that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits (float32, N x C) and labels (int64, N) of N test images with C classes."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

    @cached_property
    def _log_probability(self) -> NDArray[np.float64]:
        """The logarithms of the probabilities, N x C; several scores of a run need them."""
        return np.asarray(log_softmax(self.logits.astype(np.float64), axis=1))

    def label_logits(self) -> NDArray[np.float32]:
        """Return the logit of each image's own class, N."""
        own: NDArray[np.float32] = self.logits[np.arange(len(self.labels)), self.labels]
        return own

    def predicted(self) -> NDArray[np.int64]:
        """Return the class with the largest logit, N; of equal logits the first class counts."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    def correct(self, k: int = 1) -> NDArray[np.bool_]:
        """Return whether the label is among the `k` largest logits, N.

        Ties go to the class with the lower number, so that `k = 1` agrees with `predicted`.
        """
        own = self.label_logits()[:, None]
        before = np.arange(self.logits.shape[1]) < self.labels[:, None]
        rank = (self.logits > own).sum(axis=1) + ((self.logits == own) & before).sum(axis=1)
        return np.asarray(rank < k)

    def cross_entropy(self) -> float:
        """Return the mean negative log-likelihood of the labels, in nats."""
        return float(-self._log_probability[np.arange(len(self.labels)), self.labels].mean())

    def calibration_error(self, bins: int = 15) -> float:
        """Return the expected calibration error in percent.

        The gap between confidence and accuracy within `bins` equal bins of confidence, weighted by
        their shares of the images (Guo et al. 2017, "On calibration of modern neural networks",
        eq. 3).
        """
        confidence = np.exp(self._log_probability.max(axis=1))
        bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
        gap = np.bincount(bin_of, weights=self.correct() - confidence, minlength=bins)
        return 100 * float(np.abs(gap).sum() / len(confidence))

    def brier_score(self) -> float:
        """Return the mean squared distance of the probabilities from the truth, summed over classes, 0 to 2.

        Brier 1950, "Verification of forecasts expressed in terms of probability".
        """
        probability = np.exp(self._log_probability)
        own = probability[np.arange(len(self.labels)), self.labels]
        return float(((probability**2).sum(axis=1) - 2 * own + 1).mean())

    def jackknife(self, group: NDArray[np.int64], bins: int = 15) -> NDArray[np.float64]:
        """Return Brier score and calibration error (percent) without one group of images each, 2 x G.

        `group` (N) is that of each image, from 0 to G - 1 (delete-a-group jackknife: Shao and Tu 1995, "The jackknife
        and bootstrap", ch. 2).
        """
        probability = np.exp(self._log_probability)
        own = probability[np.arange(len(self.labels)), self.labels]
        squares = (probability**2).sum(axis=1) - 2 * own + 1
        confidence = probability.max(axis=1)
        bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
        count = int(group.max()) + 1
        left = len(group) - np.bincount(group, minlength=count)
        brier = (squares.sum() - np.bincount(group, squares, count)) / left
        gaps = np.bincount(group * bins + bin_of, self.correct() - confidence, count * bins)
        gaps = gaps.reshape(count, bins)
        error = 100 * np.abs(gaps.sum(axis=0) - gaps).sum(axis=1) / left
        return np.stack([brier, error])

    def balanced_accuracy(self) -> float:
        """Return the mean of the classes' accuracies, in percent; classes without images do not count.

        Brodersen et al. 2010, "The balanced accuracy and its posterior distribution"; it is also macro recall.
        """
        images, right = self._by_class()
        return 100 * float((right[images > 0] / images[images > 0]).mean())

    def macro_f1(self) -> float:
        """Return the mean over classes of F1, the harmonic mean of precision and recall, in percent.

        Of classes that have images or were predicted; F1 is 0 where nothing of a class was found.
        """
        images, right = self._by_class()
        predicted = np.bincount(self.predicted(), minlength=len(images))
        known = images + predicted > 0
        return 100 * float((2 * right[known] / (images + predicted)[known]).mean())

    def _by_class(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return how many images each class has, and how many of them were answered right."""
        classes = self.logits.shape[1]
        images = np.bincount(self.labels, minlength=classes).astype(np.int64)
        right = np.bincount(self.labels, weights=self.correct(), minlength=classes)
        return images, right.astype(np.float64)

    def worst_class_accuracy(self) -> float:
        """Return the accuracy of the class with the lowest one, in percent; classes without images do not count."""
        images, right = self._by_class()
        return 100 * float((right[images > 0] / images[images > 0]).min())

    def superclass_accuracy(self, superclass_of: NDArray[np.int64]) -> float:
        """Return how often the predicted class is in the label's superclass, in percent.

        `superclass_of` (C) maps a class to its superclass.
        """
        return 100 * float((superclass_of[self.predicted()] == superclass_of[self.labels]).mean())
