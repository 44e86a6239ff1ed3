"""Treebanks in CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

* Columns are separated by tabs only: word forms may contain spaces (`Việt Nam`).
* Words are the lines with a plain number as ID. Ranges of multiword tokens (`1-2`) and empty nodes (`1.1`) are not
  words, but are kept for writing.
* `_` as FORM is a word of its own, an underscore, with one exception: where all words of a multiword token have `_`
  and the token has a form, the words have no form of their own (Marathi-UFAL). Then the first of them stands for the
  whole token and gets its form, so that the text is complete and is not repeated; the others keep `_`.
* A sentence keeps the lines it was read from. What is written back differs in the columns that are replaced, nowhere
  else.
* What is not CoNLL-U is refused with file and line, rather than read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines
from pixel_lm.errors import UserError

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The ten columns, in order."""

Split = Literal["train", "dev", "test"]

_NUMBER = re.compile(r"[1-9][0-9]*")
_RANGE = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)")
_EMPTY_NODE = re.compile(r"(0|[1-9][0-9]*)\.([1-9][0-9]*)")
_HEAD = re.compile(r"0|[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Word:
    """A word: a line with a plain number as ID. Columns are as they stand in the file, but for `form`, `id` and
    `head`."""

    id: int
    form: str  # of the whole multiword token where the words have no forms, see the module
    lemma: str
    upos: str
    xpos: str
    feats: str
    head: int | None  # None where the column is `_`
    deprel: str
    deps: str
    misc: str
    line: int  # in the file, counted from 1


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the lines it was read from.

    The lines of all sentences of a file, written one after the other, are the file.
    """

    words: tuple[Word, ...]
    lines: tuple[str, ...] = field(repr=False)  # with line ends, blank lines around the sentence included
    source: str
    line: int  # of the first of `lines`, counted from 1

    @property
    def forms(self) -> list[str]:
        """The word forms in order, as a renderer takes them."""
        return [word.form for word in self.words]

    @property
    def comments(self) -> list[str]:
        """The lines that begin with `#`, without line ends."""
        return [line.rstrip("\r\n") for line in self.lines if line.startswith("#")]

    @property
    def sent_id(self) -> str | None:
        """The identifier from the comment `# sent_id = …`."""
        return self._comment_value("sent_id")

    @property
    def text(self) -> str | None:
        """The sentence as running text, from the comment `# text = …`."""
        return self._comment_value("text")

    def _comment_value(self, key: str) -> str | None:
        for comment in self.comments:
            name, equals, value = comment[1:].partition("=")
            if equals and name.strip() == key:
                return value.strip()
        return None

    def to_conllu(self, **columns: Sequence[str | int | None]) -> str:
        """The sentence as CoNLL-U, with the given columns replaced, for example `to_conllu(upos=["NOUN", "VERB"])`.

        Args:
            columns: for each column (named as in `COLUMNS`) one value per word; None leaves the word's value as it is.

        Returns:
            All lines, each byte as it was read but for replaced values. Write it with `newline=""`.

        Raises:
            ValueError: an unknown column, not one value per word, or a value that is empty or has a tab or a line end.
        """
        lines = list(self.lines)
        for name, values in columns.items():
            column = COLUMNS.index(name)
            if len(values) != len(self.words):
                raise ValueError(f"{len(values)} values of {name} for {len(self.words)} words")
            for word, value in zip(self.words, values, strict=True):
                if value is None:
                    continue
                if not str(value) or re.search(r"[\t\r\n]", str(value)):
                    raise ValueError(f"{value!r} cannot be a value of {name}")
                position = word.line - self.line
                content, end = _split_line_end(lines[position])
                cells = content.split("\t")
                cells[column] = str(value)
                lines[position] = "\t".join(cells) + end
        return "".join(lines)


def read_conllu(path: str | Path) -> list[Sentence]:
    """Read a file of sentences, also `.xz`, `.gz`, `.bz2` or `.zst`.

    Raises:
        UserError: the file is missing, damaged, empty, or not CoNLL-U; the message names the line.
    """
    return parse_conllu(read_lines(path), str(path))


def parse_conllu(lines: Iterable[tuple[int, str]], source: str) -> list[Sentence]:
    """Parse lines given with their numbers and line ends, as `pixel_lm.data.files.read_lines` gives them.

    Args:
        lines: numbers, one after the other, and lines.
        source: name for messages.

    Raises:
        UserError: there are no sentences, or a line is not CoNLL-U.
    """
    sentences: list[Sentence] = []
    block = _Block(source)
    for number, line in lines:
        if block.ended and _split_line_end(line)[0]:
            sentences.append(block.sentence())
            block = _Block(source)
        block.add(number, line)
    if not block.lines:
        raise UserError(f"{source}: the file is empty; expected sentences in CoNLL-U")
    if not block.words and not any(line.strip() for line in block.lines):
        raise UserError(f"{source}: only blank lines; expected sentences in CoNLL-U")
    sentences.append(block.sentence())
    return sentences


def find_treebank_file(directory: str | Path, split: Split) -> Path:
    """The one file of a treebank's folder that holds a split: `*-ud-SPLIT.conllu`.

    Further parts before the suffix (`*-ud-train.rebuilt.conllu`) and suffixes of compression are allowed.

    Raises:
        UserError: the folder does not exist, or no file or several files match.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; expected a treebank with files like *-ud-{split}.conllu")
    compressions = "|".join(map(re.escape, COMPRESSION_SUFFIXES))
    pattern = re.compile(rf".*-ud-{split}(\..+)?\.conllu({compressions})?", re.DOTALL)
    names = sorted(path.name for path in directory.iterdir() if path.is_file())
    matches = [name for name in names if pattern.fullmatch(name)]
    if len(matches) == 1:
        return directory / matches[0]
    if matches:
        raise UserError(f"{directory}: several files for the split {split}: {', '.join(matches)}; leave one")
    others = [name for name in names if ".conllu" in name]
    raise UserError(
        f"{directory}: no file *-ud-{split}.conllu in this folder; CoNLL-U files there: {', '.join(others) or 'none'}"
    )


class _Block:
    """The lines of one sentence while they are read, checked one by one."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: list[str] = []
        self.first_line = 1
        self.words: list[Word] = []
        self.ended = False  # a blank line came after the words
        self._commented = 0  # line of the last comment
        self._range_end = 0
        self._ranges: list[tuple[int, int, str, int]] = []  # first and last word, form, line
        self._empty_nodes = 0  # after the last word

    def add(self, number: int, line: str) -> None:
        """Take the next line. Raises UserError if it cannot stand here."""
        if not self.lines:
            self.first_line = number
        self.lines.append(line)
        content = _split_line_end(line)[0]
        if number == 1:
            content = content.removeprefix("\ufeff")
        if not content:
            if not self.words and (self._commented or self._ranges or self._empty_nodes):
                self._fail(number, "the sentence ends without a word")
            self.ended = bool(self.words)
        elif content.startswith("#"):
            if self.words or self._ranges or self._empty_nodes:
                self._fail(number, "a comment inside a sentence; is the blank line after the last sentence missing?")
            self._commented = number
        else:
            self._add_token(number, content)

    def _add_token(self, number: int, content: str) -> None:
        cells = content.split("\t")
        if len(cells) != len(COLUMNS):
            hint = "a blank line must be empty" if not content.strip() else "columns are separated by single tabs"
            self._fail(number, f"{len(cells)} columns, expected {len(COLUMNS)} ({hint})")
        token_id, form = cells[:2]
        if not form:
            self._fail(number, "the column FORM is empty")
        last = len(self.words)
        if _NUMBER.fullmatch(token_id):
            if int(token_id) != last + 1:
                self._fail(number, f"ID is {token_id}, expected {last + 1}")
            self._empty_nodes = 0
            self.words.append(self._word(number, cells))
        elif match := _RANGE.fullmatch(token_id):
            start, end = int(match[1]), int(match[2])
            if start != last + 1 or end < start or start <= self._range_end:
                self._fail(number, f"the range {token_id} cannot stand here; the next word is {last + 1}")
            self._range_end = end
            self._ranges.append((start, end, form, number))
        elif match := _EMPTY_NODE.fullmatch(token_id):
            if int(match[1]) != last or int(match[2]) != self._empty_nodes + 1:
                self._fail(number, f"ID is {token_id}, expected {last}.{self._empty_nodes + 1} or a number")
            self._empty_nodes += 1
        else:
            self._fail(number, f"ID is {token_id!r}, expected a number, a range like 1-2 or an empty node like 1.1")

    def _word(self, number: int, cells: list[str]) -> Word:
        _, form, lemma, upos, xpos, feats, head, deprel, deps, misc = cells
        if head != "_" and not _HEAD.fullmatch(head):
            self._fail(number, f"HEAD is {head!r}, expected a number or _")
        head_id = None if head == "_" else int(head)
        return Word(len(self.words) + 1, form, lemma, upos, xpos, feats, head_id, deprel, deps, misc, number)

    def sentence(self) -> Sentence:
        """The sentence, once all its lines were added. Raises UserError if something is missing."""
        last_line = self.first_line + len(self.lines) - 1
        if not self.words:
            self._fail(last_line, "the sentence ends without a word")
        for word in self.words:
            if word.head is not None and word.head > len(self.words):
                self._fail(word.line, f"HEAD is {word.head}, but the sentence has {len(self.words)} words")
        words = list(self.words)
        for start, end, form, number in self._ranges:
            if end > len(words):
                self._fail(number, f"the range {start}-{end} is not complete: the sentence has {len(words)} words")
            inside = words[start - 1 : end]
            if form.strip("_") and all(word.form == "_" for word in inside):
                words[start - 1] = replace(inside[0], form=form)
        return Sentence(tuple(words), tuple(self.lines), self.source, self.first_line)

    def _fail(self, number: int, reason: str) -> None:
        raise UserError(f"{self.source}, line {number}: {reason}")


def _split_line_end(line: str) -> tuple[str, str]:
    """A line without its "\\n" or "\\r\\n", and this end."""
    content = line.removesuffix("\n")
    if content is not line:
        content = content.removesuffix("\r")
    return content, line[len(content) :]
