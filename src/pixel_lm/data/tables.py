"""Rows with named columns: from CSV, TSV and JSON Lines files, compressed or not, and from the `datasets` library.

* `.csv`: fields may be quoted, and then contain commas, quotes (doubled) and line ends.
* `.tsv`, `.txt`: fields are separated by tabs and nothing is quoted; a quotation mark is a character like any other.
* `.jsonl`: an object per line. `.parquet`: a row per row.
* a data set: `NAME`, `NAME:CONFIG` or `NAME:CONFIG:SPLIT` of the hub (`NAME::SPLIT` for the default configuration; the split is
  `train` by default), or, written in the same way, the path of a folder with data files or of one written by `save_to_disk`
  (the split is the only one by default). Names of classes take the place of their numbers, also in lists.

Lines end at "\\n" or "\\r\\n", never at other separators of Unicode, which occur inside real text.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_lm.data.conllu import Split
from pixel_lm.data.corpora import HubDataset, is_saved_dataset
from pixel_lm.data.files import COMPRESSION_SUFFIXES, parse_record, read_lines, strip_compression
from pixel_lm.errors import UserError

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".parquet")
"""Suffixes of files with rows, without those of compression (which Parquet has inside)."""

_HUB_PREFIX = "hub:"
_SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("validation", "dev", "valid", "validation_matched"),
    "test": ("test",),
}
"""Names of splits in data sets."""
_FIELD_LIMIT = 1 << 27  # characters in a field of CSV; Python's own limit is below the length of some texts


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    values: dict[str, Any]
    """By name of the column. Texts in CSV and TSV; fewer than there are columns if the row is too short (TSV only)."""
    source: str
    line: int
    """Line of the file in which the row begins, or number of the row in a data set; both from 1."""
    place: str
    """File and line, for messages."""
    columns: tuple[str, ...]
    """Names of all columns of the table; of JSON, of this row."""

    def text(self, column: str) -> str:
        """The text of a column. UserError where the row has none or something else."""
        value = self.values.get(column)
        if not isinstance(value, str):
            what = "no value" if value is None else f"{type(value).__name__}, not a text,"
            raise UserError(
                f"{self.place}: {what} in the column {column!r}; there are: {', '.join(self.values) or 'none'}"
            )
        return value


def read_rows(source: str | Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of a file or a data set, in order.

    Args:
        source: as the module says. What exists as a file or folder is taken as such; `hub:` in front says that a data set is
            meant.
        columns: names of the columns of a CSV or TSV file that has no header. By default its first line is the header.

    Raises:
        UserError: the source does not exist or cannot be loaded, is damaged or empty, or a row is not as the suffix says; the
            message names file and line.
    """
    name = str(source)
    path = Path(name).expanduser()
    kind = Path(strip_compression(path.name)).suffix
    is_file = path.is_file() or (kind in TABLE_SUFFIXES and not path.is_dir())
    if name.startswith(_HUB_PREFIX) or not is_file:
        rows = _dataset_rows(name, _load(name))
    elif path.suffix == ".parquet":
        rows = _dataset_rows(name, _load_parquet(path))
    elif kind == ".jsonl":
        rows = _json_rows(path)
    elif kind == ".csv":
        rows = _csv_rows(path, columns)
    elif kind in (".tsv", ".txt"):
        rows = _tsv_rows(path, columns)
    else:
        known = f"{', '.join(TABLE_SUFFIXES)}, alone or followed by {', '.join(COMPRESSION_SUFFIXES)}"
        raise UserError(f"{name}: cannot tell what this file holds; known suffixes are {known}")
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise UserError(f"{name}: no rows in it")


def is_dataset(source: str | Path) -> bool:
    """Whether a source is a data set of the `datasets` library: `hub:…`, or a folder written by `save_to_disk`, with or without split."""
    name = str(source)
    return name.startswith(_HUB_PREFIX) or is_saved_dataset(Path(name.split(":")[0]).expanduser())


def is_one_split(dataset: str | Path) -> bool:
    """Whether a data set is named with its split (`NAME:CONFIG:SPLIT`), or saved as one without splits."""
    name = str(dataset)
    return name.removeprefix(_HUB_PREFIX).count(":") == 2 or (Path(name).expanduser() / "state.json").is_file()


def find_dataset_split(dataset: str | Path, split: Split) -> str:
    """The source of a split of a data set, as `read_rows` takes it.

    Args:
        dataset: `hub:NAME`, `hub:NAME:CONFIG`, or a folder written by `save_to_disk`.
        split: which; data sets call `dev` also `validation`.

    Raises:
        UserError: there is none, or the data set cannot be loaded.
    """
    import datasets

    name = str(dataset).rstrip(":")
    config = ""
    if name.startswith(_HUB_PREFIX):
        base, _, config = name.removeprefix(_HUB_PREFIX).partition(":")
        try:
            there = list(map(str, datasets.get_dataset_split_names(base, config or None)))
        except Exception as error:  # whatever a builder, the network or the disk raises
            raise UserError(f"{name}: not a data set that could be loaded ({_first_line(error)})") from error
    else:
        listing = Path(name).expanduser() / "dataset_dict.json"
        if not listing.is_file():
            raise UserError(
                f"{name}: one data set without splits; save a DatasetDict with {', '.join(_SPLITS)}, or give one folder for each "
                "split with the options for files"
            )
        there = json.loads(listing.read_text(encoding="utf-8"))["splits"]
    for candidate in _SPLITS[split]:
        if candidate in there:
            return f"{name}{'' if config else ':'}:{candidate}"
    raise UserError(f"{name}: no split {' or '.join(_SPLITS[split])}; there are: {', '.join(there)}")


def require_columns(row: Row, columns: Iterable[str]) -> None:
    """Raise UserError if the table, or only this row of it, lacks one of the columns."""
    for column in columns:
        if column not in row.columns:
            raise UserError(f"{row.place}: no column {column!r}; there are: {', '.join(row.columns) or 'none'}")
        if column not in row.values:
            raise UserError(
                f"{row.place}: {len(row.values)} columns, expected {len(row.columns)} ({', '.join(row.columns)})"
            )


def _tsv_rows(path: Path, columns: Sequence[str] | None) -> Iterator[Row]:
    for number, line in read_lines(path):
        fields = _without_line_end(line, number).split("\t")
        if columns is None:
            columns = _checked_header(fields, f"{path}, line {number}")
            continue
        if fields == [""]:
            continue
        place = f"{path}, line {number}"
        if len(fields) > len(columns):
            raise UserError(f"{place}: {len(fields)} columns, expected {len(columns)} ({', '.join(columns)})")
        yield Row(dict(zip(columns, fields, strict=False)), str(path), number, place, tuple(columns))


def _csv_rows(path: Path, columns: Sequence[str] | None) -> Iterator[Row]:
    previous_limit = csv.field_size_limit()
    reader = csv.reader((_without_line_end(line, number) + "\n" for number, line in read_lines(path)), strict=True)
    while True:
        line = reader.line_num + 1
        place = f"{path}, line {line}"
        csv.field_size_limit(max(previous_limit, _FIELD_LIMIT))
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{place}: not valid CSV ({error}); is a quotation mark missing or not doubled?") from error
        finally:
            csv.field_size_limit(previous_limit)
        if fields is None:
            return
        if columns is None:
            columns = _checked_header(fields, place)
        elif fields:
            if len(fields) != len(columns):
                raise UserError(f"{place}: {len(fields)} columns, expected {len(columns)} ({', '.join(columns)})")
            yield Row(dict(zip(columns, fields, strict=True)), str(path), line, place, tuple(columns))


def _json_rows(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        text = _without_line_end(line, number)
        if not text.strip():
            continue
        place = f"{path}, line {number}"
        record = parse_record(text, place)
        yield Row(record, str(path), number, place, tuple(record))


def _dataset_rows(name: str, table: Any) -> Iterator[Row]:
    import datasets

    classes = {}  # by column, also of columns that hold lists of them
    for key, feature in table.features.items():
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, datasets.ClassLabel):
            classes[key] = inner
    for number, values in enumerate(table.with_format(None), start=1):
        for column, feature in classes.items():
            value = values[column]
            values[column] = (
                [_class_name(item, feature) for item in value]
                if isinstance(value, list)
                else _class_name(value, feature)
            )
        yield Row(values, name, number, f"{name}, row {number}", tuple(table.column_names))


def _class_name(value: int | None, feature: Any) -> str | None:
    """-1 stands for "no label" in test sets."""
    return None if value is None or value < 0 else feature.int2str(value)


def _load_parquet(path: Path) -> Any:
    import datasets
    import pyarrow
    import pyarrow.parquet

    try:
        return datasets.Dataset(pyarrow.parquet.read_table(path))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from error


def _load(name: str) -> Any:
    base, config, split = (*name.removeprefix(_HUB_PREFIX).split(":", 2), "", "")[:3]
    path = Path(base).expanduser()
    if name.startswith(_HUB_PREFIX) or not path.is_dir():
        return HubDataset(base, config or None, split or "train").table
    import datasets

    try:
        if any((path / file).is_file() for file in ("state.json", "dataset_dict.json")):
            loaded = datasets.load_from_disk(str(path))
        else:
            loaded = datasets.load_dataset(str(path), config or None)
    except Exception as error:  # whatever a builder or the disk raises
        raise UserError(f"{name}: not a folder of data that could be loaded ({_first_line(error)})") from error
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {split or "train": loaded}
    if split not in splits and (split or len(splits) != 1):
        raise UserError(
            f"{name}: the folder holds the splits {', '.join(map(str, splits))}; name one, as in {base}::{next(iter(splits))}"
        )
    return splits[split] if split else next(iter(splits.values()))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _checked_header(fields: list[str], place: str) -> list[str]:
    repeated = next((field for field in fields if fields.count(field) > 1), None)
    if repeated is not None:
        raise UserError(f"{place}: two columns are called {repeated!r}; is this line a header?")
    return fields


def _without_line_end(line: str, number: int) -> str:
    content = line.removesuffix("\n").removesuffix("\r")
    return content.removeprefix("\ufeff") if number == 1 else content
