"""Accuracy of tags, and what was left out of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

IGNORED = -100  # label of patches that carry no word, as in torch's cross-entropy


def tagging_scores(predictions: np.ndarray, labels: np.ndarray, num_words: int) -> dict[str, float]:
    """Scores of a tagger that may not have seen every word.

    Sentences that are longer than the strip lose their last words. The published accuracy leaves these out; so that this
    cannot go unnoticed, two further figures count them.

    Args:
        predictions: int, any shape; label index at every patch.
        labels: int, same shape; gold label index, or -100 where there is no word.
        num_words: words in the data, rendered or not.

    Returns:
        `accuracy`: correct words / labelled words, as published. `coverage`: labelled words / all words.
        `accuracy_all_words`: correct words / all words, so that words cut off count as wrong. All between 0 and 1; 0 where
        there is no word.
    """
    labelled = labels != IGNORED
    num_labelled = int(labelled.sum())
    correct = int((predictions[labelled] == labels[labelled]).sum())
    return {
        "accuracy": correct / num_labelled if num_labelled else 0.0,
        "coverage": num_labelled / num_words if num_words else 0.0,
        "accuracy_all_words": correct / num_words if num_words else 0.0,
    }


def accuracy(predictions: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """Part of the words whose predicted tag is the gold tag, over all sentences; 0 if there are no words.

    Raises:
        ValueError: a sentence has more or fewer predictions than words.
    """
    pairs = [pair for p, g in zip(predictions, gold, strict=True) for pair in zip(p, g, strict=True)]
    return sum(p == g for p, g in pairs) / len(pairs) if pairs else 0.0


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (divisor n - 1) over seeds; the deviation of a single value is NaN."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan
