"""The command `pixel-lm`.

Every other module of this folder without a leading underscore is a verb: its `add_parser(subparsers)` adds a parser with `func=run`, where
`run(args) -> int` gives the exit status. Verbs import what they need inside `run`, so that `--help` answers at once.

Exit status: 0 done; 1 a defect of pixel-lm (with traceback); 2 something that the user can put right (one line, no
traceback); 130 interrupted; 143 stopped by a signal after saving.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any, NoReturn, TextIO

from pixel_lm import cli
from pixel_lm.errors import StoppedBySignal, UserError

# Order in the help; verbs that are not listed follow in the order of the alphabet.
ORDER = [
    "quickstart",
    "render",
    "pretrain",
    "finetune",
    "evaluate",
    "predict",
    "score",
    "table",
    "reconstruct",
    "convert",
    "export",
]


class Parser(argparse.ArgumentParser):
    """Reports mistakes as UserError, in one line, with near matches for unknown options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Called by argparse."""
        raise UserError(f"{message} (see `{self.prog} --help`)")

    def unknown(self, extras: Sequence[str]) -> NoReturn:
        """Report arguments that nobody asked for."""
        hints = []
        known = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
        for extra in extras:
            if extra.startswith("-"):
                name = extra.split("=")[0]
                close = difflib.get_close_matches(name, known, n=2)
                hints.append(f"{name}, did you mean {' or '.join(close)}?" if close else name)
        if hints:
            self.error("unknown option " + "; ".join(hints))
        self.error("too many arguments: " + " ".join(extras))


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The whole command line, and the parser of each verb."""
    parser = Parser(prog="pixel-lm", description="Language models that read pixels: render text, train, use.")
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="show the version, and whether rendering is compiled"
    )
    # argparse makes the column of the verbs as wide as this, and would break the lines of longer verbs.
    metavar = "VERB [OPTION ...]"
    subparsers = parser.add_subparsers(title="verbs", dest="verb", metavar=metavar, parser_class=Parser)
    verbs = [
        module.name for module in pkgutil.iter_modules(cli.__path__) if module.name != "main" and module.name[0] != "_"
    ]
    for verb in sorted(verbs, key=lambda v: (ORDER.index(v) if v in ORDER else len(ORDER), v)):
        import_module(f"pixel_lm.cli.{verb}").add_parser(subparsers)
    for subparser in subparsers.choices.values():
        subparser.add_argument(
            "--verbose", action="store_true", help="also show the messages of the libraries that are used"
        )
    return parser, subparsers.choices


class _ShowVersion(argparse.Action):
    """What reports of faults should say."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from pixel_lm.rendering.native import library

        try:
            version = metadata.version("pixel-lm")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"pixel-lm {version}\nrendering: {'compiled' if library() else 'Python alone'}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    verb = None
    try:
        parser, verbs = build_parser()
        args, extras = parser.parse_known_args(argv)
        if args.verb is None:
            parser.print_help()
            return 0
        verb = args.verb
        if extras:
            verbs[verb].unknown(extras)
        configure_messages(args.verbose)
        status: int = args.func(args)
        _leave_process_group()
        sys.stdout.flush()
        return status
    except UserError as error:
        return _complain(str(error))
    except StoppedBySignal as stop:
        _leave_process_group()
        print(f"pixel-lm: {stop}; the same command again continues", file=sys.stderr)
        return 143
    except BrokenPipeError:  # `pixel-lm … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        return _complain(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        resumable = verb in ("pretrain", "finetune")
        hint = "; the same command again continues from the last checkpoint" if resumable else ""
        print(f"\npixel-lm: interrupted{hint}", file=sys.stderr)
        return 130


def _leave_process_group() -> None:
    """Where several processes trained together: end together.

    A thread of gloo that still frees a tensor needs the interpreter; if that is gone, the process aborts and torchrun calls a finished
    run a failure. While processes wait here for the one that writes, such threads have all the time they need.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _complain(message: str) -> int:
    print("pixel-lm: error: " + " ".join(message.split("\n")), file=sys.stderr)
    return 2


def configure_messages(verbose: bool) -> None:
    """Show our own messages and warnings as single lines; those of libraries only on request."""
    ours = logging.getLogger("pixel_lm")
    ours.setLevel(logging.INFO)
    ours.handlers = [logging.StreamHandler()]
    ours.handlers[0].setFormatter(logging.Formatter("pixel-lm: %(message)s"))
    ours.propagate = False
    if verbose:
        logging.basicConfig(level=logging.INFO)
        return
    # Read by the libraries when they are imported, which has not happened yet.
    for library in ("TRANSFORMERS", "DATASETS", "HF_HUB"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module=r"pixel_lm(\.|$)")
    warnings.filterwarnings("default", category=UserWarning, message=r".*pixel-lm.*")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"pixel-lm: warning: {message}", file=sys.stderr)
