"""Pictures of strips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer


def test_one_row_is_the_strip(renderer: TextRenderer) -> None:
    rendering = renderer("A picture of a strip")
    assert np.array_equal(np.asarray(rendering.image()), rendering.strip())


def test_wrapped_rows_hold_all_patches(renderer: TextRenderer) -> None:
    rendering = renderer("A picture of a strip that is wrapped into several rows")
    picture = np.asarray(rendering.image(10))
    rows = -(-len(rendering) // 10)
    assert picture.shape == (rows * 16 + (rows - 1) * 4, 160)
    for i, patch in enumerate(rendering.patches):
        top, left = i // 10 * 20, i % 10 * 16
        assert np.array_equal(picture[top : top + 16, left : left + 16], patch)


def test_scale_and_grid(renderer: TextRenderer) -> None:
    rendering = renderer("grid")
    plain = np.asarray(rendering.image(scale=3))
    assert np.array_equal(plain[::3, ::3], rendering.strip())
    gridded = rendering.image(scale=3, grid=True)
    assert gridded.mode == "RGB"
    assert gridded.getpixel((0, 0)) != (255, 255, 255)


@pytest.mark.parametrize("arguments", [{"patches_per_row": 0}, {"scale": 0}])
def test_impossible_pictures(renderer: TextRenderer, arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="must be at least 1"):
        renderer("x").image(**arguments)
