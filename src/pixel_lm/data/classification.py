"""Texts, or pairs of texts, with one label or one number: any table with named columns.

`glue` and `nli` read the published files of those tasks; their examples are the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixel_lm.data.tables import Row, read_rows, require_columns
from pixel_lm.errors import UserError

NO_LABEL = frozenset({"-1", "-", ""})
"""What stands in a column of labels where there is none: `-` in SNLI, -1 in data sets of the hub."""


@dataclass(frozen=True, slots=True)
class ClassificationExample:
    """A text or a pair of texts, and what is to be predicted."""

    texts: tuple[str, ...]
    """One or two."""
    label: str | float | None
    """Name of the label; a number in regression; None in test data without labels."""
    source: str
    line: int
    """Where it stands, counted from 1."""
    language: str | None = None
    """Of files with several languages: its code."""


@dataclass(frozen=True, slots=True)
class ClassificationData:
    """Examples of a file, and what was left out."""

    examples: tuple[ClassificationExample, ...]
    labels: tuple[str, ...]
    """Names of all labels, in the order in which models number them; empty in regression."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of rows that were left out, by reason: `no label`, `too few columns`."""

    @property
    def is_regression(self) -> bool:
        """Whether numbers are to be predicted."""
        return not self.labels


def read_classification(
    source: str | Path,
    text_columns: Sequence[str],
    label_column: str | None = "label",
    labels: Sequence[str] | None = None,
    *,
    regression: bool = False,
    columns: Sequence[str] | None = None,
) -> ClassificationData:
    """Read a table: CSV, TSV, JSON Lines, or a data set.

    Args:
        source: see `pixel_lm.data.tables`.
        text_columns: one column or two.
        label_column: where the label stands; None for test data without labels.
        labels: names of all labels in their order; numbers in the file are then places in this order. By default the names that occur,
            in alphabetical order, and numbers in numerical order.
        regression: the label is a number.
        columns: names of the columns of a file without header.

    Raises:
        UserError: a column is missing, a label is unknown, a number is none, or the table cannot be read; the message names
            file and line.
    """
    if not 1 <= len(text_columns) <= 2:
        raise UserError(f"text_columns: {len(text_columns)} columns, expected one or two")
    examples, left_out = [], Counter[str]()
    for row in read_rows(source, columns):
        require_columns(row, [*text_columns, *([label_column] if label_column else [])])
        texts = tuple(row.text(column) for column in text_columns)
        label: str | float | None = None
        if label_column is not None:
            label = read_score(row, label_column) if regression else read_label(row, label_column, labels)
            if label is None:
                left_out["no label"] += 1
                continue
        examples.append(ClassificationExample(texts, label, row.source, row.line))
    if not examples:
        raise UserError(f"{source}: none of the {left_out.total()} rows has a label")
    if regression:
        names: tuple[str, ...] = ()
    elif labels is not None:
        names = tuple(labels)
    else:
        found = {str(example.label) for example in examples if example.label is not None}
        names = tuple(sorted(found, key=int if all(name.isdecimal() for name in found) else None))
    return ClassificationData(tuple(examples), names, left_out)


def read_label(
    row: Row, column: str, labels: Sequence[str] | None, spellings: Callable[[str], str] = str
) -> str | None:
    """The name of a row's label, None where it has none.

    Args:
        row, column: where it stands.
        labels: names of all labels, by which numbers are replaced; None: any name.
        spellings: gives the usual name for others that occur.

    Raises:
        UserError: it is not one of the labels.
    """
    value = row.values.get(column)
    if isinstance(value, bool) or not isinstance(value, (str, int, type(None))):
        raise UserError(
            f"{row.place}: the column {column!r} holds {value!r}; expected the name or the number of a label"
        )
    name = "" if value is None else spellings(str(value).strip())
    if labels is None or name in labels:
        return None if name in NO_LABEL else name
    if name in NO_LABEL:
        return None
    if name.isdecimal() and int(name) < len(labels):
        return labels[int(name)]
    raise UserError(f"{row.place}: unknown label {value!r}, expected one of {', '.join(labels)}")


def read_score(row: Row, column: str) -> float | None:
    """The number of a row in regression, None where it has none.

    Raises:
        UserError: it is not a number.
    """
    value = row.values.get(column)
    if value is None or value == "":
        return None
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{row.place}: the column {column!r} holds {value!r}; expected a number")
    return score
