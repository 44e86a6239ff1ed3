"""`pixel-lm prerender`: draw text into Parquet files of strips, in the format of the published pretraining data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.cli._shared import positive_integer
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.rendering import TextRenderer

_FONT_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "prerender",
        help="draw text into Parquet files of strips, for trainings elsewhere",
        description="Draw text into Parquet files of PNG strips, in the format of the published pretraining data. The same "
        "strips as `pixel-lm pretrain` draws while it trains, which needs no such files. A run that was interrupted goes on "
        "when the same command is given again.",
    )
    parser.add_argument(
        "renderer",
        nargs="?",
        metavar="RENDERER|FONT",
        help="folder or hub name of a saved renderer, or a font file (default: a new renderer)",
    )
    parser.add_argument(
        "--text", nargs="+", required=True, metavar="SOURCE", help="what to draw, as for `pixel-lm pretrain` (required)"
    )
    parser.add_argument("--output-dir", required=True, type=Path, metavar="FOLDER", help="where to write (required)")
    parser.add_argument(
        "--max-seq-length",
        type=positive_integer,
        metavar="INTEGER",
        help="patches per strip (default: the renderer's, 529)",
    )
    parser.add_argument(
        "--packing",
        choices=("full", "document"),
        default="full",
        help="where strips end: where they are full, or also at the end of each document (default: full)",
    )
    parser.add_argument(
        "--min-text-patches",
        type=int,
        default=0,
        metavar="INTEGER",
        help="leave out strips with fewer patches of text (default: 0)",
    )
    parser.add_argument("--text-field", metavar="NAME", help="field or column with the text, if not text or sentences")
    parser.add_argument(
        "--on-bad-input",
        choices=("stop", "skip"),
        default="stop",
        help="stop at lines, rows and files that cannot be read, or leave them out and count them (default: stop)",
    )
    parser.add_argument(
        "--strips-per-shard",
        type=positive_integer,
        default=10_000,
        metavar="INTEGER",
        help="strips in each file (default: 10000, about 100 MB)",
    )
    parser.add_argument(
        "--num-workers", type=int, default=0, metavar="INTEGER", help="processes that draw (default: 0, this one)"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Cut the text, draw it and say what was written."""
    from pixel_lm.data.corpora import Corpus
    from pixel_lm.data.prerendered import PREFIX, write_prerendered
    from pixel_lm.data.strips import build_strips

    for name in args.text:
        if name.startswith(PREFIX):
            raise UserError(f"{name}: drawn already")
    if args.output_dir.exists() and not args.output_dir.is_dir():
        raise UserError(f"{args.output_dir} is a file, not a folder")
    corpus = Corpus(args.text, args.text_field, args.on_bad_input)
    renderer = _renderer(args)
    progress = sys.stderr.isatty()
    strips = build_strips(
        corpus, renderer, packing=args.packing, min_text_patches=args.min_text_patches, progress=progress
    )
    shards = write_prerendered(
        strips,
        renderer,
        args.output_dir,
        key={
            "corpus": corpus.identity(),
            "packing": args.packing,
            "min_text_patches": args.min_text_patches,
            "max_seq_length": renderer.max_seq_length,
        },
        strips_per_shard=args.strips_per_shard,
        num_workers=args.num_workers,
        progress=progress,
    )
    skipped = strips.statistics.get("skipped_inputs")
    if skipped:
        print(f"{skipped} lines, rows or files could not be read and were left out", file=sys.stderr)
    size = sum(shard.stat().st_size for shard in shards)
    print(
        f"{args.output_dir}: {len(strips)} strips of {strips.statistics['characters']} characters in {len(shards)} files, "
        f"{size / 1e6:.1f} MB"
    )
    print(
        f"next: pixel-lm pretrain --text prerendered:{args.output_dir} --renderer {args.output_dir} "
        f"--max-seq-length {renderer.max_seq_length} --output-dir FOLDER"
    )
    return 0


def _renderer(args: argparse.Namespace) -> TextRenderer:
    from pixel_lm.rendering import TextRenderer

    settings = {} if args.max_seq_length is None else {"max_seq_length": args.max_seq_length}
    if args.renderer is None:
        return TextRenderer(**settings)
    if args.renderer.lower().endswith(_FONT_SUFFIXES):
        return TextRenderer(args.renderer, **settings)
    return TextRenderer.from_pretrained(args.renderer, **settings)
