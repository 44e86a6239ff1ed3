"""Glyphs that are pictures of one size (emoji), reduced to the size of the text.

Grey strips show their coverage only. A colour channel shows the ink of that channel: on white paper, a pixel of coverage a and colour
c (as much as the coverage lets through) is 255 − (a − c). The reduction is that of cairo and pixman, with which the published strips were drawn: a box
as wide as a pixel of the strip, moved in steps of a power of two of a picture's pixel, with weights in 1/65536.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont

__all__ = ["PLANES", "PictureFont", "Plane", "reduce"]

Plane = Literal["coverage", "red", "green", "blue", "nothing"]
PLANES: tuple[Plane, ...] = ("red", "green", "blue")

_ONE = 1 << 16
_FINEST = 128  # the box is at least this many steps wide


class PictureFont:
    """The pictures of a font in Google's format (tables CBLC and CBDT).

    Args:
        path, index: the font.
    """

    def __init__(self, path: Path, index: int) -> None:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            table = font["CBLC"].strikes[0].bitmapSizeTable
            self._pictures = font["CBDT"].strikeData[0]
            self._names = font.getGlyphOrder()
        self.ppem = int(table.ppemY)  # size of the em in pixels of the pictures
        self.ascender, self.descender = int(table.hori.ascender), int(table.hori.descender)

    def metrics(self, pixel_size: float) -> tuple[int, int]:
        """Ascent and descent at an em size in pixels, rounded up."""
        scale = pixel_size / self.ppem
        return math.ceil(self.ascender * scale), math.ceil(-self.descender * scale)

    def glyph(
        self, glyph_id: int, pixel_size: float, plane: Plane = "coverage"
    ) -> tuple[npt.NDArray[np.uint8], int, int] | None:
        """Ink (columns, rows) uint8 at an em size in pixels, its left edge from the pen, its top above the baseline.

        None for glyphs without a picture, and in the plane "nothing".
        """
        from PIL import Image

        picture = self._pictures.get(self._names[glyph_id])
        if picture is None or not hasattr(picture, "imageData") or plane == "nothing":
            return None
        with Image.open(io.BytesIO(picture.imageData)) as image:
            pixels = np.array(image.convert("RGBA"), np.int64)  # (rows, columns, 4)
        alpha = pixels[..., 3]
        place = picture.metrics.BearingX, picture.metrics.BearingY, self.ppem / pixel_size
        coverage, left, top = reduce(alpha, *place)
        if plane != "coverage":
            product = alpha * pixels[..., PLANES.index(plane)] + 128
            light, _, _ = reduce((product + (product >> 8)) >> 8, *place)
            coverage = coverage - np.minimum(light, coverage)
        return coverage, left, top


def reduce(
    alpha: npt.NDArray[np.int64], bearing_x: int, bearing_y: int, step: float
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Reduce a picture.

    Args:
        alpha: coverage (rows, columns), 0 to 255.
        bearing_x, bearing_y: its left edge from the pen and its top above the baseline, in its pixels.
        step: its pixels for one of the strip, at least 1.

    Returns:
        Coverage (columns, rows) uint8, and the same distances in pixels of the strip.
    """
    x, first_column = _windows(bearing_x, alpha.shape[1], step)
    y, first_row = _windows(-bearing_y, alpha.shape[0], step)
    reduced = np.zeros((len(x), len(y)), np.uint8)
    for column, (left, column_weights) in enumerate(x):
        columns = slice(max(0, left), max(0, left + len(column_weights)))
        for row, (top, row_weights) in enumerate(y):
            part = alpha[max(0, top) : max(0, top + len(row_weights)), columns]
            inside_rows = row_weights[max(0, -top) :][: part.shape[0]]
            inside_columns = column_weights[max(0, -left) :][: part.shape[1]]
            weights = (np.outer(inside_rows, inside_columns) + _ONE // 2) // _ONE
            reduced[column, row] = min(255, (int((part * weights).sum()) + _ONE // 2) // _ONE)
    return reduced, first_column, -first_row


def _windows(bearing: int, size: int, step: float) -> tuple[list[tuple[int, npt.NDArray[np.int64]]], int]:
    """For each pixel of the strip that a picture touches in one direction: the first of the picture's pixels that count, and
    their weights; and the first of these pixels of the strip.

    Args:
        bearing: distance from the origin to the picture, in its pixels.
        size: of the picture, in its pixels.
        step: its pixels for one of the strip.
    """
    first, last = math.floor(bearing / step), math.ceil((bearing + size) / step)
    phases = _box(step)
    width = len(phases[0])
    windows = []
    for pixel in range(first, last):
        center = round(((pixel + 0.5) * step - bearing) * _ONE)
        phase = center % _ONE * len(phases) // _ONE
        middle = center // _ONE * _ONE + (2 * phase + 1) * _ONE // (2 * len(phases))
        windows.append(((middle - 1 - (width - 1) * _ONE // 2) // _ONE, phases[phase]))
    return windows, first


@lru_cache(maxsize=64)
def _box(step: float) -> list[npt.NDArray[np.int64]]:
    """Weights under a box of `step` pixels for each place of its centre inside a pixel; they sum to 65536."""
    width = math.ceil(step + 1)
    num_phases = 1
    while step * num_phases <= _FINEST:
        num_phases *= 2
    phases = []
    for phase in range(num_phases):
        center = (phase + 0.5) / num_phases
        distances = math.ceil(center - width / 2 - 0.5) - center + 0.5 + np.arange(width)
        covered = np.clip((step + 1) / 2 - np.abs(distances), 0, min(step, 1))
        weights = ((covered * _ONE).astype(np.int64) / covered.sum()).astype(np.int64)
        weights[width // 2] += _ONE - weights.sum()
        phases.append(weights)
    return phases
