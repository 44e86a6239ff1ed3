"""The profile `fit`: fonts scaled and moved, and the rare tall cluster squeezed, so that no ink falls off the strip."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb

from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font

__all__ = ["Box", "Fitting", "fitting_of", "squeeze"]

Box = tuple[int, int, npt.NDArray[np.uint8]]
"""Column and row of a glyph's upper left pixel, and its coverage (columns, rows)."""

_LETTERS = 1500  # measured at most
# Rare letters and marks may be taller: better to squeeze one of them than to shrink all the others.
_PART_OF_LETTERS = 90
_PAGE = 128  # code points; blocks of most scripts have this size
_ROUNDING = 0.5  # rows by which hinting may enlarge a letter
_PRESENTATION_FORMS = range(0xF900, 0x10000)


class Fitting(NamedTuple):
    """What it takes for a font's ink to fit: a factor of its size (at most 1), and pixels to move it down by."""

    factor: float = 1.0
    drop: int = 0


def fitting_of(font: Font, above: int, below: int, wanted: Callable[[str], bool]) -> Fitting:
    """How to fit a font's letters, with their marks, into `above` rows above the baseline and `below` rows below it.

    The font keeps its size where its ink can fit by moving it up or down; else it becomes as small as it must. It depends on
    the font alone, not on the text, so that a script always looks the same.

    Args:
        font: a font at its normal size.
        wanted: which of its characters it will draw.
    """
    codepoints = [code for code in sorted(font.hb_font.face.unicodes) if code not in _PRESENTATION_FORMS]
    characters = [char for char in map(chr, codepoints) if wanted(char)]
    letters = _sample([char for char in characters if unicodedata.category(char)[0] in "LN"], _LETTERS)
    extents = [_extent(font.hb_font, letter) for letter in letters]
    inked = [(top, bottom, letter) for (top, bottom), letter in zip(extents, letters, strict=True) if top > bottom]
    if not inked:
        return Fitting()
    tops, bottoms = [top for top, _, _ in inked], [bottom for _, bottom, _ in inked]
    highest, lowest = np.percentile(tops, _PART_OF_LETTERS), np.percentile(bottoms, 100 - _PART_OF_LETTERS)
    # Marks stand on a letter of middle height and depth; only those of the letters' own part of Unicode, which are the common ones.
    page = Counter(ord(letter) // _PAGE for letter in letters).most_common(1)[0][0]
    own = [entry for entry in inked if ord(entry[2]) // _PAGE == page] or inked
    middle_top, middle_bottom = np.median([entry[0] for entry in own]), np.median([entry[1] for entry in own])
    high, low, letter = min(own, key=lambda entry: abs(entry[0] - middle_top) + abs(entry[1] - middle_bottom))
    marks = [char for char in characters if unicodedata.category(char)[0] == "M" and ord(char) // _PAGE == page]
    marked = [_extent(font.hb_font, letter + mark) for mark in marks]
    highest = max(highest, np.median([top for top, _ in marked if top > high] or [high]))
    lowest = min(lowest, np.median([bottom for _, bottom in marked if bottom < low] or [low]))
    above_line, below_line = float(highest) / UNITS_PER_PIXEL, min(float(lowest) / UNITS_PER_PIXEL, 0.0)
    factor = min(1.0, (above + below - _ROUNDING) / (above_line - below_line))
    # Moving down by `drop` rows, negative for up, must give room at both ends.
    at_least, at_most = above_line * factor - above, below + below_line * factor
    drop = ceil(at_least) if at_least > 0 else floor(at_most) if at_most < 0 else 0
    return Fitting(factor, drop)


def squeeze(boxes: Sequence[Box], baseline: int, height: int) -> list[Box]:
    """Press the ink of one cluster into the rows of the strip; what lies within stays as it is.

    What is too tall above the baseline becomes lower between its top and the baseline, what is too deep below it likewise;
    widths do not change.

    Args:
        boxes: glyphs of the cluster.
        baseline: row on which the cluster stands, between 0 and `height`.
        height: rows of the strip.
    """
    top = min(y for _, y, _ in boxes)
    bottom = max(y + alpha.shape[1] for _, y, alpha in boxes)
    if top >= 0 and bottom <= height:
        return list(boxes)
    top, bottom = min(top, 0), max(bottom, height)
    left = min(x for x, _, _ in boxes)
    right = max(x + len(alpha) for x, _, alpha in boxes)
    tall = np.zeros((right - left, bottom - top), np.uint16)  # (columns, rows)
    for x, y, alpha in boxes:
        tall[x - left : x - left + len(alpha), y - top : y - top + alpha.shape[1]] += alpha
    tall = np.minimum(tall, 255)
    weights = np.zeros((bottom - top, height))
    weights[: baseline - top, :baseline] = _averages(baseline - top, baseline)
    weights[baseline - top :, baseline:] = _averages(bottom - baseline, height - baseline)
    pressed = (tall @ weights + 0.5).astype(np.uint8)
    return [(left, 0, pressed)]


def _averages(many: int, few: int) -> npt.NDArray[np.float64]:
    """Weights that average `many` rows into `few`: (many, few), columns sum to 1."""
    edges = np.linspace(0, many, few + 1)
    weights = np.zeros((many, few))
    for row, (low, high) in enumerate(pairwise(edges)):
        for source in range(int(low), min(int(np.ceil(high)), many)):
            weights[source, row] = (min(high, source + 1) - max(low, source)) / (high - low)
    return weights


def _sample(characters: list[str], number: int) -> list[str]:
    return characters[:: -(-len(characters) // number)] if characters else []


def _extent(font: hb.Font, text: str) -> tuple[int, int]:
    """Top and bottom of the ink of a shaped text in 1/1024 pixel above the baseline."""
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    hb.shape(font, buffer)
    top, bottom = -(1 << 30), 1 << 30
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        extents = font.get_glyph_extents(info.codepoint)
        if extents is not None and extents.height:
            top = max(top, position.y_offset + extents.y_bearing)
            bottom = min(bottom, position.y_offset + extents.y_bearing + extents.height)
    return (top, bottom) if top > bottom else (0, 0)
