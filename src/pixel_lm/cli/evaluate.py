"""`pixel-lm evaluate TASK DATA`: score a fine-tuned model."""

from __future__ import annotations

import argparse
from pathlib import Path

from pixel_lm.cli._shared import add_model_options, check_writable, task_help
from pixel_lm.tasks import TASKS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a fine-tuned model on annotated data",
        description="Score a fine-tuned model on annotated data.",
    )
    parser.add_argument("task", choices=list(TASKS), metavar="TASK", help=task_help())
    parser.add_argument("data", metavar="DATA", help="annotated file, or folder of a treebank")
    parser.add_argument(
        "--split", choices=["train", "dev", "test"], default="test", help="split of a folder (default: test)"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the scores to this file")
    add_model_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.tasks import get_task
    from pixel_lm.tasks.tagging import TaggingDataset, evaluate
    from pixel_lm.training.loading import load_tagger
    from pixel_lm.training.reporting import print_summary, write_json

    task = get_task(args.task)
    path = task.find_file(args.data, args.split) if Path(args.data).is_dir() else Path(args.data)
    sentences = task.read(path)
    if args.json:
        check_writable(Path(args.json))
    model, renderer = load_tagger(task, args.model, args.renderer, args.max_seq_length, args.cpu)
    dataset = TaggingDataset(task, sentences, renderer, model.config.label2id)
    scores = evaluate(model, dataset, args.batch_size)
    if args.json:
        write_json(Path(args.json), {**scores, "sentences": len(dataset), "words": dataset.num_words})
    print_summary(
        f"{args.model} on {path}",
        [
            ("sentences, words", f"{len(dataset)}, {dataset.num_words}"),
            ("accuracy", f"{100 * scores['accuracy']:.2f} (of the words that fit)"),
            ("coverage", f"{100 * scores['coverage']:.2f} % of the words fit into {renderer.max_seq_length} patches"),
            ("accuracy, all words", f"{100 * scores['accuracy_all_words']:.2f} (those that do not fit count as wrong)"),
        ],
    )
    return 0
