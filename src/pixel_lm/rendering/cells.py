"""Glyphs as columns of bytes, so that drawing a word is joining a few pieces.

A glyph's *cell* is its ink on the baseline of the strip, as wide as its advance; what stands out on the left or right lies beside
it. Most words are the join of their cells. Ink that stands out is added afterwards; where it meets other ink, coverage adds up
and saturates, as everywhere within a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.fonts import Glyph

__all__ = ["Cell", "add_columns", "cell_of", "join_cells", "over", "spread"]


class Cell(NamedTuple):
    """Columns of a glyph, 255 = no ink: within its advance, and what stands out before its origin and after its advance."""

    columns: bytes
    left: bytes
    right: bytes


def cell_of(glyph: Glyph, x: int, y: int, advance: int, height: int) -> Cell | None:
    """The cell of a glyph whose upper left pixel lies at column `x` from its origin and row `y` of the strip.

    None for a negative advance. Rows outside the strip are lost.
    """
    if advance < 0:
        return None
    if not glyph.alpha.size:
        return Cell(b"\xff" * (advance * height), b"", b"")
    columns, rows = glyph.alpha.shape
    first, last = min(x, 0), max(x + columns, advance)
    canvas = np.zeros((last - first, height), np.uint8)
    top, bottom = max(y, 0), min(y + rows, height)
    if top < bottom:
        canvas[x - first : x - first + columns, top:bottom] = glyph.alpha[:, top - y : bottom - y]
    ink = (~canvas).tobytes()
    origin, end = -first * height, (advance - first) * height
    return Cell(ink[origin:end], ink[:origin], ink[end:])


def join_cells(cells: list[Cell], height: int) -> tuple[bytes, bytes, bytes]:
    """Columns of glyphs that follow each other, and what stands out on the left and right of all of them."""
    if not cells:
        return b"", b"", b""
    inner, lefts, rights = zip(*cells, strict=True)
    columns = b"".join(inner)
    if not any(lefts) and not any(rights):
        return columns, b"", b""
    end = position = 0
    standing_out: list[tuple[int, bytes]] = []
    for cell in cells:
        end = position + len(cell.columns)
        if cell.left:
            standing_out.append((position - len(cell.left), cell.left))
        if cell.right:
            standing_out.append((end, cell.right))
        position = end
    first = min(0, *(at for at, _ in standing_out)) if len(standing_out) > 1 else min(0, standing_out[0][0])
    last = max([end, *(at + len(ink) for at, ink in standing_out)])
    canvas = bytearray(b"\xff" * -first + columns + b"\xff" * (last - end))
    for at, ink in standing_out:
        add_columns(canvas, at - first, ink)
    return bytes(canvas[-first : end - first]), bytes(canvas[:-first]), bytes(canvas[end - first :])


def add_columns(canvas: bytearray, at: int, ink: bytes) -> None:
    """Add the ink of some columns to a canvas of columns, saturating; all of it lies on the canvas."""
    stop = at + len(ink)
    target = canvas[at:stop]
    canvas[at:stop] = ink if target.count(255) == len(ink) else _sum(bytes(target), ink)


@lru_cache(maxsize=1 << 14)
def _sum(one: bytes, other: bytes) -> bytes:
    """Coverages added, saturating. The same letters meet again and again, so that looking it up is the rule."""
    here, there = np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)
    return (here - np.minimum(here, 255 - there)).tobytes()


def spread(
    overhang: Sequence[tuple[bytes, bytes] | None], parts: list[bytes], same_run: Callable[[int, int], bool] | None
) -> tuple[bytes, bytes]:
    """Add ink that stands out of parts to their neighbours.

    Args:
        overhang: for each part the columns that stand out on its left and right, or None.
        parts: columns from left to right; changed in place.
        same_run: whether two parts, by their numbers from left to right, belong to one run, within which ink adds up; between runs
            ink is drawn over ink. None: all do.

    Returns:
        What stands out on the left and right of all of them.
    """
    left_end = right_end = b""
    left_from = right_from = -1  # the part that stood out there last
    for index, pair in enumerate(overhang):
        if pair is None:
            continue
        left, right = pair
        at = index
        while left:  # over as many parts to the left as it takes
            at -= 1
            if at < 0:
                adds = left_from < 0 or same_run is None or same_run(left_from, index)
                left_end, left, left_from = _to_longer(left_end[::-1], left[::-1], adds)[::-1], b"", index
            else:
                size = min(len(left), len(parts[at]))
                adds = same_run is None or same_run(at, index)
                parts[at] = _with_ink(parts[at], len(parts[at]) - size, left[len(left) - size :], adds)
                left = left[: len(left) - size]
        at = index
        while right:
            at += 1
            if at == len(parts):
                adds = right_from < 0 or same_run is None or same_run(right_from, index)
                right_end, right, right_from = _to_longer(right_end, right, adds), b"", index
            else:
                size = min(len(right), len(parts[at]))
                adds = same_run is None or same_run(index, at)
                parts[at], right = _with_ink(parts[at], 0, right[:size], adds), right[size:]
    return left_end, right_end


def over(source: npt.NDArray[np.uint8], destination: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Porter-Duff OVER of two coverages, with the rounding of pixman: s + d·(255 − s)/255."""
    product = destination.astype(np.uint16) * (255 - source) + 128
    return source + ((product + (product >> 8)) >> 8).astype(np.uint8)


def _with_ink(columns: bytes, at: int, ink: bytes, adds: bool) -> bytes:
    canvas = bytearray(columns)
    if adds or canvas.count(255, at, at + len(ink)) == len(ink):
        add_columns(canvas, at, ink)
    else:
        here, there = np.frombuffer(columns, np.uint8)[at : at + len(ink)], np.frombuffer(ink, np.uint8)
        canvas[at : at + len(ink)] = (~over(~there, ~here)).tobytes()
    return bytes(canvas)


def _to_longer(one: bytes, other: bytes, adds: bool) -> bytes:
    """Ink and ink that begin at the same column."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return _with_ink(longer, 0, shorter, adds) if shorter else longer
