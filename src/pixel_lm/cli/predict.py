"""`pixel-lm predict TASK FILE`: annotate data with a fine-tuned model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pixel_lm.cli._shared import add_model_options, check_writable, task_help
from pixel_lm.tasks import TASKS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "predict",
        help="annotate data with a fine-tuned model",
        description="Annotate data with a fine-tuned model. For pos: CoNLL-U in, CoNLL-U out with UPOS replaced and all else "
        "as it was. Words beyond the length of a strip are tagged in a further strip, so that every word gets a tag.",
    )
    parser.add_argument("task", choices=list(TASKS), metavar="TASK", help=task_help())
    parser.add_argument("data", metavar="FILE", help="file to annotate")
    parser.add_argument("--output", "-o", metavar="FILE", help="file to write (default: standard output)")
    add_model_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from pixel_lm.tasks import get_task
    from pixel_lm.tasks.tagging import tag
    from pixel_lm.training.loading import load_tagger

    task = get_task(args.task)
    sentences = task.read(args.data)
    if args.output:
        check_writable(Path(args.output))
    model, renderer = load_tagger(task, args.model, args.renderer, args.max_seq_length, args.cpu)
    with tqdm(total=len(sentences), unit=" sentences", disable=not sys.stderr.isatty()) as bar:
        tags = tag(model, renderer, [sentence.forms for sentence in sentences], args.batch_size, bar.update)
    text = "".join(task.write_tags(s, t) for s, t in zip(sentences, tags, strict=True)).encode()
    if args.output:
        Path(args.output).write_bytes(text)
    else:
        sys.stdout.buffer.write(text)
    return 0
