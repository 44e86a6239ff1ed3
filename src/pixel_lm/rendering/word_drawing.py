"""Drawing words that are new to a table: many in one call of HarfBuzz, out of the cells of their glyphs."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import uharfbuzz as hb

from pixel_lm.rendering.cells import Cell, cell_of, join_cells, spread
from pixel_lm.rendering.drawing import draw
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import Item
from pixel_lm.rendering.lines import Place
from pixel_lm.rendering.scripts import FEATURES
from pixel_lm.rendering.shaping import Shaper

__all__ = ["Keep", "WordDrawer"]

Keep = Callable[[str, bytes, bytes, bytes], None]
"""Takes a word that was drawn: its columns, and what stands out on its left and right."""

_HALF = UNITS_PER_PIXEL // 2
_UNSAFE_TO_BREAK = hb.GlyphFlags.UNSAFE_TO_BREAK.value

# Number of a glyph; its offsets to the right and up, and its advances, in 1/1024 pixel.
_Key = tuple[int, tuple[int, int, int, int]]


class WordDrawer:
    """Draws words of one script and direction on one baseline. They are given with the spaces that belong to them.

    Args:
        shaper: chooses fonts, and shapes words that cells do not make.
        script: ISO 15924 code of the text.
        rtl: whether the text runs from right to left.
        place: where the baseline lies.
    """

    def __init__(self, shaper: Shaper, script: str, rtl: bool, place: Place) -> None:
        self.rtl = rtl
        self.fonts = shaper.fonts
        self.height = shaper.fonts.height
        self._shaper = shaper
        self._script = script
        self._place = place
        self._features = FEATURES.get(script)
        self._fit = shaper.fonts.profile.fit
        self._cells: dict[Font, dict[_Key, Cell | None]] = {}
        self.forget()

    def forget(self) -> None:
        """Forget which words were refused."""
        self._refused: set[str] = set()

    def draw(self, tokens: list[str], keep: Keep) -> bool:
        """Draw words; whether all of them could be: a word that depends on what stands before it is refused.

        Args:
            tokens: words, with or without spaces after them, or before them.
            keep: called with each word that was drawn.
        """
        if not self._refused.isdisjoint(tokens):
            return False
        batches: dict[Font, list[str]] = {}
        complete = True
        for token in tokens:
            runs = self.fonts.run_fonts(token)
            if len(runs) == 1:
                batches.setdefault(runs[0][2], []).append(token)
            else:
                complete &= self._draw_mixed(token, runs, keep)
        for font, batch in batches.items():
            # A word without a space after it comes last, one in each call: every word must see a space before it.
            spaced = [token for token in batch if token[-1] == " "]
            others = [token for token in batch if token[-1] != " "]
            if len(others) > 1:
                others = self._draw_spaced_out(font, others, keep)
            for part in (spaced + others[:1], *([token] for token in others[1:])):
                if part:
                    complete &= self._draw_together(font, part, keep)
        return complete

    def _draw_together(self, font: Font, tokens: list[str], keep: Keep) -> bool:
        """Draw words of one font, shaped as a line of them."""
        starts = list(accumulate(map(len, tokens), initial=1))
        owner = [-1]
        for number, token in enumerate(tokens):
            owner += [number] * len(token)
        cells: list[list[Cell]] = [[] for _ in tokens]
        refused: set[int] = set()
        alone: set[int] = set()
        known = self._cells_of(font)
        infos, positions = self._shape(font, " " + "".join(tokens), 0, starts[-1])
        for info, position in zip(infos, positions, strict=True):
            cluster = info.cluster
            number = owner[cluster]
            if number < 0:
                continue
            if cluster == starts[number] and _is_unsafe(info) and tokens[number][0] != " ":
                refused.add(number)
            key = info.codepoint, position.position
            cell = known[key] if key in known else self._new_cell(font, key)
            if cell is None:
                alone.add(number)
            else:
                cells[number].append(cell)
        for number, token in enumerate(tokens):
            if number in refused:
                self._refused.add(token)
            elif number in alone:
                keep(token, *self._draw_alone(token))
            else:
                keep(token, *join_cells(cells[number], self.height))
        return not refused

    def _draw_spaced_out(self, font: Font, tokens: list[str], keep: Keep) -> list[str]:
        """Draw words without a space after them that a space on either side does not change; the others, which remain to be drawn."""
        text = " " + " ".join(tokens) + " "
        owner = [-1]
        for number, token in enumerate(tokens):
            owner += [number] * len(token) + [-1]
        starts = set(accumulate((len(token) + 1 for token in tokens), initial=1))
        cells: list[list[Cell]] = [[] for _ in tokens]
        remain: set[int] = {number for number, token in enumerate(tokens) if " " in token}
        known = self._cells_of(font)
        for info, position in zip(*self._shape(font, text, 0, len(text)), strict=True):
            cluster = info.cluster
            number = owner[cluster]
            if number < 0:
                if cluster and _is_unsafe(info):
                    remain.add(owner[cluster - 1])
                continue
            if cluster in starts and _is_unsafe(info):
                remain.add(number)
            key = info.codepoint, position.position
            cell = known[key] if key in known else self._new_cell(font, key)
            if cell is None:
                remain.add(number)
            else:
                cells[number].append(cell)
        for number, token in enumerate(tokens):
            if number not in remain:
                keep(token, *join_cells(cells[number], self.height))
        return [token for number, token in enumerate(tokens) if number in remain]

    def _draw_mixed(self, token: str, runs: list[tuple[int, int, Font]], keep: Keep) -> bool:
        """Draw a word that several fonts have a part in."""
        pieces: list[tuple[bytes, bytes, bytes]] = []
        text = " " + token
        for start, end, font in runs:
            infos, positions = self._shape(font, text, start + 1, end + 1)
            first_is_unsafe = start == 0 and any(_is_unsafe(info) for info in infos if info.cluster == 1)
            if first_is_unsafe and token[0] != " ":
                self._refused.add(token)
                return False
            known = self._cells_of(font)
            keys = [(info.codepoint, position.position) for info, position in zip(infos, positions, strict=True)]
            cells = [known[key] if key in known else self._new_cell(font, key) for key in keys]
            if any(cell is None for cell in cells):
                keep(token, *self._draw_alone(token))
                return True
            pieces.append(join_cells([cell for cell in cells if cell is not None], self.height))
        if self.rtl:
            pieces.reverse()
        parts = [columns for columns, _, _ in pieces]
        left, right = spread([(left, right) for _, left, right in pieces], parts, lambda left, right: False)
        keep(token, b"".join(parts), left, right)
        return True

    def _draw_alone(self, token: str) -> tuple[bytes, bytes, bytes]:
        """A word that cells do not make: its columns, and what stands out on its left and right."""
        item = Item(0, len(token), int(self.rtl), self._script)
        # The space before it keeps a mark from getting a dotted circle, as in the middle of a line.
        glyphs, _ = self._shaper.shape(" " + token, 1, len(token) + 1, item)
        line = draw(glyphs, self._place, "", self.height, self._fit)
        left, end = line.left * self.height, (line.left + line.width) * self.height
        return line.columns[left:end], line.columns[:left], line.columns[end:]

    def _shape(self, font: Font, text: str, start: int, end: int) -> tuple[list[Any], list[Any]]:
        """What HarfBuzz says of the glyphs of `text[start:end]` from left to right: which they are, and where they lie."""
        buffer = hb.Buffer()
        buffer.add_str(text, start, end - start)
        buffer.direction = "rtl" if self.rtl else "ltr"
        buffer.script = self._script
        hb.shape(font.hb_font, buffer, self._features)
        return buffer.glyph_infos, buffer.glyph_positions

    def _cells_of(self, font: Font) -> dict[_Key, Cell | None]:
        return self._cells.setdefault(font, {})

    def _new_cell(self, font: Font, key: _Key) -> Cell | None:
        glyph_id, (x_offset, y_offset, x_advance, _) = key
        glyph = font.glyph(glyph_id)
        x = ((x_offset + _HALF) >> 10) + glyph.left
        baseline = self._place.baseline_of(font) + font.drop
        y = math.floor(baseline - y_offset / UNITS_PER_PIXEL + 0.5) - glyph.top
        inside = y >= 0 and y + glyph.alpha.shape[1] <= self.height
        cell = None
        if inside or not self._fit or not glyph.alpha.size:
            cell = cell_of(glyph, x, y, (x_advance + _HALF) >> 10, self.height)
        self._cells_of(font)[key] = cell
        return cell


def _is_unsafe(info: Any) -> bool:
    """Whether the text must not be cut before this glyph."""
    return bool(info.flags.value & _UNSAFE_TO_BREAK)  # the operators of flags are slow
