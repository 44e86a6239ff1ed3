"""Pairs of texts, such as a question and a passage: where each lies, what is cut, and windows over a long second text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError
from pixel_lm.rendering.composition import compose
from pixel_lm.rendering.itemize import cluster_starts, last_cluster
from pixel_lm.rendering.legacy_pairs import votes_rtl
from pixel_lm.rendering.lines import Line, LineSetter
from pixel_lm.rendering.offsets import patch_spans
from pixel_lm.rendering.result import Rendering
from pixel_lm.rendering.splitting import LONGEST_WORD, WORDS, separable

__all__ = ["PairRenderer", "Piece", "with_spans"]

# Of a stretch that long, no more than this is looked at for each patch: far more than fit, marks included.
_CHARACTERS_PER_PATCH = 64
# Such a stretch is measured in chunks of about so many characters.
_CHUNK = 48
# Rather less than the mean width of a character, marks included.
_PIXELS_PER_CHARACTER = 6


class Piece(NamedTuple):
    """Characters `start:end` of a text, laid out."""

    start: int
    end: int
    line: Line
    x: int | None = None
    """Where it begins in the line of the whole text, if that is known: if it begins and ends with a word."""


class PairRenderer:
    """Renders pairs: first text, separator, second text, separator.

    Args:
        typesetter: draws the lines.
        max_seq_length: patches of a strip.
    """

    def __init__(self, typesetter: LineSetter, max_seq_length: int) -> None:
        self.typesetter = typesetter
        self.patch = typesetter.height
        self.max_seq_length = max_seq_length
        self.margins = 2 * typesetter.profile.indent

    def render(
        self,
        first: str,
        second: str,
        *,
        text_a_max_length: int | None = None,
        rtl: bool | None = None,
        return_offset_mapping: bool = False,
        windows: bool = False,
        stride: int = 0,
    ) -> Rendering:
        """Render a pair of texts without line breaks. See `TextRenderer.__call__`."""
        # Two separators, and a patch for the second text at least.
        room_a = self.max_seq_length - 3
        if text_a_max_length is not None:
            if text_a_max_length < 1:
                raise UserError(f"text_a_max_length must be at least 1, not {text_a_max_length}")
            room_a = min(room_a, text_a_max_length)
        if room_a < 1:
            raise UserError(f"max_seq_length {self.max_seq_length} is too short for a pair: give at least 4")
        level_a, level_b = (int(votes_rtl(text) if rtl is None else rtl) for text in (first, second))
        a = self.prefix(first, room_a, level_a)
        middle = self._num_patches(a.line.width)
        room_b = self.max_seq_length - 2 - middle
        spans_a = whole = None
        if return_offset_mapping:
            centers = self.typesetter.centers(first[: a.end], level_a)
            spans_a = patch_spans(centers + self.margins // 2, 0, middle, self.patch)
            # Where words do not depend on their neighbours, the places of all windows follow from those of the whole.
            whole = self.typesetter.centers_of_words(second, level_b) if windows else None
        pieces: Sequence[Piece]
        if windows:
            if not 0 <= stride < room_b:
                raise UserError(
                    f"stride must lie between 0 and {room_b - 1}, not {stride}: the first text leaves {room_b} patches for "
                    "the second; give a smaller stride or text_a_max_length"
                )
            pieces = list(self._windows(second, room_b, stride, level_b))
            if whole is None and return_offset_mapping:  # words that were new are known by now
                whole = self.typesetter.centers_of_words(second, level_b)
        else:
            pieces = [self.prefix(second, room_b, level_b)]
        shown = []
        for piece in pieces:
            centers_b = None
            if whole is not None and piece.x is not None:
                centers_b = whole[piece.start : piece.end] - piece.x
            elif return_offset_mapping:
                centers_b = self.typesetter.centers(second[piece.start : piece.end], level_b)
            shown.append(self._compose(a.line, piece, middle, spans_a, centers_b))
        return shown[0].replace(windows=shown[1:]) if windows else shown[0]

    def _num_patches(self, width: int) -> int:
        return -(-max(width + self.margins, 1) // self.patch)

    def _compose(
        self,
        line_a: Line,
        piece: Piece,
        middle: int,
        spans_a: npt.NDArray[np.int64] | None,
        centers_b: npt.NDArray[np.int64] | None,
    ) -> Rendering:
        patch, indent = self.patch, self.margins // 2
        begin = middle + 1
        end = begin + self._num_patches(piece.line.width)
        x = begin * patch + indent
        result = Rendering(
            patches=compose([(indent, line_a), (x, piece.line)], [middle * patch, end * patch], patch),
            num_text_patches=end,
            sep_patches=[middle, end],
            unknown_glyphs=line_a.unknown + piece.line.unknown,
        )
        if spans_a is None or centers_b is None:
            return result
        spans_b = patch_spans(centers_b + x, begin, end, patch) + piece.start
        return with_spans(result, [(0, spans_a), (1, spans_b)])

    def prefix(self, text: str, room: int, level: int | None) -> Piece:
        """The longest prefix of a text that fits in `room` patches, cut between grapheme clusters."""
        limit = room * self.patch - self.margins
        end = self.typesetter.end_that_fits(text, limit, level)
        if end is None:
            end = self._end_by_words(text, limit)
        line = self.typesetter.line(text[:end], level)
        # Words measured one by one may differ a little from the whole.
        while line.width > limit and end:
            end = last_cluster(text, end)
            line = self.typesetter.line(text[:end], level)
        return Piece(0, end, line)

    def _end_by_words(self, text: str, limit: int) -> int:
        """About where the longest prefix ends that fits in `limit` pixels, measured word by word."""
        end = width = 0
        self._meet(text, limit)
        for match in WORDS.finditer(text):
            word = match.group()
            is_long = len(word) > LONGEST_WORD
            size = 0 if is_long else self.typesetter.width_of_word(word)
            if is_long or width + size > limit:
                longest = max(LONGEST_WORD, limit // self.patch * _CHARACTERS_PER_PATCH)
                part = self._part_that_fits(word[:longest], limit - width)
                if part < len(word):
                    return end + part
                size = self.typesetter.line(word).width
            width += size
            end = match.end()
        return end

    def _meet(self, text: str, limit: int) -> None:
        """Draw the beginning of a long text, so that its new words are drawn together and not one by one."""
        count = limit // _PIXELS_PER_CHARACTER
        if len(text) > count:
            self.typesetter.line(text[: text.find(" ", count) + 1 or count])

    def _part_that_fits(self, word: str, limit: int) -> int:
        """Number of characters of a word that fit into `limit` pixels, cut between grapheme clusters."""
        end = 0
        while len(word) > end + 2 * _CHUNK:  # by chunks while there is room
            chunk = word[end : end + 2 * _CHUNK]
            starts = [start for start in cluster_starts(chunk) if start >= _CHUNK]
            size = starts[0] if starts else len(chunk)
            width = self.typesetter.line(chunk[:size]).width
            if width > limit:
                word = word[: end + size]
                break
            limit -= width
            end += size
        start = end
        for cluster in sorted(self.typesetter.clusters(word[start:])):
            limit -= cluster.width
            if limit < 0:
                break
            end = start + cluster.end
        return end

    def _windows(self, text: str, room: int, stride: int, level: int) -> Iterator[Piece]:
        """Pieces of whole words that fit in `room` patches; each repeats about `stride` patches of the one before it."""
        limit = room * self.patch - self.margins
        offsets, begins, cut = self._words(text, limit, level)
        count = len(offsets) - 1
        first = 0
        while True:
            # As many words as fit, one at least.
            last = min(max(bisect_right(begins, begins[first] + limit, first + 1) - 1, first + 1), count)
            line = self.typesetter.line(text[offsets[first] : offsets[last]], level)
            # Words measured one by one may differ a little from the whole.
            while line.width > limit and last > first + 1:
                last -= 1
                line = self.typesetter.line(text[offsets[first] : offsets[last]], level)
            yield Piece(offsets[first], offsets[last], line, None if cut else begins[first])
            if last == count:
                return
            # The first word of those that are repeated.
            first = max(bisect_left(begins, begins[last] - stride * self.patch, first + 1, last), first + 1)

    def _words(self, text: str, limit: int, level: int) -> tuple[Sequence[int], Sequence[int], bool]:
        """Where the words of a text begin, and where it ends, as characters and as pixels in a line; whether long words were cut."""
        known = self.typesetter.words(text, level) if text[:1] != " " else None
        if known is not None and (known[1:] - known[:-1] <= (LONGEST_WORD, limit)).all():
            return *known.T.tolist(), False
        words = WORDS.findall(text)
        # Long words are cut before they are measured: they may be longer than HarfBuzz takes.
        cut = max(map(len, words), default=0) > LONGEST_WORD
        widths = [] if cut else self.typesetter.widths_of_words(words)
        cut = cut or (bool(widths) and max(widths) > limit)
        if cut:
            words = separable(text, limit, self.typesetter)
            widths = self.typesetter.widths_of_words(words)
        return [0, *accumulate(map(len, words))], [0, *accumulate(widths)], cut


def with_spans(rendering: Rendering, spans: Sequence[tuple[int, npt.NDArray[np.int64]]]) -> Rendering:
    """Add an offset mapping to a rendering.

    Args:
        spans: for each text or word its number and the spans of its patches; a separator follows each text, and the last word.
    """
    mapping = np.zeros((len(rendering), 2), np.int64)
    ids: list[int | None] = []
    for number, part in spans:
        if len(ids) in rendering.sep_patches:
            ids.append(None)
        mapping[len(ids) : len(ids) + len(part)] = part
        ids += [number] * len(part)
    ids += [None] * (len(rendering) - len(ids))
    return rendering.replace(offset_mapping=mapping, sequence_ids=ids)
