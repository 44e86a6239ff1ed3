"""`pixel-lm evaluate TASK DATA`: score a fine-tuned model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pixel_lm.cli._shared import (
    add_model_options,
    check_new_folder,
    check_writable,
    task_help,
    task_name,
    task_of_model,
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a fine-tuned model on annotated data",
        description="Score a fine-tuned model on annotated data, and, with --report, see where it is wrong.",
    )
    parser.add_argument("task", type=task_name, metavar="TASK", help=task_help())
    parser.add_argument(
        "data",
        metavar="DATA",
        help="annotated file, folder with files of splits, or name of a data set (`pixel-lm data list`)",
    )
    parser.add_argument(
        "--split", choices=["train", "dev", "test"], default="test", help="split of a folder (default: test)"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the scores to this file")
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        help="also write scores of each label, a picture of what is taken for what, and all errors into this folder",
    )
    add_model_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.tasks.task import Task, evaluate_task
    from pixel_lm.training.annotated_data import split_file
    from pixel_lm.training.finetune import describe_scores
    from pixel_lm.training.loading import load_for_task
    from pixel_lm.training.reporting import print_summary, write_json

    task = task_of_model(args)
    path = split_file(task, args.data, args.split)
    examples = task.read(path)
    if args.json:
        check_writable(Path(args.json))
    if args.report:
        if type(task).report is Task.report:
            task.report([], [])  # says that there is none
        check_new_folder(Path(args.report))
    model, renderer = load_for_task(task, args.model, args.renderer, args.max_seq_length, args.cpu)
    dataset = task.dataset(examples, renderer, model.config)
    scores = {**evaluate_task(task, model, dataset, args.batch_size), **dataset.figures()}
    if args.json:
        write_json(Path(args.json), scores)
    rows = [(name.replace("_", " "), f"{value:.0f}") for name, value in dataset.figures().items() if name != "coverage"]
    rows.append(("scores", describe_scores(task, scores)))
    rows.append(("length", f"{renderer.max_seq_length} patches"))
    title = f"{args.model} on {path}"
    if args.report:
        from pixel_lm.tasks.reports import write_report

        report = task.report(examples, task.predict(model, renderer, examples, args.batch_size))
        names = write_report(report, Path(args.report), title, scores)
        if report.pairs:
            names.append(_draw_confusion(report.pairs, Path(args.report)))
        rows.append(("report", f"{args.report}: {', '.join(names)}"))
    print_summary(title, rows)
    return 0


def _draw_confusion(pairs: Sequence[tuple[str, str]], folder: Path) -> str:
    from pixel_lm.analysis.confusion import draw_confusion
    from pixel_lm.tasks.reports import confusion

    draw_confusion(*confusion(pairs)).save(folder / "confusion.png")
    return "confusion.png"
