"""Single texts drawn as one line."""

from __future__ import annotations

import numpy as np

from pixel_lm.rendering.cleaning import clean
from pixel_lm.rendering.composition import patch_boundary, strip_of
from pixel_lm.rendering.lines import LineSetter
from pixel_lm.rendering.offsets import patch_spans
from pixel_lm.rendering.pairs import PairRenderer, with_spans
from pixel_lm.rendering.result import Rendering

__all__ = ["StringRenderer"]

# Per patch: texts with fewer characters are drawn to see whether they fit.
_CHARACTERS_THAT_FIT = 8


class StringRenderer:
    """Renders strings: text, separator.

    Args:
        typesetter: draws the line.
        max_seq_length: patches of a strip.
    """

    def __init__(self, typesetter: LineSetter, max_seq_length: int) -> None:
        self._typesetter = typesetter
        self._patch = typesetter.height
        self._indent = typesetter.profile.indent
        self._room = max_seq_length - 1
        self._last = self._room * self._patch  # x of the last patch of a full strip, its separator
        self._pairs = PairRenderer(typesetter, max_seq_length)

    def render(self, text: str, offsets: bool, legacy: bool, raw: bool) -> Rendering:
        """Render a string.

        Args:
            offsets: also tell which characters each patch shows.
            legacy: of a text that does not fit, draw what does not fit, too, as far as the strip goes.
            raw: leave line breaks as they are.
        """
        indent, room = self._indent, self._room
        may_fit = len(text) <= _CHARACTERS_THAT_FIT * room
        if not offsets and (may_fit or legacy):
            patches = self._typesetter.strip(text, indent, self._last, clip=legacy)
            if patches is not None:
                count = len(patches) - 1
                return Rendering(patches=patches, num_text_patches=count, sep_patches=[count])
        text = text if raw else clean(text)
        # A text that may not fit is cut before it is drawn; the original draws it and lets the strip end where it ends.
        if not legacy and not may_fit:
            text = text[: self._pairs.prefix(text, room, None).end]
        if not offsets:
            parts = self._typesetter.parts(text)
            if parts is not None:
                size = sum(map(len, parts))
                if legacy or self._fits(size // self._patch):
                    return self._join_parts(parts, size)
        line = self._typesetter.line(text)
        if not legacy and not self._fits(line.width):
            piece = self._pairs.prefix(text, room, None)
            text, line = text[: piece.end], piece.line
        end = patch_boundary(indent + line.width + indent, self._patch, self._last)
        result = strip_of([(indent, line)], end, self._patch)
        if offsets:
            centers = self._typesetter.centers(text) + indent
            spans = patch_spans(centers, 0, end // self._patch, self._patch)
            result = with_spans(result, [(0, spans)])
        return result

    def _fits(self, width: int) -> bool:
        """Whether a line of this width leaves room for the separator."""
        return width + 2 * self._indent <= self._last

    def _join_parts(self, parts: list[bytes], size: int) -> Rendering:
        """The strip of a line that consists of these columns, `size` bytes: the same as `strip_of`, with a single copy."""
        height = self._patch
        blank = b"\xff" * (height * self._indent)
        size += 2 * len(blank)
        end = patch_boundary(size // height, height, self._last)
        room = end * height - size
        separator = bytes(height * height)
        if room >= 0:
            strip = b"".join([blank, *parts, blank, b"\xff" * room, separator])
        else:
            strip = b"".join([blank, *parts, blank])[: end * height] + separator
        # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
        patches = np.frombuffer(strip, np.uint8).reshape(-1, height, height).transpose(0, 2, 1)
        return Rendering(patches=patches, num_text_patches=end // height, sep_patches=[end // height])

    def num_patches(self, text: str) -> int:
        """Patches that a text without line breaks needs, the separator included, however long it is."""
        width = self._typesetter.line(text).width + 2 * self._indent
        return -(-max(width, 1) // self._patch) + 1
