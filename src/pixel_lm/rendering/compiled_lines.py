"""Lines drawn by the compiled part of the package (`native`): the same pixels as `Typesetter.whole_line`, many times faster.

What decides the pixels stays here: this module hands over properties of characters, baselines and the ink of glyphs as the compiled
code asks for them. Lines that need more (missing glyphs, emoji, embedding controls, clusters to be squeezed) it leaves to Python.
"""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import regex
from fontTools.unicodedata import script

from pixel_lm.rendering.cleaning import LINE_BREAKS
from pixel_lm.rendering.composition import patch_boundary
from pixel_lm.rendering.drawing import row_of_baseline
from pixel_lm.rendering.fitting import squeeze
from pixel_lm.rendering.font_choice import FontChooser
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import EMOJI_HINT, JOINERS, last_cluster
from pixel_lm.rendering.lines import Cluster, Line, Place
from pixel_lm.rendering.native import Library
from pixel_lm.rendering.scripts import FEATURES, IDEOGRAPHIC, JOINING, follows_font, starts_token
from pixel_lm.rendering.unicode_data import CLOSING_BRACKETS, OPENING_BRACKETS, PAIRED_PUNCTUATION, bidi_code

__all__ = ["CompiledLines"]

# As in native/lines.h.
_MAX_FONTS = 255
_DONE, _NEEDS_CHARACTERS, _NEEDS_FONTS, _NEEDS_PLACE, _NEEDS_GLYPHS, _NEEDS_PRESSED, _NOT_FOR_US, _STALE = range(8)
_FOLLOWS, _REFUSED, _NO_START, _JOINER, _OPENS, _CLOSES, _EMOJI = (1 << bit for bit in range(7))
_IDEOGRAPHIC, _JOINS = 1, 2
_CLOSING_BRACKET = 1 << 31
_MAX_ANSWER = 257

_UTF_32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
_OPENING_OF = {closing: opening for opening, closing in PAIRED_PUNCTUATION.items()}
_IS_EMOJI = regex.compile(r"\p{Emoji}")
# Bidirectional classes of formatting characters and separators.
_FORMATTING = "ijkqlropfBs"
# Rather less than the mean width of a character, marks included: of a text that may be longer, so much is looked at first.
_PIXELS_PER_CHARACTER = 5
_FEW_CHARACTERS = 64
_NO_MEMORY = "no memory for drawing text"

_Answer = ctypes.c_uint32 * _MAX_ANSWER


class _Character(ctypes.Structure):
    _fields_ = (
        ("font", ctypes.c_uint8),
        ("script", ctypes.c_uint8),
        ("bidi", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("partner", ctypes.c_uint32),
        ("bracket", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
    )


class _Script(ctypes.Structure):
    _fields_ = (("tag", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("feature", ctypes.c_uint32 * 4))


class _LinePlace(ctypes.Structure):
    _fields_ = (("fonts", ctypes.c_uint64 * 4), ("anchor", ctypes.c_int32), ("baselines", ctypes.c_int32 * 256))


class _Layout(NamedTuple):
    """What is known of a line laid out: `generation` names it; ink in pixels from its origin; clusters are at most `num_glyphs`."""

    generation: int
    width: int
    ink_left: int
    ink_right: int
    num_glyphs: int
    by_words: bool
    place: int
    num_words: int


class CompiledLines:
    """Lays out and draws lines.

    Args:
        library: the compiled code.
        fonts: chooses among at most 255 fonts.
        cache_bytes: bound on the memory for words that were laid out; when it is reached, they are forgotten.
    """

    def __init__(self, library: Library, fonts: FontChooser, cache_bytes: int) -> None:
        self._fonts = fonts
        self._height = fonts.height
        self._call = call = library.functions
        self._engine = call.pixel_lm_new(library.harfbuzz, fonts.height, int(fonts.profile.fit), cache_bytes)
        if not self._engine:
            raise MemoryError(_NO_MEMORY)
        weakref.finalize(self, call.pixel_lm_free, self._engine).atexit = False
        self._scripts: dict[str, int] = {}
        self._places: dict[int, Place] = {}
        self._script_number("Zyyy")

    @staticmethod
    def can_take(fonts: Sequence[Font]) -> bool:
        """Whether there are not too many fonts."""
        return len(fonts) <= _MAX_FONTS

    @property
    def cached_bytes(self) -> int:
        """Memory that the words take that were laid out so far."""
        return int(self._call.pixel_lm_word_bytes(self._engine))

    def forget(self) -> None:
        """Forget the words laid out so far."""
        self._call.pixel_lm_forget(self._engine)

    # -- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str, base_level: int | None) -> Line | None:
        """As `Typesetter.line`; None where that takes Python."""
        codepoints = _codepoints(text)
        while (layout := self._lay_out(codepoints, base_level)) is not None:
            columns = np.empty(((layout.ink_right - layout.ink_left) * self._height,), np.uint8)
            if self._draw(layout, columns, layout.ink_right - layout.ink_left, -layout.ink_left, 0):
                left, right = -layout.ink_left, layout.ink_right - layout.width
                return Line(columns.tobytes(), layout.width, left, right, self._places[layout.place])
        return None

    def strip(self, text: str, indent: int, last: int, clip: bool) -> npt.NDArray[np.uint8] | None:
        """A whole strip: the line behind an indent, up to the next boundary of patches that leaves room for the indent again, then a separator.

        Args:
            text: the line; unless it is clipped, its longest prefix that fits is drawn.
            indent: pixels.
            last: x of the separator of a full strip in pixels.
            clip: whether a line that does not fit is cut off at `last`.

        Returns:
            uint8 (num_patches, height, height); None where that takes Python.
        """
        codepoints, height = _codepoints(text), self._height
        while (layout := self._lay_out(codepoints, None)) is not None:
            if not clip and layout.width + 2 * indent > last:
                end = self.end_that_fits(text, last - 2 * indent, None)
                if end is None or end == len(text):
                    return None
                text = text[:end]
                codepoints = _codepoints(text)
                continue
            end = patch_boundary(layout.width + 2 * indent, height, last)
            patches = np.empty((end // height + 1, height, height), np.uint8)
            if self._draw(layout, patches, end, indent, height):
                # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
                return patches.transpose(0, 2, 1)
        return None

    def width(self, text: str) -> int | None:
        """Width of a line in pixels; None where that takes Python."""
        layout = self._lay_out(_codepoints(text), None)
        return None if layout is None else layout.width

    def clusters(self, text: str, base_level: int | None) -> npt.NDArray[np.int32] | None:
        """The clusters of a line from left to right: int32 (clusters, 5), in columns what `Cluster` has.

        None where that takes Python.
        """
        codepoints = _codepoints(text)
        while (layout := self._lay_out(codepoints, base_level)) is not None:
            clusters = np.empty((layout.num_glyphs, 5), np.int32)
            count = self._call.pixel_lm_clusters(self._engine, layout.generation, _address(clusters))
            if count >= 0:
                return clusters[:count]
        return None

    def centers(
        self, text: str, base_level: int | None, by_words: bool = False
    ) -> tuple[npt.NDArray[np.int64], list[Cluster]] | None:
        """x of the centre of each character: int64 (len(text),), without those of clusters of several characters, and these clusters.

        None where that takes Python. With `by_words` also for lines that are not one run from left to right in which every word
        lies as it does by itself.
        """
        codepoints = _codepoints(text)
        while (layout := self._lay_out(codepoints, base_level)) is not None:
            if by_words and not layout.by_words:
                return None
            centers = np.zeros(len(text), np.int64)
            clusters = np.empty((layout.num_glyphs, 5), np.int32)
            count = self._call.pixel_lm_centers(self._engine, layout.generation, _address(centers), _address(clusters))
            if count >= 0:
                return centers, list(map(Cluster._make, clusters[:count].tolist()))
        return None

    def words(self, text: str) -> npt.NDArray[np.int32] | None:
        """Where the words of a line begin, each with the spaces after it: int32 (words + 1, 2), characters and pixels; its end comes last.

        None where that takes Python, and for lines that are not one run from left to right in which every word lies as it does by itself.
        """
        codepoints = _codepoints(text)
        while (layout := self._lay_out(codepoints, 0)) is not None and layout.by_words:
            begins = np.empty((layout.num_words + 1, 2), np.int32)
            if self._call.pixel_lm_words(self._engine, layout.generation, _address(begins)) >= 0:
                return begins
        return None

    def end_that_fits(self, text: str, limit: int, base_level: int | None) -> int | None:
        """Length of the longest prefix of a text that fits into `limit` pixels; it ends between clusters.

        None where that takes Python.
        """
        count = max(limit // _PIXELS_PER_CHARACTER, _FEW_CHARACTERS)
        while (layout := self._lay_out(_codepoints(text[:count]), base_level)) is not None:
            end = self._call.pixel_lm_end_that_fits(self._engine, layout.generation, limit)
            if end < -1:
                raise MemoryError(_NO_MEMORY)
            if end >= 0 and (end < count or count >= len(text)):
                return self._shortened(text, end, limit, base_level)
            if end >= 0:
                count *= 2
        return None

    def _shortened(self, text: str, end: int, limit: int, base_level: int | None) -> int | None:
        """A prefix by itself may be a little wider than it is in a longer line."""
        while end:
            layout = self._lay_out(_codepoints(text[:end]), base_level)
            if layout is None:
                return None
            if layout.width <= limit:
                break
            end = last_cluster(text, end)
        return end

    # -- calls -------------------------------------------------------------------------------------------------------

    def _lay_out(self, codepoints: bytes, base_level: int | None) -> _Layout | None:
        answer = _Answer()
        level = -1 if base_level is None else base_level
        while True:
            status = self._call.pixel_lm_lay_out(self._engine, codepoints, len(codepoints) // 4, level, answer)
            if status == _DONE:
                generation, width, left, right, num_glyphs, by_words, *rest = answer[:8]
                return _Layout(generation, width, _signed(left), _signed(right), num_glyphs, bool(by_words), *rest)
            if status == _NOT_FOR_US:
                return None
            if status > _NOT_FOR_US:
                raise MemoryError(_NO_MEMORY)
            wanted = answer[1 : answer[0] + 1]
            if status == _NEEDS_CHARACTERS:
                for codepoint in wanted:
                    self._give_character(codepoint)
            elif status == _NEEDS_FONTS:
                for number in wanted:
                    if not self._give_font(number):
                        return None
            elif status == _NEEDS_PLACE:
                self._give_place(wanted)
            elif status == _NEEDS_GLYPHS:
                for glyph in wanted:
                    self._give_glyph(glyph >> 24, glyph & 0xFFFFFF)
            else:
                self._give_pressed(wanted)

    def _draw(self, layout: _Layout, columns: npt.NDArray[np.uint8], num_columns: int, x: int, num_black: int) -> bool:
        """Whether the line was drawn; not so if another thread laid out another one meanwhile."""
        first = _address(columns)
        status = self._call.pixel_lm_draw(self._engine, layout.generation, first, num_columns, x, num_black)
        if status not in (_DONE, _STALE):
            raise MemoryError(_NO_MEMORY)
        return bool(status == _DONE)

    # -- what the compiled code asks for ---------------------------------------------------------------------------------

    def _give_character(self, codepoint: int) -> None:
        char = chr(codepoint)
        code, name = bidi_code(codepoint), script(char)
        is_emoji = self._fonts.has_pictures and EMOJI_HINT.match(char) is not None and char not in JOINERS
        flags = 0
        if follows_font(char):
            flags |= _FOLLOWS
        if self._fonts.is_unknown(char) or is_emoji or code in _FORMATTING or char in LINE_BREAKS:
            flags |= _REFUSED
        if not starts_token(char):
            flags |= _NO_START
        if char in JOINERS:
            flags |= _JOINER
        if char in PAIRED_PUNCTUATION:
            flags |= _OPENS
        if char in _OPENING_OF:
            flags |= _CLOSES
        if self._fonts.has_pictures and _IS_EMOJI.match(char):
            flags |= _EMOJI
        bracket = 0
        if char in OPENING_BRACKETS:
            bracket = ord(OPENING_BRACKETS[char])
        elif char in CLOSING_BRACKETS:
            bracket = ord(CLOSING_BRACKETS[char]) | _CLOSING_BRACKET
        number = 0 if name in ("Zyyy", "Zinh", "Zzzz") else self._script_number(name)
        partner = ord(_OPENING_OF.get(char, "\0"))
        properties = _Character(self._fonts.rank(char), number, ord(code), flags, partner, bracket)
        self._check(self._call.pixel_lm_set_character(self._engine, codepoint, ctypes.byref(properties)))

    def _script_number(self, name: str) -> int:
        """Number of a script, made known to the compiled code when it is first met."""
        number = self._scripts.get(name)
        if number is None:
            flags = _IDEOGRAPHIC * (name in IDEOGRAPHIC) | _JOINS * (name in JOINING)
            feature = (0, 0, 0, 0)
            for tag, value in FEATURES.get(name, {}).items():
                feature = (_tag(tag), int(value), 0, 0xFFFFFFFF)
            properties = _Script(_tag(name), flags, feature)
            number = self._scripts.setdefault(name, len(self._scripts))
            self._call.pixel_lm_set_script(self._engine, number, ctypes.byref(properties))
        return number

    def _give_font(self, number: int) -> bool:
        """Whether the font could be opened."""
        font = self._fonts.font_of_rank(number)
        path, scale = os.fsencode(font.source.path), font.hb_font.scale[0]
        return bool(self._call.pixel_lm_open_font(self._engine, number, path, font.source.index, scale) == _DONE)

    def _give_place(self, wanted: Sequence[int]) -> None:
        bits = sum(half << (32 * index) for index, half in enumerate(wanted[:8]))
        numbers = [number for number in range(_MAX_FONTS) if bits >> number & 1]
        anchor = _signed(wanted[8])
        place = self._fonts.place_of(numbers, None if anchor < 0 else anchor)
        known = _LinePlace(tuple(bits >> (64 * index) & (1 << 64) - 1 for index in range(4)), anchor)
        for number in {0, *numbers}:
            font = self._fonts.font_of_rank(number)
            known.baselines[number] = round((place.baseline_of(font) + font.drop) * UNITS_PER_PIXEL)
        number = self._call.pixel_lm_set_place(self._engine, ctypes.byref(known))
        if number < 0:
            raise MemoryError(_NO_MEMORY)
        self._places[number] = place

    def _give_glyph(self, number: int, glyph_id: int) -> None:
        glyph = self._fonts.font_of_rank(number).glyph(glyph_id)
        columns, rows = glyph.alpha.shape
        ink = glyph.alpha.tobytes()
        self._check(
            self._call.pixel_lm_set_glyph(self._engine, number, glyph_id, glyph.left, glyph.top, columns, rows, ink)
        )

    def _give_pressed(self, wanted: Sequence[int]) -> None:
        at = 0
        while at < len(wanted):
            end = at + 1 + wanted[at]
            key = [_signed(number) for number in wanted[at + 1 : end]]
            font, at = self._fonts.font_of_rank(key[-1]), end
            place = self._fonts.place_of((), None)  # the same for all lines of a profile that fits
            boxes = [
                (x, y, font.glyph(glyph).alpha) for glyph, x, y in zip(key[:-1:3], key[1::3], key[2::3], strict=True)
            ]
            [(left, _, ink)] = squeeze(boxes, row_of_baseline(place, font, self._height), self._height)
            numbers = (ctypes.c_int32 * len(key))(*key)
            self._check(self._call.pixel_lm_set_pressed(self._engine, numbers, len(key), left, len(ink), ink.tobytes()))

    @staticmethod
    def _check(status: int) -> None:
        if status != _DONE:
            raise MemoryError(_NO_MEMORY)


def _codepoints(text: str) -> bytes:
    return text.encode(_UTF_32, "surrogatepass")


def _address(array: npt.NDArray[Any]) -> Any:
    """Where an array lies in memory, as an argument."""
    return ctypes.byref(ctypes.c_uint8.from_buffer(array.data)) if array.size else None


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number


def _tag(name: str) -> int:
    return int.from_bytes(name.encode("ascii"), "big")
