"""The nine tasks of GLUE (https://gluebenchmark.com), in the tab-separated files in which they are published.

Labels have the names and the order of the data set `glue` on the hub; that is how published checkpoints number them. Nothing
is quoted in these files. Some rows of QQP are cut off in the published file: rows with too few columns are left out and counted.
The data set of the hub, whose columns have other names, is read as well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixel_lm.data.classification import ClassificationData, ClassificationExample, read_label, read_score
from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines
from pixel_lm.data.tables import is_dataset, read_rows, require_columns
from pixel_lm.errors import UserError

Split = Literal["train", "dev", "test", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"]

LARGEST_BROKEN_PART = 0.01
"""If more rows than this lack columns, the file is refused: it is not what it should be."""


@dataclass(frozen=True, slots=True)
class GlueTask:
    """A task of GLUE and the columns of its files."""

    name: str
    folder: str
    """Name of its folder in the published archive."""
    texts: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    """In their order; empty for regression."""
    headless: tuple[str, ...] = ()
    """Columns of training and development files if these have no header."""
    hub_texts: tuple[str, ...] = ()
    """Columns of the texts on the hub, where they differ; the label is called `label` there."""


GLUE_TASKS = {
    task.name: task
    for task in (
        GlueTask(
            "cola",
            "CoLA",
            ("sentence",),
            "label",
            ("unacceptable", "acceptable"),
            ("source", "label", "mark", "sentence"),
        ),
        GlueTask("sst2", "SST-2", ("sentence",), "label", ("negative", "positive")),
        GlueTask(
            "mrpc",
            "MRPC",
            ("#1 String", "#2 String"),
            "Quality",
            ("not_equivalent", "equivalent"),
            hub_texts=("sentence1", "sentence2"),
        ),
        GlueTask("qqp", "QQP", ("question1", "question2"), "is_duplicate", ("not_duplicate", "duplicate")),
        GlueTask("stsb", "STS-B", ("sentence1", "sentence2"), "score", ()),
        GlueTask(
            "mnli",
            "MNLI",
            ("sentence1", "sentence2"),
            "gold_label",
            ("entailment", "neutral", "contradiction"),
            hub_texts=("premise", "hypothesis"),
        ),
        GlueTask("qnli", "QNLI", ("question", "sentence"), "label", ("entailment", "not_entailment")),
        GlueTask("rte", "RTE", ("sentence1", "sentence2"), "label", ("entailment", "not_entailment")),
        GlueTask("wnli", "WNLI", ("sentence1", "sentence2"), "label", ("not_entailment", "entailment")),
    )
}
"""The tasks by the names of the hub."""


def get_glue_task(name: str) -> GlueTask:
    """A task by its name. UserError if there is none."""
    if name not in GLUE_TASKS:
        raise UserError(f"unknown GLUE task {name!r}: choose one of {', '.join(GLUE_TASKS)}")
    return GLUE_TASKS[name]


def find_glue_file(directory: str | Path, task: str, split: Split) -> Path:
    """The file of a split.

    Args:
        directory: the folder of the task, or that of all tasks.
        task: one of `GLUE_TASKS`.
        split: of MNLI, `dev` and `test` are the matched ones.

    Raises:
        UserError: it is not there.
    """
    folder = get_glue_task(task).folder
    directory = Path(directory)
    names = [f"{split}.tsv"]
    if task == "mnli" and split in ("dev", "test"):
        names = [f"{split}_matched.tsv", *names]
    for place in (directory / folder, directory):
        for name in names:
            for suffix in ("", *COMPRESSION_SUFFIXES):
                if (place / f"{name}{suffix}").is_file():
                    return place / f"{name}{suffix}"
    raise UserError(f"{directory}: neither {names[0]} nor {folder}/{names[0]} in this folder")


def read_glue(path: str | Path, task: str) -> ClassificationData:
    """Read a published file of a task, training, development or test, or a data set with the columns of the hub.

    Test files, which have no column of labels, give examples with the label None.

    Args:
        path: the file, or a data set as in `pixel_lm.data.tables`.
        task: one of `GLUE_TASKS`.

    Raises:
        UserError: the task is unknown, the file is missing or damaged, columns are missing, or a label is not one of the
            task's; the message names file and line.
    """
    chosen = get_glue_task(task)
    from_hub = is_dataset(path)
    texts, label_column = chosen.texts, chosen.label
    if from_hub:
        texts, label_column = chosen.hub_texts or texts, "label"
    examples, left_out, first_broken = [], Counter[str](), ""
    for row in read_rows(path, None if from_hub else _columns_of_headless_file(Path(path), chosen)):
        has_label = label_column in row.columns
        needed = [*texts, *([label_column] if has_label else [])]
        if all(column in row.columns for column in needed) and any(column not in row.values for column in needed):
            left_out["too few columns"] += 1
            first_broken = first_broken or row.place
            continue
        require_columns(row, needed)
        label: str | float | None = None
        if has_label:
            label = read_label(row, label_column, chosen.labels) if chosen.labels else read_score(row, label_column)
            if label is None:
                left_out["no label"] += 1
                continue
        examples.append(ClassificationExample(tuple(row.text(column) for column in texts), label, row.source, row.line))
    broken = left_out["too few columns"]
    if broken > LARGEST_BROKEN_PART * (len(examples) + left_out.total()):
        raise UserError(
            f"{first_broken}: too few columns here and in {broken - 1} more rows; is this a file of {chosen.folder}?"
        )
    return ClassificationData(tuple(examples), chosen.labels, left_out)


def _columns_of_headless_file(path: Path, task: GlueTask) -> tuple[str, ...] | None:
    """Names of the columns if the file has no header: that of the test set has one in every task."""
    if not task.headless:
        return None
    _, first_line = next(read_lines(path), (0, ""))
    return None if task.texts[0] in first_line.rstrip("\r\n").split("\t") else task.headless
