"""The profile `pygame`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.pygame_typesetting import PyGameTypesetter


@pytest.fixture(scope="module")
def renderer() -> TextRenderer:
    return TextRenderer(profile="pygame")


def rows_of_ink(renderer: TextRenderer, text: str | list[str]) -> tuple[int, int]:
    """First row of ink, and the one after the last, of all but the separator."""
    ink = (renderer(text).patches[:-1] != 255).any(axis=(0, 2)).nonzero()[0]
    return int(ink[0]), int(ink[-1]) + 1


def test_a_line_lies_in_the_middle_by_its_ink(renderer: TextRenderer) -> None:
    for text in ("x", "Hx", "gjp", "HgA"):
        top, bottom = rows_of_ink(renderer, text)
        assert top == 8 - (bottom - top) // 2


def test_words_stand_on_one_baseline(renderer: TextRenderer) -> None:
    assert {rows_of_ink(renderer, [word])[1] for word in ("x", "Hx", "A")} == {11}
    assert rows_of_ink(renderer, ["g"])[1] > 11


def test_characters_without_a_glyph_are_boxes_and_counted(renderer: TextRenderer) -> None:
    rendering = renderer("a\u0e01b")
    assert rendering.unknown_glyphs == "\u0e01"
    assert len(renderer.font_sources) == 1


def test_the_published_type_selects_the_profile(renderer: TextRenderer, tmp_path: Path) -> None:
    renderer.save_pretrained(tmp_path)
    assert TextRenderer.from_pretrained(tmp_path).config.profile == "pygame"
    file = tmp_path / "text_renderer_config.json"
    values = json.loads(file.read_text())
    for type_name, profile in (
        ("PyGameTextRenderer", "pygame"),
        ("PangoCairoTextRenderer", "pango"),
        ("TextRenderer", "pango"),
    ):
        file.write_text(
            json.dumps({**values, "profile": None, "text_renderer_type": type_name}).replace('"profile": null, ', "")
        )
        assert TextRenderer.from_pretrained(tmp_path, fallback_fonts=[]).config.profile == profile


def test_bigrams_are_refused() -> None:
    with pytest.raises(UserError, match="PyGame has no such strips"):
        TextRenderer(profile="pygame", strategy="bigrams")


@given(text=st.text(st.sampled_from("fjAVTo Wy. gé\u0e01Ω"), max_size=30))
def test_joined_words_are_the_same_as_word_over_word(text: str) -> None:
    renderer = _shared()
    typesetter = renderer._typesetter
    assert isinstance(typesetter, PyGameTypesetter)
    joined = typesetter.line(text)
    join = typesetter._join
    typesetter._join = lambda *_: None  # type: ignore[method-assign]
    try:
        covered = typesetter.line(text)
    finally:
        typesetter._join = join  # type: ignore[method-assign]
    assert (joined.width, joined.columns) == (covered.width, covered.columns)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40), length=st.integers(2, 12))
def test_any_text_gives_a_strip(text: str, length: int) -> None:
    rendering = _shared().with_max_seq_length(length)(text)
    assert 1 <= len(rendering) <= length
    assert not rendering.patches[-1].any()


_RENDERERS: list[TextRenderer] = []


def _shared() -> TextRenderer:
    if not _RENDERERS:
        _RENDERERS.append(TextRenderer(profile="pygame"))
    return _RENDERERS[0]


def test_identical_to_the_recordings(shared_dir: Path) -> None:
    cases = [json.loads(line) for line in (shared_dir / "reference/render/cases.jsonl").read_text().splitlines()]
    pixels = np.load(shared_dir / "reference/render/pygame_gray.npz")
    renderer = TextRenderer(profile="pygame")
    if renderer.font_sources[0].sha256[:8] != "89c3c497":
        pytest.skip("the recordings were made with another version of Noto Sans")
    compared = 0
    for case in cases:
        if case["category"] == "lang:en" and "pygame_gray" in case["renders"]:
            strip = renderer(case["input"], legacy=True).strip()
            assert np.array_equal(strip, pixels[case["id"]][:, : strip.shape[1]])
            compared += 1
    assert compared


@given(text=st.text(st.sampled_from("ab fjW  é日"), max_size=90), limit=st.integers(1, 500))
def test_the_longest_prefix_is_found(text: str, limit: int) -> None:
    typesetter = _shared()._typesetter
    assert isinstance(typesetter, PyGameTypesetter)
    end = typesetter.end_that_fits(text, limit)
    assert typesetter.width_of_word(text[:end]) <= limit
    assert end == len(text) or typesetter.width_of_word(text[: end + 1]) > limit
