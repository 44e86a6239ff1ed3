"""Metrics of tasks with one label, or one number, per text: those of GLUE.

All return 0 where they are not defined (no examples, or predictions that are all the same), where scikit-learn's `matthews_corrcoef`
and `f1_score` do so too and scipy's correlations are NaN: a NaN would make every comparison of checkpoints false.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError


def label_accuracy(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Part of the examples whose predicted label is the gold label.

    Args:
        predictions, labels: (n,), indices or names.
    """
    found, wanted = _pair(predictions, labels)
    return float(np.mean(found == wanted)) if len(wanted) else 0.0


def f1(predictions: npt.ArrayLike, labels: npt.ArrayLike, positive: int | str = 1) -> float:
    """Harmonic mean of precision and recall of one label.

    Args:
        predictions, labels: (n,), indices or names.
        positive: the label that is looked for.
    """
    found, wanted = (array == positive for array in _pair(predictions, labels))
    total = int(found.sum()) + int(wanted.sum())
    return 2 * int((found & wanted).sum()) / total if total else 0.0


def matthews_correlation(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Matthews' correlation coefficient, for any number of labels (Gorodkin, 2004): between -1 and 1, 0 for guessing.

    Args:
        predictions, labels: (n,), indices or names.
    """
    found, wanted = _pair(predictions, labels)
    names = np.unique(np.concatenate([found, wanted]))
    # One column per label; a covariance of such tables has no need to say which label is which.
    x, y = (np.asarray(array[:, None] == names[None], np.float64) for array in (found, wanted))
    return _correlation(x, y)


def pearson(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Pearson's correlation of two rows of numbers (n,): between -1 and 1."""
    x, y = _pair(predictions, labels)
    return _correlation(x.astype(np.float64)[:, None], y.astype(np.float64)[:, None])


def spearman(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Spearman's rank correlation of two rows of numbers (n,): between -1 and 1. Equal numbers share the mean of their ranks."""
    x, y = _pair(predictions, labels)
    return pearson(_ranks(x), _ranks(y))


Metric = Callable[[npt.ArrayLike, npt.ArrayLike], float]

GLUE_METRICS: dict[str, dict[str, Metric]] = {
    "cola": {"matthews_correlation": matthews_correlation},
    "sst2": {"accuracy": label_accuracy},
    "mrpc": {"accuracy": label_accuracy, "f1": f1},
    "qqp": {"accuracy": label_accuracy, "f1": f1},
    "stsb": {"pearson": pearson, "spearman": spearman},
    "mnli": {"accuracy": label_accuracy},
    "qnli": {"accuracy": label_accuracy},
    "rte": {"accuracy": label_accuracy},
    "wnli": {"accuracy": label_accuracy},
}
"""The metrics of each task of GLUE. F1 is that of label 1, `equivalent` or `duplicate`."""


def glue_scores(task: str, predictions: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """The scores that GLUE reports for a task.

    Args:
        task: one of `GLUE_METRICS`.
        predictions: (n,) indices of labels, for `stsb` numbers.
        labels: (n,) gold ones.

    Returns:
        the task's metrics by name; where there are two, `combined_score` is their mean.

    Raises:
        UserError: there is no such task.
        ValueError: the two are not equally long.
    """
    if task not in GLUE_METRICS:
        raise UserError(f"unknown GLUE task {task!r}: choose one of {', '.join(GLUE_METRICS)}")
    scores = {name: metric(predictions, labels) for name, metric in GLUE_METRICS[task].items()}
    if len(scores) > 1:
        scores["combined_score"] = sum(scores.values()) / len(scores)
    return scores


def _pair(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[npt.NDArray, npt.NDArray]:
    found, wanted = np.asarray(predictions), np.asarray(labels)
    if found.shape != wanted.shape or found.ndim != 1:
        raise ValueError(f"predictions {found.shape} and labels {wanted.shape} must be rows of the same length")
    return found, wanted


def _correlation(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Correlation of two tables (n, k): the sums of the covariances of their columns, normalised."""
    if not len(x):
        return 0.0
    # Scaled first, so that squares neither overflow nor vanish. Numbers that are all the same are told by comparison: their
    # mean may be off by rounding.
    x, y = ((table - table[0]) for table in (x, y))
    scale_x, scale_y = float(np.abs(x).max()), float(np.abs(y).max())
    if scale_x == 0 or scale_y == 0:
        return 0.0
    x, y = x / scale_x, y / scale_y
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = float(np.sqrt((x * x).sum()) * np.sqrt((y * y).sum()))
    return float(np.clip((x * y).sum() / norm, -1.0, 1.0)) if norm else 0.0


def _ranks(values: npt.NDArray) -> npt.NDArray[np.float64]:
    """Ranks from 1; equal values get the mean of the ranks that they take up."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: npt.NDArray[np.float64] = (last - (counts - 1) / 2)[group]
    return ranks
