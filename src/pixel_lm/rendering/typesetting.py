"""Text → one line of ink.

`Typesetter.line` is the whole pipeline for one line: bidi levels and script runs (`itemize`), a font for every character,
shaping, rasterising. Its result is *column-major*: `patch_size` bytes per pixel column, so that lines are concatenated like
strings and patch *i* of a strip is a slice of bytes.

What makes it fast is that words repeat. In nearly every font a word is shaped the same wherever it stands, so a token (a word
with the spaces after it) is drawn once and remembered; a line is then one `bytes.join`. HarfBuzz itself says where this does
not hold (a glyph that is unsafe to break before), and ink that leaves its token is found when the token is drawn: such tokens
and lines take the slower way over whole runs. The result is the same either way.
"""

from __future__ import annotations

import math
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb
from fontTools.unicodedata import script

from pixel_lm.rendering.cells import over
from pixel_lm.rendering.fitting import Box, fitting_of, squeeze
from pixel_lm.rendering.fonts import UNITS_PER_PIXEL, Font
from pixel_lm.rendering.itemize import (
    EMOJI_HINT,
    JOINERS,
    Item,
    cluster_starts,
    emoji_runs,
    is_attached,
    items,
    split_clusters,
)
from pixel_lm.rendering.profiles import Profile
from pixel_lm.rendering.unicode_data import bidi_code
from pixel_lm.rendering.word_table import WordTable

__all__ = ["UNITS_PER_PIXEL", "Cluster", "Line", "LineSetter", "Place", "Typesetter"]

# A token: a word and the spaces after it; the first one of an item also takes the spaces before it.
_TOKEN = re.compile(" *[^ ]+ *")
_FIRST_LETTER = re.compile(r"[^\W\d_]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# HarfBuzz looks at this many characters on either side of what it shapes.
_CONTEXT = 5
# HarfBuzz does not apply contextual alternates to Hangul in the versions that drew the published strips; later ones do.
_FEATURES = {"Hang": {"calt": False}}
# Scripts written without spaces whose characters hardly ever change their neighbours: there, a token is one character.
# Lines that begin with one of these align their fonts on the ideographic baseline.
_IDEOGRAPHIC = frozenset({"Hani", "Hang", "Hira", "Kana", "Bopo", "Tang", "Nshu", "Kits"})
_CLUSTERED = frozenset({"Thai", "Laoo"})  # … and those whose clusters have marks
_UNSPACED = frozenset({"Hani", "Hira", "Kana", "Bopo", "Yiii"})
# What a remembered token costs beside its ink: the key, two dictionary entries, the objects.
_ENTRY_BYTES = 400
# Bound on the small caches of widths and pairs.
_MAX_ENTRIES = 1 << 18


@dataclass(frozen=True, slots=True)
class Line:
    """Ink of one line, column-major.

    Attributes:
        columns: `patch_size` bytes per pixel column from left to right, 255 = no ink, 0 = full ink.
        width: sum of the advances in pixels. Without overhang `columns` has this many columns.
        left, right: columns of ink before the origin and beyond `width` (both 0 for nearly every line).
        place: where the baseline lies.
        unknown: characters for which no font has a glyph, in order of appearance.
        font: the font, if one drew all of it in one run.
    """

    columns: bytes
    width: int
    left: int
    right: int
    place: Place
    unknown: str = ""
    font: Font | None = None


class Place(NamedTuple):
    """Where the baseline of a line lies.

    `baseline` is its distance from the top of the strip in pixels; half pixels occur. `anchor` is the ideographic baseline on
    which the fonts of a line align that begins with Han, kana or Hangul (None elsewhere), in 1/1024 pixel above the baseline.
    """

    baseline: float
    anchor: int | None = None

    def baseline_of(self, font: Font) -> float:
        """Baseline of the glyphs of one of the line's fonts."""
        if self.anchor is None:
            return self.baseline
        return self.baseline - (self.anchor - font.ideographic_baseline) / UNITS_PER_PIXEL


class Cluster(NamedTuple):
    """Characters that are one unit of the layout (a grapheme or a ligature) and where they lie in the line, in pixels."""

    start: int
    end: int
    x: int
    width: int
    rtl: bool


class _Run(NamedTuple):
    """Consecutive characters of one item drawn with one font (None: spaces only, the main font)."""

    start: int
    end: int
    font: Font


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """Shaped glyphs of one run in visual order: parallel lists, offsets in 1/1024 pixel, advances in whole pixels."""

    font: Font
    start: int
    end: int
    ids: list[int]
    clusters: list[int]
    advances: list[int]
    x_offsets: list[int]
    y_offsets: list[int]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Lines of one script and direction: where they lie if the main font draws them, the words of that font, the characters that
    are known to be of this kind, and the words of any fonts, by place."""

    script: str
    rtl: bool
    place: Place
    main: WordTable | None
    simple: set[str]
    tables: list[WordTable]


@lru_cache(maxsize=1 << 16)
def _follows_font(char: str) -> bool:
    """Whether a character never chooses a font but takes that of its neighbour: spaces, controls, format characters,
    variation selectors (the rule of Pango's itemiser)."""
    category = unicodedata.category(char)
    return (
        category in ("Cc", "Cf", "Cs", "Zl", "Zp")
        or (category == "Zs" and char != "\u1680")
        or _is_variation_selector(char)
    )


def _is_variation_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


@lru_cache(maxsize=1 << 16)
def _starts_token(char: str) -> bool:
    """Whether a token may begin with this character: shaping it must not depend on what stands before."""
    return unicodedata.category(char)[0] not in "CZ" and not is_attached(char) and not _is_variation_selector(char)


class LineSetter(Protocol):
    """What draws lines: `Typesetter`, or `PyGameTypesetter` with the same methods (described there)."""

    profile: Profile
    height: int

    def line(self, text: str, base_level: int | None = None) -> Line: ...

    def parts(self, text: str) -> list[bytes] | None: ...

    def lost_ink(self, text: str) -> tuple[int, int]: ...

    def clusters(self, text: str, base_level: int | None = None, *, graphemes: bool = True) -> list[Cluster]: ...

    def centers(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64]: ...

    def centers_of_words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64] | None: ...

    def width(self, text: str, base_level: int | None = None) -> int: ...

    def width_of_word(self, word: str) -> int: ...

    def widths_of_words(self, words: Sequence[str]) -> list[int]: ...

    def font_of(self, char: str) -> Font | None: ...

    def forget(self) -> None: ...

    def is_unknown(self, char: str) -> bool: ...


class Typesetter:
    """Draws lines of text with an ordered list of fonts under the rules of one profile.

    Thread-safe; caches are bounded by `cache_bytes`. `padded_words` holds what `padded` has given so
    far, `leaning` the columns of ink that stand out on the left of some of them.

    Args:
        fonts: the main font and its fallbacks; the first that covers a character draws it.
        profile: the measured rules of a rendering backend.
        height: rows of the strip in pixels, that is the side of a patch.
        cache_bytes: bound on the memory for the ink of remembered words; when it is reached, they are forgotten.
    """

    def __init__(self, fonts: Sequence[Font], profile: Profile, height: int, cache_bytes: int = 256 << 20) -> None:
        self.fonts = list(fonts)
        self.profile = profile
        self.height = height
        self.cache_bytes = cache_bytes
        self._fitted: dict[Font, Font] = {}
        self._rank = {font: rank for rank, font in reversed(list(enumerate(self.fonts)))}
        self._picture_fonts = [font for font in self.fonts if font.has_pictures]
        self._font_of: dict[str, Font | None] = {}
        # Clusters whose looks do not depend on their neighbours, of those judged so far.
        self._stand_alone: set[str] = set()
        self._judged: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Empty the cache of drawn words."""
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, bool, Place], dict[str, Line | None]] = {}
        self._kinds: dict[tuple[str, bool], _Kind] = {}
        self._kind_of_letter: dict[str, _Kind | None] = {}
        self._main_tables: dict[tuple[str, bool], WordTable] = {}
        self._item_tables: dict[tuple[str, bool, Place], WordTable] = {}
        self._tables_of: dict[tuple[str, bool], list[WordTable]] = {}
        self._joined: dict[tuple[str, str, str], bool] = {}
        self._widths: dict[str, int] = {}
        self.padded_words: dict[str, bytes] = {}
        self.leaning: dict[str, bytes] = {}
        self._cached_bytes = 0

    # -- a line ------------------------------------------------------------------------------------------------------

    def line(self, text: str, base_level: int | None = None) -> Line:
        """Typeset `text` as one line.

        Args:
            text: no line breaks (they would be drawn as unknown characters).
            base_level: 0 left to right, 1 right to left, None: as the first strong character says.
        """
        drawn = self._simple_line(text, base_level)
        if drawn is not None:
            (parts, left, right), place = drawn
            return self._line_of(parts, left, right, place)
        return self._token_line(text, base_level)

    def _line_of(self, parts: list[bytes], left: bytes, right: bytes, place: Place) -> Line:
        columns, height = b"".join(parts), self.height
        width = len(columns) // height
        if left or right:
            columns = left + columns + right
        return Line(columns, width, len(left) // height, len(right) // height, place)

    def parts(self, text: str) -> list[bytes] | None:
        """Columns of a line in pieces that are to be joined; None for lines that are not as simple as that."""
        drawn = self._simple_line(text, None)
        if drawn is None or drawn[0][1] or drawn[0][2]:
            return None
        return drawn[0][0]

    def padded(self, word: str) -> bytes:
        """Columns of a word and a space after it, padded to a whole number of patches (as wide as they are high).

        Empty where that cannot be told without the word after it. Ink that stands out on the left is in `leaning`. Remembered.
        """
        columns = self.padded_words.get(word)
        if columns is None:
            line = self.line(word + " ")
            patch = self.height * self.height
            left = line.columns[: line.left * self.height]
            columns = line.columns[len(left) :]
            wanted = -(-line.width * self.height // patch) * patch
            columns = b"" if line.unknown or len(columns) > wanted else columns + b"\xff" * (wanted - len(columns))
            self.spend(_ENTRY_BYTES + len(columns))
            if left:
                self.leaning[word] = left
            self.padded_words[word] = columns
        return columns

    def _token_line(self, text: str, base_level: int | None) -> Line:
        """Typeset token by token in visual order, drawing the tokens that are new."""
        pieces: list[Line] = []
        items_of: list[Item] = []
        line_items = items(text, base_level)
        place = self._place(text, line_items)
        if len(line_items) > 1 and any(
            text[item.start] in JOINERS or text[item.end - 1] in JOINERS for item in line_items
        ):
            return self.whole_line(text, base_level)  # letters join across the border
        for item in _visual_order(line_items):
            words = self._item_table(item.script, item.level % 2 == 1, place)
            joined = self._from_table(words, text[item.start : item.end], item.script)
            if joined is not None:
                pieces.append(self._line_of(*joined, place))
                items_of.append(item)
                continue
            table = self._tables.setdefault((item.script, item.level % 2 == 1, place), {})
            drawn: list[Line] = []
            for token in self._tokens(text, item):
                if is_attached(token[0]):
                    return self.whole_line(text, base_level)
                try:
                    line = table[token]
                except KeyError:
                    line = self._remember(table, item, token, place)
                if line is None:
                    return self.whole_line(text, base_level)
                drawn.append(line)
            pieces.extend(reversed(drawn) if item.level % 2 else drawn)
            items_of += [item] * len(drawn)
        line = self._join(pieces, items_of, place)
        return line or self.whole_line(text, base_level)

    def whole_line(self, text: str, base_level: int | None = None) -> Line:
        """The same as `line`, but shaped over whole runs and without the cache: slow, and right by construction."""
        glyphs: list[_Glyphs] = []
        unknown: list[str] = []
        line_items = items(text, base_level)
        for item in _visual_order(line_items):
            shaped, missing = self._shape(text, item.start, item.end, item)
            glyphs.extend(shaped)
            unknown.append(missing)
        return self._draw(glyphs, self._place(text, line_items), "".join(unknown))

    def clusters(self, text: str, base_level: int | None = None, *, graphemes: bool = True) -> list[Cluster]:
        """Where the characters of a line lie: its clusters from left to right.

        Args:
            text, base_level: as for `line`.
            graphemes: whether a base and its marks are one cluster; else they are kept apart where the glyphs are, as in Pango.
        """
        result: list[Cluster] = []
        pen = 0
        for item in _visual_order(items(text, base_level)):
            rtl = item.level % 2 == 1
            for run in self._shape(text, item.start, item.end, item, graphemes)[0]:
                starts = sorted(set(run.clusters))
                end_of = dict(zip(starts, [*starts[1:], run.end], strict=True))
                for index, (cluster, advance) in enumerate(zip(run.clusters, run.advances, strict=True)):
                    if index and cluster == run.clusters[index - 1]:
                        previous = result[-1]
                        result[-1] = previous._replace(width=previous.width + advance)
                    else:
                        result.append(Cluster(cluster, end_of[cluster], pen, advance, rtl))
                    pen += advance
        return result

    def centers(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64]:
        """x of the centre of each character in pixels from the line's origin: int64 (len(text),).

        Characters of one grapheme share their centre; other characters of a ligature divide its width evenly.
        """
        for table in self._simple_tables(text, base_level):
            centers = table.centers(text, partial(self._centers_of_word, int(table.rtl)))
            if centers is not None:
                return centers
        return self._centers_of(text, self.clusters(text, base_level))

    def centers_of_words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64] | None:
        """As `centers`, where each word by itself looks as it does in the line: known words of the main font, from left to right.

        Then the centres of a part of the text that begins and ends with a word are those of the whole less the place of its first word.
        None for other texts.
        """
        letter = _FIRST_LETTER.search(text)
        kind = self._kind_of(letter.group()) if letter else None
        if kind is None or kind.main is None or kind.rtl or base_level:
            return None
        return kind.main.centers(text, partial(self._centers_of_word, 0))

    def _centers_of_word(self, level: int, word: str) -> npt.NDArray[np.int64]:
        return self._centers_of(word, self.clusters(word, level))

    def _centers_of(self, text: str, clusters: Sequence[Cluster]) -> npt.NDArray[np.int64]:
        centers = np.zeros(len(text), np.int64)
        for start, end, x, width, rtl in clusters:
            if end - start == 1:
                centers[start] = x + width // 2
                continue
            graphemes = [*cluster_starts(text[start:end]), end - start]
            count = len(graphemes) - 1
            for index, (first, last) in enumerate(pairwise(graphemes)):
                place = count - 1 - index if rtl else index
                centers[start + first : start + last] = x + (2 * place + 1) * width // (2 * count)
        return centers

    def width(self, text: str, base_level: int | None = None) -> int:
        """Width of a line in pixels; nothing is drawn or remembered."""
        return sum(
            sum(run.advances)
            for item in items(text, base_level)
            for run in self._shape(text, item.start, item.end, item)[0]
        )

    def width_of_word(self, word: str) -> int:
        """Width of a word that stands alone, remembered."""
        width = self._widths.get(word)
        if width is None:
            if len(self._widths) >= _MAX_ENTRIES:
                self._widths.clear()
            width = self._width_in_tables(word)
            if width is None:
                width = self.line(word).width
            self._widths[word] = width
        return width

    def _width_in_tables(self, word: str) -> int | None:
        """Width of a word with one space after it that was drawn in some line already: its place makes no difference to that."""
        letter = _FIRST_LETTER.search(word)
        kind = self._kind_of(letter.group()) if letter and word[-1] == " " else None
        if kind is not None:
            for table in (kind.main, *kind.tables):
                width = table.width_of(word[:-1]) if table else None
                if width is not None:
                    return width
        return None

    def widths_of_words(self, words: Sequence[str]) -> list[int]:
        """Widths of words that stand alone each."""
        try:
            return list(map(self._widths.__getitem__, words))
        except KeyError:
            return list(map(self.width_of_word, words))

    # -- fonts -------------------------------------------------------------------------------------------------------

    def font_of(self, char: str) -> Font | None:
        """The first font that covers the character, or None."""
        try:
            return self._font_of[char]
        except KeyError:
            font = self._font_of[char] = next((font for font in self.fonts if font.covers(char)), None)
            return font

    def _fit(self, font: Font) -> Font:
        """The font as the profile draws with it."""
        if not self.profile.fit or font is self.fonts[0]:
            return font
        fitted = self._fitted.get(font)
        if fitted is None:
            main = self.fonts[0]
            baseline = _row(self.profile.baseline(*main.metrics, self.height))

            def wanted(char: str) -> bool:
                return font.covers(char) and not main.covers(char)

            fitting = fitting_of(font, baseline, self.height - baseline, wanted)
            fitted = self._fitted[font] = font.resized(*fitting)
        return fitted

    def _place(self, text: str, line_items: Sequence[Item]) -> Place:
        """Where the baseline lies: by the largest ascent and descent of all fonts that take part."""
        if self.profile.fit:
            return Place(self.profile.baseline(*self.fonts[0].metrics, self.height))
        fonts = {self.font_of(char) or self.fonts[0] for char in set(text) if not _follows_font(char)}
        if self._picture_fonts and not text.isascii() and EMOJI_HINT.search(text):
            fonts = {run.font for item in line_items for run in self._runs(text, item.start, item.end)}
        if not fonts:
            fonts = {self.fonts[0]}
        if len(fonts) > 1 and line_items[0].script in _IDEOGRAPHIC:
            anchor = next(self._runs(text, line_items[0].start, line_items[0].end)).font.ideographic_baseline
            rises = {font: (anchor - font.ideographic_baseline) / UNITS_PER_PIXEL for font in fonts}
            ascent = max(font.metrics[0] + rise for font, rise in rises.items())
            descent = max(font.metrics[1] - rise for font, rise in rises.items())
            return Place(self.profile.baseline(ascent, descent, self.height), anchor)
        ascent = max(font.metrics[0] for font in fonts)
        descent = max(font.metrics[1] for font in fonts)
        return Place(self.profile.baseline(ascent, descent, self.height))

    def _runs(self, text: str, start: int, end: int) -> Iterator[_Run]:
        """Split characters `start:end` by font. Spaces and the like between two fonts go to the one that is first in order."""
        pictured = self._pictured(text, start, end)
        font: Font | None = None
        run_start = last = start  # `last`: after the last character that is no space
        for i in range(start, end):
            if pictured and i > run_start and (i in pictured) != (i - 1 in pictured):
                # An emoji sequence is a run of its own: spaces beside it are not its font's.
                yield _Run(run_start, i, font or self.fonts[0])
                run_start, last, font = i, i, None
            if i in pictured:
                chosen = pictured[i]
            elif _follows_font(text[i]):
                if text[i] != " ":
                    last = i + 1
                continue
            else:
                chosen = self.font_of(text[i]) or self.font_of(_REPLACEMENT) or self.fonts[0]
            if font is not None and chosen is not font:
                stop = last if self._rank[chosen] < self._rank[font] else i
                yield _Run(run_start, stop, font)
                run_start = stop
            font = chosen
            last = i + 1
        if start < end:
            yield _Run(run_start, end, font or self.fonts[0])

    # -- shaping -----------------------------------------------------------------------------------------------------

    def _shape(self, text: str, start: int, end: int, item: Item, graphemes: bool = True) -> tuple[list[_Glyphs], str]:
        """Shape characters `start:end`, which lie in `item`; glyphs in visual order, and the characters without a glyph."""
        unknown: list[str] = []
        glyphs = []
        # The item and its context, so that a long text is not copied for each item or run; a list once something is replaced.
        origin = max(0, start - _CONTEXT)
        shown: str | list[str] = text[origin : end + _CONTEXT]
        for run in self._runs(text, start, end):
            missing = [i for i in range(run.start, run.end) if self.is_unknown(text[i])]
            if missing:
                unknown += [text[i] for i in missing]
                if isinstance(shown, str):
                    shown = list(shown)
                for i in missing:
                    shown[i - origin] = _REPLACEMENT
            first = max(0, run.start - _CONTEXT)
            piece = "".join(shown[first - origin : run.end + _CONTEXT - origin])
            glyphs.append(self._shape_run(piece, first, run, item, graphemes))
        if item.level % 2:
            glyphs.reverse()
        return glyphs, "".join(unknown)

    def _pictured(self, text: str, start: int, end: int) -> dict[int, Font]:
        """The characters of emoji sequences that a font of pictures draws, by place."""
        if text.isascii() or not EMOJI_HINT.search(text, start, end) or not self._picture_fonts:
            return {}
        pictured: dict[int, Font] = {}
        for first, last in emoji_runs(text[start:end]):
            for font in self._picture_fonts:
                if font.covers(text[start + first]):
                    pictured |= dict.fromkeys(range(start + first, start + last), font)
                    break
        return pictured

    def is_unknown(self, char: str) -> bool:
        """Whether the character appears as U+FFFD: no font has it, or it is a control."""
        if _follows_font(char):
            return unicodedata.category(char) in ("Cc", "Cs")
        return self.font_of(char) is None

    def _shape_run(self, text: str, first: int, run: _Run, item: Item, graphemes: bool) -> _Glyphs:
        """Shape a run; `text`, which begins at place `first` of the line, holds it and what stands around it."""
        buffer = hb.Buffer()
        buffer.add_str(text, run.start - first, run.end - run.start)
        buffer.direction = "rtl" if item.level % 2 else "ltr"
        buffer.script = item.script
        if run.start == 0:  # a mark without a base gets a dotted circle
            buffer.flags = hb.BufferFlags.BOT
        font = self._fit(run.font)
        if not graphemes:
            buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
        hb.shape(font.hb_font, buffer, _FEATURES.get(item.script))
        infos = buffer.glyph_infos
        positions = [position.position for position in buffer.glyph_positions]
        half = UNITS_PER_PIXEL // 2
        return _Glyphs(
            font=font,
            start=run.start,
            end=run.end,
            ids=[info.codepoint for info in infos],
            clusters=[info.cluster + first for info in infos],
            advances=[(position[2] + half) >> 10 for position in positions],
            x_offsets=[position[0] for position in positions],
            y_offsets=[position[1] for position in positions],
        )

    def _tokens(self, text: str, item: Item) -> list[str]:
        """Cut an item where shaping may start anew; the pieces concatenate to its text."""
        tokens = _tokens(text[item.start : item.end])
        if item.script not in _UNSPACED:
            return self._move_spaces(tokens) if len(tokens) > 1 else tokens
        characters: list[str] = []
        for token in tokens:
            starts = cluster_starts(token)
            for start, end in pairwise([*starts, len(token)]):
                cluster = token[start:end]
                if start and (not _starts_token(cluster[0]) or self._interact(characters[-1], cluster, item)):
                    characters[-1] += cluster
                else:
                    characters.append(cluster)
        return characters

    def _move_spaces(self, tokens: list[str]) -> list[str]:
        """Let spaces go with the token after them where `_runs` draws them with its font."""
        fonts = {self.font_of(char) for char in set("".join(tokens)) if not _follows_font(char)}
        if len(fonts) < 2:
            return tokens
        for index in range(1, len(tokens)):
            left, right = tokens[index - 1], tokens[index]
            last = next((char for char in reversed(left) if not _follows_font(char)), None)
            first = next((char for char in right if not _follows_font(char)), None)
            if last and first and left[-1] == " ":
                before, after = self.font_of(last) or self.fonts[0], self.font_of(first) or self.fonts[0]
                if self._rank[after] < self._rank[before]:
                    word = left.rstrip(" ")
                    tokens[index - 1], tokens[index] = word, left[len(word) :] + right
        return tokens

    def _interact(self, left: str, right: str, item: Item) -> bool:
        """Whether two neighbours are shaped differently together than each on its own."""
        key = (left, right, item.script)
        joined = self._joined.get(key)
        if joined is None:
            if len(self._joined) >= _MAX_ENTRIES:
                self._joined.clear()
            pair: list[tuple[Any, ...]] = []
            apart: list[tuple[Any, ...]] = []
            for target, texts in ((pair, (left + right,)), (apart, (left, right))):
                for text in texts:
                    for run in self._shape(text, 0, len(text), item)[0]:
                        target += [
                            (run.font, *glyph)
                            for glyph in zip(run.ids, run.advances, run.x_offsets, run.y_offsets, strict=True)
                        ]
            joined = self._joined[key] = pair != apart
        return joined

    def _depends_on_space(self, token: str, item: Item) -> bool:
        """Whether the token is shaped differently after a space than on its own."""
        run = next(self._runs(token, 0, len(token)))
        buffer = hb.Buffer()
        buffer.add_str(" " + token[run.start : run.end])
        buffer.direction = "rtl" if item.level % 2 else "ltr"
        buffer.script = item.script
        hb.shape(run.font.hb_font, buffer, _FEATURES.get(item.script))
        flags = [info.flags.value for info in buffer.glyph_infos if info.cluster == 1]
        return not flags or any(flag & hb.GlyphFlags.UNSAFE_TO_BREAK.value for flag in flags)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def lost_ink(self, text: str) -> tuple[int, int]:
        """Coverage of a line that lies above or below the strip and is cut off, and all its coverage (255 for a full pixel)."""
        lost = total = 0
        line_items = items(text)
        glyphs = [run for item in line_items for run in self._shape(text, item.start, item.end, item)[0]]
        for run_boxes in self._boxes(glyphs, self._place(text, line_items))[0]:
            for _, y, alpha in run_boxes:
                rows = np.arange(y, y + alpha.shape[1])
                total += int(alpha.sum())
                lost += int(alpha[:, (rows < 0) | (rows >= self.height)].sum())
        return lost, total

    def _boxes(self, runs: Sequence[_Glyphs], place: Place) -> tuple[list[list[Box]], int]:
        """Rasterised glyphs of each run, and the width of all."""
        pen = 0
        boxes: list[list[Box]] = []
        half = UNITS_PER_PIXEL // 2
        for run in runs:
            boxes.append([])
            baseline = place.baseline_of(run.font) + run.font.drop
            cluster, first_box = -1, 0
            for glyph_id, advance, x_offset, y_offset, glyph_cluster in zip(
                run.ids, run.advances, run.x_offsets, run.y_offsets, run.clusters, strict=True
            ):
                if self.profile.fit and glyph_cluster != cluster:
                    self._press(boxes[-1], first_box, baseline)
                    cluster, first_box = glyph_cluster, len(boxes[-1])
                glyph = run.font.glyph(glyph_id)
                if glyph.alpha.size:
                    x = pen + ((x_offset + half) >> 10) + glyph.left
                    y = _row(baseline - y_offset / UNITS_PER_PIXEL) - glyph.top
                    boxes[-1].append((x, y, glyph.alpha))
                pen += advance
            if self.profile.fit:
                self._press(boxes[-1], first_box, baseline)
        return boxes, max(pen, 0)

    def _draw(self, runs: Sequence[_Glyphs], place: Place, unknown: str) -> Line:
        """Rasterise shaped runs, given from left to right."""
        boxes, width = self._boxes(runs, place)
        extents = [_extent(run_boxes) for run_boxes in boxes if run_boxes]
        left = min([0, *(first for first, _ in extents)])
        right = max([width, *(last for _, last in extents)])
        canvas = np.zeros((right - left, self.height), np.uint8)  # (columns, rows)
        for run_boxes in boxes:
            if len(boxes) == 1:
                add_all(canvas, left, run_boxes)
            elif run_boxes:
                first, last = _extent(run_boxes)
                ink = np.zeros((last - first, self.height), np.uint8)
                add_all(ink, first, run_boxes)
                target = canvas[first - left : last - left]
                target[:] = over(ink, target)
        only = runs[0].font if len(runs) == 1 else None
        return Line((~canvas).tobytes(), width, -left, right - width, place, unknown, only)

    def _press(self, boxes: list[Box], first: int, baseline: float) -> None:
        """Squeeze the boxes from `first` on, those of one cluster, if they leave the strip."""
        height = self.height
        if any(y < 0 or y + alpha.shape[1] > height for _, y, alpha in boxes[first:]):
            boxes[first:] = squeeze(boxes[first:], min(max(_row(baseline), 1), height - 1), height)

    def _join(self, pieces: Sequence[Line], items_of: Sequence[Item], place: Place) -> Line | None:
        """Set pieces side by side; `items_of` says in which item each lies.

        Ink that leaves its piece and meets other ink is added within a run. Between runs it matters which is drawn first and
        how: then the answer is None.
        """
        width = sum(piece.width for piece in pieces)
        unknown = "".join(piece.unknown for piece in pieces)
        if not any(piece.left or piece.right for piece in pieces):
            return Line(b"".join([piece.columns for piece in pieces]), width, 0, 0, place, unknown)
        pen = left = right = 0
        for piece in pieces:
            left = min(left, pen - piece.left)
            pen += piece.width
            right = max(right, pen + piece.right)
        canvas = np.full((max(right, width) - left, self.height), 255, np.uint8)  # (columns, rows)
        pen = -left
        reach = run_begins_at = 0  # ink so far ends here; ink of earlier runs ends here
        for index, piece in enumerate(pieces):
            same_run = index > 0 and piece.font is not None and piece.font is pieces[index - 1].font
            if not (same_run and items_of[index] is items_of[index - 1]):
                run_begins_at = reach
            columns = np.frombuffer(piece.columns, np.uint8).reshape(-1, self.height)
            start = pen - piece.left
            target = canvas[start : start + len(columns)]
            if start >= reach:
                target[:] = columns
            elif start >= run_begins_at:
                target -= np.minimum(target, 255 - columns)  # 255 is no ink, so this adds ink and saturates
            elif ((target != 255) & (columns != 255)).any():
                target[:] = ~over(~columns, ~target)
            else:
                np.minimum(target, columns, out=target)
            reach = max(reach, start + len(columns))
            pen += piece.width
        return Line(canvas.tobytes(), width, -left, max(right, width) - width, place, unknown)

    # -- the cache ---------------------------------------------------------------------------------------------------

    def _remember(self, table: dict[str, Line | None], item: Item, token: str, place: Place) -> Line | None:
        """Draw a token that was not seen before in the table's context: script, direction and place."""
        line: Line | None = None
        if token[0] == " " or not self._depends_on_space(token, item):
            glyphs, unknown = self._shape(token, 0, len(token), item)
            line = self._draw(glyphs, place, unknown)
        self.spend(_ENTRY_BYTES + (len(line.columns) if line else 0))
        table[token] = line
        return line

    def spend(self, size: int) -> None:
        """Note that so many bytes were remembered; forget everything when there are too many."""
        with self._lock:
            self._cached_bytes += size
            if self._cached_bytes > self.cache_bytes:
                self._cached_bytes = 0
                self.padded_words.clear()
                self.leaning.clear()
                for words in (*self._main_tables.values(), *self._item_tables.values()):
                    words.clear()
                for table in self._tables.values():
                    table.clear()

    def _from_table(self, words: WordTable, text: str, name: str) -> tuple[list[bytes], bytes, bytes] | None:
        """Text of one item from its table of words or characters; None where that takes more."""
        if name not in _UNSPACED and name not in _CLUSTERED:
            return words.line(text)
        if words.rtl:
            return None
        clusters = split_clusters(text)
        for cluster in set(clusters) - self._judged:
            fonts = [self.font_of(char) for char in cluster]
            if not any(map(_follows_font, cluster)) and all(
                font is not None and font.stands_alone(char) for font, char in zip(fonts, cluster, strict=True)
            ):
                self._stand_alone.add(cluster)
            self._judged.add(cluster)
        return words.clusters(clusters, self._stand_alone)

    # -- lines of one script -----------------------------------------------------------------------------------------

    def _simple_line(self, text: str, base_level: int | None) -> tuple[tuple[list[bytes], bytes, bytes], Place] | None:
        """A line from a word table, and its place; None where that takes more."""
        letter = _FIRST_LETTER.search(text)
        if letter is None:
            return None
        kind = self._kind_of(letter.group())
        if kind is None or (base_level is not None and base_level != kind.rtl):
            return None
        if kind.main is not None:
            drawn = kind.main.line(text)
            if drawn is not None:
                return drawn, kind.place
        table, place = self._table_for(text, kind)
        drawn = table.line(text) if table else None
        return None if drawn is None else (drawn, place)

    def _simple_tables(self, text: str, base_level: int | None) -> Iterator[WordTable]:
        """The word tables that a line may come from, in order of preference."""
        letter = _FIRST_LETTER.search(text)
        kind = self._kind_of(letter.group()) if letter else None
        if kind is None or (base_level is not None and base_level != kind.rtl):
            return
        if kind.main is not None:
            yield kind.main
        table = self._table_for(text, kind)[0]
        if table is not None:
            yield table

    def _table_for(self, text: str, kind: _Kind) -> tuple[WordTable | None, Place]:
        """The table for a line that is of one script and direction all through, whatever its fonts."""
        for char in set(text) - kind.simple:
            if not self._is_simple(char, kind.script, kind.rtl):
                return None, kind.place
            kind.simple.add(char)
        place = self._place(text, [Item(0, len(text), int(kind.rtl), kind.script)])
        return self._item_table(kind.script, kind.rtl, place), place

    def _kind_of(self, letter: str) -> _Kind | None:
        """Script and direction of lines that begin with this letter; None where tables of words are of no use."""
        try:
            return self._kind_of_letter[letter]
        except KeyError:
            pass
        kind = None
        name, font = script(letter), self.font_of(letter)
        if font is not None and name not in _UNSPACED | _CLUSTERED and name not in ("Zyyy", "Zinh", "Zzzz"):
            rtl = bidi_code(ord(letter)) in "RA"
            kind = self._kinds.get((name, rtl))
            if kind is None:
                place = self._place(letter, [Item(0, 1, int(rtl), name)])
                main = self._main_table(name, rtl, place) if font is self.fonts[0] else None
                kind = self._kinds[name, rtl] = _Kind(
                    name, rtl, place, main, {" "}, self._tables_of.setdefault((name, rtl), [])
                )
        self._kind_of_letter[letter] = kind
        return kind

    def _main_table(self, name: str, rtl: bool, place: Place) -> WordTable:
        """Words of the main font alone: their lines have the same place, whatever they hold."""
        main = self.fonts[0]

        def is_simple(char: str) -> bool:
            return char in " \u200c\u200d" or (self.font_of(char) is main and self._is_simple(char, name, rtl))

        table = self._main_tables[name, rtl] = self._new_table(name, rtl, place, is_simple)
        return table

    def _item_table(self, name: str, rtl: bool, place: Place) -> WordTable:
        """Words of any fonts in lines of this place."""
        table = self._item_tables.get((name, rtl, place))
        if table is None:

            def is_simple(char: str) -> bool:
                return self._is_simple(char, name, rtl)

            table = self._new_table(name, rtl, place, is_simple)
            table = self._item_tables.setdefault((name, rtl, place), table)
            self._tables_of.setdefault((name, rtl), []).append(table)
        return table

    def _new_table(self, name: str, rtl: bool, place: Place, is_simple: Callable[[str], bool]) -> WordTable:
        def baseline_of(font: Font) -> float:
            return place.baseline_of(font) + font.drop

        def draw_token(token: str) -> tuple[bytes, bytes, bytes]:
            item = Item(0, len(token), int(rtl), name)
            # The space before it keeps a mark from getting a dotted circle, as in the middle of a line.
            line = self._draw(self._shape(" " + token, 1, len(token) + 1, item)[0], place, "")
            left, end = line.left * self.height, (line.left + line.width) * self.height
            return line.columns[left:end], line.columns[:left], line.columns[end:]

        return WordTable(
            self,
            name,
            rtl,
            baseline_of,
            self.height,
            _FEATURES.get(name),
            self.profile.fit,
            draw_token,
            is_simple,
        )

    def _is_simple(self, char: str, name: str, rtl: bool) -> bool:
        """Whether a character can stand in a line of one script and direction without making it two, and some font has it."""
        return char in " \u200c\u200d" or (
            not _follows_font(char)
            and not EMOJI_HINT.match(char)
            and self.font_of(char) is not None
            and script(char) in (name, "Zyyy", "Zinh")
            and _direction_fits(char, rtl)
        )

    def run_fonts(self, text: str) -> list[tuple[int, int, Font]]:
        """Stretches (start, end, font as it is drawn with) of a text that one font draws each."""
        fonts = set(map(self._font_of.get, text.replace(" ", "")))
        if len(fonts) == 1:
            font = fonts.pop()
            if font is not None:
                return [(0, len(text), self._fit(font))]
        return [(start, end, self._fit(font)) for start, end, font in self._runs(text, 0, len(text))]

    def rank(self, char: str) -> int:
        """Place of a character's font in the order of preference."""
        return self._rank[self.font_of(char) or self.fonts[0]]


@lru_cache(maxsize=1 << 16)
def _direction_fits(char: str, rtl: bool) -> bool:
    """Whether a character leaves a line without any of the other direction in one piece."""
    kind = unicodedata.bidirectional(char)
    return (
        kind in ("R", "AL", "ON", "NSM", "WS", "CS", "ES", "ET")
        if rtl
        else kind in ("L", "EN", "ES", "ET", "CS", "ON", "NSM", "WS")
    )


def _row(y: float) -> int:
    return math.floor(y + 0.5)


def _extent(boxes: Sequence[Box]) -> tuple[int, int]:
    """First column of ink, and the one after the last."""
    return min(x for x, _, _ in boxes), max(x + len(alpha) for x, _, alpha in boxes)


def add_all(canvas: npt.NDArray[np.uint8], left: int, boxes: Sequence[Box]) -> None:
    """Add the glyphs of one run to a canvas that begins at column `left`."""
    for x, y, alpha in boxes:
        add_ink(canvas, x - left, y, alpha)


def add_ink(canvas: npt.NDArray[np.uint8], x: int, y: int, alpha: npt.NDArray[np.uint8]) -> None:
    """Add coverage `alpha` (columns, rows) to `canvas` (columns, rows) at column x, row y, saturating; what lies outside is lost."""
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + alpha.shape[0], canvas.shape[0]), min(y + alpha.shape[1], canvas.shape[1])
    if x0 < x1 and y0 < y1:
        target = canvas[x0:x1, y0:y1]
        target += np.minimum(alpha[x0 - x : x1 - x, y0 - y : y1 - y], 255 - target)


def _tokens(text: str) -> list[str]:
    """Cut the text of one item where shaping may start anew; the pieces concatenate to the text."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text) or [text]:
        if tokens and (not _starts_token(token[0]) or all(map(_follows_font, tokens[-1]))):
            tokens[-1] += token  # a token that chooses no font takes that of its neighbour
        else:
            tokens.append(token)
    return tokens


def _visual_order(line_items: Sequence[Item]) -> list[Item]:
    """Items from left to right (UAX #9, rule L2)."""
    ordered = list(line_items)
    levels = [item.level for item in ordered]
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(ordered):
            end = start
            while end < len(ordered) and ordered[end].level >= level:
                end += 1
            ordered[start:end] = ordered[start:end][::-1]
            start = end + 1
    return ordered
