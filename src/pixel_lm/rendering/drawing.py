"""Shaped glyphs → the ink of a line."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cells import over
from pixel_lm.rendering.fitting import Box, squeeze
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import Item
from pixel_lm.rendering.lines import Line, Place
from pixel_lm.rendering.shaping import Glyphs

__all__ = ["boxes_of", "draw", "join", "row_of_baseline"]


def draw(runs: Sequence[Glyphs], place: Place, unknown: str, height: int, fit: bool) -> Line:
    """Rasterise shaped runs.

    Args:
        runs: from left to right.
        place: where the baseline lies.
        unknown: the characters of the line for which no font has a glyph.
        height: rows of the strip.
        fit: whether clusters that leave the strip are squeezed.
    """
    boxes, width = boxes_of(runs, place, height, fit)
    extents = [_extent(run_boxes) for run_boxes in boxes if run_boxes]
    left = min([0, *(first for first, _ in extents)])
    right = max([width, *(last for _, last in extents)])
    canvas = np.zeros((right - left, height), np.uint8)  # (columns, rows)
    for run_boxes in boxes:
        if len(boxes) == 1:
            _add_all(canvas, left, run_boxes)
        elif run_boxes:
            first, last = _extent(run_boxes)
            ink = np.zeros((last - first, height), np.uint8)
            _add_all(ink, first, run_boxes)
            target = canvas[first - left : last - left]
            target[:] = over(ink, target)
    only = runs[0].font if len(runs) == 1 else None
    return Line((~canvas).tobytes(), width, -left, right - width, place, unknown, only)


def boxes_of(runs: Sequence[Glyphs], place: Place, height: int, fit: bool) -> tuple[list[list[Box]], int]:
    """Rasterised glyphs of each run, and the width of all in pixels. Arguments as for `draw`."""
    pen = 0
    boxes: list[list[Box]] = []
    half = UNITS_PER_PIXEL // 2
    for run in runs:
        boxes.append([])
        baseline, row = place.baseline_of(run.font) + run.font.drop, row_of_baseline(place, run.font, height)
        cluster, first_box = -1, 0
        for glyph_id, advance, x_offset, y_offset, glyph_cluster in zip(
            run.ids, run.advances, run.x_offsets, run.y_offsets, run.clusters, strict=True
        ):
            if fit and glyph_cluster != cluster:
                _press(boxes[-1], first_box, row, height)
                cluster, first_box = glyph_cluster, len(boxes[-1])
            glyph = run.font.glyph(glyph_id)
            if glyph.alpha.size:
                x = pen + ((x_offset + half) >> 10) + glyph.left
                y = _row(baseline - y_offset / UNITS_PER_PIXEL) - glyph.top
                boxes[-1].append((x, y, glyph.alpha))
            pen += advance
        if fit:
            _press(boxes[-1], first_box, row, height)
    return boxes, max(pen, 0)


def join(pieces: Sequence[Line], items_of: Sequence[Item], place: Place, height: int) -> Line | None:
    """Set pieces side by side, from left to right; `items_of` says in which item each lies.

    Ink that leaves its piece and meets other ink is added within a run. Between runs it matters which is drawn first and
    how: then the answer is None.
    """
    width = sum(piece.width for piece in pieces)
    unknown = "".join(piece.unknown for piece in pieces)
    if not any(piece.left or piece.right for piece in pieces):
        return Line(b"".join([piece.columns for piece in pieces]), width, 0, 0, place, unknown)
    pen = left = right = 0
    for piece in pieces:
        left = min(left, pen - piece.left)
        pen += piece.width
        right = max(right, pen + piece.right)
    canvas = np.full((max(right, width) - left, height), 255, np.uint8)  # (columns, rows)
    pen = -left
    reach = run_begins_at = 0  # ink so far ends here; ink of earlier runs ends here
    for index, piece in enumerate(pieces):
        same_run = index > 0 and piece.font is not None and piece.font is pieces[index - 1].font
        if not (same_run and items_of[index] is items_of[index - 1]):
            run_begins_at = reach
        columns = np.frombuffer(piece.columns, np.uint8).reshape(-1, height)
        start = pen - piece.left
        target = canvas[start : start + len(columns)]
        if start >= reach:
            target[:] = columns
        elif start >= run_begins_at:
            target -= np.minimum(target, 255 - columns)  # 255 is no ink, so this adds ink and saturates
        elif ((target != 255) & (columns != 255)).any():
            target[:] = ~over(~columns, ~target)
        else:
            np.minimum(target, columns, out=target)
        reach = max(reach, start + len(columns))
        pen += piece.width
    return Line(canvas.tobytes(), width, -left, max(right, width) - width, place, unknown)


def row_of_baseline(place: Place, font: Font, height: int) -> int:
    """The row of the strip on which glyphs of a font stand, with room for one row at least above and below."""
    return min(max(_row(place.baseline_of(font) + font.drop), 1), height - 1)


def _press(boxes: list[Box], first: int, baseline: int, height: int) -> None:
    """Squeeze the boxes from `first` on, those of one cluster, if they leave the strip."""
    if any(y < 0 or y + alpha.shape[1] > height for _, y, alpha in boxes[first:]):
        boxes[first:] = squeeze(boxes[first:], baseline, height)


def _row(y: float) -> int:
    return math.floor(y + 0.5)


def _extent(boxes: Sequence[Box]) -> tuple[int, int]:
    """First column of ink, and the one after the last."""
    return min(x for x, _, _ in boxes), max(x + len(alpha) for x, _, alpha in boxes)


def _add_all(canvas: npt.NDArray[np.uint8], left: int, boxes: Sequence[Box]) -> None:
    """Add the glyphs of one run to a canvas that begins at column `left`."""
    for x, y, alpha in boxes:
        _add_ink(canvas, x - left, y, alpha)


def _add_ink(canvas: npt.NDArray[np.uint8], x: int, y: int, alpha: npt.NDArray[np.uint8]) -> None:
    """Add coverage `alpha` (columns, rows) to `canvas` (columns, rows) at column x, row y, saturating; what lies outside is lost."""
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + alpha.shape[0], canvas.shape[0]), min(y + alpha.shape[1], canvas.shape[1])
    if x0 < x1 and y0 < y1:
        target = canvas[x0:x1, y0:y1]
        target += np.minimum(alpha[x0 - x : x1 - x, y0 - y : y1 - y], 255 - target)
