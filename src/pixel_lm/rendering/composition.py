"""Lines of ink → patches of a strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cells import over
from pixel_lm.rendering.lines import Line
from pixel_lm.rendering.pictures import PLANES, Plane
from pixel_lm.rendering.result import Rendering

__all__ = ["compose", "in_colour", "patch_boundary", "strip_of"]


def compose(lines: Sequence[tuple[int, Line]], separators: Sequence[int], patch_size: int) -> npt.NDArray[np.uint8]:
    """Put lines on a strip that ends with the last separator.

    Args:
        lines: from left to right, each with the x of its origin in pixels.
        separators: x of the separators in pixels, multiples of `patch_size`; ink to the right of the last one is lost.
        patch_size: rows of the strip, columns of a separator.

    Returns:
        uint8 (num_patches, patch_size, patch_size), rows first inside a patch; a view that may not be contiguous.
    """
    end = separators[-1]
    strip = _joined(lines, separators, patch_size)
    if strip is None:
        strip = _overhanging(lines, end, patch_size)
        if len(separators) > 1:
            changed = bytearray(strip)
            for x in separators:
                changed[x * patch_size : (x + patch_size) * patch_size] = bytes(patch_size * patch_size)
            strip = bytes(changed)
    # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
    return np.frombuffer(strip, np.uint8).reshape(-1, patch_size, patch_size).transpose(0, 2, 1)


def _joined(lines: Sequence[tuple[int, Line]], separators: Sequence[int], patch_size: int) -> bytes | None:
    """The columns of a strip of lines and separators that keep their places; None if any ink leaves its own."""
    separator = bytes(patch_size * patch_size)
    parts: list[bytes] = []
    filled = 0
    for x, width, columns in sorted(
        [(x, line.width, line.columns) for x, line in lines] + [(x, patch_size, separator) for x in separators]
    ):
        if x < filled or len(columns) != width * patch_size:
            return None
        parts += (b"\xff" * ((x - filled) * patch_size), columns)
        filled = x + width
    return b"".join(parts)


def _overhanging(lines: Sequence[tuple[int, Line]], end: int, patch_size: int) -> bytes:
    """The columns of a strip of lines whose ink leaves its place: drawn one over the other."""
    canvas = np.zeros((end + patch_size, patch_size), np.uint8)  # (columns, rows), 255 = ink
    for x, line in lines:
        ink = ~np.frombuffer(line.columns, np.uint8).reshape(-1, patch_size)
        first = x - line.left
        ink = ink[max(0, -first) : max(0, end - first)]
        target = canvas[max(0, first) : max(0, first) + len(ink)]
        target[:] = over(ink, target)
    canvas[end:] = 255
    return (~canvas).tobytes()


def strip_of(
    lines: Sequence[tuple[int, Line]], end: int, patch_size: int, word_starts: list[int] | None = None
) -> Rendering:
    """A rendering of lines, each with the x of its origin, that ends with a separator at x = `end`; in pixels, as for `compose`."""
    return Rendering(
        patches=compose(lines, [end], patch_size),
        num_text_patches=end // patch_size,
        sep_patches=[end // patch_size],
        word_starts=word_starts,
        unknown_glyphs="".join(line.unknown for _, line in lines),
    )


def patch_boundary(x: int, patch_size: int, last: int) -> int:
    """The next patch boundary at or after x, at least one and at most `last`; all in pixels."""
    return min(-(-max(x, 1) // patch_size) * patch_size, last)


def in_colour(
    grey: npt.NDArray[np.uint8],
    planes: Mapping[Plane, npt.NDArray[np.uint8]],
    ink: tuple[int, int, int],
    paper: tuple[int, int, int],
) -> npt.NDArray[np.uint8]:
    """Patches in colour from patches in black on white.

    Args:
        grey: uint8 (num_patches, patch_size, patch_size), pictures as silhouettes.
        planes: the same with each colour channel of the pictures, and with "nothing" in their place; empty without pictures.
        ink, paper: colours of text and background.

    Returns:
        uint8 (num_patches, patch_size, patch_size, 3).
    """
    channels = []
    for index, plane in enumerate(PLANES):
        of_paper, of_ink = paper[index], ink[index]
        if not planes:
            if (of_ink, of_paper) == (0, 255):
                channels.append(grey)
                continue
            value = (of_ink * 255 + grey.astype(np.int64) * (of_paper - of_ink) + 127) // 255
        else:
            text = planes["nothing"].astype(np.int64)
            picture = planes[plane].astype(np.int64) - grey  # the light that the picture itself gives
            value = (of_paper * grey.astype(np.int64) + of_ink * (255 - text) + 127) // 255 + picture
        channels.append(np.clip(value, 0, 255).astype(np.uint8))
    return np.stack(channels, axis=-1)
