"""Fonts: data with an identity.

A font is a file, a face index and a SHA-256. `FontSource` names one; `Font` opens one at a size, for HarfBuzz (shaping) and
for FreeType (rasterising). Nothing here asks the operating system which font to use: which font draws which character is
decided by an ordered list alone, so that it is the same on every machine.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import struct
import threading
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import freetype
import numpy as np
import numpy.typing as npt
import uharfbuzz as hb

from pixel_lm.errors import UserError
from pixel_lm.rendering.hinting import isolating_gsub
from pixel_lm.rendering.interaction import interacting_glyphs
from pixel_lm.rendering.pictures import PictureFont, Plane

__all__ = ["Font", "FontSource", "Glyph"]

# Pango positions text in 1/1024 pixel, FreeType in 1/64.
UNITS_PER_PIXEL = 1024
_LIBRARY_LOCK = threading.Lock()
# The default configuration of fontconfig draws these unhinted below this size; PangoCairo follows it.
_UNHINTED_WHEN_SMALL = ("Bitstream Vera ", "DejaVu ")
_SMALL_PIXELS = 7.5


@dataclass(frozen=True)
class FontSource:
    """A font file that a renderer may draw with.

    Attributes:
        path: the file (TrueType, OpenType or a collection).
        index: face index inside a collection.
        characters: if given, the font draws these characters only (like `unicode-range` in CSS).
    """

    path: Path
    index: int = 0
    characters: frozenset[str] | None = field(default=None, compare=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        stat = self.path.stat()
        return _file_sha256(str(self.path), stat.st_mtime_ns, stat.st_size)

    def check(self) -> None:
        """Raise `UserError` unless the file is there and is a font."""
        if not self.path.is_file():
            raise UserError(f"font file {self.path} does not exist")
        with open(self.path, "rb") as file:
            magic = file.read(4)
        if magic not in (b"\0\1\0\0", b"OTTO", b"ttcf", b"true"):
            raise UserError(f"{self.path} is not a TrueType or OpenType font")


@lru_cache(maxsize=1024)
def _file_sha256(path: str, mtime_ns: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Glyph:
    """One rasterised glyph: coverage `alpha` (columns, rows) uint8, 255 = full ink, and where it lies.

    `left` is the distance from the pen to the first column, `top` from the baseline up to the first row, in pixels.
    """

    alpha: npt.NDArray[np.uint8]
    left: int
    top: int


class Font:
    """A font opened at one size; shapes with HarfBuzz, rasterises with FreeType.

    Sizes follow PangoCairo, with which the published strips were drawn: HarfBuzz works unhinted in 1/1024 pixel, FreeType
    hints lightly (vertically only) at the size in 1/64 pixel.

    Args:
        source: the font file.
        pixel_size: em size in pixels, fractional.
        plane: what is drawn of pictures (emoji): their coverage, or the ink of one colour channel.
        hinted: whether glyphs are hinted; None: yes, but for small sizes of fonts that PangoCairo does not hint then.
    """

    def __init__(
        self, source: FontSource, pixel_size: float, plane: Plane = "coverage", hinted: bool | None = None
    ) -> None:
        source.check()
        self.source = source
        self.pixel_size = pixel_size
        self.plane = plane
        self.drop = 0
        scale = round(pixel_size * UNITS_PER_PIXEL)
        blob = hb.Blob.from_file_path(str(source.path))
        face = hb.Face(blob, source.index)
        self.hb_font = hb.Font(face)
        self.hb_font.scale = (scale, scale)
        if hinted is None:
            family = face.get_name(hb.OTNameIdPredefined.FONT_FAMILY) or ""
            hinted = pixel_size >= _SMALL_PIXELS or not family.startswith(_UNHINTED_WHEN_SMALL)
        self._hinted = hinted
        self._char_size = round(scale * 64 / UNITS_PER_PIXEL)
        self._lock = threading.Lock()
        self._glyphs: dict[int, Glyph] = {}

    @cached_property
    def _face(self) -> freetype.Face:
        with _LIBRARY_LOCK:
            face = freetype.Face(io.BytesIO(_without_script_features(self.source)), self.source.index)
            freetype.FT_Set_Char_Size(face._FT_Face, self._char_size, self._char_size, 72, 72)
        return face

    @cached_property
    def _pictures(self) -> PictureFont | None:
        """The pictures of a font that has nothing else."""
        tags = set(self.hb_font.face.table_tags)
        return PictureFont(self.source.path, self.source.index) if "CBDT" in tags and "glyf" not in tags else None

    @cached_property
    def metrics(self) -> tuple[int, int]:
        """Ascent above and descent below the baseline, in whole pixels, both positive."""
        if self._pictures is not None:
            return self._pictures.metrics(self.hb_font.scale[0] / UNITS_PER_PIXEL)
        size = self._face._FT_Face.contents.size.contents.metrics
        return size.ascender >> 6, -(size.descender >> 6)

    @cached_property
    def ideographic_baseline(self) -> int:
        """Lower edge of ideographic characters, in 1/1024 pixel above the baseline.

        From the font's BASE table, else a tenth above the lower edge of the em box, whose edges are those of BASE or the
        font's ascender and descender (the rule of HarfBuzz).
        """

        def coordinate(tag: str) -> int | None:
            return self.hb_font.get_layout_baseline(tag, "ltr", "DFLT", "dflt")

        face_bottom = coordinate("icfb")
        if face_bottom is not None:
            return face_bottom
        extents, em = self.hb_font.get_font_extents("ltr"), self.hb_font.scale[1]
        bottom, top = coordinate("ideo"), coordinate("idtp")
        if bottom is None:
            bottom = extents.descender if top is None else top - em
        if top is None:
            top = extents.ascender if coordinate("ideo") is None else bottom + em
        return bottom + (top - bottom) // 10

    @cached_property
    def _interacting(self) -> frozenset[int] | None:
        return interacting_glyphs(self.source.path, self.source.index)

    @cached_property
    def pages(self) -> frozenset[int]:
        """Which stretches of 256 code points, by number, hold characters of the font."""
        return frozenset(codepoint >> 8 for codepoint in self.hb_font.face.unicodes)

    @property
    def has_pictures(self) -> bool:
        """Whether the glyphs are pictures in colour."""
        return self._pictures is not None

    def stands_alone(self, char: str) -> bool:
        """Whether a cluster with this character looks the same whatever stands beside it, as far as the character goes."""
        glyph = self.hb_font.get_nominal_glyph(ord(char))
        return glyph is not None and self._interacting is not None and glyph not in self._interacting

    def resized(self, factor: float, drop: int) -> Font:
        """The same font at another size, set `drop` pixels lower than others on the same baseline."""
        font = Font(self.source, self.pixel_size * factor, self.plane, self._hinted)
        font.drop = drop
        return font

    def covers(self, char: str) -> bool:
        """Whether the font has a glyph for this character (and may draw it)."""
        if self.source.characters is not None and char not in self.source.characters:
            return False
        return self.hb_font.get_nominal_glyph(ord(char)) is not None

    def glyph(self, glyph_id: int) -> Glyph:
        """The rasterised glyph; drawn once, then remembered."""
        glyph = self._glyphs.get(glyph_id)
        if glyph is None:
            with self._lock:  # a FreeType face must not be used by two threads at once
                glyph = self._glyphs[glyph_id] = self._rasterize(glyph_id)
        return glyph

    def _rasterize(self, glyph_id: int) -> Glyph:
        if self._pictures is not None:
            picture = self._pictures.glyph(glyph_id, self.hb_font.scale[0] / UNITS_PER_PIXEL, self.plane)
            return Glyph(*picture) if picture else Glyph(np.zeros((0, 0), np.uint8), 0, 0)
        handle = self._face._FT_Face
        flags = freetype.FT_LOAD_NO_BITMAP | freetype.FT_LOAD_RENDER
        flags |= freetype.FT_LOAD_TARGET_LIGHT if self._hinted else freetype.FT_LOAD_NO_HINTING
        if freetype.FT_Load_Glyph(handle, glyph_id, flags):
            return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
        slot = handle.contents.glyph.contents
        bitmap = slot.bitmap
        rows, width, pitch = bitmap.rows, bitmap.width, bitmap.pitch
        if not rows or not width:
            return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
        data = ctypes.string_at(bitmap.buffer, rows * pitch)
        alpha = np.frombuffer(data, np.uint8).reshape(rows, pitch)[:, :width]
        return Glyph(np.ascontiguousarray(alpha.T), slot.bitmap_left, slot.bitmap_top)


def _without_script_features(source: FontSource) -> bytes:
    """The font's bytes with a GSUB table that knows no script, for FreeType only (see `hinting`).

    FreeType wheels are built with HarfBuzz, whose auto-hinter then looks at GSUB to find the script of each glyph and hints
    differently from the FreeType of Linux distributions that drew the published strips. Such a table restores that;
    removing the table would switch hinting of Latin off. Fonts with CFF outlines are not auto-hinted and stay as they are.
    """
    data = source.path.read_bytes()
    offset = struct.unpack_from(">I", data, 12 + 4 * source.index)[0] if data[:4] == b"ttcf" else 0
    num_tables = struct.unpack_from(">H", data, offset + 4)[0]
    tables = {data[at : at + 4]: at for at in range(offset + 12, offset + 12 + 16 * num_tables, 16)}
    if b"GSUB" not in tables or b"glyf" not in tables:
        return data
    patched = bytearray(data)
    patched += b"\0" * (-len(patched) % 4)
    maxp = struct.unpack_from(">I", data, tables[b"maxp"] + 8)[0]
    gsub = isolating_gsub(struct.unpack_from(">H", data, maxp + 4)[0])
    struct.pack_into(">II", patched, tables[b"GSUB"] + 8, len(patched), len(gsub))
    return bytes(patched + gsub)
