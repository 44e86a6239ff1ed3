"""Mono: a fixed-pitch font, two characters to a patch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.discovery import find_font
from pixel_lm.rendering.mono import fixed_pitch_font, relative_advance

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80)


@pytest.fixture(scope="module")
def mono() -> TextRenderer:
    return TextRenderer(strategy="mono", max_seq_length=20)


@given(text=ASCII)
def test_two_characters_fill_a_patch(text: str, mono: TextRenderer) -> None:
    assert mono.num_patches(text) == max(1, -(-len(text) // 2)) + 1


@pytest.mark.parametrize("patch_size", [8, 16, 24, 32])
def test_the_font_size_follows_the_patch(patch_size: int) -> None:
    renderer = TextRenderer(strategy="mono", pixels_per_patch=patch_size)
    assert renderer("Mi" * 10).num_text_patches == 10
    assert renderer.config.font_size == pytest.approx(patch_size / 16 * 7.97, rel=1e-3)


def test_a_patch_shows_the_same_pair_wherever_it_stands(mono: TextRenderer) -> None:
    rendering = mono("no on no on no")
    assert rendering.num_text_patches == 7
    first, second = mono("no").patches[0], mono("on").patches[0]
    assert np.array_equal(rendering.patches[0], first)
    assert not np.array_equal(first, second)
    repeated = mono("nononono").patches
    assert all(np.array_equal(patch, first) for patch in repeated[:-1])


def test_pairs_words_and_nothing(mono: TextRenderer) -> None:
    assert mono(["ab", "c"]).word_starts == [0, 2, 3]
    assert mono(("ab", "cd")).sep_patches == [1, 3]
    assert len(mono("")) == 2
    assert mono(("", "")).num_text_patches >= 2
    assert mono([]).word_starts == [1]
    assert mono([""]).word_starts == [0, 1]


@given(text=TEXT | ASCII)
def test_any_text_renders_and_pieces_rejoin(text: str, mono: TextRenderer) -> None:
    rendering = mono(text)
    assert 2 <= len(rendering) <= 20
    assert rendering.num_text_patches == len(rendering) - 1
    words = mono(text.split(" "))
    assert words.word_starts is not None
    assert words.word_starts == sorted(words.word_starts)
    assert words.word_starts[-1] == words.num_text_patches
    pieces = mono.split(text)
    assert "".join(pieces) == text
    assert all(mono.num_patches(piece) <= 20 or len(piece) <= 8 for piece in pieces)


def test_proportional_fonts_are_refused() -> None:
    path = find_font("DejaVuSans.ttf")
    assert path is not None
    with pytest.raises(UserError, match="DejaVuSans.ttf is none: its letters differ in width"):
        TextRenderer(path, strategy="mono")


def test_a_fixed_pitch_font_may_be_chosen() -> None:
    source = fixed_pitch_font()
    assert relative_advance(source) == pytest.approx(0.602, abs=1e-3)
    renderer = TextRenderer(source.path, strategy="mono")
    assert len(renderer.font_sources) == 1
    assert renderer("abcd").num_text_patches == 2


def test_odd_patches_cannot_hold_two_characters() -> None:
    with pytest.raises(UserError, match="pixels_per_patch must be even"):
        TextRenderer(strategy="mono", pixels_per_patch=15)


def test_a_saved_renderer_draws_the_same(tmp_path: Path, mono: TextRenderer) -> None:
    mono.save_pretrained(tmp_path)
    loaded = TextRenderer.from_pretrained(tmp_path)
    assert loaded.config == mono.config
    assert np.array_equal(loaded("Two by two").patches, mono("Two by two").patches)
