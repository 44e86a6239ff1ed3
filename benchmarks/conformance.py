"""Compare pixel-lm with recordings of the original implementation.

    python benchmarks/conformance.py render DIR    strips, pixel by pixel, and their metadata
    python benchmarks/conformance.py models DIR    outputs, losses, gradients and short trainings of small models
    python benchmarks/conformance.py training DIR  recorded trainings, replayed step by step

The last line of the output holds the totals; `--json FILE` writes them as one flat object.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import conformance_bigrams
import conformance_models
import conformance_render
import conformance_training

from pixel_lm.errors import UserError


def render(directory: Path, json_path: Path | None) -> int:
    """Compare strips of the renderer that a folder was recorded with."""
    bigrams = (directory / f"{conformance_bigrams.BACKEND}.npz").exists()
    return (conformance_bigrams if bigrams else conformance_render).run(directory, json_path)


CHECKS = {"render": render, "models": conformance_models.run, "training": conformance_training.run}


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(CHECKS), help="what to compare")
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder of recordings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file too")
    args = parser.parse_args(arguments)
    try:
        return CHECKS[args.what](args.directory, args.json)
    except (UserError, FileNotFoundError) as error:
        print(f"conformance.py: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
