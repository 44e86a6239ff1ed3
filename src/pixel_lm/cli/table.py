"""`pixel-lm table FOLDER`: the tables of the paper, filled with one's own runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pixel_lm.cli._shared import check_writable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "table",
        help="gather the scores of fine-tuning runs in the tables of the paper",
        description="Gather the scores of all fine-tuning runs in the folders, and in those below, in the tables of the paper, beside the "
        "published scores and a simple baseline. Runs that differ in the seed only are one cell, mean and standard deviation. Runs that "
        "are not finished are named at the end, on standard error.",
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folder with runs")
    parser.add_argument("--format", choices=("markdown", "csv"), default="markdown", help="default: markdown")
    parser.add_argument("--output", metavar="FILE", help="write to this file (default: standard output)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.training.score_tables import as_csv, as_markdown, build_tables, find_runs

    runs = find_runs(args.folders)
    if args.output:
        check_writable(Path(args.output))
    text = {"markdown": as_markdown, "csv": as_csv}[args.format](build_tables(runs))
    if args.output:
        Path(args.output).write_text(text, encoding="utf-8")
        print(f"{sum(run.results is not None for run in runs)} runs in {args.output}")
    else:
        print(text, end="")
    for unfinished in (run for run in runs if run.results is None):
        print(f"pixel-lm: not finished: {unfinished.folder} ({unfinished.problem})", file=sys.stderr)
    return 0
