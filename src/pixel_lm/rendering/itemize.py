"""Cutting text into items: stretches of one embedding level and one script, which is what a shaper takes.

The rules are those of Pango 1.50, because the published models saw text that Pango had laid out:

* A paragraph ends with CR, LF, CR LF or U+2029. Its base direction is that of its first strong character; embedding and
  override controls count as strong, and isolates are not passed over. A paragraph without one takes the direction of
  the paragraph before it, the first such one that of the first strong character of the whole text.
* A character of script Common or Inherited takes the script of the run it stands in; at the start of a paragraph, of
  the first real script that follows. Closing punctuation takes the script that its opening partner has.

Scripts are ISO 15924 codes (``"Latn"``); text without any real script is ``"Zyyy"``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import regex
from fontTools import unicodedata as ucd

from pixel_lm.rendering.bidi import levels
from pixel_lm.rendering.unicode_data import PAIRED_PUNCTUATION, bidi_code

COMMON = "Zyyy"
# Zero-width non-joiner and joiner: part of the spelling of words, in any script.
JOINERS = "\u200c\u200d"
_MAX_PAIR_DEPTH = 128

# Text that is one left-to-right item of Latin or Common script without further looking: all these characters are Latin,
# Common or Inherited (or unassigned), none is bidirectionally active, none ends a paragraph.
_PLAIN = re.compile(
    "[^\n\r\u02ea\u02eb\u0370-\u1dff\u1f00-\u1fff\u200f\u2028-\u202e\u2066-\u2069\u2126\u218c-\u218f\u2440-\u245f"
    "\u2800-\u28ff\u2c00-\u2c5f\u2c80-\u2dff\u2e5e-\u31bf\u31e6-\ufe0d\ufe10-\U0001f2ff\U0001fb00-\U0010ffff]*"
)
_LATIN_LETTER = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02b8\u02e0-\u02e4\u1e00-\u1eff]")
_OTHER_LATIN = re.compile("[\u2071\u207f\u2090-\u209f\u212a\u212b\u2132\u214e\u2160-\u2188\u2c60-\u2c7f]")

_PARAGRAPH = re.compile("[^\n\r\u2029]*(?:\r\n|[\n\r\u2029])|[^\n\r\u2029]+")
_LEVEL_RUN = re.compile(rb"(.)\1*", re.DOTALL)

# One letter per character: c Common or Inherited, o opening and x closing punctuation, else a letter for the script.
# Segments hold at most one real script, and no paired punctuation.
_SEGMENT = re.compile(r"c*([^cox])(?:c|\1)*|c+|[ox]")
_SCRIPT_LETTERS = {script: chr(0xE000 + index) for index, script in enumerate(sorted(set(ucd.Scripts.VALUES)))}
_SCRIPT_OF_LETTER = {letter: script for script, letter in _SCRIPT_LETTERS.items()}

_CLOSING_PUNCTUATION = {closing: opening for opening, closing in PAIRED_PUNCTUATION.items()}

# Every emoji sequence holds one of these characters.
EMOJI_HINT = re.compile("[\u200d\u20e0\ufe0f\u231a-\u2bff\U0001f000-\U0001ffff]")
_ANY_EMOJI = r"[\p{Emoji}--\p{Emoji_Modifier}--\p{Regional_Indicator}]"
_ZWJ_ELEMENT = rf"(?:\p{{Emoji_Modifier_Base}}\p{{Emoji_Modifier}}|{_ANY_EMOJI}\uFE0F?)"
_EMOJI = regex.compile(
    rf"(?:(?!{_ANY_EMOJI}\uFE0E)(?:"
    rf"{_ZWJ_ELEMENT}(?:\u200D{_ZWJ_ELEMENT})+"
    r"|\p{Regional_Indicator}{2}"
    r"|\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]+\U000E007F"
    r"|[0-9#*]\uFE0F\u20E3"
    r"|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}"
    rf"|{_ANY_EMOJI}[\uFE0F\u20E0]"
    r"|\p{Emoji_Modifier_Base}"
    r"|[\p{Emoji_Presentation}--\p{Emoji_Modifier}--\p{Regional_Indicator}]))+",
    regex.V1,
)
# `\X` alone counts back over all regional indicators before it: quadratic in rows of flags.
_CLUSTER = regex.compile(r"\p{Regional_Indicator}{2}(?![\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}])|\X")


_ATTACHED = regex.compile(r"[\p{M}\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]")
_LONGEST_CLUSTER = 40


class Item(NamedTuple):
    """A stretch of text with one embedding level and one script."""

    start: int
    """Index of its first character."""
    end: int
    """Index after its last character."""
    level: int
    """Embedding level; odd: right to left."""
    script: str
    """ISO 15924 code."""


class _ScriptTable(dict[int, str]):
    """Table for ``str.translate``, from code point to the letter of its script or kind (see ``_SEGMENT``)."""

    def __missing__(self, codepoint: int) -> str:
        character = chr(codepoint)
        script = ucd.script(character)
        if script not in ("Zyyy", "Zinh", "Zzzz"):
            letter = _SCRIPT_LETTERS[script]
        elif character in PAIRED_PUNCTUATION:
            letter = "o"
        else:
            letter = "x" if character in _CLOSING_PUNCTUATION else "c"
        self[codepoint] = letter
        return letter


_SCRIPT_TABLE = _ScriptTable()


def script_runs(text: str) -> list[tuple[int, int, str]]:
    """Runs of one script that cover one paragraph of text: triples (start, end, ISO 15924 code)."""
    if not text:
        return []
    if _PLAIN.fullmatch(text):
        return [(0, len(text), _plain_script(text))]
    runs: list[tuple[int, int, str]] = []
    start = 0
    script: str | None = None  # letter of the script of the current run, None as long as it has no real one
    pairs: list[tuple[str, str | None]] = []  # punctuation that waits for its partner, and the script that it has
    unsettled = 0  # index in `pairs` of the first opening character of this run whose script was not known

    for segment in _SEGMENT.finditer(text.translate(_SCRIPT_TABLE)):
        position, kind = segment.start(), segment.group()
        if kind == "o":
            if len(pairs) >= _MAX_PAIR_DEPTH:
                pairs.clear()
                unsettled = 0
            pairs.append((text[position], script))
            continue
        if kind == "x":
            opening = _CLOSING_PUNCTUATION[text[position]]
            while pairs and pairs[-1][0] != opening:
                pairs.pop()
            new_script = pairs[-1][1] if pairs else None
            unsettled = min(unsettled, len(pairs))
        else:
            new_script = segment.group(1)
            position = segment.start(1)
        if new_script is not None and new_script != script:
            if script is not None:
                runs.append((start, position, _SCRIPT_OF_LETTER[script]))
                start = position
                unsettled = len(pairs)
            script = new_script
            pairs[unsettled:] = [(opening, script) for opening, _ in pairs[unsettled:]]
            unsettled = len(pairs)
        if kind == "x" and pairs:
            pairs.pop()
            unsettled = min(unsettled, len(pairs))
    runs.append((start, len(text), COMMON if script is None else _SCRIPT_OF_LETTER[script]))
    return runs


def items(text: str, base_level: int | None = None) -> list[Item]:
    """Items of a text in logical order, cut where the level or the script changes and at paragraph ends.

    Args:
        text: any string.
        base_level: 0 (left-to-right), 1 (right-to-left), or None: Pango's automatic direction for each paragraph (see
            the module's docstring).
    """
    if base_level != 1 and text and _PLAIN.fullmatch(text):
        return [Item(0, len(text), 0, _plain_script(text))]
    result: list[Item] = []
    direction = base_level if base_level is not None else first_direction(text)
    for paragraph in _PARAGRAPH.finditer(text):
        offset, line = paragraph.start(), paragraph.group()
        if base_level is None:
            own = first_direction(line)
            direction = direction if own is None else own
        result.extend(_paragraph_items(line, offset, direction or 0))
    return result


def emoji_runs(text: str) -> list[tuple[int, int]]:
    """Stretches (start, end) of text to be shown as emoji: emoji presentation, modifier, flag, tag and ZWJ sequences.

    As in Pango, a modifier base (U+261D, say) needs no variation selector.
    """
    if text.isascii() or EMOJI_HINT.search(text) is None:
        return []
    return [match.span() for match in _EMOJI.finditer(text)]


def cluster_starts(text: str) -> list[int]:
    """Index of the first character of each extended grapheme cluster (UAX #29)."""
    return [match.start() for match in _CLUSTER.finditer(text)]


def last_cluster(text: str, end: int) -> int:
    """Where the last grapheme cluster of `text[:end]` begins; of a very long one, where its last characters do."""
    begin = max(0, end - _LONGEST_CLUSTER)
    return begin + cluster_starts(text[begin:end])[-1]


def split_clusters(text: str) -> list[str]:
    """The extended grapheme clusters of a text (UAX #29)."""
    return list(text) if text.isascii() else _CLUSTER.findall(text)


@lru_cache(maxsize=1 << 16)
def is_attached(character: str) -> bool:
    """Whether a character is a mark, or is written with the character before it as one cluster."""
    return _ATTACHED.match(character) is not None


def _plain_script(text: str) -> str:
    return "Latn" if _LATIN_LETTER.search(text) or _OTHER_LATIN.search(text) else COMMON


def first_direction(text: str) -> int | None:
    """Level that the first strong character asks for, None without one."""
    for character in text:
        code = bidi_code(ord(character))
        if code in "Llo":
            return 0
        if code in "RArp":
            return 1
    return None


def _paragraph_items(text: str, offset: int, base_level: int) -> list[Item]:
    """Items of one paragraph that stands at an offset in the text."""
    scripts = script_runs(text)
    result: list[Item] = []
    index = 0
    for run in _LEVEL_RUN.finditer(bytes(levels(text, base_level))):
        start, end = run.span()
        level = run.group()[0]
        while start < end:
            _, script_end, script = scripts[index]
            stop = min(end, script_end)
            result.append(Item(offset + start, offset + stop, level, script))
            start = stop
            if stop == script_end:
                index += 1
    return result
