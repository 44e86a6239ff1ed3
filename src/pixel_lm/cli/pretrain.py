"""`pixel-lm pretrain`: train a model to fill in masked parts of rendered text."""

from __future__ import annotations

import argparse
from pathlib import Path

from pixel_lm.training.arguments import PretrainArguments
from pixel_lm.training.options import add_options, given_options


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "pretrain",
        usage="pixel-lm pretrain [RECIPE] [--OPTION VALUE ...]",
        help="train a model to fill in masked parts of rendered text",
        description="Train a model to fill in masked parts of rendered text. Settings come from the defaults (the published "
        "base model), the recipe and the options, each overriding the one before. Interrupted runs continue when the "
        "same command is given again.",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="name of a recipe, or a .yaml file")
    parser.add_argument("--show-settings", action="store_true", help="print the resulting settings as YAML and stop")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be trained, with estimates of time and memory, and stop",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FOLDER",
        help="write a trace of a few steps, for Perfetto or chrome://tracing, and a table of operations to this folder",
    )
    add_options(parser, PretrainArguments)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.training.recipes import as_yaml, resolve

    arguments = resolve(PretrainArguments, "pretrain", args.recipe, given_options(PretrainArguments, args))
    if args.show_settings:
        print(as_yaml(arguments), end="")
        return 0
    if args.dry_run:
        from pixel_lm.training.dry_run import dry_run

        dry_run(arguments)
        return 0
    from pixel_lm.training.pretrain import MakeCallback, run_pretraining

    callbacks: list[MakeCallback] = []
    if arguments.picture_steps:
        from pixel_lm.analysis.progress import ReconstructionPictures

        callbacks.append(
            lambda model, renderer, strips: ReconstructionPictures(
                model, strips.example(0).patches, arguments.picture_steps, arguments.max_span_length
            )
        )
    if args.profile:
        from pixel_lm.training.profiling import Profile

        callbacks.append(lambda model, renderer, strips: Profile(args.profile))
    run_pretraining(arguments, callbacks)
    return 0
