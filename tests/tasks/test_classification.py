"""Texts and pairs on strips: what fits, what is cut, and what is said of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_lm.data.classification import ClassificationExample
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import classification
from pixel_lm.tasks.classification import ClassificationDataset, render_texts

RENDERER = TextRenderer(max_seq_length=40)
WORDS = st.lists(st.sampled_from(["a", "word", "Ελλάδα", "ภาษาไทยไม่มีช่องว่าง"]), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(first=WORDS, second=WORDS)
def test_neither_text_of_a_pair_hides_the_other(first: list[str], second: list[str]) -> None:
    texts = [" ".join(first), " ".join(second)]
    rendering, whole = render_texts(RENDERER, texts)
    needed = [RENDERER.num_patches(text) for text in texts]
    assert whole == (sum(needed) <= 40)
    assert len(rendering) <= 40
    separator = rendering.sep_patches[0]
    if whole:
        assert np.array_equal(rendering.patches, RENDERER((texts[0], texts[1])).patches)
    else:  # each has half of the strip, or all that it needs
        assert separator + 1 >= min(needed[0], 17)
        assert len(rendering) - separator - 1 >= min(needed[1], 17)


@pytest.mark.parametrize("room", [0, 1 << 30])
def test_what_is_not_kept_is_measured_and_drawn_when_needed(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "CACHE_BYTES", room)
    texts = ["short", "a text that goes on and on and does not end before the strip does " * 2]
    examples = [ClassificationExample((text,), "x", "file", line) for line, text in enumerate(texts * 2)]
    dataset = ClassificationDataset(examples, RENDERER, {"x": 0})
    assert (
        dataset.lengths == [len(dataset[index].patches) for index in range(4)] == [len(RENDERER(t)) for t in texts] * 2
    )
    assert dataset.figures() == {"examples": 4, "coverage": 0.5}


@pytest.mark.parametrize("strategy", ["continuous", "words", "bigrams", "mono"])
@pytest.mark.parametrize("text", ["A good film, really.  ", "هذا فيلم جيد", "x"])
def test_a_text_fits_whole_down_to_its_last_patch(
    strategy: Literal["continuous", "words", "bigrams", "mono"], text: str
) -> None:
    needed = len(TextRenderer(strategy=strategy)(text.rstrip()))
    for room in (needed, needed + 5):
        rendering, whole = render_texts(TextRenderer(strategy=strategy, max_seq_length=room), [text])
        assert whole and len(rendering) <= room
    if needed > 3:
        rendering, whole = render_texts(TextRenderer(strategy=strategy, max_seq_length=needed - 2), [text])
        assert not whole and len(rendering) <= needed - 2


@pytest.mark.parametrize("strategy", ["continuous", "words"])
def test_of_a_pair_both_texts_must_fit(strategy: Literal["continuous", "words"]) -> None:
    texts = ["A good film, really.", "Who would have thought so?"]
    needed = len(TextRenderer(strategy=strategy)((texts[0], texts[1])))
    assert render_texts(TextRenderer(strategy=strategy, max_seq_length=needed + 1), texts)[1]
    assert not render_texts(TextRenderer(strategy=strategy, max_seq_length=needed - 4), texts)[1]
