"""`pixel-lm render`: draw text as a strip and save the picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.rendering import Rendering, TextRenderer


# As in rendering.profiles and rendering.config, which take too long to load for --help.
_PROFILES = ("fit", "pango", "pygame")
_STRATEGIES = ("continuous", "bigrams", "words", "mono")


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "render",
        help="draw text as a strip of patches and save it as PNG",
        description="Draw text the way a pixel model sees it: a strip of square patches, wrapped into rows in the picture.",
    )
    parser.add_argument("text", nargs="?", help='the text; "-" reads standard input')
    parser.add_argument("--file", type=Path, metavar="FILE", help="render the text of this UTF-8 file instead")
    parser.add_argument(
        "--pair",
        metavar="TEXT",
        help="second text, after a separator; if it does not fit, further strips show the rest, each after the first text",
    )
    parser.add_argument(
        "--stride",
        type=int,
        default=0,
        metavar="N",
        help="with --pair: patches of the second text that a further strip repeats from the one before (default: 0)",
    )
    parser.add_argument(
        "--words", action="store_true", help="start every word (split at spaces) on a new patch, as for tagging"
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        default=Path("strip.png"),
        metavar="PNG",
        help="picture to write (default: strip.png)",
    )
    parser.add_argument(
        "--patches-per-row", type=int, default=40, metavar="N", help="wrap the strip after N patches (default: 40)"
    )
    parser.add_argument("--grid", action="store_true", help="draw the borders of the patches")
    parser.add_argument("--scale", type=int, default=2, metavar="N", help="enlarge N times (default: 2)")
    parser.add_argument(
        "--renderer", metavar="DIR|NAME", help="use the renderer saved with this model (folder, or name on the hub)"
    )
    parser.add_argument("--font", type=Path, metavar="FILE", help="draw with this font, and with no other")
    parser.add_argument(
        "--max-seq-length",
        type=int,
        metavar="N",
        help="patches in a strip; longer text goes on in further strips (default: the renderer's, 529)",
    )
    parser.add_argument("--profile", choices=_PROFILES, help="rules of drawing (default: the renderer's, else fit)")
    parser.add_argument(
        "--strategy",
        choices=_STRATEGIES,
        help="how text is cut before it is drawn (default: the renderer's, else continuous)",
    )
    parser.add_argument("--rgb", action="store_true", help="in colour: emoji as they are")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Render, save the picture and print what was drawn."""
    from pixel_lm.rendering import patches_to_image

    renderer = _renderer(args)
    text = read_text(args)
    renderings = _render(args, renderer, text)
    import numpy as np

    patches = np.concatenate([rendering.patches for rendering in renderings])
    image = patches_to_image(patches, args.patches_per_row, grid=args.grid, scale=args.scale)
    try:
        image.save(args.output, format="PNG")
    except OSError as error:
        raise UserError(f"cannot write {args.output}: {error.strerror or error}") from None
    strips = f"{len(renderings)} strips, " if len(renderings) > 1 else ""
    print(f"{args.output}: {strips}{len(patches)} patches, font {renderer.font_sources[0].path.name}")
    if args.words and len(renderings[0].word_starts or ()) - 1 < len(text.split()):
        print(
            f"only the first {len(renderings[0].word_starts or ()) - 1} of {len(text.split())} words fit",
            file=sys.stderr,
        )
    return 0


def _renderer(args: argparse.Namespace) -> TextRenderer:
    from pixel_lm.rendering import TextRenderer

    asked = {
        "max_seq_length": args.max_seq_length,
        "profile": args.profile,
        "strategy": args.strategy,
        "rgb": args.rgb or None,
    }
    overrides = {name: value for name, value in asked.items() if value is not None}
    if args.renderer:
        return TextRenderer.from_pretrained(args.renderer, font=args.font, **overrides)
    return TextRenderer(args.font, **overrides)


def read_text(args: argparse.Namespace) -> str:
    """The text that is given as an argument, as `--file` or on standard input ("-")."""
    if args.file is not None and args.text is not None:
        raise UserError("give either a text or --file, not both")
    if args.file is not None:
        try:
            return args.file.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot read {args.file}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise UserError(
                f"{args.file} is not UTF-8: byte {error.start} is {args.file.read_bytes()[error.start]:#04x}"
            ) from None
    if args.text == "-":
        return sys.stdin.read()
    if args.text is None:
        raise UserError('nothing to render: give a text, "-" for standard input, or --file')
    return args.text


def _render(args: argparse.Namespace, renderer: TextRenderer, text: str) -> list[Rendering]:
    if args.words and args.pair is not None:
        raise UserError("--words and --pair exclude each other")
    if args.words:
        return [renderer(text.split())]
    if args.pair is not None:
        try:
            first = renderer((text, args.pair), return_overflowing_patches=True, stride=args.stride)
        except ValueError as error:  # the first text leaves no room, or the stride does not
            raise UserError(str(error)) from None
        return [first, *(first.windows or ())]
    return [renderer(piece) for piece in renderer.split(text.rstrip("\n")) or [""]]
