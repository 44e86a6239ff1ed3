"""Cutting a long text into pieces that fit on a strip each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from pixel_lm.rendering.itemize import cluster_starts
from pixel_lm.rendering.lines import LineSetter

__all__ = ["LONGEST_WORD", "WORDS", "fill", "separable"]

WORDS = re.compile(r" *[^ ]+ *| +")
LONGEST_WORD = 40
"""A longer stretch without a space is text of a script that does without them; it may be cut between grapheme clusters."""


def separable(text: str, limit: int, typesetter: LineSetter) -> list[str]:
    """Words with the spaces around them; where one is very long or wider than `limit` pixels, its grapheme clusters."""
    parts: list[str] = []
    for word in WORDS.findall(text):
        if len(word) <= LONGEST_WORD and typesetter.width_of_word(word) <= limit:
            parts.append(word)
        else:
            parts += [word[start:end] for start, end in pairwise([*cluster_starts(word), len(word)])]
    return parts


def fill(words: Sequence[str], widths: Sequence[int], limit: int, fits: Callable[[str], bool]) -> list[int]:
    """Put as many words as fit into each piece, one at least.

    Args:
        words, widths: the text in parts, and the width of each in pixels.
        limit: pixels that a piece may take.
        fits: whether a piece really fits.

    Returns:
        Where the pieces end, as numbers of words.
    """
    ends: list[int] = []
    first = 0
    while first < len(words):
        last, total = first + 1, widths[first]
        while last < len(words) and total + widths[last] <= limit:
            total += widths[last]
            last += 1
        # Words measured one by one may differ a little from the whole (digits take their script from the context).
        while last > first + 1 and not fits("".join(words[first:last])):
            last -= 1
        ends.append(last)
        first = last
    return ends
