"""What verbs have in common, above all those that use a fine-tuned model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pixel_lm.errors import UserError
from pixel_lm.tasks import TASKS, is_outside
from pixel_lm.training.arguments import TaskArguments
from pixel_lm.training.options import add_options

if TYPE_CHECKING:
    from pixel_lm.tasks.task import Task


def task_help() -> str:
    """The tasks, for the help of a verb."""
    return "; ".join(f"{name}: {what}" for name, what in TASKS.items()) + "; or the path of a .py file with a TASK"


def task_name(text: str) -> str:
    """Type of the argument that names a task."""
    if text not in TASKS and not is_outside(text):
        raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(TASKS)}, or a .py file)")
    return text


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of the verbs that use a fine-tuned model."""
    parser.add_argument(
        "--model", required=True, metavar="FOLDER", help="folder or hub name of the fine-tuned model (required)"
    )
    parser.add_argument("--renderer", metavar="FOLDER", help="folder or hub name of a renderer (default: the model's)")
    parser.add_argument(
        "--max-seq-length",
        type=positive_integer,
        metavar="INTEGER",
        help="patches per sentence (default: what the renderer was saved with)",
    )
    parser.add_argument(
        "--batch-size", type=positive_integer, default=64, metavar="INTEGER", help="sentences per batch (default: 64)"
    )
    parser.add_argument("--cpu", action="store_true", help="compute on the CPU even if there is a GPU")
    add_options(parser, TaskArguments)


def task_of_model(args: argparse.Namespace) -> Task:
    """The task with the options that the model was trained with, changed by those of the command line.

    Raises:
        UserError: the model cannot be loaded.
    """
    from pixel_lm.tasks import get_task
    from pixel_lm.tasks.task import options_from
    from pixel_lm.training.loading import load_model_config, stored_options

    return get_task(args.task).with_options(options_from(vars(args), stored_options(load_model_config(args.model))))


def positive_integer(text: str) -> int:
    """Type of options that count something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def check_writable(path: Path) -> None:
    """Raise UserError if a file cannot be written, before the work rather than after it. Leaves its contents alone."""
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    if not existed:
        path.unlink()


def check_new_folder(path: Path) -> None:
    """Raise UserError unless a folder can be written that holds nothing yet."""
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"{path} is there already and not empty: give another folder")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file, not a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.parent / f".{path.name}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def print_table(rows: Sequence[tuple[str, ...]], right: tuple[int, ...]) -> None:
    """Print columns as wide as their widest cell; those in `right` are set flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
