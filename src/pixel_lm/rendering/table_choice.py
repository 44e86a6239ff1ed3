"""Which table of words a line or an item comes from: by its script, its direction and the fonts that take part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fontTools.unicodedata import script

from pixel_lm.rendering.itemize import EMOJI_HINT, Item, split_clusters
from pixel_lm.rendering.lines import Place
from pixel_lm.rendering.scripts import CLUSTERED, UNSPACED, direction_fits, follows_font
from pixel_lm.rendering.shaping import Shaper
from pixel_lm.rendering.unicode_data import bidi_code
from pixel_lm.rendering.word_drawing import WordDrawer
from pixel_lm.rendering.word_table import WordTable

__all__ = ["Columns", "TableChooser"]

Columns = tuple[list[bytes], bytes, bytes]
"""Columns of a line in parts from left to right, and what stands out on its left and right."""

_FIRST_LETTER = re.compile(r"[^\W\d_]")


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


class TableChooser:
    """Makes tables of words as texts ask for them, and chooses among them.

    Args:
        shaper: for the words that tables draw.
        spend: called with a number of bytes whenever so many were remembered.
    """

    def __init__(self, shaper: Shaper, spend: Callable[[int], None]) -> None:
        self._shaper = shaper
        self._fonts = shaper.fonts
        self._spend = spend
        # Clusters whose looks do not depend on their neighbours, of those judged so far.
        self._stand_alone: set[str] = set()
        self._judged: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Begin without any table."""
        self._kinds: dict[tuple[str, bool], _Kind] = {}
        self._kind_of_letter: dict[str, _Kind | None] = {}
        self._main_tables: dict[tuple[str, bool], WordTable] = {}
        self._item_tables: dict[tuple[str, bool, Place], WordTable] = {}
        self._tables_of: dict[tuple[str, bool], list[WordTable]] = {}

    def clear(self) -> None:
        """Forget the words of all tables."""
        for words in (*self._main_tables.values(), *self._item_tables.values()):
            words.clear()

    def line(self, text: str, base_level: int | None) -> tuple[Columns, Place] | None:
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

    def item(self, text: str, name: str, rtl: bool, place: Place) -> Columns | None:
        """Text of one item from a table of words or characters; None where that takes more."""
        words = self._item_table(name, rtl, place)
        if name not in UNSPACED and name not in CLUSTERED:
            return words.line(text)
        if words.rtl:
            return None
        clusters = split_clusters(text)
        for cluster in set(clusters) - self._judged:
            fonts = [self._fonts.font_of(char) for char in cluster]
            if not any(map(follows_font, cluster)) and all(
                font is not None and font.stands_alone(char) for font, char in zip(fonts, cluster, strict=True)
            ):
                self._stand_alone.add(cluster)
            self._judged.add(cluster)
        return words.clusters(clusters, self._stand_alone)

    def tables(self, text: str, base_level: int | None) -> Iterator[WordTable]:
        """The tables that a line may come from, in order of preference."""
        letter = _FIRST_LETTER.search(text)
        kind = self._kind_of(letter.group()) if letter else None
        if kind is None or (base_level is not None and base_level != kind.rtl):
            return
        if kind.main is not None:
            yield kind.main
        table = self._table_for(text, kind)[0]
        if table is not None:
            yield table

    def main_table(self, text: str) -> WordTable | None:
        """The table of the main font's words for a line that begins with its letters; it may still refuse the line."""
        letter = _FIRST_LETTER.search(text)
        kind = self._kind_of(letter.group()) if letter else None
        return kind.main if kind else None

    def width_of_word(self, word: str) -> int | None:
        """Width of a word with one space after it that was drawn in some line already: its place makes no difference to that."""
        letter = _FIRST_LETTER.search(word)
        kind = self._kind_of(letter.group()) if letter and word[-1] == " " else None
        if kind is not None:
            for table in (kind.main, *kind.tables):
                width = table.width_of(word[:-1]) if table else None
                if width is not None:
                    return width
        return None

    def _kind_of(self, letter: str) -> _Kind | None:
        """Script and direction of lines that begin with this letter; None where tables of words are of no use."""
        try:
            return self._kind_of_letter[letter]
        except KeyError:
            pass
        kind = None
        name, font = script(letter), self._fonts.font_of(letter)
        if font is not None and name not in UNSPACED | CLUSTERED and name not in ("Zyyy", "Zinh", "Zzzz"):
            rtl = bidi_code(ord(letter)) in "RA"
            kind = self._kinds.get((name, rtl))
            if kind is None:
                place = self._fonts.place(letter, [Item(0, 1, int(rtl), name)])
                main = self._main_table(name, rtl, place) if font is self._fonts.main else None
                kind = self._kinds[name, rtl] = _Kind(
                    name, rtl, place, main, {" "}, self._tables_of.setdefault((name, rtl), [])
                )
        self._kind_of_letter[letter] = kind
        return kind

    def _table_for(self, text: str, kind: _Kind) -> tuple[WordTable | None, Place]:
        """The table for a line that is of one script and direction all through, whatever its fonts."""
        for char in set(text) - kind.simple:
            if not self._is_simple(char, kind.script, kind.rtl):
                return None, kind.place
            kind.simple.add(char)
        place = self._fonts.place(text, [Item(0, len(text), int(kind.rtl), kind.script)])
        return self._item_table(kind.script, kind.rtl, place), place

    def _main_table(self, name: str, rtl: bool, place: Place) -> WordTable:
        """Words of the main font alone: their lines have the same place, whatever they hold."""
        main = self._fonts.main

        def is_simple(char: str) -> bool:
            return char in " \u200c\u200d" or (self._fonts.font_of(char) is main and self._is_simple(char, name, rtl))

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
        return WordTable(WordDrawer(self._shaper, name, rtl, place), is_simple, self._spend)

    def _is_simple(self, char: str, name: str, rtl: bool) -> bool:
        """Whether a character can stand in a line of one script and direction without making it two, and some font has it."""
        return char in " \u200c\u200d" or (
            not follows_font(char)
            and not EMOJI_HINT.match(char)
            and self._fonts.font_of(char) is not None
            and script(char) in (name, "Zyyy", "Zinh")
            and direction_fits(char, rtl)
        )
