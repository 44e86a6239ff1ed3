"""Entities in CoNLL files, a word and its tag per line, a blank line between sentences; or in tables, a sentence per row.

* Columns are separated by one tab or by blanks; the word is the first, the tag the last (MasakhaNER has two columns,
  CoNLL-2003 four). Other white space, such as a no-break space, belongs to the word.
* Several blank lines are like one. Lines that begin with `-DOCSTART-` are no words; they end a sentence.
* Tags are `O` or a prefix and a type: `B-PER`.
* A sentence keeps the lines it was read from. What is written back differs in the tags, nowhere else.
* Tables (`.jsonl`, `.parquet`, data sets of the `datasets` library, see `pixel_lm.data.tables`) have a column `tokens` or `words`, and
  `ner_tags` or `tags`, both with a list in each row; tags are texts, or numbers of named classes. They are written as CoNLL lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pixel_lm.data.conllu import Split
from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines, strip_compression
from pixel_lm.data.tables import Row, is_dataset, read_rows
from pixel_lm.errors import UserError

MASAKHANER_LABELS = ("O", "B-DATE", "I-DATE", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
"""Tags of MasakhaNER, in the order in which published models number them."""

CONLL2003_LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
"""Tags of CoNLL-2003, in the order of the hub's data set."""

Scheme = Literal["BIO", "IOB"]
"""`BIO` (also IOB2): each entity begins with B-. `IOB` (IOB1): B- only where an entity follows another of its type."""

_TAG = re.compile(r"O|[BIESLU]-.+")
_DOCUMENT_START = "-DOCSTART-"
_SPLIT_NAMES = {"train": ("train",), "dev": ("dev", "valid", "validation", "testa"), "test": ("test", "testb")}
_TABLES = (".jsonl", ".parquet")
_SUFFIXES = (".txt", ".conll", ".bio", ".iob2", ".tsv", *_TABLES)

WORDS = ("tokens", "words")
"""Columns of a table with the words of a sentence, in the order in which they are tried."""
TAGS = ("ner_tags", "tags")


@dataclass(frozen=True, slots=True)
class NerSentence:
    """A sentence and the lines it was read from, or of a table those that it would have.

    The lines of all sentences of a file, written one after the other, are the file.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    """One per word."""
    lines: tuple[str, ...] = field(repr=False)
    """With line ends, and with the blank lines and document starts around the sentence."""
    source: str
    line: int
    """Of the first of `lines`, counted from 1."""
    word_lines: tuple[int, ...] = field(repr=False)
    """Line of each word in the file."""

    @property
    def forms(self) -> list[str]:
        """The words in order, as a renderer takes them."""
        return list(self.words)

    def to_conll(self, tags: Sequence[str]) -> str:
        """All lines with these tags, and nothing else changed. Write it with `newline=""`.

        Raises:
            ValueError: not one tag per word, or a tag that is empty or has a blank in it.
        """
        if len(tags) != len(self.words):
            raise ValueError(f"{len(tags)} tags for {len(self.words)} words")
        lines = list(self.lines)
        for number, old, new in zip(self.word_lines, self.tags, tags, strict=True):
            if not new or re.search(r"\s", new):
                raise ValueError(f"{new!r} cannot be a tag")
            position = number - self.line
            content = lines[position].rstrip("\r\n \t")
            rest = lines[position][len(content) :]
            if len(_columns(content)) > 1:
                lines[position] = content[: len(content) - len(old)] + new + rest
            else:  # there was no tag in the file
                lines[position] = f"{content} {new}{rest}"
        return "".join(lines)


def read_ner(
    path: str | Path,
    labels: Sequence[str] | None = None,
    *,
    scheme: Scheme | None = None,
    default_tag: str | None = None,
) -> list[NerSentence]:
    """Read a file of sentences, also `.xz`, `.gz`, `.bz2` or `.zst`, or a data set.

    Args:
        path: the file, or a data set as in `pixel_lm.data.tables`.
        labels: the tags that may occur; None: any.
        scheme: refuse tags that do not follow it, see `check_scheme`. By default they are taken as they are, and scoring reads
            them leniently.
        default_tag: tag of words that have none, for text that is to be tagged; by default they are refused.

    Raises:
        UserError: the file is missing, damaged or without words, a tag is missing, is none, is not one of the labels or does not
            follow the scheme; the message names file and line.
    """
    is_table = is_dataset(path) or strip_compression(str(path)).endswith(_TABLES)
    sentences = list(_table_sentences(path, default_tag)) if is_table else _sentences(path, default_tag)
    if not sentences:
        raise UserError(f"{path}: no words in this file; expected a word and its tag per line")
    for sentence in sentences:
        for tag, number in zip(sentence.tags, sentence.word_lines, strict=True):
            if not _TAG.fullmatch(tag):
                raise UserError(
                    f"{path}, line {number}: {tag!r} is no tag; expected O, or a prefix and a type such as B-PER"
                )
            if labels is not None and tag not in labels:
                raise UserError(f"{path}, line {number}: unknown tag {tag!r}, expected one of {', '.join(labels)}")
        if scheme is not None:
            check_scheme(sentence, scheme)
    return sentences


def check_scheme(sentence: NerSentence, scheme: Scheme) -> None:
    """Raise UserError if the tags of a sentence do not follow a scheme; the message names file and line."""
    previous = "O"
    for tag, number in zip(sentence.tags, sentence.word_lines, strict=True):
        prefix, _, kind = tag.partition("-")
        inside = previous.partition("-")[2] == kind and previous != "O"
        place = f"{sentence.source}, line {number}"
        if prefix not in ("O", "B", "I"):
            raise UserError(f"{place}: the tag {tag} is not of the scheme {scheme}, which has B- and I- only")
        if scheme == "BIO" and prefix == "I" and not inside:
            raise UserError(f"{place}: {tag} after {previous}; in the scheme BIO an entity begins with B-{kind}")
        if scheme == "IOB" and prefix == "B" and not inside:
            raise UserError(
                f"{place}: {tag} after {previous}; in the scheme IOB B- stands only between neighbours of one type"
            )
        previous = tag


def iob_to_bio(tags: Sequence[str]) -> list[str]:
    """Tags of the scheme IOB, or of none in particular, in the scheme BIO: each entity begins with B-."""
    converted = []
    previous = "O"
    for tag in tags:
        prefix, _, kind = tag.partition("-")
        begins = prefix == "I" and (previous == "O" or previous.partition("-")[2] != kind)
        converted.append(f"B-{kind}" if begins else tag)
        previous = tag
    return converted


def collect_labels(sentences: Iterable[NerSentence]) -> tuple[str, ...]:
    """All tags that occur, `O` first, then by type and prefix in alphabetical order, each type with B- and I-."""
    found = {tag for sentence in sentences for tag in sentence.tags} - {"O"}
    found |= {f"{prefix}-{tag.partition('-')[2]}" for tag in found for prefix in "BI"}
    return ("O", *sorted(found, key=lambda tag: (tag.partition("-")[2], tag)))


def read_labels(path: str | Path) -> tuple[str, ...]:
    """A file with one tag per line; `O` is put in front if it is missing.

    Raises:
        UserError: a line is no tag or is there twice, or there is none; the message names file and line.
    """
    labels: list[str] = []
    for number, line in read_lines(path):
        tag = line.removeprefix("\ufeff").strip() if number == 1 else line.strip()
        if not tag:
            continue
        if not _TAG.fullmatch(tag):
            raise UserError(
                f"{path}, line {number}: {tag!r} is no tag; expected O, or a prefix and a type such as B-PER"
            )
        if tag in labels:
            raise UserError(f"{path}, line {number}: {tag} is there twice")
        labels.append(tag)
    if not labels:
        raise UserError(f"{path}: no tags in this file; expected one per line")
    return tuple(labels) if "O" in labels else ("O", *labels)


def find_ner_file(directory: str | Path, split: Split) -> Path:
    """The file of a split in a folder: `SPLIT.txt`, or with another usual name and suffix.

    Raises:
        UserError: the folder does not exist, or no file or several files match.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; expected one with {split}.txt")
    names = {
        f"{name}{suffix}{compression}"
        for name in _SPLIT_NAMES[split]
        for suffix in _SUFFIXES
        for compression in ("", *COMPRESSION_SUFFIXES)
    }
    matches = sorted(path.name for path in directory.iterdir() if path.name in names)
    if len(matches) == 1:
        return directory / matches[0]
    if matches:
        raise UserError(f"{directory}: several files for the split {split}: {', '.join(matches)}; leave one")
    raise UserError(f"{directory}: no file {split}.txt in this folder")


def _sentences(path: str | Path, default_tag: str | None) -> list[NerSentence]:
    sentences: list[NerSentence] = []
    block = _Block(str(path), 1)
    for number, line in read_lines(path):
        content = line.rstrip("\r\n \t")
        if number == 1:
            content = content.removeprefix("\ufeff")
        is_word = bool(content) and _columns(content)[0] != _DOCUMENT_START
        if block.words and content and (block.ended or not is_word):
            sentences.append(block.sentence())
            block = _Block(str(path), number)
        block.lines.append(line)
        if not is_word:
            block.ended = True
            continue
        columns = _columns(content)
        if not columns[0]:
            raise UserError(f"{path}, line {number}: the line begins with a separator; expected a word")
        if len(columns) < 2 and default_tag is None:
            raise UserError(
                f"{path}, line {number}: one column; expected a word and its tag, separated by a blank or a tab"
            )
        block.words.append((columns[0], columns[-1] if len(columns) > 1 else str(default_tag), number))
        block.ended = False
    if block.words:
        sentences.append(block.sentence())
    elif sentences:  # a document without words at the end
        sentences[-1] = replace(sentences[-1], lines=(*sentences[-1].lines, *block.lines))
    return sentences


def _table_sentences(source: str | Path, default_tag: str | None) -> Iterator[NerSentence]:
    line = 1
    for row in read_rows(source):
        words = _texts(row, WORDS)
        assert words is not None  # not optional
        tags = _texts(row, TAGS, optional=default_tag is not None)
        if tags is None:
            tags = [str(default_tag)] * len(words)
        if len(words) != len(tags):
            raise UserError(f"{row.place}: {len(words)} words, but {len(tags)} tags")
        if not words:
            continue
        for word, tag in zip(words, tags, strict=True):
            if not word.strip() or re.search(r"[\t\r\n]", word):
                raise UserError(
                    f"{row.place}: {word!r} cannot be a word: it is blank, or has a tab or an end of line in it"
                )
            if not _TAG.fullmatch(tag):
                raise UserError(f"{row.place}: {tag!r} is no tag; expected O, or a prefix and a type such as B-PER")
        lines = (*(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)), "\n")
        numbers = tuple(range(line, line + len(words)))
        yield NerSentence(tuple(words), tuple(tags), lines, row.source, line, numbers)
        line += len(lines)


def _texts(row: Row, names: Sequence[str], *, optional: bool = False) -> list[str] | None:
    """The list of texts in the first of these columns that is there; None if none is there and none need be."""
    column = next((name for name in names if name in row.columns), None)
    if column is None:
        if optional:
            return None
        wanted = " or ".join(map(repr, names))
        raise UserError(f"{row.place}: no column {wanted}; there are: {', '.join(row.columns) or 'none'}")
    values = row.values.get(column)
    if not isinstance(values, list):
        raise UserError(f"{row.place}: {column!r} holds {type(values).__name__}; expected a list of texts")
    if any(isinstance(value, int) for value in values):
        raise UserError(
            f"{row.place}: {column!r} holds numbers without names; make the column one of class labels (datasets.ClassLabel), or of "
            "texts such as B-PER"
        )
    if not all(isinstance(value, str) for value in values):
        raise UserError(f"{row.place}: {column!r} does not hold texts only")
    return values


@dataclass(slots=True)
class _Block:
    """A sentence while it is read."""

    source: str
    line: int
    words: list[tuple[str, str, int]] = field(default_factory=list)
    """Word, tag and line."""
    lines: list[str] = field(default_factory=list)
    ended: bool = False
    """A blank line, or the start of a document, was last."""

    def sentence(self) -> NerSentence:
        words, tags, word_lines = zip(*self.words, strict=True)
        return NerSentence(words, tags, tuple(self.lines), self.source, self.line, word_lines)


def _columns(content: str) -> list[str]:
    """Columns of a line, separated by tabs if it has any."""
    if "\t" in content:
        return content.split("\t")
    return re.split(" +", content)
