"""The answers of one trained network on the test split, and the scores that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits (float32, N x C) and labels (int64, N) of N test images with C classes."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

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
        log_probability = log_softmax(self.logits.astype(np.float64), axis=1)
        return float(-log_probability[np.arange(len(self.labels)), self.labels].mean())

    def calibration_error(self, bins: int = 15) -> float:
        """Return the expected calibration error in percent.

        The gap between confidence and accuracy within `bins` equal bins of confidence, weighted by
        their shares of the images (Guo et al. 2017, "On calibration of modern neural networks",
        eq. 3).
        """
        log_probability = log_softmax(self.logits.astype(np.float64), axis=1)
        confidence = np.exp(log_probability.max(axis=1))
        bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
        gap = np.bincount(bin_of, weights=self.correct() - confidence, minlength=bins)
        return 100 * float(np.abs(gap).sum() / len(confidence))

    def brier_score(self) -> float:
        """Return the mean squared distance of the probabilities from the truth, summed over classes, 0 to 2.

        Brier 1950, "Verification of forecasts expressed in terms of probability".
        """
        probability = np.exp(log_softmax(self.logits.astype(np.float64), axis=1))
        own = probability[np.arange(len(self.labels)), self.labels]
        return float(((probability**2).sum(axis=1) - 2 * own + 1).mean())

    def worst_class_accuracy(self) -> float:
        """Return the accuracy of the class with the lowest one, in percent; classes without images do not count."""
        images = np.bincount(self.labels)
        right = np.bincount(self.labels, weights=self.correct(), minlength=len(images))
        return 100 * float((right[images > 0] / images[images > 0]).min())

    def superclass_accuracy(self, superclass_of: NDArray[np.int64]) -> float:
        """Return how often the predicted class is in the label's superclass, in percent.

        `superclass_of` (C) maps a class to its superclass.
        """
        return 100 * float((superclass_of[self.predicted()] == superclass_of[self.labels]).mean())
