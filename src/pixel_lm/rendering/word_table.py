"""Words of one font, script and direction, drawn once and joined ever after: the fast path of typesetting.

Most lines are words and spaces of one script, which one font draws. Such a line is split at its spaces, and the columns of its
words are joined. New words of a line are shaped together, in one call; HarfBuzz then says of each whether its shape depends on
what stands before it (a glyph that is unsafe to break before), and a line with such a word takes the slower way. The result is
the same either way.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb

from pixel_lm.rendering.cells import Cell, add_columns, cell_of, join_cells
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font

__all__ = ["WordTable"]

# What a remembered word costs beside its ink: the key, dictionary entries, objects.
_ENTRY_BYTES = 300
_HALF = UNITS_PER_PIXEL // 2


class WordTable:
    """Columns of words (each with the space after it) on one baseline.

    Args:
        font: draws all characters.
        script: ISO 15924 code of the text.
        rtl: whether the text runs from right to left.
        baseline: of the font on the strip, in pixels from its top.
        height: rows of the strip.
        features: for HarfBuzz.
        is_simple: whether a character is of this font, script and direction, or neutral.
        must_fit: whether words with ink outside the strip are left to others.
        spend: told how many bytes were remembered.
    """

    def __init__(
        self,
        font: Font,
        script: str,
        rtl: bool,
        baseline: float,
        height: int,
        features: dict[str, bool] | None,
        is_simple: Callable[[str], bool],
        must_fit: bool,
        spend: Callable[[int], None],
    ) -> None:
        self.font = font
        self.script = script
        self.rtl = rtl
        self.baseline = baseline
        self.height = height
        self._features = features
        self._is_simple = is_simple
        self._must_fit = must_fit
        self._spend = spend
        self._simple: set[str] = set()
        self._cells: dict[tuple[int, int, int, int], Cell | None] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all words."""
        # Columns of words with the space after them, and of words at the end of a line, without.
        self._spaced: dict[str, bytes] = {}
        self._final: dict[str, bytes] = {}
        self._overhang: dict[str, tuple[bytes, bytes]] = {}  # of both, by the word with its space if it has one
        self._stands_out: set[str] = set()  # words without space of which either stands out
        self._centers: dict[str, npt.NDArray[np.int64]] = {}
        self._refused: set[str] = set()

    # -- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> tuple[list[bytes], bytes, bytes] | None:
        """Columns of a line in parts from left to right, and what stands out on its left and right.

        None if the line is not for this table.
        """
        words = text.split(" ")
        last = words.pop()
        spaced = self._spaced
        try:
            parts = list(map(spaced.__getitem__, words))
            if last:
                parts.append(self._final[last])
        except KeyError:
            if not self._learn(words, last):
                return None
            try:
                parts = [self._spaced[word] for word in words]
                if last:
                    parts.append(self._final[last])
            except KeyError:  # forgotten again, for want of memory
                return None
        left = right = b""
        if self._stands_out and not (self._stands_out.isdisjoint(words) and last not in self._stands_out):
            tokens = [word + " " for word in words]
            if last:
                tokens.append(last)
            if self.rtl:
                tokens.reverse()
                parts.reverse()
            left, right = self._add_overhang(tokens, parts)
        elif self.rtl:
            parts.reverse()
        return parts, left, right

    def _add_overhang(self, tokens: list[str], parts: list[bytes]) -> tuple[bytes, bytes]:
        """Add ink that stands out of words to their neighbours, in order from left to right; what is left at the ends."""
        left_end = right_end = b""
        for index, token in enumerate(tokens):
            pair = self._overhang.get(token)
            if pair is None:
                continue
            left, right = pair
            at = index
            while left:  # from right to left over as many words as it takes
                at -= 1
                if at < 0:
                    left_end = _add_right_aligned(left_end, left)
                    break
                ink, left = left[-len(parts[at]) :], left[: -len(parts[at])] if parts[at] else left
                parts[at] = _add(parts[at], len(parts[at]) - len(ink), ink) if parts[at] else b""
            at = index
            while right:
                at += 1
                if at == len(parts):
                    right_end = _add_left_aligned(right_end, right)
                    break
                ink, right = right[: len(parts[at])], right[len(parts[at]) :]
                parts[at] = _add(parts[at], 0, ink)
        return left_end, right_end

    def centers(self, text: str, centers_of: Callable[[str], npt.NDArray[np.int64]]) -> npt.NDArray[np.int64] | None:
        """x of the centre of each character of a line, if all its words are known.

        Args:
            centers_of: gives them for a word by itself; asked once for each word.
        """
        words = text.split(" ")
        last = words.pop()
        columns = [self._spaced.get(word) for word in words]
        tokens = [word + " " for word in words]
        if last:
            columns.append(self._final.get(last))
            tokens.append(last)
        if not tokens or None in columns:
            return None
        parts: list[npt.NDArray[np.int64]] = []
        for token in tokens:
            part = self._centers.get(token)
            if part is None:
                part = self._centers[token] = centers_of(token)
                self._spend(_ENTRY_BYTES + part.nbytes)
            parts.append(part)
        widths = np.array([len(part) for part in columns if part is not None]) // self.height
        begins = np.cumsum(widths[::-1])[::-1] - widths if self.rtl else np.cumsum(widths) - widths
        return np.concatenate(parts) + np.repeat(begins, [len(part) for part in parts])

    # -- new words ---------------------------------------------------------------------------------------------------

    def _learn(self, words: list[str], last: str) -> bool:
        """Draw those of the words with a space after them that are new, and the last one; whether all are known afterwards."""
        new = [word for word in dict.fromkeys(words) if word not in self._spaced]
        for char in set("".join([*new, last])) - self._simple:
            if not self._is_simple(char):
                return False
            self._simple.add(char)
        tokens = [word + " " for word in new]
        if last and last not in self._final:
            tokens.append(last)
        if not self._refused.isdisjoint(tokens) or any(unicodedata.category(token[0])[0] == "M" for token in tokens):
            return False
        return self._draw(tokens)

    def _draw(self, tokens: list[str]) -> bool:
        buffer = hb.Buffer()
        buffer.add_str(" " + "".join(tokens))
        buffer.direction = "rtl" if self.rtl else "ltr"
        buffer.script = self.script
        hb.shape(self.font.hb_font, buffer, self._features)
        starts = list(accumulate(map(len, tokens), initial=1))
        owner = [-1]
        for number, token in enumerate(tokens):
            owner += [number] * len(token)
        cells: list[list[Cell]] = [[] for _ in tokens]
        refused: set[int] = set()
        known = self._cells
        unsafe = hb.GlyphFlags.UNSAFE_TO_BREAK
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            cluster = info.cluster
            number = owner[cluster]
            if number < 0:
                continue
            if cluster == starts[number] and info.flags & unsafe and tokens[number][0] != " ":
                refused.add(number)
            x_offset, y_offset, x_advance, _ = position.position
            key = (info.codepoint, (x_advance + _HALF) >> 10, (x_offset + _HALF) >> 10, y_offset)
            cell = known[key] if key in known else self._new_cell(key)
            if cell is None:
                refused.add(number)
            else:
                cells[number].append(cell)
        for number, token in enumerate(tokens):
            if number in refused:
                self._refused.add(token)
                continue
            columns, left, right = join_cells(cells[number], self.height)
            word = token[:-1] if token[-1] == " " else token
            (self._spaced if token[-1] == " " else self._final)[word] = columns
            if left or right:
                self._overhang[token] = (left, right)
                self._stands_out.add(word)
            self._spend(_ENTRY_BYTES + len(columns) + len(left) + len(right))
        return not refused

    def _new_cell(self, key: tuple[int, int, int, int]) -> Cell | None:
        glyph_id, advance, x_offset, y_offset = key
        glyph = self.font.glyph(glyph_id)
        y = math.floor(self.baseline - y_offset / UNITS_PER_PIXEL + 0.5) - glyph.top
        inside = y >= 0 and y + glyph.alpha.shape[1] <= self.height
        cell = None
        if inside or not self._must_fit or not glyph.alpha.size:
            cell = cell_of(glyph, x_offset + glyph.left, y, advance, self.height)
        self._cells[key] = cell
        return cell


def _add(columns: bytes, at: int, ink: bytes) -> bytes:
    canvas = bytearray(columns)
    add_columns(canvas, at, ink)
    return bytes(canvas)


def _add_left_aligned(one: bytes, other: bytes) -> bytes:
    """Add ink to ink, both beginning at the same column."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return _add(longer, 0, shorter)


def _add_right_aligned(one: bytes, other: bytes) -> bytes:
    """Add ink to ink, both ending at the same column."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return _add(longer, len(longer) - len(shorter), shorter)
