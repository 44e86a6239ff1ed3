"""Bigrams exactly as the original implementation lays them out, for published scores that depend on it.

It differs from `bigrams` where a text does not fit (a word more than necessary is dropped, words may end up under the separator,
a string from right to left loses its beginning), in the windows of pairs, and in a map from words to patches in place of an
offset mapping. All positions are in patches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np

from pixel_lm.errors import UserError
from pixel_lm.rendering.bigram_pairs import Pair, Pairs, draw_strip, votes_rtl
from pixel_lm.rendering.lines import Line
from pixel_lm.rendering.result import Rendering
from pixel_lm.rendering.typesetting import Typesetter

__all__ = ["LegacyBigramRendering", "LegacyBigrams", "WordMap"]

# A list that holds nothing but one such address is cut to this.
_SEARCH_ADDRESS = "http://www.google.com/search"
_BREAKS = "\n\r\u2028\u2029"

WordMap = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class LegacyBigramRendering(Rendering):
    """A rendering with the original's map from words to patches.

    Attributes:
        word_patch_map: `word_order_on_canvas` holds for each word from left to right `start_patch_index`, `word`, `word_len`,
            `sentence_len_ltr` and `sentence_len_rtl`; the other entries are numbers. Of pairs: a map for each of `text_a`,
            `text_b`, `full_text_b`, and in windows `sliced_word_patch_map_b`.
    """

    word_patch_map: WordMap = field(default_factory=dict)


class _LegacyPairs(Pairs):
    """Pairs with line breaks and tabs inside words of a list as the original has them: no width, eight spaces."""

    def _line(self, character: str) -> Line:
        if character in _BREAKS:
            return self.typesetter.whole_line("")
        return self.typesetter.whole_line(" " * 8 if character == "\t" else character)


@dataclass(frozen=True, slots=True)
class _Laid:
    """Words laid out: all are measured, some are drawn."""

    words: Sequence[str]
    starts: list[int]  # of all words (of a single word twice)
    full_end: int
    last: int  # the last word that truncation leaves
    truncated: bool
    pairs: list[Pair]
    end: int  # after the last drawn pair


class LegacyBigrams:
    """Renders with the geometry and the metadata of the original.

    Args:
        typesetter: draws the characters.
    """

    def __init__(self, typesetter: Typesetter) -> None:
        self.patch = typesetter.height
        self._pairs = {rtl: _LegacyPairs(typesetter, rtl) for rtl in (False, True)}

    def text(
        self, text: str | Sequence[str], max_seq_length: int, *, rtl: bool = False, max_length: int | None = None
    ) -> LegacyBigramRendering:
        """Render a text or a list of words; `max_length` in patches."""
        words = text.split() if isinstance(text, str) else list(text)
        rtl = rtl or votes_rtl(" ".join(words))
        if not isinstance(text, str) and len(words) == 1 and words[0].startswith(_SEARCH_ADDRESS):
            words = [_SEARCH_ADDRESS]
        if rtl and isinstance(text, str):
            words.reverse()
        laid = self._lay_out(words, 0, max_length or max_seq_length, rtl, max_seq_length)
        return self._compose(
            [(0, laid)],
            [min(laid.end, max_seq_length - 1)],
            word_starts=[*laid.starts[: laid.last + 1], laid.end],
            word_patch_map=_word_map(laid, rtl),
        )

    def pair(
        self,
        first: str,
        second: str,
        max_seq_length: int,
        *,
        rtl: bool = False,
        text_a_max_length: int | None = None,
        return_overflowing_patches: bool = False,
        stride: int = 0,
    ) -> LegacyBigramRendering:
        """Render a pair; see `TextRenderer.__call__`.

        The `sep_patches` of windows are three: in the middle, at the end of the first image (not drawn), at the end.
        """
        words_a, words_b = first.split(), second.split()
        rtl = rtl or (votes_rtl(" ".join(words_a)) and votes_rtl(" ".join(words_b)))
        if rtl:
            words_a.reverse()
            words_b.reverse()
        a = self._lay_out(words_a, 0, text_a_max_length or max_seq_length, rtl, max_seq_length)
        middle = min(a.end, max_seq_length - 1)
        b = self._lay_out(words_b, middle + 1, max_seq_length, rtl, max_seq_length)
        end = min(b.end, max_seq_length - 1)
        maps = {
            "text_a": _word_map(a, rtl),
            "text_b": _word_map(b, rtl),
            "full_text_b": _full_map(b, rtl),
        }
        windows: list[Rendering] | None = None
        if return_overflowing_patches and a.end + b.full_end > max_seq_length - 1:
            windows = []
            for start, last in _windows(a.end, b, max_seq_length, stride):
                part = self._lay_out(words_b[start : last + 1], middle + 1, max_seq_length, rtl, max_seq_length)
                part_end = min(part.end, max_seq_length - 1)
                rendering = self._compose(
                    [(0, a), (middle + 1, part)],
                    [middle, part_end],
                    word_patch_map={
                        **maps,
                        "text_b": _word_map(part, rtl),
                        "sliced_word_patch_map_b": _sliced(maps["full_text_b"], start, last),
                    },
                )
                windows.append(replace(rendering, sep_patches=[middle, end, part_end]))
        result = self._compose([(0, a), (middle + 1, b)], [middle, end], word_patch_map=maps)
        return replace(result, windows=windows)

    def _lay_out(self, words: Sequence[str], x: int, limit: int, rtl: bool, max_seq_length: int) -> _Laid:
        """Measure all words from patch `x` and draw those that truncation to `limit` patches leaves."""
        drawn = self._pairs[rtl]
        by_word = [[drawn[word[index : index + 2]] for index in range(0, len(word), 2)] for word in words]
        sizes = [sum(pair.num_patches for pair in pairs) for pairs in by_word]
        if len(sizes) == 1:  # measured as the first word and once more as the last one
            sizes *= 2
        *starts, full_end = accumulate(sizes, initial=x)
        last = len(words) - 1
        truncated = full_end > limit
        if truncated:
            last -= 1
            while last >= 0 and starts[last] > limit:
                last -= 1
            last = max(0, last - 1)
        pairs: list[Pair] = []
        end = x
        for index in range(last + 1):
            if index and end == max_seq_length - 1:
                break
            pairs += reversed(by_word[index]) if rtl else by_word[index]
            end += sizes[index]
        return _Laid(words, starts, full_end, last, truncated, pairs, end)

    def _compose(
        self,
        parts: Sequence[tuple[int, _Laid]],
        separators: list[int],
        word_patch_map: WordMap,
        word_starts: list[int] | None = None,
    ) -> LegacyBigramRendering:
        """Draw each part from its first patch to its separator."""
        black = bytes(self.patch * self.patch)
        strip = b"".join(
            draw_strip(laid.pairs, max(0, end - start), self.patch) + black
            for (start, laid), end in zip(parts, separators, strict=True)
        )[: (separators[-1] + 1) * len(black)]
        # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
        patches = np.frombuffer(strip, np.uint8).reshape(-1, self.patch, self.patch).transpose(0, 2, 1)
        return LegacyBigramRendering(
            patches=patches,
            num_text_patches=separators[-1],
            sep_patches=separators,
            word_starts=word_starts,
            unknown_glyphs="".join(pair.unknown for _, laid in parts for pair in laid.pairs),
            word_patch_map=word_patch_map,
        )


def _entries(laid: _Laid, rtl: bool, count: int) -> dict[int, dict[str, Any]]:
    """Entries of the first `count` words measured. Lengths include the space after a word (before it, from right to left)."""
    # A single word was measured twice.
    words = laid.words if len(laid.words) != 1 else [laid.words[0]] * 2
    total = _sum_len(laid.words)
    entries: dict[int, dict[str, Any]] = {}
    length = 0
    for index, (word, start) in enumerate(zip(words[:count], laid.starts, strict=False)):
        no_space = index == 0 if rtl else index == len(words) - 1
        word_len = len(word) + (not no_space)
        entries[index] = {
            "start_patch_index": start,
            "word": word,
            "word_len": word_len,
            "sentence_len_ltr": length + word_len,
            "sentence_len_rtl": total - length,
        }
        length += word_len
    return entries


def _sum_len(words: Sequence[str]) -> int:
    return sum(len(word) + 1 for word in words) - 1


def _word_map(laid: _Laid, rtl: bool) -> WordMap:
    """The map of the words that are drawn."""
    drawn = laid.words[: laid.last + 1]
    return {
        "word_order_on_canvas": _entries(laid, rtl, len(drawn)),
        "sum_len_words": _sum_len(drawn),
        "total_number_of_words": len(drawn),
        "text_is_truncated": laid.truncated,
        "word_list_truncation_index": laid.last,
        "is_rtl": rtl,
        "first_patch_after_last_word": laid.end,
    }


def _full_map(laid: _Laid, rtl: bool) -> WordMap:
    """The map of all words."""
    return {
        "word_order_on_canvas": _entries(laid, rtl, len(laid.starts)),
        "sum_len_words": _sum_len(laid.words),
        "total_number_of_words": len(laid.words),
        "text_is_truncated": False,
        "word_list_truncation_index": len(laid.words) - 1,
        "is_rtl": rtl,
        "first_patch_after_last_word": laid.full_end,
    }


def _sliced(full: WordMap, start: int, last: int) -> WordMap:
    """The part of a full map that a window shows."""
    entries = {index: entry for index, entry in full["word_order_on_canvas"].items() if start <= index <= last}
    return {
        **full,
        "word_order_on_canvas": entries,
        "total_number_of_words": len(entries),
        "word_list_truncation_index": last,
    }


def _windows(patches_a: int, b: _Laid, max_seq_length: int, stride: int) -> Iterator[tuple[int, int]]:
    """First and last word of the second text in each further window."""
    starts, final = b.starts, len(b.words) - 1
    capacity = max_seq_length - (patches_a + 4)

    def start_of(index: int) -> int:
        if not 0 <= index < len(starts):
            raise UserError("the original fails on this pair: its windows leave the text. Use legacy=False")
        return starts[index]

    def nearest(patch: int) -> int:
        """The word before the one that starts nearest to a patch."""
        return min(range(len(starts)), key=lambda index: abs(starts[index] - patch)) - 1

    def width(first: int, last: int) -> int:
        """Patches of a window that ends where word `last` begins."""
        return start_of(last) - start_of(first) + patches_a + 2

    shown, previous = b.last, -1
    while shown < final:
        first = nearest(start_of(shown) - stride)
        if first <= previous:
            first = previous + 1
            if first == final - 1:
                fits = b.full_end - start_of(first) + patches_a + 2 <= max_seq_length - 1
                yield first, final if fits else final - 1
                return
        previous = first
        last = nearest(start_of(first) + capacity)
        while width(first, last + 1) > max_seq_length - 1:
            last = min(last - 1, shown + 1)
        if last == final - 1:
            if width(first, last + 1) + b.full_end - start_of(last) <= max_seq_length - 1:
                yield first, final
                return
            last -= 1
        shown = last
        if first <= last:
            yield first, last
