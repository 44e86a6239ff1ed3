"""Pixels that must not change: of fonts that come with the package's dependencies, and of Noto fonts where they are the same files."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import freetype
import numpy as np
import pytest

from pixel_lm.rendering import FontSource, TextRenderer
from pixel_lm.rendering.fonts import Font
from pixel_lm.rendering.renderer import RENDERING_VERSION

# SHA-256 of the patches, first 16 digits. A change of them is a change of what models see: raise RENDERING_VERSION with it.
GOLDEN = {
    "Latin": ("Quick brown foxes — Füße, naïve, 1.234,50 €", "e30836ce2a04f181"),
    "Greek": ("Η αλεπού πηδάει, ΐδιο", "0e6866bcb4158fe7"),
    "Cyrillic": ("Быстрая лиса, ёлка и їжак", "061c87273f8ed554"),
    "Hebrew": ("שועל חום מהיר, 12 (א)", "919585d71e592c75"),
    "Arabic": ("الثعلب البني السريع، ١٢", "1329ffcb5d634573"),
    "Armenian": ("Արագ շագանակագույն աղվես", "28a5938fda7bd783"),
    "Georgian": ("სწრაფი მელა", "079f2c1d8641c678"),
    "Lao": ("ໝາຈອກ", "792f87facc5bd724"),
    "mixed": ("abc שלום def سلام 12", "934b977b954e3644"),
}
PYGAME = "4e7626a02819b0c4"
GLYPHS = "542436c85f30147d"


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def dejavu() -> Path:
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    assert FontSource(path).sha256.startswith("3fdf69cabf06049e"), (
        "matplotlib ships another DejaVu Sans: record the goldens anew"
    )
    return path


def test_the_rasteriser_is_the_one_that_the_published_strips_agree_with(dejavu: Path) -> None:
    assert freetype.version() == (2, 13, 2)
    font = Font(FontSource(dejavu), 40 / 3)
    glyphs = [font.glyph(number) for number in range(3, 503)]
    assert digest(np.concatenate([glyph.alpha.ravel() for glyph in glyphs])) == GLYPHS


@pytest.mark.parametrize("name", GOLDEN)
def test_strips_stay_as_they_are(dejavu: Path, name: str) -> None:
    text, golden = GOLDEN[name]
    renderer = TextRenderer(dejavu, fallback_fonts=[], profile="pango")
    assert digest(renderer(text).patches) == golden, f"RENDERING_VERSION is {RENDERING_VERSION}"


def test_strips_of_pygame_stay_as_they_are(dejavu: Path) -> None:
    renderer = TextRenderer(dejavu, profile="pygame")
    assert digest(renderer(GOLDEN["Latin"][0]).patches) == PYGAME


# Debian's fonts-noto 20201225; the strips of these texts are identical with PangoCairo's.
NOTO = {
    "NotoSansDevanagari-Regular.ttf": ("79a470365ccb210f", "तेज़ भूरी लोमड़ी", "2075b88c5c18b26c"),
    "NotoSansThai-Regular.ttf": ("dfbd5ed0f1e68c3c", "หมาจิ้งจอกที่ว่องไว", "bbafad890ee65e13"),
    "NotoSansTamil-Regular.ttf": ("a7bb7f92f165479a", "விரைவான நரி", "623c68fd27e9cc91"),
    "NotoSansBengali-Regular.ttf": ("9bb35b3547829ecc", "দ্রুত শিয়াল", "38a8cabeeb23d794"),
    "NotoSansEthiopic-Regular.ttf": ("58bc43b062961b38", "ፈጣን ቀበሮ", "03311f3d2f5d7a82"),
    "NotoSansKannada-Regular.ttf": ("892b841b0b87ca3c", "ಕನ್ನಡ ನರಿ", "baca00834023b700"),
    "NotoSansCJK-Regular.ttc": ("b76b0433203017ca", "素早い狐 快狐 빠른 여우", "b3ae23548b9528cf"),
}


@pytest.mark.parametrize("name", NOTO)
def test_strips_of_other_scripts_stay_as_they_are(name: str) -> None:
    from pixel_lm.rendering.discovery import find_font

    sha256, text, golden = NOTO[name]
    path = find_font(name)
    if path is None or not FontSource(path).sha256.startswith(sha256):
        pytest.skip(f"{name} of Debian 12 is not here")
    assert digest(TextRenderer(path, fallback_fonts=[], profile="pango")(text).patches) == golden
