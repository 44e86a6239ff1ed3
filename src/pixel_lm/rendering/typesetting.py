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

import threading
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering.compiled_lines import CompiledLines
from pixel_lm.rendering.drawing import boxes_of, draw, join
from pixel_lm.rendering.font_choice import FontChooser
from pixel_lm.rendering.fonts import Font
from pixel_lm.rendering.itemize import JOINERS, Item, cluster_starts, is_attached, items
from pixel_lm.rendering.lines import Cluster, Line, Place
from pixel_lm.rendering.native import Library
from pixel_lm.rendering.profiles import Profile
from pixel_lm.rendering.scripts import JOINING
from pixel_lm.rendering.shaping import Glyphs, Shaper
from pixel_lm.rendering.table_choice import TableChooser
from pixel_lm.rendering.unicode_data import bidi_code
from pixel_lm.rendering.word_cutting import WordCutter

__all__ = ["CACHE_BYTES", "Typesetter"]

CACHE_BYTES = 256 << 20
"""The ink of remembered words takes no more than this, unless another bound is given."""

# What a remembered token costs beside its ink: the key, two dictionary entries, the objects.
_ENTRY_BYTES = 400
# Bound on the number of widths that are remembered.
_MAX_WIDTHS = 1 << 18


class Typesetter:
    """Draws lines of text with an ordered list of fonts under the rules of one profile.

    Thread-safe; caches are bounded by `cache_bytes`. `padded_words` holds what `padded` has given so
    far, `leaning` the columns of ink that stand out on the left of some of them.

    Args:
        fonts: the main font and its fallbacks; the first that covers a character draws it.
        profile: the measured rules of a rendering backend.
        height: rows of the strip in pixels, that is the side of a patch.
        cache_bytes: bound on the memory for remembered words; when it is reached, they are forgotten.
        compiled: compiled code that takes most lines; None: Python does it all, with the same result.
    """

    def __init__(
        self,
        fonts: Sequence[Font],
        profile: Profile,
        height: int,
        cache_bytes: int = CACHE_BYTES,
        compiled: Library | None = None,
    ) -> None:
        self.profile = profile
        self.height = height
        self.cache_bytes = cache_bytes
        self._fonts = FontChooser(fonts, profile, height)
        self._compiled: CompiledLines | None = None
        if compiled is not None and CompiledLines.can_take(fonts):
            self.cache_bytes //= 2  # each of both remembers words
            self._compiled = CompiledLines(compiled, self._fonts, self.cache_bytes)
        self._shaper = Shaper(self._fonts)
        self._cutter = WordCutter(self._shaper)
        self._tables = TableChooser(self._shaper, self.spend)
        self.forget()

    def forget(self) -> None:
        """Empty the cache of drawn words."""
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, bool, Place], dict[str, Line | None]] = {}
        self._widths: dict[str, int] = {}
        self.padded_words: dict[str, bytes] = {}
        self.leaning: dict[str, bytes] = {}
        self._word_lines: dict[str, Line] = {}
        self._cached_bytes = 0
        self._tables.forget()
        self._cutter.forget()
        if self._compiled is not None:
            self._compiled.forget()

    # -- a line ------------------------------------------------------------------------------------------------------

    def line(self, text: str, base_level: int | None = None) -> Line:
        """Typeset `text` as one line.

        Args:
            text: no line breaks (they would be drawn as unknown characters).
            base_level: 0 left to right, 1 right to left, None: as the first strong character says.
        """
        if self._compiled is not None:
            line = self._compiled.line(text, base_level)
            if line is not None:
                return line
        drawn = self._tables.line(text, base_level)
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
        if self._compiled is not None:
            return None  # `strip` does better
        drawn = self._tables.line(text, None)
        if drawn is None or drawn[0][1] or drawn[0][2]:
            return None
        return drawn[0][0]

    def strip(self, text: str, indent: int, last: int, clip: bool) -> npt.NDArray[np.uint8] | None:
        """The patches of a strip with this line and a separator, drawn by compiled code: see `CompiledLines.strip`. None without it."""
        return None if self._compiled is None else self._compiled.strip(text, indent, last, clip)

    def end_that_fits(self, text: str, limit: int, base_level: int | None = None) -> int | None:
        """Length of the longest prefix that fits into `limit` pixels, as compiled code says; None without it."""
        return None if self._compiled is None else self._compiled.end_that_fits(text, limit, base_level)

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

    def line_of_word(self, word: str) -> Line:
        """As `line`, remembered."""
        line = self._word_lines.get(word)
        if line is None:
            line = self._word_lines[word] = self.line(word)
            self.spend(_ENTRY_BYTES + len(line.columns))
        return line

    def _token_line(self, text: str, base_level: int | None) -> Line:
        """Typeset token by token in visual order, drawing the tokens that are new."""
        pieces: list[Line] = []
        items_of: list[Item] = []
        line_items = items(text, base_level)
        place = self._fonts.place(text, line_items)
        if any(_join(text, left, right) for left, right in pairwise(line_items)):
            return self.whole_line(text, base_level)
        for item in _visual_order(line_items):
            rtl = item.level % 2 == 1
            joined = self._tables.item(text[item.start : item.end], item.script, rtl, place)
            if joined is not None:
                pieces.append(self._line_of(*joined, place))
                items_of.append(item)
                continue
            table = self._tokens.setdefault((item.script, rtl, place), {})
            drawn: list[Line] = []
            for token in self._cutter.cut(text, item):
                if is_attached(token[0]):
                    return self.whole_line(text, base_level)
                try:
                    line = table[token]
                except KeyError:
                    line = self._remember(table, item, token, place)
                if line is None:
                    return self.whole_line(text, base_level)
                drawn.append(line)
            pieces.extend(reversed(drawn) if rtl else drawn)
            items_of += [item] * len(drawn)
        line = join(pieces, items_of, place, self.height)
        return line or self.whole_line(text, base_level)

    def whole_line(self, text: str, base_level: int | None = None) -> Line:
        """The same as `line`, but shaped over whole runs and without the cache: slow, and right by construction."""
        glyphs: list[Glyphs] = []
        unknown: list[str] = []
        line_items = items(text, base_level)
        for item in _visual_order(line_items):
            shaped, missing = self._shaper.shape(text, item.start, item.end, item)
            glyphs.extend(shaped)
            unknown.append(missing)
        return self._draw(glyphs, self._fonts.place(text, line_items), "".join(unknown))

    def _draw(self, runs: Sequence[Glyphs], place: Place, unknown: str) -> Line:
        return draw(runs, place, unknown, self.height, self.profile.fit)

    def lost_ink(self, text: str) -> tuple[int, int]:
        """Coverage of a line that lies above or below the strip and is cut off, and all its coverage (255 for a full pixel)."""
        lost = total = 0
        line_items = items(text)
        glyphs = [run for item in line_items for run in self._shaper.shape(text, item.start, item.end, item)[0]]
        place = self._fonts.place(text, line_items)
        for run_boxes in boxes_of(glyphs, place, self.height, self.profile.fit)[0]:
            for _, y, alpha in run_boxes:
                rows = np.arange(y, y + alpha.shape[1])
                total += int(alpha.sum())
                lost += int(alpha[:, (rows < 0) | (rows >= self.height)].sum())
        return lost, total

    # -- where characters lie ------------------------------------------------------------------------------------------

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
            for run in self._shaper.shape(text, item.start, item.end, item, graphemes)[0]:
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
        if self._compiled is not None:
            known = self._compiled.centers(text, base_level)
            if known is not None:
                return self._add_centers(*known, text)
        for table in self._tables.tables(text, base_level):
            centers = table.centers(text, partial(self._centers_of_word, int(table.rtl)))
            if centers is not None:
                return centers
        return self._centers_of(text, self.clusters(text, base_level))

    def centers_of_words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int64] | None:
        """As `centers`, where each word by itself looks as it does in the line: known words of the main font, from left to right.

        Then the centres of a part of the text that begins and ends with a word are those of the whole less the place of its first word.
        None for other texts.
        """
        if self._compiled is not None:
            known = None if base_level else self._compiled.centers(text, 0, by_words=True)
            return None if known is None else self._add_centers(*known, text)
        table = self._tables.main_table(text)
        if table is None or table.rtl or base_level:
            return None
        return table.centers(text, partial(self._centers_of_word, 0))

    def words(self, text: str, base_level: int | None = None) -> npt.NDArray[np.int32] | None:
        """Where the words of a line begin that look the same by themselves, as compiled code says: see `CompiledLines.words`."""
        return None if self._compiled is None or base_level else self._compiled.words(text)

    def _centers_of_word(self, level: int, word: str) -> npt.NDArray[np.int64]:
        return self._centers_of(word, self.clusters(word, level))

    def _centers_of(self, text: str, clusters: Sequence[Cluster]) -> npt.NDArray[np.int64]:
        return self._add_centers(np.zeros(len(text), np.int64), clusters, text)

    def _add_centers(
        self, centers: npt.NDArray[np.int64], clusters: Sequence[Cluster], text: str
    ) -> npt.NDArray[np.int64]:
        """Write the centres of the characters of some clusters of a text."""
        for start, end, x, width, rtl in clusters:
            if end - start == 1:
                centers[start] = x + width // 2
                continue
            graphemes = _graphemes(text[start:end])
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
            for run in self._shaper.shape(text, item.start, item.end, item)[0]
        )

    def width_of_word(self, word: str) -> int:
        """Width of a word that stands alone, remembered."""
        width = self._widths.get(word)
        if width is None:
            if len(self._widths) >= _MAX_WIDTHS:
                self._widths.clear()
            width = self._compiled.width(word) if self._compiled is not None else None
            if width is None:
                width = self._tables.width_of_word(word)
            if width is None:
                width = self.line(word).width
            self._widths[word] = width
        return width

    def widths_of_words(self, words: Sequence[str]) -> list[int]:
        """Widths of words that stand alone each."""
        try:
            return list(map(self._widths.__getitem__, words))
        except KeyError:
            return list(map(self.width_of_word, words))

    # -- fonts -------------------------------------------------------------------------------------------------------

    def font_of(self, char: str) -> Font | None:
        """The first font that covers the character, or None."""
        return self._fonts.font_of(char)

    def is_unknown(self, char: str) -> bool:
        """Whether the character appears as U+FFFD: no font has it, or it is a control."""
        return self._fonts.is_unknown(char)

    # -- the cache ---------------------------------------------------------------------------------------------------

    def _remember(self, table: dict[str, Line | None], item: Item, token: str, place: Place) -> Line | None:
        """Draw a token that was not seen before in the table's context: script, direction and place."""
        line: Line | None = None
        if token[0] == " " or not self._shaper.depends_on_space(token, item):
            glyphs, unknown = self._shaper.shape(token, 0, len(token), item)
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
                self._word_lines.clear()
                self._tables.clear()
                for table in self._tokens.values():
                    table.clear()


def _join(text: str, left: Item, right: Item) -> bool:
    """Whether letters may take another form for what lies beyond the border of two items."""
    border = text[left.end - 1] + text[right.start]
    return any(char in JOINERS for char in border) or (
        not JOINING.isdisjoint((left.script, right.script)) and all(bidi_code(ord(char)) in "ARLMb" for char in border)
    )


@lru_cache(maxsize=1 << 16)
def _graphemes(cluster: str) -> list[int]:
    """Where the graphemes of a cluster begin, and where the last one ends."""
    return [*cluster_starts(cluster), len(cluster)]


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
