"""The profile `pygame`: text as PyGame drew it for the pretraining of the published models (Rust et al., 2023, section 3.1).

No shaping, no direction, no other font: the glyph of each character on whole pixels, hinted by the font's own program. The line is
cut to its ink, whose middle lies in the middle of the strip, so that its height depends on its letters; single words, in contrast,
stand on one baseline. Where glyphs overlap, ink covers ink: s + d − s·d / 255.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import NamedTuple

import freetype
import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cells import Cell, cell_of, spread
from pixel_lm.rendering.fonts import Font, FontSource, Glyph
from pixel_lm.rendering.lines import Cluster, Line, Place
from pixel_lm.rendering.profiles import Profile
from pixel_lm.rendering.splitting import LONGEST_WORD

__all__ = ["PyGameFont", "PyGameTypesetter"]

_IGNORE_GLOBAL_ADVANCE_WIDTH = 0x200
_MAX_WORDS = 1 << 16
# Where single words stand: so far below the middle of the strip (the padding of the published configurations).
_BASELINE_BELOW_MIDDLE = 3


class PyGameFont:
    """A font hinted by its own program.

    Args:
        source: the font file.
        points, dpi: its size.
    """

    def __init__(self, source: FontSource, points: float, dpi: float) -> None:
        source.check()
        self.source = source
        self._lock = threading.Lock()
        self._face = freetype.Face(str(source.path), source.index)
        freetype.FT_Set_Char_Size(self._face._FT_Face, 0, round(points * 64), round(dpi), round(dpi))
        self._glyphs: dict[str, tuple[Glyph, int]] = {}

    def covers(self, char: str) -> bool:
        """Whether the font has a glyph for this character."""
        return bool(self._face.get_char_index(ord(char)))

    def glyph(self, char: str) -> tuple[Glyph, int]:
        """The rasterised glyph of a character (a box if the font has none), and its advance in pixels."""
        known = self._glyphs.get(char)
        if known is None:
            with self._lock:  # a FreeType face must not be used by two threads at once
                known = self._glyphs[char] = self._rasterize(char)
        return known

    def _rasterize(self, char: str) -> tuple[Glyph, int]:
        flags = freetype.FT_LOAD_DEFAULT | _IGNORE_GLOBAL_ADVANCE_WIDTH | freetype.FT_LOAD_RENDER
        handle = self._face._FT_Face
        if freetype.FT_Load_Glyph(handle, self._face.get_char_index(ord(char)), flags):
            return Glyph(np.zeros((0, 0), np.uint8), 0, 0), 0
        slot = handle.contents.glyph.contents
        bitmap = slot.bitmap
        alpha = np.zeros((0, 0), np.uint8)
        if bitmap.rows and bitmap.width:
            data = ctypes.string_at(bitmap.buffer, bitmap.rows * bitmap.pitch)
            alpha = np.frombuffer(data, np.uint8).reshape(bitmap.rows, bitmap.pitch)[:, : bitmap.width].T.copy()
        return Glyph(alpha, slot.bitmap_left, slot.bitmap_top), slot.metrics.horiAdvance >> 6


class _Word(NamedTuple):
    """A word and where its ink lies: columns from its origin (left of the first, right of the last), rows from the baseline."""

    alpha: npt.NDArray[np.uint8]  # (columns, rows), from `left` on and from `top` rows above the baseline down
    advance: int
    left: int
    right: int
    top: int
    bottom: int
    cells: dict[int, Cell]  # by baseline
    ends_in_ink: bool


class PyGameTypesetter:
    """Draws lines with one font; the interface is that of `Typesetter`.

    Args:
        font: draws every character.
        named: the same font, as others know it.
        profile: where text lies on the strip.
        height: rows of the strip.
        words: draw single words, on one baseline, and not lines in the middle of the strip.
    """

    def __init__(self, font: PyGameFont, named: Font, profile: Profile, height: int, *, words: bool = False) -> None:
        self.font = font
        self.fonts = [named]
        self.profile = profile
        self.height = height
        self._baseline = height // 2 + _BASELINE_BELOW_MIDDLE if words else None
        self._words: dict[str, _Word] = {}
        self._boxes: set[str] = set()  # characters that the font lacks, of those drawn so far

    def line(self, text: str, base_level: int | None = None) -> Line:
        """Typeset `text` as one line; the base level is ignored."""
        words = list(map(self._word, text.split(" ")))
        space = self.font.glyph(" ")[1]
        top, bottom = max(word.top for word in words), min(word.bottom for word in words)
        if len(words) > 1:  # a space reaches up and down to the baseline
            top, bottom = max(top, 0), min(bottom, 0)
        baseline = self._baseline
        if baseline is None:
            baseline = self.height // 2 - max(top - bottom, 0) // 2 + top
        pens = [0]
        for word in words:
            pens.append(pens[-1] + word.advance + space)
        # Glyphs without ink, spaces among them, are points at their pen; after the last one its advance belongs to the line.
        begin = min(pen + word.left for pen, word in zip(pens, words, strict=False))
        end = max(pen + word.right for pen, word in zip(pens, words, strict=False))
        if len(words) > 1:
            begin = min(begin, words[0].advance)
            end = max(end, pens[-2] - space)
        if not words[-1].ends_in_ink:
            end = max(end, pens[-1] - space)
        columns = self._join(words, begin, end, pens[-1], baseline) or self._cover_all(
            words, pens, begin, end, baseline
        )
        unknown = "".join([char for char in text if char in self._boxes]) if self._boxes else ""
        return Line(columns, end - begin, 0, 0, Place(baseline), unknown)

    def _join(self, words: list[_Word], begin: int, end: int, last_pen: int, baseline: int) -> bytes | None:
        """Columns `begin` … `end` of a line, joined from its words; None where their ink meets."""
        cells = [word.cells.get(baseline) or self._cell(word, baseline) for word in words]
        parts = [cell.columns for cell in cells]
        left = right = b""
        standing_out = [index for index, cell in enumerate(cells) if cell.left or cell.right]
        if standing_out:
            for index in standing_out:  # ink must fall on paper, for how ink covers ink is another matter
                reach = len(cells[index].left)
                before = parts[index - 1][-reach:] if index and reach else b""
                reach = len(cells[index].right)
                after = parts[index + 1][:reach] if index + 1 < len(parts) and reach else b""
                if before.count(255) != len(before) or after.count(255) != len(after):
                    return None
            left, right = spread([(cell.left, cell.right) for cell in cells], parts, None)
        height = self.height
        columns = left + b"".join(parts) + right
        first = begin * height + len(left)
        columns = columns[first:] if first >= 0 else b"\xff" * -first + columns
        size = (end - begin) * height
        return columns[:size] + b"\xff" * (size - len(columns))

    def _cell(self, word: _Word, baseline: int) -> Cell:
        """Columns of a word and the space after it on a baseline, remembered."""
        glyph = Glyph(word.alpha, word.left, word.top)
        advance = word.advance + self.font.glyph(" ")[1]
        cell = cell_of(glyph, word.left, baseline - word.top, advance, self.height) or Cell(b"", b"", b"")
        word.cells[baseline] = cell
        return cell

    def parts(self, text: str) -> list[bytes] | None:
        """Lines are not made of parts that others could join."""
        return None

    def strip(self, text: str, indent: int, last: int, clip: bool) -> None:
        """Only `Typesetter` draws whole strips."""
        return None

    def end_that_fits(self, text: str, limit: int, base_level: int | None = None) -> int:
        """Length of the longest prefix whose advances add up to no more than `limit` pixels; ink may stand out of it."""
        end, space = 0, self.font.glyph(" ")[1]
        for word in text.split(" "):
            advance = self._word(word).advance if len(word) <= LONGEST_WORD else limit + 1
            if advance > limit:
                for char in word:
                    limit -= self.font.glyph(char)[1]
                    if limit < 0:
                        return end
                    end += 1
            else:
                limit -= advance
                end += len(word)
            limit -= space
            if limit < 0:
                break
            end += 1
        return min(end, len(text))

    def words(self, text: str, base_level: int | None = None) -> None:
        """Only `Typesetter` finds them at once."""
        return None

    def lost_ink(self, text: str) -> tuple[int, int]:
        """Coverage of a line that lies above or below the strip and is cut off, and all its coverage (255 for a full pixel)."""
        total = sum(int(word.alpha.sum()) for word in map(self._word, text.split(" ")))
        columns = np.frombuffer(self.line(text).columns, np.uint8)
        return max(total - int((255 - columns.astype(np.int64)).sum()), 0), total

    def width(self, text: str, base_level: int | None = None) -> int:
        """Width of a line in pixels."""
        return self.line(text).width

    def width_of_word(self, word: str) -> int:
        """Advance of a word in pixels; those of the words of a line add up to about its width, as ink may stand out."""
        return sum(self.font.glyph(char)[1] for char in word)

    def widths_of_words(self, words: Sequence[str]) -> list[int]:
        """Advances of words in pixels."""
        return list(map(self.width_of_word, words))

    def clusters(self, text: str, base_level: int | None = None, *, graphemes: bool = True) -> list[Cluster]:
        """Where the characters of a line lie, from left to right."""
        clusters: list[Cluster] = []
        first, _ = self.font.glyph(text[0]) if text else (Glyph(np.zeros((0, 0), np.uint8), 0, 0), 0)
        pen = -first.left if first.alpha.size else 0
        for index, char in enumerate(text):
            advance = self.font.glyph(char)[1]
            clusters.append(Cluster(index, index + 1, pen, advance, False))
            pen += advance
        return clusters

    def centers(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64]:
        """x of the centre of each character in pixels from the line's origin: int64 (len(text),)."""
        return np.array([cluster.x + cluster.width // 2 for cluster in self.clusters(text)], np.int64)

    def centers_of_words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64] | None:
        """Never: see `centers`."""
        return None

    def font_of(self, char: str) -> Font | None:
        """The font, if it has the character."""
        return self.fonts[0] if self.font.covers(char) else None

    def is_unknown(self, char: str) -> bool:
        """Whether a character is drawn as a box."""
        return not self.font.covers(char)

    def forget(self) -> None:
        """Empty the caches of drawn words."""
        self._words.clear()

    def _word(self, text: str) -> _Word:
        word = self._words.get(text)
        if word is None:
            if len(self._words) >= _MAX_WORDS:
                self.forget()
            word = self._words[text] = self._draw(text)
        return word

    def _draw(self, text: str) -> _Word:
        boxes: list[tuple[int, Glyph]] = []
        pen = 0
        for char in text:
            glyph, advance = self.font.glyph(char)
            if not self.font.covers(char):
                self._boxes.add(char)
            boxes.append((pen + glyph.left, glyph))  # without ink: the point at the pen, on the baseline
            pen += advance
        if not boxes:
            return _Word(np.zeros((0, 0), np.uint8), pen, 0, 0, -(1 << 20), 1 << 20, {}, ends_in_ink=False)
        left, right = min(x for x, _ in boxes), max(x + len(glyph.alpha) for x, glyph in boxes)
        top = max(glyph.top for _, glyph in boxes)
        bottom = min(glyph.top - glyph.alpha.shape[1] for _, glyph in boxes)
        ends_in_ink = bool(boxes[-1][1].alpha.size)
        canvas = np.zeros((right - left, top - bottom), np.uint8)  # (columns, rows)
        for x, glyph in boxes:
            if not glyph.alpha.size:
                continue
            columns, rows = glyph.alpha.shape
            _cover(canvas[x - left : x - left + columns, top - glyph.top : top - glyph.top + rows], glyph.alpha)
        return _Word(canvas, pen, left, right, top, bottom, {}, ends_in_ink)

    def _cover_all(self, words: list[_Word], pens: list[int], begin: int, end: int, baseline: int) -> bytes:
        """The same as `_join`, word over word."""
        height = self.height
        canvas = np.zeros((max(end - begin, 0), height), np.uint8)
        for pen, word in zip(pens, words, strict=False):
            if not len(word.alpha):
                continue
            y = baseline - word.top
            first, last = max(y, 0), min(y + word.alpha.shape[1], height)
            if first < last:
                x = pen + word.left - begin
                target = canvas[max(x, 0) : x + len(word.alpha), first:last]
                _cover(target, word.alpha[max(-x, 0) : max(-x, 0) + len(target), first - y : last - y])
        return (~canvas).tobytes()


def _cover(target: npt.NDArray[np.uint8], ink: npt.NDArray[np.uint8]) -> None:
    """Put ink over ink, in place."""
    both = target.astype(np.uint16)
    target[:] = ink + both - ink * both // 255
