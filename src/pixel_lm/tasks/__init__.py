"""What models learn: one file per task, each with a `TASK` that says how data are read, rendered, labelled and scored."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.tasks.task import Task

TASKS = {
    "pos": "part-of-speech tags (UPOS) of a treebank in CoNLL-U",
    "parsing": "heads and relations of a treebank in CoNLL-U",
    "ner": "named entities in CoNLL files",
    "glue": "a task of GLUE",
    "nli": "natural language inference (SNLI, XNLI)",
    "classification": "labels or numbers of texts, or of pairs of texts, in a table",
    "qa": "answers to questions in the format of SQuAD",
}
"""Names of the tasks, and what they are. The task `x` lives in `pixel_lm.tasks.x`."""


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UserError: there is none.
    """
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}: choose {' or '.join(TASKS)}")
    task: Task = import_module(f"pixel_lm.tasks.{name}").TASK
    return task
