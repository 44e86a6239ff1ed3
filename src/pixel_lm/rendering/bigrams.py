"""Bigrams: at most two characters of one word in each patch (Lotz et al., 2023, section 3).

A text is cut at whitespace, every word into pairs of characters, an odd last character alone. Each character is drawn by itself,
without joining, ligatures or kerning, and each pair starts a new patch; a wide pair takes as many patches as it needs. Spaces are
not drawn. The strips for one word are thus always the same, and a language has few different patches.

From right to left, the pairs of a word and the characters of a pair run leftwards; so do the words of a string, while the
words of a list keep their order. So were the published checkpoints trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError
from pixel_lm.rendering.bigram_pairs import Pair, Pairs, draw_strip, votes_rtl
from pixel_lm.rendering.itemize import cluster_starts
from pixel_lm.rendering.legacy_bigrams import LegacyBigrams
from pixel_lm.rendering.result import Rendering
from pixel_lm.rendering.typesetting import Typesetter

__all__ = ["BigramRenderer"]

# What `str.split` takes for whitespace.
_WORD = re.compile(r"\S+")
# A longer word is text of a script that does without spaces; it may be cut between its pairs.
_LONGEST_WORD = 40


class _Chunk(NamedTuple):
    """What is not divided when text is cut: a word, or one pair of a very long word. Characters `start:end` of word `word`."""

    word: int
    start: int
    end: int
    pairs: list[Pair]  # in the order of the text
    num_patches: int


class _Section(NamedTuple):
    """A text laid out: pairs from left to right, each with the place of its first character in the text."""

    number: int  # of the text or the word, for `sequence_ids`
    pairs: list[tuple[int, Pair]]
    num_patches: int


class BigramRenderer:
    """Lays out and composes pairs. Fonts and remembered pairs are shared by all threads and all lengths.

    Args:
        typesetter: draws the characters.
        unit: what counts as a character: "codepoint", as the published checkpoints have it, or "grapheme", so that marks and
            vowel signs stay with their letters.
    """

    def __init__(self, typesetter: Typesetter, unit: str = "codepoint") -> None:
        self.typesetter = typesetter
        self.unit = unit
        self.patch = typesetter.height
        self._pairs = {rtl: Pairs(typesetter, rtl) for rtl in (False, True)}
        self._legacy = LegacyBigrams(typesetter)

    # -- rendering ---------------------------------------------------------------------------------------------------

    def render(
        self,
        text: str | tuple[str, str] | list[str],
        max_seq_length: int,
        *,
        return_offset_mapping: bool = False,
        return_overflowing_patches: bool = False,
        stride: int = 0,
        text_a_max_length: int | None = None,
        max_length: int | None = None,
        rtl: bool | None = None,
        legacy: bool = False,
    ) -> Rendering:
        """Render a text, a pair or a list of words. See `TextRenderer.__call__`.

        Args:
            max_length: patches that a text or a list of words may take.
        """
        if legacy:
            if return_offset_mapping:
                raise UserError(
                    "legacy bigrams have no offset mapping but a word_patch_map: leave return_offset_mapping out"
                )
            if self.unit != "codepoint":
                raise UserError('legacy bigrams are pairs of code points: set bigram_unit="codepoint"')
            if isinstance(text, tuple):
                return self._legacy.pair(
                    *text,
                    max_seq_length,
                    rtl=bool(rtl),
                    text_a_max_length=text_a_max_length,
                    return_overflowing_patches=return_overflowing_patches,
                    stride=stride,
                )
            return self._legacy.text(text, max_seq_length, rtl=bool(rtl), max_length=max_length)
        if isinstance(text, tuple):
            return self.pair(
                *text,
                max_seq_length,
                text_a_max_length=text_a_max_length,
                rtl=rtl,
                return_offset_mapping=return_offset_mapping,
                windows=return_overflowing_patches,
                stride=stride,
            )
        if max_length is not None and max_length < 1:
            raise UserError(f"max_length must be at least 1, not {max_length}")
        room = min(max_seq_length - 1, max_length or max_seq_length)
        if isinstance(text, list):
            return self.words(text, room, rtl=rtl, return_offset_mapping=return_offset_mapping)
        return self.text(text, room, rtl=rtl, return_offset_mapping=return_offset_mapping)

    def text(self, text: str, room: int, *, rtl: bool | None = None, return_offset_mapping: bool = False) -> Rendering:
        """Render one text in at most `room` patches, the separator not counted.

        Kept is the longest prefix of whole words that fits; words of more than 40 characters, and words that are wider than the
        strip, are cut between their pairs. `word_starts` follow the strip from left to right.
        """
        rtl = votes_rtl(text) if rtl is None else rtl
        chunks = self._prefix(self._chunks(_words_of(text), rtl, room), room)
        section = self._section(0, chunks, rtl, room)
        words = _by_word(chunks)
        sizes = [sum(chunk.num_patches for chunk in word) for word in (reversed(words) if rtl else words)]
        return self._compose([section], _word_starts(sizes, section.num_patches), return_offset_mapping)

    def words(
        self, words: Sequence[str], room: int, *, rtl: bool | None = None, return_offset_mapping: bool = False
    ) -> Rendering:
        """Render a list of words, in the order given, in at most `room` patches; what does not fit is left out as in `text`."""
        rtl = votes_rtl(" ".join(words)) if rtl is None else rtl
        listed = ((index, 0, word) for index, word in enumerate(words))
        by_word = _by_word(self._prefix(self._chunks(listed, rtl, room), room))
        sections = []
        left = room
        for chunks in by_word:
            sections.append(self._section(chunks[0].word, chunks, rtl, left, least=0))
            left -= sections[-1].num_patches
        num_patches = sum(section.num_patches for section in sections)
        if not num_patches:  # nothing to see: a blank patch
            sections.append(_Section(0, [], 1))
        starts = _word_starts([section.num_patches for section in sections[: len(by_word)]], max(1, num_patches))
        return self._compose(sections, starts, return_offset_mapping, is_list=True)

    def pair(
        self,
        first: str,
        second: str,
        max_seq_length: int,
        *,
        text_a_max_length: int | None = None,
        rtl: bool | None = None,
        return_offset_mapping: bool = False,
        windows: bool = False,
        stride: int = 0,
    ) -> Rendering:
        """Render a pair of texts: the first, a separator, the second, a separator; each cut as in `text`.

        With `windows`, what does not fit of the second text is shown in further renderings, which repeat up to `stride` patches
        of it, in whole words.
        """
        room_a = max_seq_length - 3
        if text_a_max_length is not None:
            if text_a_max_length < 1:
                raise UserError(f"text_a_max_length must be at least 1, not {text_a_max_length}")
            room_a = min(room_a, text_a_max_length)
        if room_a < 1:
            raise UserError(f"max_seq_length {max_seq_length} is too short for a pair: give at least 4")
        rtl_a, rtl_b = (votes_rtl(text) if rtl is None else rtl for text in (first, second))
        a = self._section(0, self._prefix(self._chunks(_words_of(first), rtl_a, room_a), room_a), rtl_a, room_a)
        room_b = max_seq_length - 2 - a.num_patches
        chunks = self._chunks(_words_of(second), rtl_b, room_b)
        if not windows:
            b = self._section(1, self._prefix(chunks, room_b), rtl_b, room_b)
            return self._compose([a, b], None, return_offset_mapping)
        if not 0 <= stride < room_b:
            raise UserError(
                f"stride must lie between 0 and {room_b - 1}, not {stride}: the first text leaves {room_b} patches for "
                "the second; give a smaller stride or text_a_max_length"
            )
        shown = [
            self._compose([a, self._section(1, part, rtl_b, room_b)], None, return_offset_mapping)
            for part in _windows(list(chunks), room_b, stride)
        ]
        return shown[0].replace(windows=shown[1:])

    # -- measuring and cutting ---------------------------------------------------------------------------------------

    def num_patches(self, text: str) -> int:
        """Patches that a text needs, the separator included, however long it is."""
        pairs = self._pairs[False]
        total = sum(pairs[key].num_patches for _, _, word in _words_of(text) for key in self._keys(word))
        return max(1, total) + 1

    def split(self, text: str, room: int) -> list[str]:
        """Cut a text into pieces of at most `room` patches each; `"".join(pieces) == text`."""
        cuts = [0]
        left = room
        for index, chunk in enumerate(self._chunks(_words_of(text), False, room)):
            if chunk.num_patches > left and index:
                cuts.append(chunk.start)
                left = room
            left -= chunk.num_patches
        return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)] if text else []

    # -- layout ------------------------------------------------------------------------------------------------------

    def _keys(self, word: str) -> list[Sequence[str]]:
        """The pairs of a word as keys of `Pairs`."""
        if self.unit == "codepoint":
            return [word[index : index + 2] for index in range(0, len(word), 2)]
        starts = [*cluster_starts(word), len(word)]
        graphemes = [word[start:end] for start, end in pairwise(starts)]
        return [tuple(graphemes[index : index + 2]) for index in range(0, len(graphemes), 2)]

    def _chunks(self, words: Iterable[tuple[int, int, str]], rtl: bool, room: int) -> Iterator[_Chunk]:
        """Lay out words, given as number, place in the text and characters, in the order of the text."""
        drawn = self._pairs[rtl]
        for index, start, word in words:
            pairs = [drawn[key] for key in self._keys(word)]
            num_patches = sum(pair.num_patches for pair in pairs)
            if len(word) <= _LONGEST_WORD and num_patches <= room:
                yield _Chunk(index, start, start + len(word), pairs, num_patches)
                continue
            for pair in pairs:
                end = start + sum(pair.lengths)
                yield _Chunk(index, start, end, [pair], pair.num_patches)
                start = end

    def _prefix(self, chunks: Iterable[_Chunk], room: int) -> list[_Chunk]:
        """As many chunks as fit, at least one."""
        kept: list[_Chunk] = []
        for chunk in chunks:
            if kept and chunk.num_patches > room:
                break
            room -= chunk.num_patches
            kept.append(chunk)
        return kept

    def _section(self, number: int, chunks: Sequence[_Chunk], rtl: bool, room: int, least: int = 1) -> _Section:
        pairs = []
        num_patches = 0
        for chunk in chunks:
            place = chunk.start
            for pair in chunk.pairs:
                pairs.append((place, pair))
                place += sum(pair.lengths)
            num_patches += chunk.num_patches
        if rtl:
            pairs.reverse()
        return _Section(number, pairs, max(least, min(num_patches, room)))

    # -- composition -------------------------------------------------------------------------------------------------

    def _compose(
        self, sections: Sequence[_Section], word_starts: list[int] | None, offsets: bool, is_list: bool = False
    ) -> Rendering:
        """Draw sections; a separator follows each, or in a list of words the last one only."""
        black = bytes(self.patch * self.patch)
        if is_list:
            num_patches = sum(section.num_patches for section in sections)
            strip = (
                draw_strip([pair for section in sections for _, pair in section.pairs], num_patches, self.patch) + black
            )
            separators = [num_patches]
        else:
            strip = b"".join(
                draw_strip([pair for _, pair in section.pairs], section.num_patches, self.patch) + black
                for section in sections
            )
            separators = []
            for section in sections:
                separators.append((separators[-1] + 1 if separators else 0) + section.num_patches)
        # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
        patches = np.frombuffer(strip, np.uint8).reshape(-1, self.patch, self.patch).transpose(0, 2, 1)
        mapping: npt.NDArray[np.int64] | None = None
        ids: list[int | None] | None = None
        if offsets:
            mapping = np.zeros((len(patches), 2), np.int64)
            ids = [None] * len(patches)
            at = 0
            for section in sections:
                end = at + section.num_patches
                mapping[at:end] = self._spans(section)
                ids[at:end] = [section.number] * section.num_patches
                at = end + (not is_list)
        return Rendering(
            patches=patches,
            num_text_patches=separators[-1],
            sep_patches=separators,
            word_starts=word_starts,
            unknown_glyphs="".join(pair.unknown for section in sections for _, pair in section.pairs),
            offset_mapping=mapping,
            sequence_ids=ids,
        )

    def _spans(self, section: _Section) -> npt.NDArray[np.int64]:
        """Characters (start, end) of each patch, int64 (num_patches, 2).

        A character belongs to the patch that holds its centre. A patch without a character, which is one inside a wide pair,
        gets an empty span where the patch to its left ends. Words without width in a list have no patch, so no span.
        """
        if not section.num_patches:
            return np.zeros((0, 2), np.int64)
        shown: list[tuple[int, int] | None] = [None] * section.num_patches
        first = 0
        for start, pair in section.pairs:
            for center, length in zip(pair.centers, pair.lengths, strict=True):
                patch = min(first + center // self.patch, section.num_patches - 1)
                before = shown[patch] or (start, start + length)
                shown[patch] = min(before[0], start), max(before[1], start + length)
                start += length
            first += pair.num_patches
        place = 0
        spans = []
        for span in shown:
            spans.append(span or (place, place))
            place = spans[-1][1]
        return np.array(spans, np.int64).reshape(-1, 2)


def _words_of(text: str) -> Iterator[tuple[int, int, str]]:
    """Number, place and characters of each word of a text."""
    return ((index, match.start(), match.group()) for index, match in enumerate(_WORD.finditer(text)))


def _by_word(chunks: Sequence[_Chunk]) -> list[list[_Chunk]]:
    return [list(group) for _, group in groupby(chunks, key=lambda chunk: chunk.word)]


def _word_starts(sizes: Sequence[int], num_patches: int) -> list[int]:
    """Patches where words of these sizes begin, and that of the separator. A word without width at the end of the strip gets
    the last patch of the text, so that no label ever lies on the separator."""
    starts = []
    start = 0
    for size in sizes:
        starts.append(min(start, num_patches - 1))
        start += size
    return [*starts, num_patches]


def _windows(chunks: Sequence[_Chunk], room: int, stride: int) -> Iterator[Sequence[_Chunk]]:
    """Runs of chunks of at most `room` patches, each repeating up to `stride` patches of the one before."""
    first = last = 0
    while True:
        left = room - sum(chunk.num_patches for chunk in chunks[first:last])
        while last < len(chunks) and (last == first or chunks[last].num_patches <= left):
            left -= chunks[last].num_patches
            last += 1
        yield chunks[first:last]
        if last == len(chunks):
            return
        # Room for at least one chunk that is new.
        overlap = min(stride, room - chunks[last].num_patches)
        first = last
        while first > 0 and chunks[first - 1].num_patches <= overlap:
            first -= 1
            overlap -= chunks[first].num_patches
