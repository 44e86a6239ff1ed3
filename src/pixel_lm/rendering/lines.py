"""A line of ink, and what is known of it: the values that typesetting gives, and the interface of what gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.profiles import Profile

__all__ = ["Cluster", "Line", "LineSetter", "Place"]


@dataclass(frozen=True, slots=True)
class Line:
    """Ink of one line, column-major.

    Attributes:
        columns: `patch_size` bytes per pixel column from left to right, 255 = no ink, 0 = full ink.
        width: sum of the advances in pixels. Without overhang `columns` has this many columns.
        left, right: columns of ink before the origin and beyond `width` (both 0 for nearly every line).
        place: where the baseline lies.
        unknown: characters for which no font has a glyph, in order of appearance.
        font: the font, if one drew all of it in one run.
    """

    columns: bytes
    width: int
    left: int
    right: int
    place: Place
    unknown: str = ""
    font: Font | None = None


class Place(NamedTuple):
    """Where the baseline of a line lies.

    `baseline` is its distance from the top of the strip in pixels; half pixels occur. `anchor` is the ideographic baseline on
    which the fonts of a line align that begins with Han, kana or Hangul (None elsewhere), in 1/1024 pixel above the baseline.
    """

    baseline: float
    anchor: int | None = None

    def baseline_of(self, font: Font) -> float:
        """Baseline of the glyphs of one of the line's fonts."""
        if self.anchor is None:
            return self.baseline
        return self.baseline - (self.anchor - font.ideographic_baseline) / UNITS_PER_PIXEL


class Cluster(NamedTuple):
    """Characters that are one unit of the layout (a grapheme or a ligature) and where they lie in the line, in pixels."""

    start: int
    end: int
    x: int
    width: int
    rtl: bool


class LineSetter(Protocol):
    """What draws lines: `Typesetter`, or `PyGameTypesetter` with the same methods (described there)."""

    profile: Profile
    height: int

    def line(self, text: str, base_level: int | None = None) -> Line: ...

    def parts(self, text: str) -> list[bytes] | None: ...

    def strip(self, text: str, indent: int, last: int, clip: bool) -> npt.NDArray[np.uint8] | None: ...

    def end_that_fits(self, text: str, limit: int, base_level: int | None = None) -> int | None: ...

    def lost_ink(self, text: str) -> tuple[int, int]: ...

    def clusters(self, text: str, base_level: int | None = None, *, graphemes: bool = True) -> list[Cluster]: ...

    def centers(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64]: ...

    def centers_of_words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64] | None: ...

    def words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int32] | None: ...

    def width(self, text: str, base_level: int | None = None) -> int: ...

    def width_of_word(self, word: str) -> int: ...

    def widths_of_words(self, words: Sequence[str]) -> list[int]: ...

    def font_of(self, char: str) -> Font | None: ...

    def forget(self) -> None: ...

    def is_unknown(self, char: str) -> bool: ...
