"""Metrics of GLUE against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pixel_lm.errors import UserError
from pixel_lm.tasks.metrics.classification import (
    GLUE_METRICS,
    f1,
    glue_scores,
    label_accuracy,
    matthews_correlation,
    pearson,
    spearman,
)  # fmt: skip

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)
NUMBERS = st.floats(-5, 5, width=16)


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=50)
@given(LABELS)
def test_labels(pairs: list[tuple[int, int]]) -> None:
    predictions, labels = zip(*pairs, strict=True)
    assert label_accuracy(predictions, labels) == pytest.approx(sklearn.metrics.accuracy_score(labels, predictions))
    assert matthews_correlation(predictions, labels) == pytest.approx(
        sklearn.metrics.matthews_corrcoef(labels, predictions), abs=1e-12
    )
    for positive in range(4):
        reference = sklearn.metrics.f1_score(
            np.equal(labels, positive), np.equal(predictions, positive), zero_division=0.0
        )
        assert f1(predictions, labels, positive) == pytest.approx(reference)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30))
def test_correlations(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    assume(np.ptp(x) > 1e-3 and np.ptp(y) > 1e-3)  # below this rounding decides
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-9)
    assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)


def test_names_of_labels() -> None:
    names = ["no", "yes", "yes", "no"], ["yes", "yes", "no", "no"]
    assert label_accuracy(*names) == 0.5
    assert f1(*names, positive="yes") == 0.5
    assert matthews_correlation(*names) == 0.0


def test_where_a_metric_is_not_defined() -> None:
    for metric in (label_accuracy, f1, matthews_correlation, pearson, spearman):
        assert metric([], []) == 0.0
        with pytest.raises(ValueError, match="rows of the same length"):
            metric([1], [1, 0])
    for constant in (0.1, 3.0, 1e300):
        assert pearson([constant] * 7, list(range(7))) == spearman([constant] * 7, list(range(7))) == 0.0
    assert matthews_correlation([1, 1, 1], [0, 1, 1]) == 0.0
    assert f1([0, 0], [0, 0]) == 0.0


def test_numbers_of_any_size() -> None:
    assert pearson([1e300, 2e300, 4e300], [1e-300, 2e-300, 4e-300]) == pytest.approx(1.0)


def test_scores_of_the_tasks() -> None:
    assert glue_scores("mrpc", [1, 1, 0, 0], [1, 0, 0, 0]) == {
        "accuracy": 0.75, "f1": pytest.approx(2 / 3), "combined_score": pytest.approx((0.75 + 2 / 3) / 2),
    }  # fmt: skip
    assert glue_scores("stsb", [1.0, 2.0, 3.0], [0.0, 1.0, 5.0])["spearman"] == pytest.approx(1.0)
    assert set(glue_scores("cola", [1], [1])) == {"matthews_correlation"}
    assert len(GLUE_METRICS) == 9
    with pytest.raises(UserError, match="unknown GLUE task 'ax': choose one of cola, sst2"):
        glue_scores("ax", [], [])
