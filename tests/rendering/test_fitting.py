"""The profile `fit`: nothing falls off the strip, and what fits already stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.fitting import squeeze
from pixel_lm.rendering.typesetting import Typesetter

SAMPLES = [
    "हिन्दी में प्रश्न कैं",
    "ภาษาไทยที่น้ำ",
    "བོད་སྐད་ཀྱི",
    "ភាសាខ្មែរក្រុម",
    "نستعليق العَرَبِيَّة",
    "မြန်မာဘာသာ",
    "తెలుగు క్ష్మీ",
    "Ấ Ẵ Ṩ̈",
]


@pytest.fixture(scope="module")
def fit() -> TextRenderer:
    return TextRenderer(profile="fit")


@pytest.fixture(scope="module")
def pango() -> TextRenderer:
    return TextRenderer(profile="pango")


@pytest.mark.parametrize("text", SAMPLES)
def test_no_ink_is_lost(fit: TextRenderer, text: str) -> None:
    lost, total = fit._typesetter.lost_ink(text)
    assert lost == 0
    assert total > 0


def test_latin_is_as_in_the_published_profile(fit: TextRenderer, pango: TextRenderer) -> None:
    text = "The quick brown fox, jumping over 13 lazy dogs (again)."
    assert np.array_equal(fit(text).patches, pango(text).patches)


@pytest.mark.parametrize("text", SAMPLES)
def test_the_baseline_does_not_depend_on_the_fonts_of_a_line(fit: TextRenderer, text: str) -> None:
    alone = fit("Hxg ").strip()
    mixed = fit("Hxg " + text).strip()
    columns = 2 + fit._typesetter.width("Hxg")
    assert np.array_equal(alone[:, :columns], mixed[:, :columns])


@pytest.mark.parametrize("text", SAMPLES)
def test_remembered_words_equal_whole_runs(fit: TextRenderer, text: str) -> None:
    typesetter = fit._typesetter
    assert isinstance(typesetter, Typesetter)
    for line in (typesetter.line(f"{text} a {text}"), typesetter.line(f"{text} a {text}")):
        assert line.columns == typesetter.whole_line(f"{text} a {text}").columns


def test_fitting_survives_saving(fit: TextRenderer, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("renderer")
    small = TextRenderer(fit.font_sources[0], fallback_fonts=fit.font_sources[1:6], profile="fit")
    small.save_pretrained(folder)
    again = TextRenderer.from_pretrained(folder)
    assert again.config.profile == "fit"
    for text in SAMPLES[:2]:
        assert np.array_equal(again(text).patches, small(text).patches)


@given(top=st.integers(-8, 6), bottom=st.integers(12, 24), columns=st.integers(1, 9))
def test_squeezed_ink_lies_within_and_keeps_what_lies_within(top: int, bottom: int, columns: int) -> None:
    ink = np.full((columns, bottom - top), 200, np.uint8)
    boxes = squeeze([(3, top, ink)], baseline=12, height=16)
    assert all(y >= 0 and y + alpha.shape[1] <= 16 for _, y, alpha in boxes)
    assert {x for x, _, _ in boxes} == {3}
    if top >= 0 and bottom <= 16:
        assert boxes[0][2] is ink
    else:
        rows = boxes[0][2]
        assert rows[:, max(top, 0) : min(bottom, 16)].min() >= 200
        if bottom <= 16:  # the part below the baseline is untouched
            assert (rows[:, 12:bottom] == 200).all() and not rows[:, bottom:].any()
