"""`pixel-lm pretrain`: train a model to fill in masked parts of rendered text."""

from __future__ import annotations

import argparse

from pixel_lm.training.arguments import PretrainArguments, add_options, given_options


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
    add_options(parser, PretrainArguments)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.training.recipes import as_yaml, resolve

    arguments = resolve(PretrainArguments, "pretrain", args.recipe, given_options(PretrainArguments, args))
    if args.show_settings:
        print(as_yaml(arguments), end="")
        return 0
    from pixel_lm.training.pretrain import run_pretraining

    run_pretraining(arguments)
    return 0
