"""What models learn: one file per task, each with a `TASK` that says how data are read, rendered, labelled and scored.

A task need not be in this folder: wherever one is named, the path of its file (`my_task.py`) or a module that can be imported
(`my_package.my_task`) does as well.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
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


def is_outside(name: str) -> bool:
    """Whether a name is that of a Python file or of a module elsewhere, not of a task of this package."""
    return name not in TASKS and "." in name


def get_task(name: str) -> Task:
    """The task of this name, which may also be the path of a `.py` file or a module of another package, each with a `TASK`.

    Raises:
        UserError: there is none.
    """
    if name in TASKS:
        module = import_module(f"pixel_lm.tasks.{name}")
    elif name.endswith(".py"):
        module = _load_file(Path(name))
    elif "." in name:
        try:
            module = import_module(name)
        except ModuleNotFoundError as error:
            raise UserError(f"task {name}: no module {error.name}; is its package installed?") from None
    else:
        raise UserError(
            f"unknown task {name!r}: choose {' or '.join(TASKS)}, or give the path of a .py file with a TASK"
        )
    task: Task | None = getattr(module, "TASK", None)
    if task is None:
        raise UserError(f"{name}: there is no TASK in it")
    return task


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    name = f"pixel_lm_task_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = module_from_spec(spec)
    sys.modules[name] = module  # where classes look for the module that they were made in
    spec.loader.exec_module(module)
    return module
