"""The table that stands in for a font's GSUB in the auto-hinter."""

from __future__ import annotations

import io

import pytest
import uharfbuzz as hb
from fontTools.ttLib import TTFont, newTable

from pixel_lm.rendering.discovery import default_fonts
from pixel_lm.rendering.hinting import isolating_gsub


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
