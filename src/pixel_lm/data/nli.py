"""Natural language inference: SNLI, MultiNLI and XNLI in the files in which they are published, and others like them.

* SNLI and MultiNLI: `snli_1.0_train.jsonl` or `.txt`, `multinli_1.0_dev_matched.jsonl`.
* XNLI: `xnli.dev.tsv` or `.jsonl`, which hold 15 languages one after the other: name one, or `all`; the translated training
  data `multinli.train.LANGUAGE.tsv`, one file or all of a folder.
* any table with a column of each kind in `PREMISE`, `HYPOTHESIS` and `LABEL`, also `sentence1_LANGUAGE` and
  `sentence2_LANGUAGE`.

Labels have the order of the hub's data sets, whatever the alphabet or the file says: entailment 0, neutral 1, contradiction 2.
Pairs on which the annotators did not agree (`-`, on the hub -1) are left out and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pixel_lm.data.classification import ClassificationData, ClassificationExample, read_label
from pixel_lm.data.files import COMPRESSION_SUFFIXES
from pixel_lm.data.tables import Row, read_rows, require_columns
from pixel_lm.errors import UserError

NLI_LABELS = ("entailment", "neutral", "contradiction")
"""In the order in which models number them."""

PREMISE = ("premise", "sentence1")
"""Names under which the first text occurs, in the order in which they are tried."""
HYPOTHESIS = ("hypothesis", "hypo", "sentence2")
LABEL = ("gold_label", "label")

ALL_LANGUAGES = "all"
"""In place of a language."""

_TRAINING_FILE = re.compile(
    r".+\.train\.([\w-]+)\.(?:tsv|csv|txt|jsonl)(?:" + "|".join(map(re.escape, COMPRESSION_SUFFIXES)) + ")?"
)

XNLI_LANGUAGES = ("en", "fr", "es", "el", "de", "bg", "ru", "tr", "ar", "vi", "th", "zh", "hi", "sw", "ur")
"""The languages of XNLI, in the order in which their training data are concatenated."""


def read_nli(source: str | Path, language: str | None = None) -> ClassificationData:
    """Pairs of premise and hypothesis.

    Args:
        source: a file, or a data set of the `datasets` library; see `pixel_lm.data.tables`. With all languages also a folder that
            holds `….train.LANGUAGE.tsv` files, which are read one after the other (translate-train-all).
        language: of files with several languages, the one that is wanted, or `ALL_LANGUAGES`.

    Returns:
        the pairs in order. In test data without a column of labels the label is None.

    Raises:
        UserError: a column is missing, a label is none of the three, the language is not there or, where there are several, not
            given; the message names file and line.
    """
    if language == ALL_LANGUAGES and Path(source).is_dir():
        parts = [read_nli(path, ALL_LANGUAGES) for path in find_training_files(source)]
        together = tuple(example for part in parts for example in part.examples)
        return ClassificationData(together, NLI_LABELS, sum((part.left_out for part in parts), Counter()))
    everything = language == ALL_LANGUAGES
    examples, left_out = [], Counter[str]()
    languages: dict[str, None] = {}
    columns: tuple[str, str, str | None] | None = None
    for row in read_rows(source):
        if columns is None:
            columns = _find_columns(row, None if everything else language)
        premise, hypothesis, label_column = columns
        here = row.values.get("language")
        if here is not None:
            languages[here] = None
            if language is None:
                raise UserError(
                    f"{row.place}: the file has a column 'language'; name the one that you want (here: {here}), or {ALL_LANGUAGES}"
                )
            if not everything and here != language:
                continue
        require_columns(row, [premise, hypothesis, *([label_column] if label_column else [])])
        label = None
        if label_column is not None:
            label = read_label(row, label_column, NLI_LABELS, _usual_name)
            if label is None:
                left_out["no label"] += 1
                continue
        examples.append(
            ClassificationExample((row.text(premise), row.text(hypothesis)), label, row.source, row.line, here)
        )
    if not examples and not everything and language is not None and languages and language not in languages:
        raise UserError(f"{source}: no pairs in the language {language!r}; there are: {', '.join(map(str, languages))}")
    return ClassificationData(tuple(examples), NLI_LABELS, left_out)


def find_training_files(folder: str | Path) -> list[Path]:
    """The files `….train.LANGUAGE.tsv` of a folder in the order in which XNLI's are concatenated, other languages behind.

    Raises:
        UserError: there are none.
    """
    order = {language: number for number, language in enumerate(XNLI_LANGUAGES)}
    found = [
        (order.get(match[1], len(order)), match[1], path)
        for path in Path(folder).iterdir()
        if (match := _TRAINING_FILE.fullmatch(path.name))
    ]
    if not found:
        raise UserError(f"{folder}: no files like multinli.train.en.tsv in this folder")
    return [path for _, _, path in sorted(found)]


def _find_columns(row: Row, language: str | None) -> tuple[str, str, str | None]:
    label = next((name for name in LABEL if name in row.columns), None)
    return _find_column(row, PREMISE, language), _find_column(row, HYPOTHESIS, language), label


def _find_column(row: Row, names: Sequence[str], language: str | None) -> str:
    with_language = [f"{name}_{language}" for name in names] if language else []
    for name in (*with_language, *names):
        if name in row.columns:
            return name
    wanted = " or ".join(map(repr, (*names, *with_language)))
    raise UserError(f"{row.place}: no column {wanted}; there are: {', '.join(row.columns) or 'none'}")


def _usual_name(name: str) -> str:
    """In the translated training data of XNLI one of the labels has another name."""
    return "contradiction" if name == "contradictory" else name
