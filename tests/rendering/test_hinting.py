"""The table that stands in for a font's GSUB in the auto-hinter."""

from __future__ import annotations

import io

import pytest
import uharfbuzz as hb
from fontTools.ttLib import TTFont, newTable

from pixel_lm.rendering.discovery import default_fonts
from pixel_lm.rendering.fonts import Font, FontSource
from pixel_lm.rendering.hinting import isolating_gsub
from tests.fonts_server import dejavu


@pytest.fixture(scope="module")
def font() -> tuple[hb.Font, int]:
    """The default main font with the table, and its number of glyphs."""
    source = default_fonts()[0]
    font = TTFont(source.path, fontNumber=source.index)
    num_glyphs = font["maxp"].numGlyphs
    font["GSUB"] = newTable("GSUB")
    font["GSUB"].decompile(isolating_gsub(num_glyphs), font)
    file = io.BytesIO()
    font.save(file)
    return hb.Font(hb.Face(file.getvalue())), num_glyphs


def glyphs(font: hb.Font, text: str) -> list[int]:
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    hb.shape(font, buffer)
    return [info.codepoint for info in buffer.glyph_infos]


def test_a_single_character_keeps_its_glyph(font: tuple[hb.Font, int]) -> None:
    for char in "aZ1б":
        assert glyphs(font[0], char) == [font[0].get_nominal_glyph(ord(char))]


def test_neighbours_become_glyph_0(font: tuple[hb.Font, int]) -> None:
    for text in ("ab", "абв", "fi", "a1b2"):
        assert glyphs(font[0], text) == [0] * len(text)


@pytest.mark.parametrize("num_glyphs", [1, 300, 16384, 16385, 65535])
def test_any_number_of_glyphs(num_glyphs: int) -> None:
    from fontTools.ttLib.tables.otBase import OTTableReader
    from fontTools.ttLib.tables.otTables import GSUB

    table = GSUB()
    names = TTFont(recalcTimestamp=False)
    names.setGlyphOrder([f"g{index}" for index in range(num_glyphs)])
    reader = OTTableReader(isolating_gsub(num_glyphs), tableTag="GSUB")
    table.decompile(reader, names)
    followed, preceded, to_0 = table.LookupList.Lookup
    assert len(followed.SubTable[0].LookAheadCoverage[0].glyphs) == num_glyphs
    assert len(preceded.SubTable[0].BacktrackCoverage[0].glyphs) == num_glyphs
    mappings = [extension.ExtSubTable.mapping for extension in to_0.SubTable]
    assert sum(map(len, mappings)) == num_glyphs
    assert {target for mapping in mappings for target in mapping.values()} == {"g0"}


def ink(font: Font, char: str = "z") -> bytes:
    glyph = font.hb_font.get_nominal_glyph(ord(char))
    assert glyph is not None
    return font.glyph(glyph).alpha.tobytes()


def test_dejavu_is_hinted_from_seven_and_a_half_pixels_on() -> None:
    source = FontSource(dejavu("DejaVuSans.ttf"))
    for size in (20 / 3, 7.4, 7.5, 40 / 3):
        hinted, unhinted = (ink(Font(source, size, hinted=hinted)) for hinted in (True, False))
        assert hinted != unhinted
        assert ink(Font(source, size)) == (hinted if size >= 7.5 else unhinted)


def test_a_font_that_is_fitted_into_the_strip_is_hinted_as_at_its_full_size() -> None:
    source = FontSource(dejavu("DejaVuSans.ttf"))
    assert ink(Font(source, 40 / 3).resized(0.5, 0)) == ink(Font(source, 20 / 3, hinted=True))
    assert ink(Font(source, 7).resized(1.5, 0)) == ink(Font(source, 10.5, hinted=False))
