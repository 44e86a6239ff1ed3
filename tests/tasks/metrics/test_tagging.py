"""Scores of taggers against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pixel_lm.tasks.metrics import accuracy, mean_and_deviation, tagging_scores


def test_words_that_were_cut_off_are_counted() -> None:
    labels = np.array([[3, -100, 1, 2], [0, -100, -100, -100]])  # 4 labelled words
    predictions = np.array([[3, 7, 1, 0], [0, 0, 0, 0]])  # 3 of them right
    scores = tagging_scores(predictions, labels, num_words=5)  # the fifth did not fit
    assert scores == {"accuracy": 0.75, "coverage": 0.8, "accuracy_all_words": 0.6}


def test_nothing_to_score() -> None:
    nothing = np.full((2, 3), -100)
    assert tagging_scores(nothing, nothing, 0) == {"accuracy": 0.0, "coverage": 0.0, "accuracy_all_words": 0.0}
    assert tagging_scores(nothing, nothing, 4)["coverage"] == 0.0


def test_accuracy() -> None:
    assert accuracy([["A", "B"], ["C"]], [["A", "X"], ["C"]]) == pytest.approx(2 / 3)
    assert accuracy([], []) == 0
    with pytest.raises(ValueError):
        accuracy([["A"]], [["A", "B"]])


def test_mean_and_deviation() -> None:
    assert mean_and_deviation([1.0, 2.0, 3.0]) == (2.0, 1.0)
    mean, deviation = mean_and_deviation([0.5])
    assert mean == 0.5 and math.isnan(deviation)
