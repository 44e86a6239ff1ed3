"""`pixel-lm export`: write a fine-tuned model as ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pixel_lm.errors import UserError


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="write a fine-tuned model as ONNX",
        description="Write a fine-tuned model, or a pretrained encoder, as an ONNX graph of any batch size and length, with its "
        "renderer beside it. Needs the packages of pixel-lm[onnx].",
    )
    parser.add_argument("model", metavar="MODEL", help="folder or hub name of the model")
    parser.add_argument("output", type=Path, metavar="FOLDER", help="folder to write; must not hold anything yet")
    parser.add_argument("--revision", metavar="NAME", help="branch or commit on the hub (default: the newest)")
    parser.add_argument(
        "--pooling-mode",
        metavar="MODE",
        help="how a sequence classifier pools, if that cannot be told: mean, max, pma8 …",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Export and say what was written."""
    from pixel_lm.cli._shared import check_new_folder
    from pixel_lm.models import PixelForPreTraining
    from pixel_lm.models.export import OUTPUTS, check_exporter, export_onnx
    from pixel_lm.rendering import TextRenderer
    from pixel_lm.training.loading import load_checkpoint, renderer_folder
    from pixel_lm.training.reporting import print_summary

    check_new_folder(args.output)
    try:
        check_exporter()
    except ImportError as error:
        raise UserError(str(error)) from None
    settings: dict[str, Any] = {} if args.pooling_mode is None else {"pooling_mode": args.pooling_mode}
    model = load_checkpoint(args.model, args.revision, **settings)
    if isinstance(model, PixelForPreTraining):
        model = model.vit
    renderer = TextRenderer.from_pretrained(renderer_folder(args.model), revision=args.revision)
    args.output.mkdir(parents=True, exist_ok=True)
    export_onnx(model, args.output / "model.onnx")
    model.config.save_pretrained(args.output)
    renderer.save_pretrained(args.output)
    size = (args.output / "model.onnx").stat().st_size
    inputs = "pixel_values, attention_mask" + (", word_starts" if model.task == "dependency parsing" else "")
    print_summary(
        str(args.output / "model.onnx"),
        [
            ("model", f"{type(model).__name__}, {size / 1e6:.1f} MB"),
            ("inputs", inputs),
            ("outputs", ", ".join(OUTPUTS[model.task])),
        ],
    )
    return 0
