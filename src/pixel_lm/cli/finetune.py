"""`pixel-lm finetune TASK`: train a pretrained model for a task."""

from __future__ import annotations

import argparse

from pixel_lm.cli._shared import task_help, task_name
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.options import add_options, given_options


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "finetune",
        usage="pixel-lm finetune TASK [RECIPE] [--OPTION VALUE ...]",
        help="train a pretrained model for a task",
        description="Train a pretrained model for a task. Settings come from the defaults (the published part-of-speech "
        "models), the recipe and the options, each overriding the one before. Interrupted runs continue when the same "
        "command is given again.",
    )
    parser.add_argument("task", type=task_name, metavar="TASK", help=task_help())
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="name of a recipe, or a .yaml file")
    parser.add_argument("--show-settings", action="store_true", help="print the resulting settings as YAML and stop")
    add_options(parser, FinetuneArguments)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from pixel_lm.training.recipes import as_yaml, resolve

    arguments = resolve(FinetuneArguments, f"finetune/{args.task}", args.recipe, given_options(FinetuneArguments, args))
    if args.show_settings:
        print(as_yaml(arguments), end="")
        return 0
    from pixel_lm.training.finetune import run_finetuning

    run_finetuning(arguments)
    return 0
