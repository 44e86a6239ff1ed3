"""Pairs of texts exactly as the original implementation renders them, for published scores that depend on it.

Offsets, truncation and overflow windows have quirks there: a truncated first text leaves a gap, spans may end one past the
text, the spans of a window are those of the whole text's layout, spans run from end to start in right-to-left text. They are
reproduced here and nowhere else; `pairs` holds what the library does by default.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from pixel_lm.errors import UserError
from pixel_lm.rendering.composition import compose
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL
from pixel_lm.rendering.lines import Line, LineSetter
from pixel_lm.rendering.result import Rendering
from pixel_lm.rendering.unicode_data import bidi_code

__all__ = ["LegacyPairs", "votes_rtl"]

Span = tuple[int, int]
_SEPARATOR: Span = (0, 0)
_BLANK: Span = (-1, -1)
_IGNORED = str.maketrans("", "", " \t\n\r\v\f" + string.punctuation + string.digits)


def votes_rtl(text: str) -> bool:
    """The original's vote on the direction of a text: two of its first, last and middle letter are right-to-left."""
    letters = text.translate(_IGNORED)
    return bool(letters) and sum(bidi_code(ord(letters[at])) in "RA" for at in (0, -1, len(letters) // 2)) >= 2


@dataclass(frozen=True, slots=True)
class _Laid:
    """A text laid out at `x`; `text` is what is left of it, `full_width` the width of all of it."""

    text: str
    line: Line
    x: int
    full_width: int


class LegacyPairs:
    """Renders pairs with the geometry and the spans of the original.

    Args:
        typesetter: draws the lines.
        max_seq_length: patches of a strip.
    """

    def __init__(self, typesetter: LineSetter, max_seq_length: int) -> None:
        self.typesetter = typesetter
        self.patch = typesetter.height
        self.max_seq_length = max_seq_length
        self.strip_width = max_seq_length * typesetter.height
        self.indent = typesetter.profile.indent

    def render(
        self,
        first: str,
        second: str,
        *,
        text_a_max_length: int | None = None,
        rtl: bool = False,
        return_offset_mapping: bool = False,
        return_overflowing_patches: bool = False,
        stride: int = 0,
    ) -> Rendering:
        """Render a pair; both texts without line breaks. See `TextRenderer.__call__`.

        Raises:
            UserError: windows without offsets, or windows for which the original fails.
        """
        if return_overflowing_patches and not return_offset_mapping:
            raise UserError("legacy windows need return_offset_mapping=True")
        level = 1 if rtl or (votes_rtl(first) and votes_rtl(second)) else None
        a = self._lay_out(first, self.indent, level, text_a_max_length)
        middle = self._boundary(a.x + a.full_width + self.indent)
        limit = self.max_seq_length - 1 if level else None
        b = self._lay_out(second, middle + self.patch + self.indent, level, limit)
        end = self._boundary(b.x + b.full_width + self.indent)
        unknown = a.line.unknown + b.line.unknown
        result = Rendering(
            patches=compose([(a.x, a.line), (b.x, b.line)], [middle, end], self.patch),
            num_text_patches=end // self.patch,
            sep_patches=[middle // self.patch, end // self.patch],
            unknown_glyphs=unknown,
        )
        if not return_offset_mapping:
            return result
        spans_a = self._spans(a, 0, level)
        spans_b = self._spans(b, b.x - self.indent, level)
        result = result.replace(offset_mapping=self._whole(spans_a, spans_b))
        if return_overflowing_patches and b.x + b.full_width > self.strip_width - self.patch:
            whole = self._lay_out(second, b.x, level, None)
            windows = self._windows(a, whole, middle, end, spans_a, level, stride)
            result = result.replace(windows=windows)
        return result

    def _boundary(self, x: int) -> int:
        return min(-(-x // self.patch) * self.patch, self.strip_width - self.patch)

    def _lay_out(self, text: str, x: int, level: int | None, limit: int | None) -> _Laid:
        """Lay out a text; if it needs more than `limit` patches, the prefix on which a binary search for the limit ends."""
        line = self.typesetter.line(text, level)
        full_width = line.width
        if limit is not None and -(-(x + full_width) // self.patch) > limit:
            low, high, prefix = 0, len(text), text
            while low <= high:
                middle = (low + high) // 2
                prefix = text[:middle]
                needed = -(-(x + self.typesetter.line(prefix, level).width) // self.patch)
                if needed == limit:
                    break
                if needed < limit:
                    low = middle + 1
                else:
                    high = middle - 1
            text, line = prefix, self.typesetter.line(prefix, level)
        return _Laid(text, line, x, full_width)

    def _positions(self, laid: _Laid, level: int | None) -> list[int]:
        """Left x of each character from left to right, in 1/1024 pixel; inside clusters as the original interpolates."""
        characters: list[int] = []
        clusters: list[int] = []
        for start, end, x, width, _ in self.typesetter.clusters(laid.text, level, graphemes=False):
            left, count = (laid.x + x) * UNITS_PER_PIXEL, end - start
            clusters.append(left)
            characters += [left + place * width * UNITS_PER_PIXEL // count for place in range(count)]
        if len(characters) == len(clusters):
            return characters
        found = 0
        for index, x in enumerate(characters):
            if found < len(clusters) and x == clusters[found]:
                found += 1
            else:
                characters[index] = clusters[found - 1]
        return characters

    def _spans(self, laid: _Laid, shift: int, level: int | None) -> list[Span]:
        """One span for each patch of a text, from its first patch."""
        patch, num_characters = self.patch, len(laid.text)
        x, extent = laid.x, laid.full_width + self.indent
        positions = [*self._positions(laid, level), self._boundary(extent + x) * UNITS_PER_PIXEL]
        spans: list[Span] = []
        previous = 0
        for index, position in enumerate(positions):
            place = position - (shift + patch * (len(spans) + 1)) * UNITS_PER_PIXEL
            if place >= 0:
                end = index if place == 0 else index - 1
                spans.append((previous, end))
                previous = end
        if len(spans) < -(-(extent + x - shift) // patch):
            spans.append((previous, num_characters if level else num_characters + 1))
        if level:
            spans = [(num_characters - start, num_characters - end) for start, end in spans]
        if self._boundary(extent) - extent < x % patch and len(spans) > 1:
            spans[-2:] = [(spans[-2][0], spans[-1][1]), _BLANK]
        return spans

    def _whole(self, spans_a: list[Span], spans_b: list[Span]) -> list[Span]:
        """Spans of a strip at full length."""
        spans = [*spans_a, _SEPARATOR, *spans_b]
        if len(spans) >= self.max_seq_length:
            return [*spans[: self.max_seq_length - 1], _SEPARATOR]
        return spans + [_SEPARATOR] * (self.max_seq_length - len(spans))

    def _windows(
        self, a: _Laid, b: _Laid, middle: int, end: int, spans_a: list[Span], level: int | None, stride: int
    ) -> list[Rendering]:
        """Renderings of what does not fit, each beginning `stride` patches before the end of the one before."""
        patch = self.patch
        last = self.strip_width - patch
        spans_b = self._spans(b, b.x - self.indent, level)
        overflow_pixels = b.x + b.full_width - last
        overflow = -(-overflow_pixels // patch)
        progress = last - (middle + patch + stride * patch)
        if progress == 0:
            raise UserError(f"stride {stride} leaves no room for progress: give a smaller stride or text_a_max_length")
        windows: list[Rendering] = []
        for _ in range(-(-overflow_pixels // progress)):
            if overflow_pixels <= 0:
                break
            at = overflow + stride if level else -overflow - stride
            try:
                start = spans_b[at][1 if level else 0]
            except IndexError:
                raise UserError(
                    f"stride {stride} reaches back before the second text's first patch: give a smaller stride"
                ) from None
            rest = self._lay_out(
                b.text[start:] if start >= 0 else "", b.x, level, self.max_seq_length - 1 if level else None
            )
            separator = self._boundary(b.x + rest.full_width + self.indent)
            visible = min(self.indent + rest.full_width, last - b.x) // patch
            if level:
                low = max(0, at - visible)
                spans = spans_b[low : at + 1]
                overflow, overflow_pixels = low, patch * low
            else:
                spans = spans_b[at:at_end] if (at_end := -overflow + visible) < 0 else spans_b[at:]
                overflow_pixels = b.x + rest.full_width - last
                overflow = -(-overflow_pixels // patch)
            windows.append(
                Rendering(
                    patches=compose([(a.x, a.line), (b.x, rest.line)], [middle, separator], patch),
                    num_text_patches=separator // patch,
                    sep_patches=[middle // patch, end // patch, separator // patch],
                    unknown_glyphs=a.line.unknown + rest.line.unknown,
                    offset_mapping=self._whole(spans_a, spans),
                )
            )
        return windows
