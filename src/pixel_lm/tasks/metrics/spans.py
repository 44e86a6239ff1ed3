"""Entities: precision, recall and F1 over whole spans.

A span counts as found if its type, its first and its last word are right, nothing less. How spans are read from tags that
do not fit together is a convention; ours is that of `conlleval` and of `seqeval` in its default mode, which published
scores use:

* `B-X` begins a span; so does `I-X` where no span of type X can go on (after `O`, after another type, at the beginning).
* `E-X` and `S-X`, of the schemes BIOES and BILOU (there `L`, `U`), end a span after their word.
* A span goes on through tags of its type as long as nothing begins or ends.

Tags without one of these prefixes are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

OUTSIDE = "O"
"""Tag of words that belong to no entity."""

_PREFIXES = frozenset("BIESUL")
_BEGINS = frozenset("BSU")
_ENDS = frozenset("ESUL")


class Span(NamedTuple):
    """An entity: words `start` … `end` - 1 of a sentence."""

    type: str
    start: int
    end: int


def find_spans(tags: Sequence[str]) -> list[Span]:
    """The entities of a sentence, in order, read as the module says.

    Args:
        tags: one tag per word, `O` or a prefix and a type: `B-PER`.

    Raises:
        ValueError: a tag is neither.
    """
    spans: list[Span] = []
    start: int | None = None
    open_type = ""
    previous = OUTSIDE
    for index, tag in enumerate([*tags, OUTSIDE]):
        prefix, kind = _parse(tag)
        goes_on = prefix not in _BEGINS and prefix != OUTSIDE and kind == open_type and previous not in _ENDS
        if start is not None and not goes_on:
            spans.append(Span(open_type, start, index))
            start = None
        if start is None and prefix != OUTSIDE:
            start, open_type = index, kind
        previous = prefix
    return spans


def span_scores(predictions: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> dict[str, float]:
    """Scores over the entities of all sentences together (micro average).

    Args:
        predictions, gold: tags of each sentence.

    Returns:
        `precision`, `recall` and `f1`, 0 where they would divide by zero, and `accuracy` of the single tags. All between 0
        and 1.

    Raises:
        ValueError: sentences, or words of a sentence, are not as many on both sides; or a tag is none.
    """
    correct, predicted, actual = (sum(counts.values()) for counts in _count(predictions, gold))
    pairs = [pair for p, g in zip(predictions, gold, strict=True) for pair in zip(p, g, strict=True)]
    return {
        **_precision_recall_f1(correct, predicted, actual),
        "accuracy": sum(p == g for p, g in pairs) / len(pairs) if pairs else 0.0,
    }


def span_scores_by_type(
    predictions: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Scores of each type of entity that is in the gold or the predicted tags, by name.

    Returns:
        for each type `precision`, `recall`, `f1`, and `support`, the number of gold entities.

    Raises:
        ValueError: as `span_scores`.
    """
    correct, predicted, actual = _count(predictions, gold)
    return {
        kind: {**_precision_recall_f1(correct[kind], predicted[kind], actual[kind]), "support": actual[kind]}
        for kind in sorted(predicted | actual)
    }


def _count(
    predictions: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Correct, predicted and gold spans of each type."""
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    actual: Counter[str] = Counter()
    for sentence_predictions, sentence_gold in zip(predictions, gold, strict=True):
        if len(sentence_predictions) != len(sentence_gold):
            raise ValueError(f"{len(sentence_predictions)} predicted tags for {len(sentence_gold)} words")
        found, wanted = set(find_spans(sentence_predictions)), set(find_spans(sentence_gold))
        correct.update(span.type for span in found & wanted)
        predicted.update(span.type for span in found)
        actual.update(span.type for span in wanted)
    return correct, predicted, actual


def _precision_recall_f1(correct: int, predicted: int, actual: int) -> dict[str, float]:
    return {
        "precision": correct / predicted if predicted else 0.0,
        "recall": correct / actual if actual else 0.0,
        "f1": 2 * correct / (predicted + actual) if predicted + actual else 0.0,
    }


def _parse(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, kind = tag.partition("-")
    if not hyphen or not kind or prefix not in _PREFIXES:
        raise ValueError(f"{tag!r} is no tag of an entity: expected O, or B-, I-, E-, S-, L- or U- and a type")
    return prefix, kind
