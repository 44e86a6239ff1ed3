"""`pixel-lm predict TASK FILE`: annotate data with a fine-tuned model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pixel_lm.cli._shared import add_model_options, check_writable, task_help, task_name, task_of_model


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "predict",
        help="annotate data with a fine-tuned model",
        description="Annotate data with a fine-tuned model. pos, parsing, ner: the file that was read, with "
        "UPOS, with HEAD and DEPREL or with tags replaced and all else as it was. glue, nli, classification: a table of index and "
        "prediction. qa: JSON with an answer for each question. Words beyond the length of a strip are tagged in a further one; "
        "the parser hangs them on the word before.",
    )
    parser.add_argument("task", type=task_name, metavar="TASK", help=task_help())
    parser.add_argument("data", metavar="FILE", help="file to annotate")
    parser.add_argument("--output", "-o", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument("--n-best-output", metavar="FILE", help="qa: also write several candidates per question (JSON)")
    add_model_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from pixel_lm.training.loading import load_for_task

    task = task_of_model(args)
    examples = task.read(args.data, labelled=False)
    for path in filter(None, (args.output, args.n_best_output)):
        check_writable(Path(path))
    if args.n_best_output:
        task.write_n_best([], [])  # says so if the task has none
    model, renderer = load_for_task(task, args.model, args.renderer, args.max_seq_length, args.cpu)
    with tqdm(total=len(examples), unit=" examples", disable=not sys.stderr.isatty()) as bar:
        predictions = task.predict(model, renderer, examples, args.batch_size, bar.update)
    text = task.write(examples, predictions).encode()
    if args.output:
        Path(args.output).write_bytes(text)
    else:
        sys.stdout.buffer.write(text)
    if args.n_best_output:
        Path(args.n_best_output).write_bytes(task.write_n_best(examples, predictions).encode())
    return 0
