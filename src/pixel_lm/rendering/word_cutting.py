"""Cutting text into tokens, where shaping may start anew: words with the spaces after them, or characters."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from pixel_lm.rendering.itemize import Item, cluster_starts
from pixel_lm.rendering.scripts import UNSPACED, follows_font, starts_token
from pixel_lm.rendering.shaping import Shaper

__all__ = ["WordCutter"]

# A token: a word and the spaces after it; the first one of an item also takes the spaces before it.
_TOKEN = re.compile(" *[^ ]+ *")
# Bound on the pairs of neighbours that are remembered.
_MAX_PAIRS = 1 << 18


class WordCutter:
    """Cuts items into tokens: words, or characters in scripts without spaces.

    Args:
        shaper: tells which neighbours change each other.
    """

    def __init__(self, shaper: Shaper) -> None:
        self._shaper = shaper
        self._fonts = shaper.fonts
        self.forget()

    def forget(self) -> None:
        """Forget what is known of neighbours."""
        self._joined: dict[tuple[str, str, str], bool] = {}

    def cut(self, text: str, item: Item) -> list[str]:
        """Cut an item where shaping may start anew; the pieces concatenate to its text."""
        tokens = _cut(text[item.start : item.end])
        if item.script not in UNSPACED:
            return self._move_spaces(tokens) if len(tokens) > 1 else tokens
        characters: list[str] = []
        for token in tokens:
            starts = cluster_starts(token)
            for start, end in pairwise([*starts, len(token)]):
                cluster = token[start:end]
                if start and (not starts_token(cluster[0]) or self._interact(characters[-1], cluster, item)):
                    characters[-1] += cluster
                else:
                    characters.append(cluster)
        return characters

    def _move_spaces(self, tokens: list[str]) -> list[str]:
        """Let spaces go with the token after them where `FontChooser.runs` draws them with its font."""
        fonts = {self._fonts.font_of(char) for char in set("".join(tokens)) if not follows_font(char)}
        if len(fonts) < 2:
            return tokens
        for index in range(1, len(tokens)):
            left, right = tokens[index - 1], tokens[index]
            last = next((char for char in reversed(left) if not follows_font(char)), None)
            first = next((char for char in right if not follows_font(char)), None)
            if last and first and left[-1] == " " and self._fonts.rank(first) < self._fonts.rank(last):
                word = left.rstrip(" ")
                tokens[index - 1], tokens[index] = word, left[len(word) :] + right
        return tokens

    def _interact(self, left: str, right: str, item: Item) -> bool:
        """Whether two neighbours are shaped differently together than each on its own."""
        key = (left, right, item.script)
        joined = self._joined.get(key)
        if joined is None:
            if len(self._joined) >= _MAX_PAIRS:
                self._joined.clear()
            pair: list[tuple[Any, ...]] = []
            apart: list[tuple[Any, ...]] = []
            for target, texts in ((pair, (left + right,)), (apart, (left, right))):
                for text in texts:
                    for run in self._shaper.shape(text, 0, len(text), item)[0]:
                        target += [
                            (run.font, *glyph)
                            for glyph in zip(run.ids, run.advances, run.x_offsets, run.y_offsets, strict=True)
                        ]
            joined = self._joined[key] = pair != apart
        return joined


def _cut(text: str) -> list[str]:
    """Cut the text of one item where shaping may start anew; the pieces concatenate to the text."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text) or [text]:
        if tokens and (not starts_token(token[0]) or all(map(follows_font, tokens[-1]))):
            tokens[-1] += token  # a token that chooses no font takes that of its neighbour
        else:
            tokens.append(token)
    return tokens
