"""Pairs of characters, drawn once and remembered; a strip is one `bytes.join` of them."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cells import over
from pixel_lm.rendering.lines import Line
from pixel_lm.rendering.typesetting import Typesetter
from pixel_lm.rendering.unicode_data import bidi_code

__all__ = ["Pair", "Pairs", "draw_strip", "votes_rtl"]

_MAX_PAIRS = 1 << 17
_IGNORED = str.maketrans("", "", " \t\n\r\v\f" + string.punctuation + string.digits)


def votes_rtl(text: str) -> bool:
    """The vote on the direction of a text: two of its first, last and middle letter are right-to-left."""
    letters = text.translate(_IGNORED)
    return bool(letters) and sum(bidi_code(ord(letters[at])) in "RA" for at in (0, -1, len(letters) // 2)) >= 2


class Pair(NamedTuple):
    """A pair of characters (or a single one), drawn.

    Attributes:
        columns: `num_patches` patches, column-major, 255 = no ink.
        num_patches: patches that it takes; 0 for characters without width.
        left, right: ink that leaves these patches: columns before the first and after the last one, 255 = full ink.
        centers: x of the centre of each character in pixels from the first patch, in the order of the text.
        lengths: code points of each character (more than one for graphemes).
        unknown: characters for which no font has a glyph.
    """

    columns: bytes
    num_patches: int
    left: npt.NDArray[np.uint8] | None
    right: npt.NDArray[np.uint8] | None
    centers: tuple[int, ...]
    lengths: tuple[int, ...]
    unknown: str


class Pairs(dict[Sequence[str], Pair]):
    """Draws pairs and remembers them: `pairs["ab"]`, or `pairs["a", "b"]` for characters of several code points.

    Args:
        typesetter: draws the characters.
        rtl: put the second character to the left of the first.
    """

    def __init__(self, typesetter: Typesetter, rtl: bool) -> None:
        super().__init__()
        self.typesetter = typesetter
        self.rtl = rtl

    def __missing__(self, characters: Sequence[str]) -> Pair:
        if len(self) >= _MAX_PAIRS:
            self.clear()
        pair = self[characters] = self._draw(characters)
        return pair

    def _line(self, character: str) -> Line:
        # Drawn once here, so nothing is gained by the cache of words.
        return self.typesetter.whole_line(character)

    def _draw(self, characters: Sequence[str]) -> Pair:
        height = self.typesetter.height
        x = 0
        placed = []
        for character in reversed(characters) if self.rtl else characters:
            line = self._line(character)
            placed.append((x, line))
            x += line.width
        num_patches = -(-x // height)
        width = num_patches * height
        left = max([0, *(line.left - x for x, line in placed)])
        right = max([0, *(x + line.width + line.right - width for x, line in placed)])
        canvas = np.zeros((left + width + right, height), np.uint8)  # (columns, rows), 255 = ink
        for x, line in placed:
            ink = ~np.frombuffer(line.columns, np.uint8).reshape(-1, height)
            target = canvas[left + x - line.left :][: len(ink)]
            target[:] = over(ink, target)
        centers = [x + line.width // 2 for x, line in placed]
        return Pair(
            columns=(~canvas[left : left + width]).tobytes(),
            num_patches=num_patches,
            left=canvas[:left] if left else None,
            right=canvas[left + width :] if right else None,
            centers=tuple(reversed(centers) if self.rtl else centers),
            lengths=tuple(map(len, characters)),
            unknown="".join(line.unknown for _, line in placed),
        )


def draw_strip(pairs: Sequence[Pair], num_patches: int, patch_size: int) -> bytes:
    """Columns of pairs side by side; clipped or filled up with blank columns to a number of patches."""
    size = num_patches * patch_size * patch_size
    strip = b"".join([pair.columns for pair in pairs])[:size].ljust(size, b"\xff")
    if all(pair.left is None and pair.right is None for pair in pairs):
        return strip
    canvas = ~np.frombuffer(strip, np.uint8).reshape(-1, patch_size)  # (columns, rows), 255 = ink
    x = 0
    for pair in pairs:
        if pair.left is not None:
            _add(canvas, x - len(pair.left), pair.left)
        x += pair.num_patches * patch_size
        if pair.right is not None:
            _add(canvas, x, pair.right)
    return (~canvas).tobytes()


def _add(canvas: npt.NDArray[np.uint8], x: int, ink: npt.NDArray[np.uint8]) -> None:
    """Draw ink (columns, rows) over a canvas (columns, rows) at column x; what lies outside is lost."""
    ink = ink[max(0, -x) : max(0, len(canvas) - x)]
    target = canvas[max(0, x) : max(0, x) + len(ink)]
    target[:] = over(ink, target)
