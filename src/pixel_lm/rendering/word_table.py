"""Words of one script and direction, drawn once and joined ever after: the fast path of typesetting.

Text of one script is split at its spaces, and the columns of its words are joined. New words of a line are shaped together, in one
call for each font; HarfBuzz then says of each whether its shape depends on what stands before it (a glyph that is unsafe to
break before), and text with such a word takes the slower way. The result is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.cells import spread
from pixel_lm.rendering.itemize import JOINERS, is_attached
from pixel_lm.rendering.word_drawing import WordDrawer

__all__ = ["WordTable"]

# What a remembered word costs beside its ink: the key, dictionary entries, objects.
_ENTRY_BYTES = 300


class WordTable:
    """Columns of words (each with the space after it) on one baseline.

    Args:
        drawer: draws the words; its script, direction and baseline are those of the table.
        is_simple: whether a character is for this table: some font draws it, and it is of the script and direction or neutral.
        spend: called with a number of bytes whenever so many were remembered; it may clear the table.
    """

    def __init__(self, drawer: WordDrawer, is_simple: Callable[[str], bool], spend: Callable[[int], None]) -> None:
        self.rtl = drawer.rtl
        self.height = drawer.height
        self._drawer = drawer
        self._fonts = drawer.fonts
        self._is_simple = is_simple
        self._spend = spend
        self._simple: set[str] = set()
        self.clear()

    def clear(self) -> None:
        """Forget all words."""
        # Columns of words with the space after them, and of words at the end of a line, without.
        self._spaced: dict[str, bytes] = {}
        self._final: dict[str, bytes] = {}
        self._overhang: dict[str, tuple[bytes, bytes]] = {}  # of both, by the word with its space if it has one
        self._stands_out: set[str] = set()  # words without space of which either stands out
        self._led: dict[str, bytes] = {}  # words with a space before them, which is of their font
        self._ranks: dict[str, tuple[int, int]] = {}  # of the fonts of a word's first and last character
        self._rank: int | None = None  # of the font, while all words begin and end with the same one
        self._several_fonts = False
        self._centers: dict[str, npt.NDArray[np.int64]] = {}
        self._drawer.forget()

    # -- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> tuple[list[bytes], bytes, bytes] | None:
        """Columns of a line in parts from left to right, and what stands out on its left and right.

        None if the line is not for this table.
        """
        words = text.split(" ")
        last = words.pop()
        tokens: list[str] | None = None
        if not self._several_fonts:
            try:
                parts = list(map(self._spaced.__getitem__, words))
                if last:
                    parts.append(self._final[last])
            except KeyError:
                learned = self._learn(words, last)
                return self.line(text) if learned and (self._several_fonts or self._knows(words, last)) else None
        else:
            tokens = self._tokens(words, last)
            if tokens is None:
                return None
            try:
                parts = list(map(self._columns_of, tokens))
            except KeyError:
                new = [token for token in dict.fromkeys(tokens) if not self._is_known(token)]
                if not self._drawer.draw(new, self._keep):
                    return None
                try:
                    parts = list(map(self._columns_of, tokens))
                except KeyError:  # forgotten again, for want of memory
                    return None
        left = right = b""
        if self.rtl:
            parts.reverse()
        if self._stands_out and not (self._stands_out.isdisjoint(words) and last not in self._stands_out):
            if tokens is None:
                overhang = self._overhang_of(words, last)
                if self.rtl:
                    overhang.reverse()
                left, right = spread(overhang, parts, None)
            else:
                if self.rtl:
                    tokens.reverse()
                left, right = spread(list(map(self._overhang.get, tokens)), parts, self._run_rule(tokens))
        return parts, left, right

    def clusters(self, clusters: list[str], stand_alone: set[str]) -> tuple[list[bytes], bytes, bytes] | None:
        """As `line`, for a script without spaces: clusters that stand alone are drawn one by one, what lies between as a word.

        Args:
            clusters: the text, cut.
            stand_alone: the clusters of which it is known that they look the same anywhere.
        """
        if stand_alone.issuperset(clusters):
            tokens = clusters
        else:
            pairs: list[tuple[str, str]] = []
            lead, together = "", False
            for cluster in clusters:
                if cluster == " ":
                    if pairs:
                        pairs[-1] = pairs[-1][0], pairs[-1][1] + " "
                    else:
                        lead += " "
                    together = False
                elif together and cluster not in stand_alone:
                    pairs[-1] = pairs[-1][0] + cluster, ""
                else:
                    pairs.append((cluster, ""))
                    together = cluster not in stand_alone
            if not pairs or not self._accepts([word for word, _ in pairs]):
                return None
            tokens = self._assign_spaces(pairs, lead)
        try:
            parts = list(map(self._columns_of, tokens))
        except KeyError:
            new = [token for token in dict.fromkeys(tokens) if not self._is_known(token)]
            if not self._accepts([token.strip(" ") for token in new]) or not self._drawer.draw(new, self._keep):
                return None
            try:
                parts = list(map(self._columns_of, tokens))
            except KeyError:  # forgotten again, for want of memory
                return None
        left = right = b""
        overhang = list(map(self._overhang.get, tokens)) if self._overhang else []
        if any(overhang):
            left, right = spread(overhang, parts, self._run_rule(tokens))
        return parts, left, right

    def width_of(self, word: str) -> int | None:
        """Width of a known word and the space after it in pixels; None for others."""
        columns = self._spaced.get(word)
        return None if columns is None else len(columns) // self.height

    def _overhang_of(self, words: list[str], last: str) -> list[tuple[bytes, bytes] | None]:
        """What stands out of each word, `words` with a space after them and `last` without."""
        overhang: list[tuple[bytes, bytes] | None] = [None] * (len(words) + bool(last))
        for word in self._stands_out.intersection(words):
            ink, at = self._overhang.get(word + " "), -1
            for _ in range(words.count(word) if ink else 0):
                at = words.index(word, at + 1)
                overhang[at] = ink
        if last:
            overhang[-1] = self._overhang.get(last)
        return overhang

    def _run_rule(self, tokens: list[str]) -> Callable[[int, int], bool]:
        """Whether two of these words, from left to right, belong to one run."""
        if not self._several_fonts and len({rank for token in tokens for rank in self._ranks[token.strip(" ")]}) == 1:
            return lambda left, right: True
        return lambda left, right: right == left + 1 and self._same_run(tokens[left], tokens[right])

    def _knows(self, words: list[str], last: str) -> bool:
        return self._spaced.keys() >= set(words) and (not last or last in self._final)

    def _columns_of(self, token: str) -> bytes:
        if token[0] == " " and len(token) > 1:
            return self._led[token]
        return self._spaced[token[:-1]] if token[-1] == " " else self._final[token]

    def _is_known(self, token: str) -> bool:
        if token[0] == " " and len(token) > 1:
            return token in self._led
        return token[:-1] in self._spaced if token[-1] == " " else token in self._final

    def _tokens(self, words: list[str], last: str) -> list[str] | None:
        """Words with the spaces after them, or before them where they draw them (see `FontChooser.runs`)."""
        if not self._accepts([*words, last] if last else words):
            return None
        lead = ""
        pairs: list[tuple[str, str]] = []  # words and the spaces after them
        for word in words:
            if word:
                pairs.append((word, " "))
            elif pairs:
                pairs[-1] = pairs[-1][0], pairs[-1][1] + " "
            else:
                lead += " "
        if last:
            pairs.append((last, ""))
        return self._assign_spaces(pairs, lead) if pairs else None

    def _assign_spaces(self, pairs: list[tuple[str, str]], lead: str) -> list[str]:
        ranks = self._ranks
        tokens: list[str] = []
        for index, (word, spaces) in enumerate(pairs):
            follows = index + 1 < len(pairs)
            if spaces and follows and ranks[pairs[index + 1][0]][0] < ranks[word][1]:
                tokens.append(lead + word)
                lead = spaces
            else:
                tokens.append(lead + word + spaces)
                lead = ""
        return tokens

    def _same_run(self, left: str, right: str) -> bool:
        """Whether one run holds the end of one word and the begin of the next, given from left to right."""
        first, second = (right, left) if self.rtl else (left, right)
        return self._ranks[first.strip(" ")][1] == self._ranks[second.strip(" ")][0]

    def _accepts(self, words: list[str]) -> bool:
        """Whether all characters of the words are for this table; notes the fonts of new words."""
        new = [word for word in words if word not in self._ranks]
        if not new:
            return True
        for char in set("".join(new)) - self._simple:
            if not self._is_simple(char):
                return False
            self._simple.add(char)
        rank = self._fonts.rank
        for word in new:
            if word:
                if is_attached(word[0]) or word[0] in JOINERS or word[-1] in JOINERS:
                    return False
                self._ranks[word] = rank(word[0]), rank(word[-1])
        return True

    def centers(self, text: str, centers_of: Callable[[str], npt.NDArray[np.int64]]) -> npt.NDArray[np.int64] | None:
        """x of the centre of each character of a line, if all its words are known.

        Args:
            centers_of: gives them for a word by itself; asked once for each word.
        """
        words = text.split(" ")
        last = words.pop()
        tokens = self._tokens(words, last) if self._several_fonts else _with_spaces(words, last)
        if not tokens:
            return None
        try:
            if self._several_fonts:
                columns = list(map(self._columns_of, tokens))
            else:
                columns = list(map(self._spaced.__getitem__, words))
                if last:
                    columns.append(self._final[last])
        except KeyError:
            return None
        known = self._centers
        try:
            parts = list(map(known.__getitem__, tokens))
        except KeyError:
            for token in tokens:
                if token not in known:
                    known[token] = centers_of(token)
                    self._spend(_ENTRY_BYTES + known[token].nbytes)
            parts = [known[token] if token in known else centers_of(token) for token in tokens]
        widths = np.fromiter(map(len, columns), np.int64, len(columns)) // self.height
        begins = np.cumsum(widths[::-1])[::-1] - widths if self.rtl else np.cumsum(widths) - widths
        return np.concatenate(parts) + np.repeat(begins, list(map(len, parts)))

    # -- new words ---------------------------------------------------------------------------------------------------

    def _learn(self, words: list[str], last: str) -> bool:
        """Draw those of the words that are new, while all have been of one font; whether all could be drawn."""
        if not self._accepts([*words, last]):
            return False
        ranks = {rank for word in (*words, last) if word for rank in self._ranks[word]}
        if self._rank is not None:
            ranks.add(self._rank)
        if len(ranks) > 1:
            self._several_fonts = True
            return True
        self._rank = ranks.pop() if ranks else 0
        if "" in words and self._rank != 0:  # spaces alone would be drawn with the main font
            self._several_fonts = True
            return True
        tokens = [word + " " for word in dict.fromkeys(words) if word not in self._spaced]
        if last and last not in self._final:
            tokens.append(last)
        return self._drawer.draw(tokens, self._keep)

    def _keep(self, token: str, columns: bytes, left: bytes, right: bytes) -> None:
        if token[0] == " " and len(token) > 1:
            self._led[token] = columns
        elif token[-1] == " ":
            self._spaced[token[:-1]] = columns
        else:
            self._final[token] = columns
        if left or right:
            self._overhang[token] = (left, right)
            self._stands_out.add(token.strip(" "))
        self._spend(_ENTRY_BYTES + len(columns) + len(left) + len(right))


def _with_spaces(words: list[str], last: str) -> list[str]:
    tokens = [word + " " for word in words]
    return [*tokens, last] if last else tokens
