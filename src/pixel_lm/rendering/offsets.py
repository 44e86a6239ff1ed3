"""Which characters each patch shows: (start, end) spans of a text for every patch of a strip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["patch_spans"]


def patch_spans(centers: npt.NDArray[np.int64], first: int, last: int, patch_size: int) -> npt.NDArray[np.int64]:
    """Spans of characters for the patches `first` … `last` - 1, so that each character lies in exactly one span.

    A character belongs to the patch that holds its centre. Where directions are mixed, a patch may show characters from two
    places of the text; then it keeps the larger part, and the rest goes to the patch of the character next to it in the text.
    A patch in which no character is centred (blank, or inside a wide character) gets an empty span at the place where it would
    stand.

    Args:
        centers: x of the centre of each character in pixels on the strip, int (num_characters,), in the order of the text.
            Characters left of `first` and right of `last` count for the patches there.
        first, last: patches of the text on the strip.
        patch_size: side of a patch in pixels.

    Returns:
        int64 (last - first, 2); start <= end, also from right to left.
    """
    spans = np.zeros((last - first, 2), np.int64)
    if not len(centers) or not len(spans):
        return spans
    owner = centers // patch_size  # (num_characters,)
    np.maximum(owner, first, out=owner)
    np.minimum(owner, last - 1, out=owner)
    patches = np.arange(first, last + 1)
    if (owner[1:] >= owner[:-1]).all():
        edges = owner.searchsorted(patches)
        spans[:, 0], spans[:, 1] = edges[:-1], edges[1:]
        return spans
    if (owner[1:] <= owner[:-1]).all():
        edges = len(owner) - owner[::-1].searchsorted(patches)
        spans[:, 0], spans[:, 1] = edges[1:], edges[:-1]
        return spans
    return _mixed_spans(owner, first, last)


def _mixed_spans(owner: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[np.int64]:
    """As `patch_spans` for any assignment of characters to patches."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(owner)) + 1])
    ends = np.append(starts[1:], len(owner))
    # Runs of characters on one patch: [start, end, patch], in the order of the text.
    runs = [[int(start), int(end), int(owner[start])] for start, end in zip(starts, ends, strict=True)]
    largest: dict[int, int] = {}
    for start, end, patch in runs:
        largest[patch] = max(largest.get(patch, 0), end - start)
    kept: list[list[int]] = []
    taken: set[int] = set()
    orphans_before_first = 0
    for start, end, patch in runs:
        if patch not in taken and end - start == largest[patch]:
            taken.add(patch)
            kept.append([start - orphans_before_first if not kept else start, end, patch])
        elif kept:
            kept[-1][1] = end
        else:
            orphans_before_first += end - start
    spans = np.full((last - first, 2), -1, np.int64)
    for start, end, patch in kept:
        spans[patch - first] = start, end
    place = kept[0][0]
    for row in spans:  # empty spans stand where the patch to their left ends
        if row[0] < 0:
            row[:] = place
        else:
            place = int(row[1])
    return spans
