"""What follows from the logits of a run."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

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


def test_balanced_accuracy_and_macro_f1_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels = generator.choice(7, size=300, p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.02, 0.0])
    logits = generator.normal(size=(300, 7)).astype(np.float32)
    logits[np.arange(300), labels] += 1.5
    found = Predictions(logits, labels)
    predicted = logits.argmax(axis=1)
    # No image is of the last class: it has no accuracy, but it was predicted, so it has an F1 of 0.
    present = labels.max() + 1
    recalls = [(predicted[labels == k] == k).mean() for k in range(present)]
    assert found.balanced_accuracy() == pytest.approx(100 * np.mean(recalls))
    kept = predicted < present
    assert 6 in predicted and not (labels == 6).any()
    assert found.macro_f1() == pytest.approx(
        100 * f1_score(labels, predicted, average="macro", zero_division=0)
    )
    assert Predictions(logits[kept], labels[kept]).balanced_accuracy() == pytest.approx(
        100 * balanced_accuracy_score(labels[kept], predicted[kept])
    )
    assert found.balanced_accuracy() != pytest.approx(100 * (predicted == labels).mean(), abs=0.5)


def test_the_jackknife_leaves_out_one_group_each() -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(5, size=90)
    logits = generator.normal(size=(90, 5)).astype(np.float32)
    logits[np.arange(90), labels] += 1
    group = generator.permutation(90) % 9
    found = Predictions(logits, labels).jackknife(group)
    for k in range(9):
        rest = Predictions(logits[group != k], labels[group != k])
        assert found[:, k] == pytest.approx([rest.brier_score(), rest.calibration_error()])
