"""Words under patches: where an answer begins and ends whose first and last patch are known.

A patch shows parts of words, so that two patches say about where an answer begins and ends, not exactly. The text of an answer is
made of whole units:

* words, in scripts that put blanks between them: letters, marks and digits in a row, numbers with their points and commas,
  abbreviations with their dots (`U.S.`);
* characters (grapheme clusters), in scripts that put no blanks, and in Korean, where endings follow a noun without one;
* signs such as `%`, `$` and brackets.

An answer begins with a unit that begins on its first patch, and ends with one that ends on its last patch; where there is none, the
unit that the patch cuts through is taken as a whole. Where there are several:

* the one with the clearest boundary: a blank or a sign rather than a change of script, and that rather than nothing;
* of several such, the one further inside. A word that fits on a patch together with a part of the next is mostly a preposition, an
  article or a particle, which is not part of answers. Numbers are (`30 years`, `March 7`), and stay. Without any boundary, within
  a word of an unspaced script, the one further outside.

Blanks, commas, full stops, dashes, and brackets or quotation marks without a partner are not left at the ends. A number and its
counter are one (`26日`, `第26`); what follows an apostrophe is a word of its own (`Twain's`, `l'homme`, `Ankara'da`).
"""

from __future__ import annotations

import bisect
import unicodedata
from dataclasses import dataclass

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u30fc\uff70"  # and the Japanese sign for long vowels
_UNIT = regex.compile(
    rf"""(?V1)
    (?P<word>
        (?<![\p{{L}}\p{{M}}\p{{N}}]) (?:\p{{L}}\p{{M}}*\.){{2,}}                                   # U.S.
      | (?: (?<![\p{{L}}\p{{M}}\p{{N}}]) [-\u2212] )? \p{{Nd}}+ (?:[.,:\u066b\u066c]\p{{Nd}}+)*     # -1,234.5
        [[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]*                                                # 20th
      | [[\p{{L}}\p{{M}}\p{{N}}_]--[{_UNSPACED}]]+ (?:[\u00b7\u05f3\u05f4\u200c\u200d][[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+)*
    )
  | (?P<character> (?=[[{_UNSPACED}]&&[\p{{L}}\p{{M}}\p{{N}}]]) \X )
  | (?P<blank> [\s\p{{Z}}\p{{C}}]+ )
  | (?P<open> \p{{Ps}} )
  | (?P<close> \p{{Pe}} )
  | (?P<quote> \p{{Quotation_Mark}} )
  | (?P<stop> [[\p{{Terminal_Punctuation}}\p{{Pd}}/\\&|\u00b7\u30fb\u3001]] )
  | (?P<sign> \X )
    """,
    regex.VERBOSE,
)
_BEFORE_NUMBERS = frozenset({"第", "제"})  # "the n-th"
_WORDS = frozenset({"word", "character"})
_SIGNS = frozenset({"open", "close", "quote", "sign"})
_NEVER_AT_AN_END = frozenset({"blank", "stop"})


@dataclass(frozen=True, slots=True)
class _Unit:
    start: int
    end: int
    kind: str


class AnswerText:
    """A text that answers are cut out of.

    Args:
        text: the string that was rendered, and that places refer to.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._units = [_Unit(match.start(), match.end(), match.lastgroup or "sign") for match in _UNIT.finditer(text)]
        self._starts = [unit.start for unit in self._units]
        self._ends = [unit.end for unit in self._units]

    def snap(self, first: tuple[int, int], last: tuple[int, int]) -> tuple[int, int]:
        """The answer that begins on one patch and ends on another.

        Args:
            first: what the patch shows on which the answer begins: (start, end) in the text, not empty.
            last: the same for the patch on which it ends; it may be the same patch, but stands nowhere before `first`.

        Returns:
            (start, end) of the answer in the text; never empty unless both patches show nothing but blanks.
        """
        low, high = self._first_unit(*first), self._last_unit(*last)
        if low > high:  # one patch, or two neighbours, with the end of a word and the beginning of the next
            low = high = self._best_shown(first[0], max(first[1], last[1]))
        inner_low, inner_high = self._trim(low, high)
        if inner_low <= inner_high:
            low, high = inner_low, inner_high
        start, end = self._units[low].start, self._units[high].end
        text = self.text[start:end].lstrip()
        return end - len(text), end - len(text) + len(text.rstrip())

    def _first_unit(self, start: int, end: int) -> int:
        inside = range(bisect.bisect_left(self._starts, start), bisect.bisect_left(self._starts, end))
        words = [i for i in inside if self._units[i].kind in _WORDS]
        if words:
            edges = [self._edge(i - 1, i) for i in words]
            clearest = [i for i, edge in zip(words, edges, strict=True) if edge == max(edges)]
            outermost = max(edges) == 0 or (self._is_number(clearest[0]) and self._is_gap(clearest[0] + 1))
            chosen = clearest[0] if outermost else clearest[-1]
            while chosen - 1 >= inside.start and self._units[chosen - 1].kind in _SIGNS:
                chosen -= 1
            return chosen
        signs = [i for i in inside if self._units[i].kind in _SIGNS]
        return signs[0] if signs else bisect.bisect_right(self._starts, start) - 1  # the unit that the patch begins in

    def _last_unit(self, start: int, end: int) -> int:
        inside = range(bisect.bisect_right(self._ends, start), bisect.bisect_right(self._ends, end))
        words = [i for i in inside if self._units[i].kind in _WORDS]
        closing = inside.start
        while closing < inside.stop and self._units[closing].kind in _SIGNS - {"open"}:
            closing += 1
        if closing > inside.start and (closing == inside.stop or self._is_gap(closing)):
            return closing - 1  # ") and": what closes stands before another word
        if words:
            edges = [self._edge(i, i + 1) for i in words]
            clearest = [i for i, edge in zip(words, edges, strict=True) if edge == max(edges)]
            outermost = max(edges) == 0 or (self._is_number(clearest[-1]) and self._is_gap(clearest[-1] - 1))
            chosen = clearest[-1] if outermost else clearest[0]
            while chosen + 1 < inside.stop and self._units[chosen + 1].kind in _SIGNS:
                chosen += 1
            return chosen
        signs = [i for i in inside if self._units[i].kind in _SIGNS]
        if signs:
            return signs[-1]
        return min(bisect.bisect_left(self._ends, end), len(self._units) - 1)  # the unit that the patch ends in

    def _edge(self, left: int, right: int) -> int:
        """How much of a boundary there is between two neighbours: 2 blanks and signs, 1 another script, 0 none."""
        if left < 0 or right >= len(self._units):
            return 2
        if self._counts(left, right):
            return 0
        one, other = self._units[left], self._units[right]
        if one.kind not in _WORDS or other.kind not in _WORDS:
            return 2
        if one.kind != other.kind:
            return 1
        return int(_script(self.text[one.start]) != _script(self.text[other.start]))

    def _counts(self, left: int, right: int) -> bool:
        """Whether a number and its counter meet here, perhaps with a blank between them: 26日, 第 26."""
        if self._is_blank(left):
            left -= 1
        elif self._is_blank(right):
            right += 1
        if left < 0 or right >= len(self._units):
            return False
        one, other = self._units[left], self._units[right]
        if self.text[one.start : one.end] in _BEFORE_NUMBERS:
            return True
        return one.kind == "word" and self._is_number(left) and other.kind == "character"

    def _is_blank(self, index: int) -> bool:
        return 0 <= index < len(self._units) and self._units[index].kind == "blank"

    def _is_gap(self, index: int) -> bool:
        return 0 <= index < len(self._units) and self._units[index].kind in _NEVER_AT_AN_END

    def _is_number(self, index: int) -> bool:
        return self.text[self._units[index].end - 1].isdecimal()

    def _best_shown(self, start: int, end: int) -> int:
        """The unit of which most is shown, one that is shown whole before one that is cut."""
        inside = range(max(0, bisect.bisect_right(self._starts, start) - 1), bisect.bisect_left(self._starts, end))

        def shown(i: int) -> tuple[bool, bool, int]:
            unit = self._units[i]
            length = min(unit.end, end) - max(unit.start, start)
            return unit.kind not in _NEVER_AT_AN_END, length == unit.end - unit.start, length

        return max(inside, key=shown)

    def _trim(self, low: int, high: int) -> tuple[int, int]:
        """Without blanks, stops, and signs that lack their partner, at both ends."""
        while low <= high:
            if self._is_loose(low, low, high):
                low += 1
            elif self._is_loose(high, low, high):
                high -= 1
            else:
                break
        return low, high

    def _is_loose(self, index: int, low: int, high: int) -> bool:
        unit = self._units[index]
        if unit.kind in _NEVER_AT_AN_END:
            return True
        between = self._units[low : high + 1]
        if unit.kind == "quote":
            return sum(other.kind == "quote" for other in between) < 2
        if unit.kind not in ("open", "close"):
            return False
        # Brackets of any form, counted from the one at the end: its partner is where they are even again.
        depth = 0
        for other in between if index == low else reversed(between):
            depth += {"open": 1, "close": -1}.get(other.kind, 0)
            if depth == 0:
                return False
            if (depth > 0) != (index == low):
                return True  # the wrong way round: a closing bracket in front
        return True


def _script(char: str) -> str:
    """The script of a character of an unspaced script, by the first word of its name: CJK, HIRAGANA, HANGUL."""
    return unicodedata.name(char, "?").replace("-HIRAGANA", "").split()[0]
