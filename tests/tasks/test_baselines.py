"""The most-frequent-tag baseline."""

from __future__ import annotations

import pytest

from pixel_lm.tasks.baselines import MostFrequentTag


def test_most_frequent_tag_of_a_form() -> None:
    tagger = MostFrequentTag([(["can", "can", "can", "Can"], ["AUX", "NOUN", "AUX", "PROPN"])])
    assert tagger(["can", "Can"]) == ["AUX", "PROPN"]


def test_ties_go_to_the_first_of_the_alphabet() -> None:
    assert MostFrequentTag([(["a", "a"], ["X", "DET"])])(["a"]) == ["DET"]


def test_unseen_words_are_like_words_seen_once() -> None:
    words = ["the"] * 5 + ["cat", "dog", "run"]
    tags = ["DET"] * 5 + ["NOUN", "NOUN", "VERB"]
    assert MostFrequentTag([(words, tags)])(["zebra"]) == ["NOUN"]


def test_unseen_words_if_no_word_occurs_once() -> None:
    assert MostFrequentTag([(["a", "a", "b", "b", "b"], ["DET", "DET", "X", "X", "X"])])(["c"]) == ["X"]


def test_no_words_or_uneven_sentences() -> None:
    with pytest.raises(ValueError, match="no training words"):
        MostFrequentTag([])
    with pytest.raises(ValueError):
        MostFrequentTag([(["a", "b"], ["X"])])
