"""Characters → glyphs: HarfBuzz, run by run."""

from __future__ import annotations

from dataclasses import dataclass

import uharfbuzz as hb

from pixel_lm.rendering.font_choice import REPLACEMENT, FontChooser, Run
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import Item
from pixel_lm.rendering.scripts import FEATURES

__all__ = ["Glyphs", "Shaper"]

# HarfBuzz looks at this many characters on either side of what it shapes.
_CONTEXT = 5


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Shaped glyphs of one run in visual order: parallel lists, offsets in 1/1024 pixel, advances in whole pixels."""

    font: Font
    end: int
    ids: list[int]
    clusters: list[int]
    advances: list[int]
    x_offsets: list[int]
    y_offsets: list[int]


class Shaper:
    """Shapes text with the fonts that are chosen for it.

    Args:
        fonts: chooses them.
    """

    def __init__(self, fonts: FontChooser) -> None:
        self.fonts = fonts

    def shape(self, text: str, start: int, end: int, item: Item, graphemes: bool = True) -> tuple[list[Glyphs], str]:
        """Shape characters `start:end`, which lie in `item`; glyphs in visual order, and the characters without a glyph."""
        unknown: list[str] = []
        glyphs = []
        # The item and its context, so that a long text is not copied for each item or run; a list once something is replaced.
        origin = max(0, start - _CONTEXT)
        shown: str | list[str] = text[origin : end + _CONTEXT]
        for run in self.fonts.runs(text, start, end):
            missing = [i for i in range(run.start, run.end) if self.fonts.is_unknown(text[i])]
            if missing:
                unknown += [text[i] for i in missing]
                if isinstance(shown, str):
                    shown = list(shown)
                for i in missing:
                    shown[i - origin] = REPLACEMENT
            first = max(0, run.start - _CONTEXT)
            piece = "".join(shown[first - origin : run.end + _CONTEXT - origin])
            glyphs.append(self._shape_run(piece, first, run, item, graphemes))
        if item.level % 2:
            glyphs.reverse()
        return glyphs, "".join(unknown)

    def _shape_run(self, text: str, first: int, run: Run, item: Item, graphemes: bool) -> Glyphs:
        """Shape a run; `text`, which begins at place `first` of the line, holds it and what stands around it."""
        buffer = hb.Buffer()
        buffer.add_str(text, run.start - first, run.end - run.start)
        buffer.direction = "rtl" if item.level % 2 else "ltr"
        buffer.script = item.script
        if run.start == 0:  # a mark without a base gets a dotted circle
            buffer.flags = hb.BufferFlags.BOT
        font = self.fonts.fitted(run.font)
        if not graphemes:
            buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
        hb.shape(font.hb_font, buffer, FEATURES.get(item.script))
        infos = buffer.glyph_infos
        positions = [position.position for position in buffer.glyph_positions]
        half = UNITS_PER_PIXEL // 2
        return Glyphs(
            font=font,
            end=run.end,
            ids=[info.codepoint for info in infos],
            clusters=[info.cluster + first for info in infos],
            advances=[(position[2] + half) >> 10 for position in positions],
            x_offsets=[position[0] for position in positions],
            y_offsets=[position[1] for position in positions],
        )

    def depends_on_space(self, token: str, item: Item) -> bool:
        """Whether the token is shaped differently after a space than on its own."""
        run = next(self.fonts.runs(token, 0, len(token)))
        buffer = hb.Buffer()
        buffer.add_str(" " + token[run.start : run.end])
        buffer.direction = "rtl" if item.level % 2 else "ltr"
        buffer.script = item.script
        hb.shape(run.font.hb_font, buffer, FEATURES.get(item.script))
        flags = [info.flags.value for info in buffer.glyph_infos if info.cluster == 1]
        return not flags or any(flag & hb.GlyphFlags.UNSAFE_TO_BREAK.value for flag in flags)
