"""Text corpora, read as a stream of paragraphs.

What can be named as a corpus:

* a file: `.txt`, `.jsonl` or `.parquet`, each also with `.xz`, `.gz`, `.bz2` or `.zst` behind it;
* a folder: all such files in it and below it, in the order of their names;
* a pattern with `*`, `?` or `[…]`, `**` for any depth, in the order of the names;
* an address that fsspec knows, such as `s3://bucket/shards/*.jsonl.zst` or `hf://datasets/NAME/…` (what it needs for
  an address, such as the package s3fs, it asks for): a file, all files below it, or those that match `*`, `**` or `[…]`; each is fetched when its turn
  comes and not kept;
* a folder that the `datasets` library saved (`save_to_disk`);
* a data set of the `datasets` library: `NAME`, `NAME:CONFIG` or `NAME:CONFIG:SPLIT` (`NAME::SPLIT` for the default
  configuration; the split is `train` by default). What exists as a file or folder is taken as such; `hub:` in front
  (`hub:NAME:CONFIG:SPLIT`) says that a data set is meant.

What is a paragraph and what is a document:

* `.txt`: each line is a paragraph, one blank line or more ends the document. So does the end of the file.
* `.jsonl`: each line is an object with a document in one field. If the field holds text, each of its lines is a
  paragraph; if it holds a list of texts, each of these is at least one. Without `text_field` it is `text`, or else
  `sentences`.
* `.parquet` and data sets: likewise with rows and columns.

White space around a paragraph is layout and is removed; blank paragraphs are left out, `null` counts as empty. All
else is kept as it is. Lines end at "\\n" or "\\r\\n", never at other separators of Unicode, which occur inside real
text.

What cannot be read stops, or is left out and counted: see `pixel_lm.data.bad_inputs`.
"""

from __future__ import annotations

import glob
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, NamedTuple

from pixel_lm.data.bad_inputs import BadInputPolicy, BadInputs
from pixel_lm.data.files import COMPRESSION_SUFFIXES, Progress, open_binary, parse_record, read_lines, strip_compression
from pixel_lm.data.remote import RemoteFile, find_remote_files, is_url
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    import datasets

TEXT_SUFFIXES = (".txt", ".jsonl", ".parquet")
"""Suffixes of files of text, without those of compression."""

DEFAULT_FIELDS = ("text", "sentences")
"""Fields that are tried in this order where none is named."""

_HUB_PREFIX = "hub:"
_ROWS_PER_BATCH = 256
_SURROGATE = re.compile("[\ud800-\udfff]")


class Paragraph(NamedTuple):
    """A piece of text without line ends, and where it stands."""

    text: str
    source: str  # file, or name of the data set
    line: int  # line of the file, or row of the table, counted from 1
    starts_document: bool


@dataclass(frozen=True, slots=True)
class Document:
    """Paragraphs that belong together."""

    paragraphs: tuple[str, ...]
    source: str
    line: int  # where it begins

    @property
    def text(self) -> str:
        """The paragraphs, joined with line ends."""
        return "\n".join(self.paragraphs)


@dataclass(frozen=True)
class TextFile:
    """A file of text on disk."""

    path: Path

    @cached_property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def identity(self) -> list[Any]:
        """What changes when the file is replaced: path, size and time of the last change."""
        stat = self.path.stat()
        return ["file", str(self.path.resolve()), stat.st_size, stat.st_mtime_ns]

    def paragraphs(
        self, text_field: str | None, progress: Progress | None, bad: BadInputs, shown: str | None = None
    ) -> Iterator[Paragraph]:
        """Paragraphs in the order of the file; `bad` is told what cannot be read. `shown`: what to call the file."""
        name = shown or str(self.path)
        kind = Path(strip_compression(self.path.name)).suffix
        if kind == ".txt":
            found = _txt_paragraphs(self.path, name, progress, bad)
        elif kind == ".jsonl":
            found = _jsonl_paragraphs(self.path, name, text_field, progress, bad)
        else:
            found = _parquet_paragraphs(self.path, name, text_field, progress, bad)
        empty = True
        for paragraph in found:
            empty = False
            yield paragraph
        if empty:
            bad(UserError(f"{name}: no text in this file; leave it out"))


@dataclass(frozen=True)
class RemoteText:
    """A file of text behind an address."""

    file: RemoteFile

    @property
    def size(self) -> int:
        """Bytes, 0 where the server does not tell."""
        return self.file.size

    def identity(self) -> list[Any]:
        """What changes when the file is replaced."""
        return self.file.identity()

    def paragraphs(self, text_field: str | None, progress: Progress | None, bad: BadInputs) -> Iterator[Paragraph]:
        """As those of a file on disk, called by the address."""
        with self.file.fetched() as copy:
            yield from TextFile(copy).paragraphs(text_field, progress, bad, self.file.url)


@dataclass(frozen=True)
class HubDataset:
    """A data set that the `datasets` library loads."""

    name: str
    config: str | None = None
    split: str = "train"

    def __str__(self) -> str:
        if self.config is None and self.split == "train":
            return self.name
        return f"{self.name}:{self.config or ''}:{self.split}"

    @cached_property
    def table(self) -> datasets.Dataset:
        """The loaded data set; downloaded once, then kept by `datasets` in its cache."""
        import datasets

        try:
            if is_saved_dataset(Path(self.name)):
                saved = datasets.load_from_disk(self.name)
                return saved[self.split] if isinstance(saved, datasets.DatasetDict) else saved
            return datasets.load_dataset(self.name, self.config, split=self.split)
        except Exception as error:  # whatever a builder, the network or the disk raises
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(
                f"{self}: neither a file nor a folder here nor a data set that could be loaded ({first_line})"
            ) from error

    @property
    def size(self) -> int:
        """Bytes of the Arrow table."""
        return self.table.data.nbytes

    def identity(self) -> list[Any]:
        """Name and the fingerprint that `datasets` gives to the version which it loaded."""
        return ["hub", self.name, self.config, self.split, self.table._fingerprint]

    def paragraphs(self, text_field: str | None, progress: Progress | None, bad: BadInputs) -> Iterator[Paragraph]:
        """Paragraphs in the order of the rows."""
        field = _choose_field(text_field, self.table.column_names, str(self))
        table = self.table.select_columns([field])
        columns = (batch[field] for batch in table.with_format(None).iter(batch_size=_ROWS_PER_BATCH))
        yield from _row_paragraphs(columns, field, str(self), table.num_rows, self.size, progress, bad)


Source = TextFile | RemoteText | HubDataset


class Corpus:
    """Several sources, read one after the other.

    Args:
        names: what to read, as the module explains.
        text_field: field or column that holds the text, of `.jsonl` and `.parquet` files and data sets.
        on_bad_input: `stop` at what cannot be read, or `skip` it.

    Raises:
        UserError: a file or folder does not exist or holds nothing that can be read. What is wrong inside files is
            found while they are read.
    """

    def __init__(
        self,
        names: str | Path | Iterable[str | Path],
        text_field: str | None = None,
        on_bad_input: BadInputPolicy = "stop",
    ) -> None:
        if isinstance(names, (str, Path)):
            names = [names]
        self.text_field = text_field
        self.bad_inputs = BadInputs(on_bad_input)
        self.sources: list[Source] = [source for name in names for source in find_sources(str(name))]
        if not self.sources:
            raise UserError("no text given: name a file, a folder or a data set")

    @property
    def size(self) -> int:
        """Bytes of all sources as they lie on disk; data sets are loaded for it."""
        return sum(source.size for source in self.sources)

    def identity(self) -> list[Any]:
        """A JSON value that changes when a source, the choice of the field or what is done with bad input does."""
        policy = [] if self.bad_inputs.policy == "stop" else [self.bad_inputs.policy]
        return [self.text_field, [source.identity() for source in self.sources], *policy]

    def paragraphs(self, progress: Progress | None = None) -> Iterator[Paragraph]:
        """All paragraphs in order. Memory does not grow with the length of files or of documents in `.txt` files.

        Args:
            progress: called with the number of bytes read since its last call; in all it gets `size` of them.

        Raises:
            UserError: a file is missing, or it is damaged, empty or not as its suffix says and that is not to be skipped;
                the message names file and line. What was skipped is counted in `bad_inputs`.
        """
        self.bad_inputs.count = 0
        for source in self.sources:
            yield from source.paragraphs(self.text_field, progress, self.bad_inputs)
        self.bad_inputs.summarise()

    def documents(self) -> Iterator[Document]:
        """All documents in order. Raises like `paragraphs`."""
        count = 0

        def number(paragraph: Paragraph) -> int:
            nonlocal count
            count += paragraph.starts_document
            return count

        for _, group in groupby(self.paragraphs(), key=number):
            paragraphs = list(group)
            first = paragraphs[0]
            yield Document(tuple(paragraph.text for paragraph in paragraphs), first.source, first.line)


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` saved a data set, or a dict of them, into this folder."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def find_sources(name: str) -> list[Source]:
    """What a name stands for, as the module explains. Raises UserError if that is nothing."""
    if name.startswith(_HUB_PREFIX):
        return [_hub_dataset(name.removeprefix(_HUB_PREFIX))]
    if is_url(name):
        remote = find_remote_files(name)
        wanted: list[Source] = [RemoteText(file) for file in remote if _is_text_file(Path(file.name))]
        if not wanted:
            raise UserError(f"{name}: no file of text there; {_known_suffixes()}")
        return wanted
    path = Path(name).expanduser()
    if is_saved_dataset(path):
        return [HubDataset(str(path))]
    if path.is_dir():
        files = [Path(folder, file) for folder, _, names in os.walk(path) for file in names if not file.startswith(".")]
        return _text_files(sorted(files), f"{name}: no files of text in this folder")
    if path.exists():
        if not _is_text_file(path):
            raise UserError(f"{name}: cannot tell what this file holds; {_known_suffixes()}")
        return [TextFile(path)]
    if glob.has_magic(name.partition(":")[0]):  # a split may have brackets: train[:1000]
        return _text_files(
            sorted(Path(match) for match in glob.glob(str(path), recursive=True) if os.path.isfile(match)),
            f"{name}: no file of text matches this pattern",
        )
    looks_like_a_file = _is_text_file(path) or name.startswith(("/", ".", "~")) or name.endswith("/")
    if looks_like_a_file or path.name.endswith(COMPRESSION_SUFFIXES):
        raise UserError(f"{name}: no such file")
    return [_hub_dataset(name)]


def _text_files(paths: Sequence[Path], complaint: str) -> list[Source]:
    sources: list[Source] = [TextFile(path) for path in paths if _is_text_file(path)]
    if not sources:
        raise UserError(f"{complaint}; {_known_suffixes()}")
    return sources


def _is_text_file(path: Path) -> bool:
    return strip_compression(path.name).endswith(TEXT_SUFFIXES)


def _known_suffixes() -> str:
    return f"known suffixes are {', '.join(TEXT_SUFFIXES)}, alone or followed by {', '.join(COMPRESSION_SUFFIXES)}"


def _hub_dataset(name: str) -> HubDataset:
    name, config, split = (*name.split(":", 2), "", "")[:3]
    if not name:
        raise UserError(f"{name}: a data set is named as NAME, NAME:CONFIG or NAME:CONFIG:SPLIT")
    return HubDataset(name, config or None, split or "train")


def _renaming(path: Path, name: str, bad: BadInputs) -> Callable[[UserError], None]:
    """Reports with the name of the file in place of its path."""
    return lambda error: bad(UserError(str(error).replace(str(path), name)))


def _txt_paragraphs(path: Path, name: str, progress: Progress | None, bad: BadInputs) -> Iterator[Paragraph]:
    starts_document = True
    for number, line in read_lines(path, progress, _renaming(path, name, bad)):
        text = _without_byte_order_mark(line, number).strip()
        if text:
            yield Paragraph(text, name, number, starts_document)
            starts_document = False
        else:
            starts_document = True


def _jsonl_paragraphs(
    path: Path, name: str, text_field: str | None, progress: Progress | None, bad: BadInputs
) -> Iterator[Paragraph]:
    for number, line in read_lines(path, progress, _renaming(path, name, bad)):
        text = _without_byte_order_mark(line, number)
        if not text.strip():
            continue
        try:
            paragraphs = list(_json_paragraphs(text, name, number, text_field))
        except UserError as error:
            bad(error)
            continue
        yield from paragraphs


def _json_paragraphs(text: str, name: str, number: int, text_field: str | None) -> Iterator[Paragraph]:
    """Paragraphs of one line of JSON."""
    place = f"{name}, line {number}"
    record = parse_record(text, place)
    value = record[_choose_field(text_field, list(record), place)]
    yield from _value_paragraphs(value, name, number, place)


def _parquet_paragraphs(
    path: Path, name: str, text_field: str | None, progress: Progress | None, bad: BadInputs
) -> Iterator[Paragraph]:
    import pyarrow
    import pyarrow.parquet

    size = path.stat().st_size
    # Parquet is read from its end; a compressed file has to be unpacked for this.
    with tempfile.TemporaryFile() as unpacked:
        try:
            if path.suffix in COMPRESSION_SUFFIXES:
                with open_binary(path) as stream:
                    copyfileobj(stream, unpacked, 1 << 20)
                unpacked.seek(0)
            file = pyarrow.parquet.ParquetFile(unpacked if path.suffix in COMPRESSION_SUFFIXES else path)
            field = _choose_field(text_field, file.schema_arrow.names, name)
            batches = file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=[field])
            columns = (_values(batch.column(0)) for batch in batches)
            yield from _row_paragraphs(columns, field, name, file.metadata.num_rows, size, progress, bad)
        except UserError as error:  # no such field, or a compressed file that is damaged
            bad(UserError(str(error).replace(str(path), name)))
        except (pyarrow.ArrowException, OSError) as error:
            bad(UserError(f"{name}: cannot be read as Parquet ({str(error).splitlines()[0]})"))


def _values(column: Any) -> list[Any]:
    """The values of an Arrow column. Where bytes are no text, as they may be after damage, the error is the value."""
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        values = []
        for value in column:
            try:
                values.append(value.as_py())
            except UnicodeDecodeError as error:
                values.append(error)
    return values


def _row_paragraphs(
    columns: Iterable[list[Any]],
    field: str,
    source: str,
    num_rows: int,
    size: int,
    progress: Progress | None,
    bad: BadInputs,
) -> Iterator[Paragraph]:
    """Paragraphs of a table's column, given in slices. Bytes are counted in proportion to the rows."""
    report: Callable[[int], None] = progress or (lambda count: None)
    row = reported = 0
    for values in columns:
        for value in values:
            row += 1
            try:
                paragraphs = list(_value_paragraphs(value, source, row, f"{source}, row {row}, column {field}"))
            except UserError as error:
                bad(error)
                continue
            yield from paragraphs
        reached = size * row // max(1, num_rows)
        report(reached - reported)
        reported = reached


def _value_paragraphs(value: Any, source: str, line: int, place: str) -> Iterator[Paragraph]:
    """Paragraphs of one document: a text or a list of texts."""
    texts = [] if value is None else value if isinstance(value, list) else [value]
    starts_document = True
    for text in texts:
        if isinstance(text, UnicodeDecodeError):
            raise UserError(f"{place}: not UTF-8 text (damaged file?)")
        if not isinstance(text, str):
            raise UserError(f"{place}: expected a text or a list of texts, found {type(text).__name__}")
        if _SURROGATE.search(text):
            raise UserError(f"{place}: half of a surrogate pair (\\ud800 … \\udfff), which is no character")
        for paragraph in text.split("\n"):
            paragraph = paragraph.strip()
            if paragraph:
                yield Paragraph(paragraph, source, line, starts_document)
                starts_document = False


def _choose_field(text_field: str | None, names: Sequence[str], place: str) -> str:
    for field in DEFAULT_FIELDS if text_field is None else (text_field,):
        if field in names:
            return field
    wanted = text_field or '" or "'.join(DEFAULT_FIELDS)
    raise UserError(f'{place}: no field "{wanted}"; there are: {", ".join(names) or "none"}')


def _without_byte_order_mark(line: str, number: int) -> str:
    return line.removeprefix("\ufeff") if number == 1 else line
