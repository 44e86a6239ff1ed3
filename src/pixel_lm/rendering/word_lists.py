"""Lists of words, each of which begins a new patch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cleaning import checked, clean
from pixel_lm.rendering.composition import patch_boundary, strip_of
from pixel_lm.rendering.lines import Line, LineSetter
from pixel_lm.rendering.offsets import patch_spans
from pixel_lm.rendering.pairs import with_spans
from pixel_lm.rendering.result import Rendering
from pixel_lm.rendering.typesetting import Typesetter

__all__ = ["WordListRenderer"]

# Per patch: of a longer word nobody sees the end, and HarfBuzz gives up beyond 524,288 glyphs.
_CHARACTERS_DRAWN = 64


class WordListRenderer:
    """Renders lists of words: word, word …, separator.

    Args:
        typesetter: draws the words.
        max_seq_length: patches of a strip.
    """

    def __init__(self, typesetter: LineSetter, max_seq_length: int) -> None:
        self._typesetter = typesetter
        self._patch = typesetter.height
        self._indent = typesetter.profile.indent
        self._room = max_seq_length - 1
        self._last = self._room * self._patch  # x of the last patch of a full strip, its separator
        self._longest = _CHARACTERS_DRAWN * max_seq_length

    def render(self, words: list[str], offsets: bool, raw: bool = False) -> Rendering:
        """Render words, each of which begins a new patch.

        Args:
            words: those that do not fit are left out; of the last one that is drawn, what does not fit.
            offsets: also tell which characters of its word each patch shows.
            raw: leave line breaks as they are.
        """
        if not offsets and len(words) > 2:
            result = self._join_words(words)
            if result is not None:
                return result
        indent, patch = self._indent, self._patch
        x = indent
        drawn: list[str] = []
        lines: list[tuple[int, Line]] = []
        starts = [0]
        for index, word in enumerate(words):
            is_last = index == len(words) - 1
            drawn.append(self._shown(word, raw))
            line = self._typesetter.line(drawn[-1] + ("" if is_last else " "))
            lines.append((x, line))
            x = patch_boundary(x + line.width + (indent if is_last else 0), patch, self._last)
            starts.append(x // patch)
            if x == self._last:
                break
        if not words:
            x = patch_boundary(x, patch, self._last)
            result = strip_of([], x, patch, [x // patch])
            return with_spans(result, []) if offsets else result
        result = strip_of(lines, x, patch, starts)
        if offsets:
            spans = [
                (index, self._word_spans(word, x, first, last))
                for index, (word, (x, _), (first, last)) in enumerate(zip(drawn, lines, pairwise(starts), strict=False))
            ]
            result = with_spans(result, spans)
        return result

    def _join_words(self, words: list[str]) -> Rendering | None:
        """The same as `render` for words that fit on the strip and whose ink keeps its place; else None."""
        typesetter, height = self._typesetter, self._patch
        if not isinstance(typesetter, Typesetter):
            return None
        patch = height * height
        try:
            parts = list(map(typesetter.padded_words.__getitem__, words))
        except (KeyError, TypeError):
            words = list(map(checked, words))
            if max(map(len, words)) > self._longest:
                return None
            parts = list(map(typesetter.padded, words))
        indent, room = self._indent, self._room
        blank = b"\xff" * (height * indent)
        # The first word stands after the indent, and the last has no space after it but the indent.
        first = typesetter.line_of_word(words[0] + " ")
        last = typesetter.line_of_word(words[-1])
        if max(first.left, last.right) > indent or first.right or last.left or first.unknown or last.unknown:
            return None
        columns = blank[first.left * height :] + first.columns
        parts[0] = columns + b"\xff" * (-len(columns) % patch)
        columns = last.columns + blank[last.right * height :]
        parts[-1] = columns + b"\xff" * (-len(columns) % patch)
        starts = list(accumulate([len(part) // patch for part in parts], initial=0))
        if not all(parts) or starts[-1] > room or starts[-2] >= room:
            return None
        if typesetter.leaning:
            for index, word in enumerate(words[1:-1]):  # into the padding of the word before
                left = typesetter.leaning.get(word)
                if left:
                    before = parts[index]
                    if before[-len(left) :].count(255) != len(left):
                        return None
                    parts[index] = before[: -len(left)] + left
        parts.append(bytes(patch))
        patches = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, height, height).transpose(0, 2, 1)
        return Rendering(patches=patches, num_text_patches=starts[-1], sep_patches=[starts[-1]], word_starts=starts)

    def _word_spans(self, word: str, x: int, first: int, last: int) -> npt.NDArray[np.int64]:
        return patch_spans(self._typesetter.centers(clean(word)) + x, first, last, self._patch)

    def _shown(self, word: str, raw: bool) -> str:
        """What is drawn of a word: not more than can be seen."""
        cleaned = checked(word)
        return (word if raw else cleaned)[: self._longest]

    def num_patches(self, words: Sequence[str]) -> int:
        """Patches that words without line breaks need, the final separator included, however many they are."""
        x = self._indent
        for word in words[:-1]:
            x = -(-(x + self._typesetter.width_of_word(word + " ")) // self._patch) * self._patch
        if words:
            x += self._typesetter.width_of_word(words[-1]) + self._indent
        return -(-x // self._patch) + 1

    def step_of_word(self, word: str) -> int:
        """Pixels to the start of the next word, where words start on patches. 0 for a word of spaces, which is not drawn."""
        width = self._typesetter.width_of_word(word + " ") if word else 0
        return -(-width // self._patch) * self._patch
