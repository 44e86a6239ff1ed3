"""`pixel-lm convert`: turn a published checkpoint into a folder of today's form."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.models import PixelPreTrainedModel
    from pixel_lm.rendering import TextRenderer

SAMPLE = ("A line of text, 123 words?", "Ещё одна строка", "ثالثة")


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "convert",
        help="turn a published checkpoint into a folder of today's form",
        description="Load a checkpoint as the original wrote it (pytorch_model.bin) and write it with safetensors, a complete "
        "configuration and its renderer with the fonts. The new folder is read again and must give the same outputs, bit by bit, "
        "before it gets its name.",
    )
    parser.add_argument("model", metavar="MODEL", help="folder or hub name of the checkpoint")
    parser.add_argument("output", type=Path, metavar="FOLDER", help="folder to write; must not hold anything yet")
    parser.add_argument("--revision", metavar="NAME", help="branch or commit on the hub (default: the newest)")
    parser.add_argument(
        "--pooling-mode",
        metavar="MODE",
        help="how a sequence classifier pools, if that cannot be told: mean, max, pma8 …",
    )
    parser.add_argument(
        "--no-pooling-layer-norm", action="store_true", help="the sequence classifier was trained without layer norm"
    )
    parser.add_argument(
        "--renderer", metavar="FOLDER", help="folder or hub name of the renderer (default: the model's)"
    )
    parser.add_argument("--font", type=Path, metavar="FILE", help="font to draw with, if the renderer's is missing")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Convert, check, and say what was written."""
    from pixel_lm.cli._shared import check_new_folder
    from pixel_lm.models.checkpoints import stored_shapes
    from pixel_lm.rendering import TextRenderer
    from pixel_lm.training.loading import load_checkpoint, renderer_folder
    from pixel_lm.training.reporting import no_progress_bars, print_summary

    check_new_folder(args.output)
    settings: dict[str, Any] = {} if args.pooling_mode is None else {"pooling_mode": args.pooling_mode}
    if args.no_pooling_layer_norm:
        settings["pooling_layer_norm"] = False
    renderer = TextRenderer.from_pretrained(
        renderer_folder(args.renderer or args.model),
        font=args.font,
        revision=None if args.renderer else args.revision,
    )
    model = load_checkpoint(args.model, args.revision, **settings)
    kept = set(model.state_dict())
    dropped = sorted(name for name in stored_shapes(args.model, revision=args.revision) or () if name not in kept)
    partial = args.output.with_name(f".{args.output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with no_progress_bars():
            model.save_pretrained(partial)
            renderer.save_pretrained(partial)
            check_same(model, renderer, partial)
        if args.output.exists():
            args.output.rmdir()
        partial.rename(args.output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    config = model.config
    rows = [
        ("model", f"{type(model).__name__}, {sum(p.numel() for p in model.state_dict().values()):,} numbers"),
        ("encoder", f"{config.num_hidden_layers} layers of width {config.hidden_size}"),
        ("longest sequence", f"{config.max_num_patches} patches"),
        ("font", renderer.font_sources[0].path.name),
        ("checked", "the new folder gives the same outputs and the same strips"),
    ]
    if dropped:
        rows.append(("left out", f"{len(dropped)} tensors that nothing uses: {', '.join(dropped[:4])}"))
    print_summary(str(args.output), rows)
    return 0


def check_same(model: PixelPreTrainedModel, renderer: TextRenderer, folder: Path) -> None:
    """Raise UserError unless the folder holds this model and this renderer."""
    import torch

    from pixel_lm.rendering import TextRenderer

    again = type(model).from_pretrained(folder).eval()
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, again.state_dict()[name]):
            raise UserError(f"{folder}: {name} is not what it was, nothing was written")
    texts = [text for text in SAMPLE if renderer(text).num_text_patches + 1 <= model.config.max_num_patches] or [""]
    batch = renderer.batch(texts, return_tensors="pt")
    drawn_again = TextRenderer.from_pretrained(folder).batch(texts, return_tensors="pt")
    if not torch.equal(batch["pixel_values"], drawn_again["pixel_values"]):
        raise UserError(f"{folder}: the renderer draws other strips than before, nothing was written")
    options: dict[str, torch.Tensor] = {}
    if model.task == "dependency parsing":
        options["word_starts"] = torch.tensor([[0, 1]] * len(texts))
    if model.task == "pretraining":
        options["noise"] = torch.rand(batch["attention_mask"].shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = model(**batch, **options), again(**batch, **options)
    for name, value in before.items():
        if isinstance(value, torch.Tensor) and not torch.equal(value, after[name]):
            raise UserError(f"{folder}: {name} differ from those of the original, nothing was written")
