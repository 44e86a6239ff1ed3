"""Texts on strips: what counts as fitting whole."""

from __future__ import annotations

from typing import Literal

import pytest

from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks.classification import render_texts


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
