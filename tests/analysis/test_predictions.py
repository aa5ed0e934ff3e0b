"""What follows from the logits of a run."""

from __future__ import annotations

import numpy as np
import pytest

from bakeoff.analysis.predictions import Predictions

# ---- Predictions ---------------------------------------------------------------------------------


def test_correct_agrees_with_sorting_and_breaks_ties_towards_the_first_class() -> None:
    generator = np.random.default_rng(0)
    logits = generator.integers(-3, 4, size=(200, 12)).astype(np.float32)  # many ties
    labels = generator.integers(12, size=200)
    order = np.argsort(-logits, axis=1, kind="stable")
    for k in (1, 3, 5):
        expected = (order[:, :k] == labels[:, None]).any(axis=1)
        np.testing.assert_array_equal(Predictions(logits, labels).correct(k), expected)
    assert (Predictions(logits, labels).predicted() == order[:, 0]).all()


def test_loss_and_calibration_of_known_predictions() -> None:
    # Always 80 % sure of class 0, and right in three of four images.
    logits = np.tile(np.log([0.8, 0.2]).astype(np.float32), (400, 1))
    predictions = Predictions(logits, np.repeat([0, 0, 0, 1], 100))
    assert predictions.cross_entropy() == pytest.approx(-0.75 * np.log(0.8) - 0.25 * np.log(0.2))
    assert predictions.calibration_error() == pytest.approx(5.0, abs=1e-4)
    assert predictions.superclass_accuracy(np.array([0, 0])) == 100
    assert predictions.superclass_accuracy(np.array([0, 1])) == 75
