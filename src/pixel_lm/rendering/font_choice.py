"""Which font draws which characters, and where the baseline lies that follows from it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pixel_lm.rendering.fitting import fitting_of
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import EMOJI_HINT, Item, emoji_runs
from pixel_lm.rendering.lines import Place
from pixel_lm.rendering.profiles import Profile
from pixel_lm.rendering.scripts import IDEOGRAPHIC, follows_font

__all__ = ["REPLACEMENT", "FontChooser", "Run"]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Run(NamedTuple):
    """Consecutive characters of one item drawn with one font (the main font if they are spaces only)."""

    start: int
    end: int
    font: Font


class FontChooser:
    """Chooses fonts out of an ordered list; the first that covers a character draws it.

    Args:
        fonts: the main font and its fallbacks.
        profile: the measured rules of a rendering backend.
        height: rows of the strip in pixels.
    """

    def __init__(self, fonts: Sequence[Font], profile: Profile, height: int) -> None:
        self.main = fonts[0]
        self.profile = profile
        self.height = height
        self._fonts = list(fonts)
        self._fitted: dict[Font, Font] = {}
        self._rank_of = {font: rank for rank, font in reversed(list(enumerate(self._fonts)))}
        self._picture_fonts = [font for font in self._fonts if font.has_pictures]
        self._font_of: dict[str, Font | None] = {}
        self._fonts_of_page: dict[int, list[Font]] = {}

    @property
    def has_pictures(self) -> bool:
        """Whether one of the fonts draws emoji as pictures."""
        return bool(self._picture_fonts)

    def font_of(self, char: str) -> Font | None:
        """The first font that covers the character, or None."""
        try:
            return self._font_of[char]
        except KeyError:
            candidates = [self.main] if self.main.covers(char) else self._candidates(ord(char) >> 8)
            font = self._font_of[char] = next((font for font in candidates if font.covers(char)), None)
            return font

    def _candidates(self, page: int) -> list[Font]:
        """The fonts with characters in a stretch of 256 code points."""
        fonts = self._fonts_of_page.get(page)
        if fonts is None:
            fonts = self._fonts_of_page[page] = [font for font in self._fonts if page in font.pages]
        return fonts

    def is_unknown(self, char: str) -> bool:
        """Whether the character appears as U+FFFD: no font has it, or it is a control."""
        if follows_font(char):
            return unicodedata.category(char) in ("Cc", "Cs")
        return self.font_of(char) is None

    def rank(self, char: str) -> int:
        """Place of a character's font in the order of preference."""
        return self._rank_of[self.font_of(char) or self.main]

    def fitted(self, font: Font) -> Font:
        """The font as the profile draws with it."""
        if not self.profile.fit or font is self.main:
            return font
        fitted = self._fitted.get(font)
        if fitted is None:
            main = self.main
            baseline = math.floor(self.profile.baseline(*main.metrics, self.height) + 0.5)

            def wanted(char: str) -> bool:
                return font.covers(char) and not main.covers(char)

            fitting = fitting_of(font, baseline, self.height - baseline, wanted)
            fitted = self._fitted[font] = font.resized(*fitting)
        return fitted

    def place(self, text: str, line_items: Sequence[Item]) -> Place:
        """Where the baseline lies: by the largest ascent and descent of all fonts that take part."""
        if self.profile.fit:
            return Place(self.profile.baseline(*self.main.metrics, self.height))
        fonts = {self.font_of(char) or self.main for char in set(text) if not follows_font(char)}
        pictured = self._picture_fonts and not text.isascii() and EMOJI_HINT.search(text)
        if pictured or (len(line_items) > 1 and self.main not in fonts):
            # Emoji have fonts of their own, and a space between two items is a run of the main font.
            fonts = {run.font for item in line_items for run in self.runs(text, item.start, item.end)}
        if not fonts:
            fonts = {self.main}
        first: Font | None = None
        if len(fonts) > 1 and line_items[0].script in IDEOGRAPHIC:
            first = next(self.runs(text, line_items[0].start, line_items[0].end)).font
        return self._place_of(fonts, first)

    def place_of(self, ranks: Iterable[int], first: int | None) -> Place:
        """As `place`, from the ranks of the fonts of a line, and of the one of its first run if that aligns the others."""
        if self.profile.fit:
            return Place(self.profile.baseline(*self.main.metrics, self.height))
        return self._place_of({self._fonts[rank] for rank in ranks}, None if first is None else self._fonts[first])

    def _place_of(self, fonts: set[Font], first: Font | None) -> Place:
        if first is not None:
            anchor = first.ideographic_baseline
            rises = {font: (anchor - font.ideographic_baseline) / UNITS_PER_PIXEL for font in fonts}
            ascent = max(font.metrics[0] + rise for font, rise in rises.items())
            descent = max(font.metrics[1] - rise for font, rise in rises.items())
            return Place(self.profile.baseline(ascent, descent, self.height), anchor)
        ascent = max(font.metrics[0] for font in fonts)
        descent = max(font.metrics[1] for font in fonts)
        return Place(self.profile.baseline(ascent, descent, self.height))

    def font_of_rank(self, rank: int) -> Font:
        """The font at this place in the order of preference, as the profile draws with it."""
        return self.fitted(self._fonts[rank])

    def run_fonts(self, text: str) -> list[tuple[int, int, Font]]:
        """Stretches (start, end, font as it is drawn with) of a text that one font draws each."""
        fonts = set(map(self._font_of.get, text.replace(" ", "")))
        if len(fonts) == 1 and not (self._picture_fonts and EMOJI_HINT.search(text)):
            font = fonts.pop()
            if font is not None:
                return [(0, len(text), self.fitted(font))]
        return [(start, end, self.fitted(font)) for start, end, font in self.runs(text, 0, len(text))]

    def runs(self, text: str, start: int, end: int) -> Iterator[Run]:
        """Split characters `start:end` by font. Spaces and the like between two fonts go to the one that is first in order."""
        pictured = self._pictured(text, start, end)
        font: Font | None = None
        run_start = last = start  # `last`: after the last character that is no space
        for i in range(start, end):
            if pictured and i > run_start and (i in pictured) != (i - 1 in pictured):
                # An emoji sequence is a run of its own: spaces beside it are not its font's.
                yield Run(run_start, i, font or self.main)
                run_start, last, font = i, i, None
            if i in pictured:
                chosen = pictured[i]
            elif follows_font(text[i]):
                if text[i] != " ":
                    last = i + 1
                continue
            else:
                chosen = self.font_of(text[i]) or self.font_of(REPLACEMENT) or self.main
            if font is not None and chosen is not font:
                stop = last if self._rank_of[chosen] < self._rank_of[font] else i
                yield Run(run_start, stop, font)
                run_start = stop
            font = chosen
            last = i + 1
        if start < end:
            yield Run(run_start, end, font or self.main)

    def _pictured(self, text: str, start: int, end: int) -> dict[int, Font]:
        """The characters of emoji sequences that a font of pictures draws, by place."""
        if text.isascii() or not EMOJI_HINT.search(text, start, end) or not self._picture_fonts:
            return {}
        pictured: dict[int, Font] = {}
        for first, last in emoji_runs(text[start:end]):
            for font in self._picture_fonts:
                if font.covers(text[start + first]):
                    pictured |= dict.fromkeys(range(start + first, start + last), font)
                    break
        return pictured
