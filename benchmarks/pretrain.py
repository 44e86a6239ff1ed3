"""Speed of the whole pretraining job, rendering included, against the original's way of doing it, interleaved in one run.

    python benchmarks/pretrain.py [--text FILE] [--size tiny] [--patches 36] [--json FILE]

Ours: full strips of bytes, grey, with span masks; `PixelForPreTraining`. Theirs: transformers' `ViTMAEForPreTraining` with
eager attention; each strip becomes an image of full length, repeated in three channels and turned into floats, as the original does for
every example. Both draw with our renderer (the original's is several times slower: `benchmarks/rendering.py`), with the same sizes,
AdamW, in one process with one thread; text that was not seen before in each round. A ratio is ours divided by theirs, larger is better.

The number of patches must be a square, since ViTMAE takes square images only.

    python benchmarks/pretrain.py --gpu [--out FOLDER …]

measures the job of the recipes by itself, as users start it, on a GPU: the options are those of `benchmarks/pretrain_job.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from train_step import SIZES, pixel_config, vit_settings

from pixel_lm.data.collators import Padding, PretrainingCollator
from pixel_lm.data.files import read_lines
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import StripExample
from pixel_lm.data.texts import project_texts, python_documentation_text
from pixel_lm.models import PixelForPreTraining
from pixel_lm.rendering import TextRenderer

MASK_RATIO = 0.25
PARAGRAPHS = 100  # cut into full strips together
Step = Callable[[list[str]], None]


def strips(file: Path | None, renderer: TextRenderer) -> Iterator[str]:
    """Texts that fill a strip each, without end."""
    if file is not None:
        paragraphs = [line for _, line in read_lines(file)]
    else:
        paragraphs = [*python_documentation_text(), *project_texts()["en"]]
    while True:
        for begin in range(0, len(paragraphs), PARAGRAPHS):
            text = " ".join(" ".join(paragraphs[begin : begin + PARAGRAPHS]).split())
            yield from renderer.split(text)[:-1]  # the last one is not full


def ours(args: argparse.Namespace, renderer: TextRenderer) -> Step:
    """A step of our job."""
    config = pixel_config(SIZES[args.size], args.patches)
    config.mask_ratio = MASK_RATIO
    model = PixelForPreTraining(config).to(args.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=args.device == "cuda")
    collator = PretrainingCollator(SpanMasker(MASK_RATIO, 6, (0.2, 0.4, 0.6, 0.8, 0.9, 1.0), "span"), 0, Padding())
    seen = 0

    def step(texts: list[str]) -> None:
        nonlocal seen
        examples = []
        for text in texts:
            rendering = renderer(text)
            examples.append(StripExample(rendering.patches, rendering.num_text_patches, seen, 0))
            seen += 1
        batch = {name: value.to(args.device) for name, value in collator(examples).items()}
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def theirs(args: argparse.Namespace, renderer: TextRenderer) -> Step:
    """A step of the original's job, with transformers' model."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    size, side = SIZES[args.size], math.isqrt(args.patches)
    config = ViTMAEConfig(
        image_size=16 * side,
        mask_ratio=MASK_RATIO,
        norm_pix_loss=True,
        decoder_hidden_size=size["d_width"],
        decoder_num_hidden_layers=size["d_layers"],
        decoder_num_attention_heads=size["d_heads"],
        decoder_intermediate_size=size["d_inner"],
        **vit_settings(size),
    )
    config._attn_implementation = "eager"
    model: Any = ViTMAEForPreTraining(config).to(args.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=args.device == "cuda")

    def image(text: str) -> torch.Tensor:
        patches = renderer(text).patches
        strip = np.full((16, 16 * args.patches, 3), 255, np.uint8)
        strip[:, : 16 * len(patches)] = patches.transpose(1, 0, 2).reshape(16, -1, 1)
        pixels = torch.from_numpy(strip).permute(2, 0, 1).float() / 255
        return pixels.view(3, 16, side, 16 * side).permute(0, 2, 1, 3).reshape(3, 16 * side, 16 * side)

    def step(texts: list[str]) -> None:
        batch = torch.stack([image(text) for text in texts]).to(args.device)
        model(pixel_values=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def main() -> int:
    """Measure and print."""
    if sys.argv[1:2] == ["--gpu"]:
        import pretrain_job

        del sys.argv[1]
        return pretrain_job.main()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--text", type=Path, metavar="FILE", help="one paragraph a line; default: Python's documentation"
    )
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--patches", type=int, default=36)
    parser.add_argument("--batch-size", type=int, default=48)
    parser.add_argument("--steps", type=int, default=5, help="in each round (default: 5)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if math.isqrt(args.patches) ** 2 != args.patches:
        parser.error(f"--patches must be a square, not {args.patches}")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    renderer = TextRenderer(max_seq_length=args.patches)
    texts = strips(args.text, renderer)
    jobs = {"ours": ours(args, renderer), "theirs": theirs(args, renderer)}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(args.rounds + 1):
        for name in list(jobs) if turn % 2 else list(jobs)[::-1]:
            batches = [[next(texts) for _ in range(args.batch_size)] for _ in range(args.steps)]
            began = time.perf_counter()
            for batch in batches:
                jobs[name](batch)
            if args.device == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first round warms up
                seconds[name].append(time.perf_counter() - began)
    strips_per_round = args.batch_size * args.steps
    rates = {name: strips_per_round / statistics.median(values) for name, values in seconds.items()}
    ratios = sorted(b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True))
    ratio = statistics.median(ratios)
    print(f"{args.size}, {args.patches} patches, batches of {args.batch_size}, {args.device}")
    print(f"ours    {rates['ours']:8.1f} strips/s")
    print(f"theirs  {rates['theirs']:8.1f} strips/s   ours is {ratio:.2f} x  ({ratios[0]:.2f} – {ratios[-1]:.2f})")
    if args.json:
        numbers = {
            "ours_per_second": round(rates["ours"], 2),
            "theirs_per_second": round(rates["theirs"], 2),
            "pretrain_ratio": round(ratio, 3),
        }
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
