"""Entities and their scores against seqeval in its default mode."""

from __future__ import annotations

import warnings

import pytest
import seqeval.metrics as seqeval
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from pixel_lm.tasks.metrics.spans import Span, find_spans, span_scores, span_scores_by_type

TAGS = st.sampled_from(["O"] + [f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC", "A-B")])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=8), min_size=1, max_size=6)


@given(st.lists(TAGS, max_size=12))
def test_any_sequence_of_tags_is_read_as_seqeval_reads_it(tags: list[str]) -> None:
    assert [(span.type, span.start, span.end - 1) for span in find_spans(tags)] == get_entities(list(tags))


@given(SENTENCES)
def test_scores_are_those_of_seqeval(pairs: list[list[tuple[str, str]]]) -> None:
    predictions = [[p for p, _ in sentence] for sentence in pairs]
    gold = [[g for _, g in sentence] for sentence in pairs]
    ours = span_scores(predictions, gold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says where it divides by zero
        report = seqeval.classification_report(gold, predictions, output_dict=True) if any(pairs) else {}
        expected = {
            "precision": seqeval.precision_score(gold, predictions),
            "recall": seqeval.recall_score(gold, predictions),
            "f1": seqeval.f1_score(gold, predictions),
        }
    assert {name: ours[name] for name in expected} == pytest.approx(expected)
    if any(pairs):
        assert ours["accuracy"] == pytest.approx(seqeval.accuracy_score(gold, predictions))
    for kind, scores in span_scores_by_type(predictions, gold).items():
        reference = report[kind]
        assert scores == pytest.approx(
            {
                "precision": reference["precision"],
                "recall": reference["recall"],
                "f1": reference["f1-score"],
                "support": reference["support"],
            }
        )


def test_tags_that_do_not_fit_together() -> None:
    assert find_spans(["I-PER", "I-PER", "I-LOC", "O", "I-LOC", "B-LOC"]) == [
        Span("PER", 0, 2), Span("LOC", 2, 3), Span("LOC", 4, 5), Span("LOC", 5, 6),
    ]  # fmt: skip
    assert find_spans(["U-PER", "B-LOC", "L-LOC", "I-LOC"]) == [
        Span("PER", 0, 1), Span("LOC", 1, 3), Span("LOC", 3, 4),
    ]  # fmt: skip


def test_half_an_entity_is_no_entity() -> None:
    scores = span_scores([["B-PER", "O", "O"]], [["B-PER", "I-PER", "O"]])
    assert scores == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": pytest.approx(2 / 3)}
    assert span_scores([], []) == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.0}


def test_what_is_no_tag_is_refused() -> None:
    for tag in ("PER", "X-PER", "B-", ""):
        with pytest.raises(ValueError, match="no tag of an entity"):
            find_spans([tag])
    with pytest.raises(ValueError, match="1 predicted tags for 2 words"):
        span_scores([["O"]], [["O", "O"]])
