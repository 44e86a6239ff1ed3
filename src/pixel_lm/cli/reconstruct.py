"""`pixel-lm reconstruct`: let a pretrained model fill in masked text, as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pixel_lm.errors import UserError


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "reconstruct",
        help="draw how a pretrained model fills in masked text",
        description="Mask parts of a text, let a pretrained model fill them in, and draw original, masked text and "
        "reconstruction. Models that were trained on normalised patches predict shapes; brightness and contrast of each "
        "reconstructed patch are taken from the original.",
    )
    parser.add_argument("model", metavar="MODEL", help="folder or hub name of a pretrained model")
    parser.add_argument("text", nargs="?", help="the text; what does not fit into one strip is left out")
    parser.add_argument("--file", type=Path, metavar="FILE", help="take the text from this UTF-8 file instead")
    parser.add_argument(
        "--output", "-o", type=Path, default=Path("reconstruction.png"), metavar="PNG",
        help="picture to write (default: reconstruction.png)",
    )  # fmt: skip
    parser.add_argument("--mask-ratio", type=float, metavar="PART", help="part that is masked (default: the model's)")
    parser.add_argument(
        "--max-span-length", type=int, default=6, metavar="N", help="longest masked span in patches (default: 6)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides what is masked (default: 0)")
    parser.add_argument(
        "--patches-per-row", type=int, default=40, metavar="N", help="wrap after N patches (default: 40)"
    )
    parser.add_argument("--scale", type=int, default=2, metavar="N", help="enlarge N times (default: 2)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Reconstruct, save the picture and print the loss."""
    from pixel_lm.analysis.reconstruction import reconstruct
    from pixel_lm.cli._shared import check_writable
    from pixel_lm.cli.render import read_text
    from pixel_lm.models import PixelForPreTraining
    from pixel_lm.rendering import TextRenderer
    from pixel_lm.training.loading import load_model, renderer_folder

    if args.mask_ratio is not None and not 0 < args.mask_ratio < 1:
        raise UserError(f"--mask-ratio must lie between 0 and 1, not {args.mask_ratio}")
    if args.max_span_length < 1:
        raise UserError(f"--max-span-length must be at least 1, not {args.max_span_length}")
    text = read_text(args)
    check_writable(args.output)
    settings = {} if args.mask_ratio is None else {"mask_ratio": args.mask_ratio}
    model = load_model(PixelForPreTraining, args.model, **settings)
    renderer = TextRenderer.from_pretrained(renderer_folder(args.model))
    result = reconstruct(model, renderer, " ".join(text.split()), max_span_length=args.max_span_length, seed=args.seed)
    result.image(args.patches_per_row, args.scale).save(args.output, format="PNG")
    print(
        f"{args.output}: {int(result.mask.sum())} of {len(result.mask)} patches masked, "
        f"loss {result.loss:.4f} (a blank guess: {result.baseline_loss:.4f})"
    )
    return 0
