"""Pictures of emoji, reduced to the size of the text."""

from __future__ import annotations

import numpy as np
import pytest

from pixel_lm.rendering import FontSource, TextRenderer
from pixel_lm.rendering.discovery import default_fonts, find_font
from pixel_lm.rendering.pictures import reduce


def test_a_full_picture_stays_full_inside() -> None:
    reduced, left, top = reduce(np.full((80, 120), 255), 0, 80, 8.0)
    assert reduced.shape == (15, 10)
    assert (left, top) == (0, 10)
    assert (reduced[1:-1, 1:-1] == 255).all()


@pytest.mark.parametrize("step", [1.5, 4.0, 8.175, 13.3])
def test_coverage_is_kept(step: float) -> None:
    """Ink is averaged over the pixels that a pixel of the strip covers; what lies farther right or lower stays there."""
    rows, columns = np.mgrid[0:90, 0:100]
    alpha = np.where((rows - 45) ** 2 + (columns - 50) ** 2 < 30**2, 255, 0)
    reduced, left, top = reduce(alpha, 3, 70, step)
    assert reduced.sum(dtype=np.int64) * step**2 == pytest.approx(alpha.sum(), rel=0.01)
    x = (np.arange(len(reduced)) + left + 0.5) @ reduced.sum(axis=1, dtype=np.int64) / reduced.sum(dtype=np.int64)
    y = (np.arange(reduced.shape[1]) - top + 0.5) @ reduced.sum(axis=0, dtype=np.int64) / reduced.sum(dtype=np.int64)
    assert x * step - 3 == pytest.approx(50.5, abs=0.7)
    assert y * step + 70 == pytest.approx(45.5, abs=0.7)


def test_emoji_are_drawn_as_silhouettes() -> None:
    path = find_font("NotoColorEmoji.ttf")
    if path is None:
        pytest.skip("NotoColorEmoji.ttf is not on this machine")
    renderer = TextRenderer(default_fonts()[0], fallback_fonts=[FontSource(path)], profile="pango")
    rendering = renderer("\N{GRINNING FACE}")
    assert not rendering.unknown_glyphs
    ink = 255 - rendering.strip()[:, 2:18]
    # A row through the middle of the face, as the original draws it.
    assert ink[6].tolist()[:3] == [0, 226, 255]
    assert ink[6].tolist()[-2:] == [255, 96]
