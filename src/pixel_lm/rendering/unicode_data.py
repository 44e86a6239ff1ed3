"""Character properties that text layout needs: bidirectional classes, paired brackets, paragraph separators.

Bidirectional classes come from the ``unicodedata`` module of the running Python. Code points that it does not know get
the default class of their block, so a character newer than the Python in use still takes the right direction. The
bracket table is taken from BidiBrackets.txt (Unicode 15.0.0, copyright Unicode, Inc., Unicode License V3,
https://www.unicode.org/license.txt).

Classes are handled as strings of one-letter codes, which lets C code (``str.translate``, ``re``) do the work that a
loop over characters would do:

====  ==========================  ====  ==========================  ====  =====================
code  class                       code  class                       code  class
====  ==========================  ====  ==========================  ====  =====================
L     left-to-right letter        C     common separator            i     LRI
R     right-to-left letter        M     nonspacing mark (NSM)       j     RLI
A     Arabic letter (AL)          b     boundary neutral (BN)       k     FSI
E     European number (EN)        B     paragraph separator         q     PDI
S     European separator (ES)     s     segment separator           l, r  LRE, RLE
T     European terminator (ET)    w     whitespace                  o, p  LRO, RLO
D     Arabic number (AN)          O     other neutral (ON)          f     PDF
====  ==========================  ====  ==========================  ====  =====================
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

BIDI_CODES = {
    "L": "L", "R": "R", "AL": "A", "EN": "E", "ES": "S", "ET": "T", "AN": "D", "CS": "C", "NSM": "M", "BN": "b",
    "B": "B", "S": "s", "WS": "w", "ON": "O", "LRE": "l", "RLE": "r", "LRO": "o", "RLO": "p", "PDF": "f", "LRI": "i",
    "RLI": "j", "FSI": "k", "PDI": "q",
}  # fmt: skip

# Classes of unassigned code points (UAX #44, default values of Bidi_Class): each entry holds from its first code point
# up to the next entry. "L" is the general default.
_DEFAULT_CLASSES = (
    (0x0000, "L"), (0x0590, "R"), (0x0600, "A"), (0x07C0, "R"), (0x0860, "A"), (0x0900, "L"), (0x2065, "b"),
    (0x2066, "L"), (0x20A0, "T"), (0x20D0, "L"), (0xFB1D, "R"), (0xFB50, "A"), (0xFDD0, "b"), (0xFDF0, "A"),
    (0xFE00, "L"), (0xFE70, "A"), (0xFF00, "L"), (0xFFF0, "b"), (0xFFF9, "L"), (0x10800, "R"), (0x10D00, "A"),
    (0x10D40, "R"), (0x10EC0, "A"), (0x10F00, "R"), (0x10F30, "A"), (0x10F70, "R"), (0x11000, "L"), (0x1E800, "R"),
    (0x1EC70, "A"), (0x1ECC0, "R"), (0x1ED00, "A"), (0x1ED50, "R"), (0x1EE00, "A"), (0x1EF00, "R"), (0x1F000, "L"),
    (0xE0000, "b"), (0xE1000, "L"),
)  # fmt: skip
_DEFAULT_STARTS = [start for start, _ in _DEFAULT_CLASSES]


def bidi_code(codepoint: int) -> str:
    """One-letter code of the Bidi_Class of a code point (see the table in the module's docstring)."""
    name = unicodedata.bidirectional(chr(codepoint))
    if name:
        return BIDI_CODES[name]
    if codepoint & 0xFFFE == 0xFFFE:  # noncharacters at the end of each plane
        return "b"
    return _DEFAULT_CLASSES[bisect_right(_DEFAULT_STARTS, codepoint) - 1][1]


class _BidiTable(dict[int, str]):
    """Table for ``str.translate`` that looks up each code point once."""

    def __missing__(self, codepoint: int) -> str:
        code = self[codepoint] = bidi_code(codepoint)
        return code


_BIDI_TABLE = _BidiTable()


def bidi_codes(text: str) -> bytes:
    """Bidirectional classes of a text, one ASCII letter per character."""
    return text.translate(_BIDI_TABLE).encode("ascii")


# Matches one character that can give any character of its paragraph a level other than 0 when the base level is 0:
# right-to-left letters, Arabic numbers, explicit embeddings, overrides and isolates. Whole blocks, so that the pattern
# stays small; it may match a character that changes nothing (a Hebrew point, say), which costs time and is not wrong.
BIDI_ACTIVE = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]"
)

# One paragraph with its separator (Bidi_Class B; CR LF is one separator).
PARAGRAPH = re.compile("[^\n\r\x1c-\x1e\x85\u2029]*(?:\r\n|[\n\r\x1c-\x1e\x85\u2029])|[^\n\r\x1c-\x1e\x85\u2029]+")

# Opening and closing bracket in turn (Bidi_Paired_Bracket).
_BRACKET_PAIRS = (
    "\u0028\u0029\u005b\u005d\u007b\u007d\u0f3a\u0f3b\u0f3c\u0f3d\u169b\u169c\u2045\u2046\u207d\u207e"
    "\u208d\u208e\u2308\u2309\u230a\u230b\u2329\u232a\u2768\u2769\u276a\u276b\u276c\u276d\u276e\u276f"
    "\u2770\u2771\u2772\u2773\u2774\u2775\u27c5\u27c6\u27e6\u27e7\u27e8\u27e9\u27ea\u27eb\u27ec\u27ed"
    "\u27ee\u27ef\u2983\u2984\u2985\u2986\u2987\u2988\u2989\u298a\u298b\u298c\u298d\u2990\u298f\u298e"
    "\u2991\u2992\u2993\u2994\u2995\u2996\u2997\u2998\u29d8\u29d9\u29da\u29db\u29fc\u29fd\u2e22\u2e23"
    "\u2e24\u2e25\u2e26\u2e27\u2e28\u2e29\u2e55\u2e56\u2e57\u2e58\u2e59\u2e5a\u2e5b\u2e5c\u3008\u3009"
    "\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u3014\u3015\u3016\u3017\u3018\u3019\u301a\u301b"
    "\ufe59\ufe5a\ufe5b\ufe5c\ufe5d\ufe5e\uff08\uff09\uff3b\uff3d\uff5b\uff5d\uff5f\uff60\uff62\uff63"
)
# U+2329 and U+232A decompose to U+3008 and U+3009: each opening one pairs with either closing one (UAX #9, BD16).
_CANONICAL_BRACKETS = {"\u2329": "\u3008", "\u232a": "\u3009"}

# Bracket to the canonical form of its closing bracket.
OPENING_BRACKETS = {
    opening: _CANONICAL_BRACKETS.get(closing, closing)
    for opening, closing in zip(_BRACKET_PAIRS[::2], _BRACKET_PAIRS[1::2], strict=True)
}
# Closing bracket to its canonical form.
CLOSING_BRACKETS = {closing: _CANONICAL_BRACKETS.get(closing, closing) for closing in _BRACKET_PAIRS[1::2]}
BRACKET = re.compile("[" + re.escape(_BRACKET_PAIRS) + "]")

# Paired punctuation as Pango's script itemisation knows it: pairs that stand next to each other in the code table, as
# stretches (first, last) in which opening and closing characters alternate, then pairs that do not.
_PAIRED_STRETCHES = (
    (0x0028, 0x0029), (0x2018, 0x2019), (0x201C, 0x201D), (0x2039, 0x203A), (0x2045, 0x2046),
    (0x207D, 0x207E), (0x208D, 0x208E), (0x27E6, 0x27EF), (0x2983, 0x2998), (0x29FC, 0x29FD), (0x2E02, 0x2E05),
    (0x2E09, 0x2E0A), (0x2E0C, 0x2E0D), (0x2E1C, 0x2E1D), (0x2E20, 0x2E29), (0x3008, 0x3011), (0x3014, 0x301B),
    (0xFE59, 0xFE5E), (0xFF08, 0xFF09), (0xFF5F, 0xFF60), (0xFF62, 0xFF63),
)  # fmt: skip
_SEPARATE_PAIRS = {"<": ">", "[": "]", "{": "}", "\u00ab": "\u00bb", "\uff3b": "\uff3d", "\uff5b": "\uff5d"}

# Opening punctuation to its closing one.
PAIRED_PUNCTUATION = _SEPARATE_PAIRS | {
    chr(opening): chr(opening + 1) for first, last in _PAIRED_STRETCHES for opening in range(first, last, 2)
}
