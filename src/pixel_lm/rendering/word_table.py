"""Words of one font, script and direction, drawn once and joined ever after: the fast path of typesetting.

Most lines are words and spaces of one script, which one font draws. Such a line is split at its spaces, and the columns of its
words are joined. New words of a line are shaped together, in one call; HarfBuzz then says of each whether its shape depends on
what stands before it (a glyph that is unsafe to break before), and a line with such a word takes the slower way. The result is
the same either way.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable
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
        self._columns: dict[str, bytes] = {}
        self._overhang: dict[str, tuple[bytes, bytes]] = {}
        self._centers: dict[str, npt.NDArray[np.int64]] = {}
        self._refused: set[str] = set()

    # -- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> tuple[bytes, bytes, bytes] | None:
        """Columns of a line, and what stands out on its left and right; None if it is not for this table."""
        tokens = _tokens(text)
        columns_of = self._columns
        try:
            parts = [columns_of[token] for token in tokens]
        except KeyError:
            if not self._learn(tokens):
                return None
            try:
                parts = [self._columns[token] for token in tokens]
            except KeyError:  # forgotten again, for want of memory
                return None
        if self.rtl:
            parts.reverse()
        columns = b"".join(parts)
        if not self._overhang or self._overhang.keys().isdisjoint(tokens):
            return columns, b"", b""
        return self._with_overhang(columns, tokens[::-1] if self.rtl else tokens, parts)

    def _with_overhang(self, columns: bytes, tokens: list[str], parts: list[bytes]) -> tuple[bytes, bytes, bytes]:
        """Add the ink that stands out of words; all in order from left to right."""
        ends = list(accumulate(map(len, parts)))
        standing_out: list[tuple[int, bytes]] = []
        for index, token in enumerate(tokens):
            pair = self._overhang.get(token)
            if pair is not None:
                left, right = pair
                standing_out += [(ends[index] - len(parts[index]) - len(left), left), (ends[index], right)]
        first = -min(0, *(at for at, _ in standing_out))
        last = max(len(columns), *(at + len(ink) for at, ink in standing_out)) - len(columns)
        canvas = bytearray(b"\xff" * first + columns + b"\xff" * last)
        for at, ink in standing_out:
            if ink:
                add_columns(canvas, first + at, ink)
        end = first + len(columns)
        return bytes(canvas[first:end]), bytes(canvas[:first]), bytes(canvas[end:])

    def width(self, token: str) -> int | None:
        """Pixels that a known word takes."""
        columns = self._columns.get(token)
        return None if columns is None else len(columns) // self.height

    def centers(self, text: str, centers_of: Callable[[str], npt.NDArray[np.int64]]) -> npt.NDArray[np.int64] | None:
        """x of the centre of each character of a line, if all its words are known.

        Args:
            centers_of: gives them for a word by itself; asked once for each word.
        """
        tokens = _tokens(text)
        if not tokens or not all(token in self._columns for token in tokens):
            return None
        parts: list[npt.NDArray[np.int64]] = []
        for token in tokens:
            part = self._centers.get(token)
            if part is None:
                part = self._centers[token] = centers_of(token)
                self._spend(_ENTRY_BYTES + part.nbytes)
            parts.append(part)
        widths = np.array([len(self._columns[token]) for token in tokens]) // self.height
        begins = np.cumsum(widths[::-1])[::-1] - widths if self.rtl else np.cumsum(widths) - widths
        return np.concatenate(parts) + np.repeat(begins, [len(part) for part in parts])

    # -- new words ---------------------------------------------------------------------------------------------------

    def _learn(self, tokens: Iterable[str]) -> bool:
        """Draw the words among `tokens` that are new; whether all are known afterwards."""
        new = [token for token in dict.fromkeys(tokens) if token not in self._columns]
        if not self._refused.isdisjoint(new):
            return False
        for char in set("".join(new)) - self._simple:
            if not self._is_simple(char):
                return False
            self._simple.add(char)
        if any(unicodedata.category(token[0])[0] == "M" for token in new):
            return False
        # Words without a space after them (the last of a line) come last, one per call: each must see a space before it.
        spaced = [token for token in new if token[-1] == " "]
        unspaced = [token for token in new if token[-1] != " "]
        batches = [spaced + unspaced[:1], *([token] for token in unspaced[1:])]
        drawn = [self._draw(batch) for batch in batches if batch]
        return all(drawn)

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
            self._columns[token] = columns
            if left or right:
                self._overhang[token] = (left, right)
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


def _tokens(text: str) -> list[str]:
    """Cut a text after each space."""
    tokens = [word + " " for word in text.split(" ")]
    last = tokens.pop()[:-1]
    if last:
        tokens.append(last)
    return tokens
