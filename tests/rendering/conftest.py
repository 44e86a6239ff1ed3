"""Renderers for the tests: with the fonts of this machine, whatever they are."""

from __future__ import annotations

import pytest

from pixel_lm.rendering import TextRenderer


@pytest.fixture(scope="session")
def renderer() -> TextRenderer:
    """The default renderer of this machine."""
    return TextRenderer()
