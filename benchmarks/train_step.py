"""Speed and memory of a step, against transformers' own models at the same size and precision, interleaved in one run.

    python benchmarks/train_step.py [--size small] [--device cuda --precision bf16 --compile] [--json FILE]

pretraining: our `PixelForPreTraining` against `ViTMAEForPreTraining`, 529 patches of which 25 % are masked, all attended, a step of
AdamW. The original computes attention as `eager` does.
tagging: our `PixelForTokenClassification` on batches as long as their longest sentence against `ViTModel` with a linear layer on 256
patches, whatever the sentences need, as the original pads; training and inference. Sentences come as they stand in the treebank; the
last rows put sentences of like length into one batch, as `pixel-lm finetune` and `evaluate` do. `--treebank FILE`: CoNLL-U; by default synthetic
sentences of this project.

Each variant lives in a process of its own. All get one batch after the other in turns; medians of the rounds, with the range of the
ratios; larger is better. Theirs get float images in three channels, made beforehand. Memory: peak of the process, on a GPU peak of
its allocations. Share of peak: operations of the matrix products, forward and backward, per second, of 989 TFLOP/s (H100, bf16).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import nn

SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "width": 128,
        "layers": 4,
        "heads": 4,
        "inner": 512,
        "d_width": 128,
        "d_layers": 1,
        "d_heads": 4,
        "d_inner": 512,
    },
    "small": {
        "width": 384,
        "layers": 12,
        "heads": 6,
        "inner": 1536,
        "d_width": 264,
        "d_layers": 4,
        "d_heads": 6,
        "d_inner": 1056,
    },
    "base": {
        "width": 768,
        "layers": 12,
        "heads": 12,
        "inner": 3072,
        "d_width": 512,
        "d_layers": 8,
        "d_heads": 16,
        "d_inner": 2048,
    },
}
PRETRAINING_PATCHES, TAGGING_PATCHES, LABELS, PATCH = 529, 256, 17, 16
PEAK = 989e12
GROUPED = "ours, grouped"

Step = Callable[[int], None]


def pixel_config(size: dict[str, int], num_patches: int) -> Any:
    """Our configuration."""
    from pixel_lm.models import PixelConfig

    return PixelConfig(
        hidden_size=size["width"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        intermediate_size=size["inner"],
        decoder_hidden_size=size["d_width"],
        decoder_num_hidden_layers=size["d_layers"],
        decoder_num_attention_heads=size["d_heads"],
        decoder_intermediate_size=size["d_inner"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        image_size=[PATCH, PATCH * num_patches],
        num_labels=LABELS,
    )


def vit_settings(size: dict[str, int]) -> dict[str, Any]:
    """The same for transformers' models."""
    return {
        "hidden_size": size["width"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "intermediate_size": size["inner"],
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "patch_size": PATCH,
    }


class Tagger(nn.Module):
    """transformers' ViT with a linear layer on every patch."""

    def __init__(self, size: dict[str, int], dropout: float = 0.0) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTModel

        settings = vit_settings(size) | {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        config = ViTConfig(image_size=(PATCH, PATCH * TAGGING_PATCHES), **settings)
        self.vit = ViTModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(size["width"], LABELS)

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
        logits = self.classifier(self.vit(pixel_values=pixel_values).last_hidden_state[:, 1:])
        return logits if labels is None else nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def make(variant: str, args: argparse.Namespace, lengths: Sequence[Sequence[int]]) -> Step:
    """What does the step of batch number i, `lengths[i]` being the patches of its rows."""
    torch.manual_seed(0)
    size = SIZES[args.size]
    kind, _, name = variant.partition(": ")
    ours = name.startswith("ours")
    attention = "eager" if name.endswith("eager") else "sdpa"
    model: Any
    if kind == "pretraining":
        if ours:
            from pixel_lm.models import PixelForPreTraining

            model = PixelForPreTraining(pixel_config(size, PRETRAINING_PATCHES))
        else:
            from transformers import ViTMAEConfig, ViTMAEForPreTraining

            side = PATCH * round(PRETRAINING_PATCHES**0.5)
            decoder = {f"decoder_{ours}": size[f"d_{theirs}"] for ours, theirs in (
                ("hidden_size", "width"), ("num_hidden_layers", "layers"), ("num_attention_heads", "heads"), ("intermediate_size", "inner")
            )}  # fmt: skip
            config = ViTMAEConfig(image_size=side, mask_ratio=0.25, norm_pix_loss=True, **vit_settings(size), **decoder)
            config._attn_implementation = attention
            model = ViTMAEForPreTraining(config)
    elif ours:
        from pixel_lm.models import PixelForTokenClassification

        model = PixelForTokenClassification(pixel_config(size, TAGGING_PATCHES))
    else:
        model = Tagger(size)
        model.vit.set_attn_implementation(attention)
    device, training = torch.device(args.device), kind != "inference"
    model.to(device).train(training)
    if args.precision == "bf16" and not training:
        model.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=device.type == "cuda") if training else None
    forward = torch.compile(model, dynamic=kind != "pretraining" and ours) if args.compile else model

    def batch(i: int) -> dict[str, torch.Tensor]:
        rows = len(lengths[i])
        if kind == "pretraining":
            if ours:
                return {"pixel_values": torch.randint(0, 256, (rows, PRETRAINING_PATCHES, PATCH**2), dtype=torch.uint8)}
            return {"pixel_values": torch.rand(rows, 3, side, side)}
        longest = max(lengths[i]) if ours else TAGGING_PATCHES
        labels = torch.randint(0, LABELS, (rows, longest))
        if ours:
            mask = torch.arange(longest) < torch.tensor(lengths[i])[:, None]
            values = torch.randint(0, 256, (rows, longest, PATCH**2), dtype=torch.uint8)
            inputs = {"pixel_values": values, "attention_mask": mask.long()}
        else:
            inputs = {"pixel_values": torch.rand(rows, 3, PATCH, PATCH * TAGGING_PATCHES)}
        return {**inputs, "labels": labels} if training else inputs

    batches = {i: batch(i) for i in range(len(lengths))}

    def step(i: int) -> None:
        inputs = {key: value.to(device, non_blocking=True) for key, value in batches[i].items()}
        with (
            torch.set_grad_enabled(training),
            torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"),
        ):
            output = forward(**inputs)
        if optimizer is not None:
            loss = output if isinstance(output, torch.Tensor) else output.loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def work(connection: Connection, variant: str, args: argparse.Namespace, lengths: list[list[int]]) -> None:
    """A variant's process: numbers of batches come in, seconds go out; at the end, peak memory in MB."""
    torch.set_num_threads(args.threads)
    step = make(variant, args, lengths)
    for numbers in iter(connection.recv, None):
        began = time.perf_counter()
        for i in numbers:
            step(i)
        connection.send(time.perf_counter() - began)
    cuda = args.device == "cuda"
    peak = torch.cuda.max_memory_allocated() / 1e6 if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    connection.send(peak)


def compare(
    variants: dict[str, list[list[int]]], args: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of every round, and peak memory, of variants that take turns."""
    context = multiprocessing.get_context("spawn")
    connections: dict[str, Connection] = {}
    processes = []
    for variant, lengths in variants.items():
        connections[variant], other = context.Pipe()
        processes.append(context.Process(target=work, args=(other, variant, args, lengths), daemon=True))
        processes[-1].start()
        other.close()

    def ask(variant: str, numbers: list[int] | None) -> float:
        connections[variant].send(numbers)
        answer: float = connections[variant].recv()
        return answer

    seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    for variant, lengths in variants.items():  # warm up
        ask(variant, list(range(len(lengths) if args.compile else 1)))
    for turn in range(args.rounds):
        order = list(variants)
        for variant in order if turn % 2 else order[::-1]:
            seconds[variant].append(ask(variant, list(range(len(variants[variant])))))
    memory = {variant: ask(variant, None) for variant in variants}
    for process in processes:
        process.join()
    return seconds, memory


def sentence_lengths(file: Path | None) -> list[int]:
    """Patches of sentences, rendered as lists of words, the separator included."""
    from pixel_lm.data.conllu import read_conllu
    from pixel_lm.data.synthetic import generate_sentences
    from pixel_lm.rendering import TextRenderer

    if file is None:
        sentences = [[word.form for word in sentence.words] for sentence in generate_sentences("en", 500)]
    else:
        sentences = [sentence.forms for sentence in read_conllu(file)]
    renderer = TextRenderer(max_seq_length=TAGGING_PATCHES)
    return [len(renderer(words)) for words in sentences]


def batches_of(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    for begin in range(0, len(lengths), size):
        yield list(lengths[begin : begin + size])


def spread(batches: list[list[int]], count: int) -> list[list[int]]:
    """Some of the batches, at even distances."""
    return [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(min(count, len(batches)))]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default=None, help="default: bf16 on a GPU, else fp32")
    parser.add_argument("--compile", action="store_true", help="torch.compile, all variants")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=4, help="of pretraining (default: 4)")
    parser.add_argument("--tagging-batch-size", type=int, default=32)
    parser.add_argument("--tagging-batches", type=int, default=3)
    parser.add_argument("--treebank", type=Path, metavar="FILE")
    parser.add_argument("--only", choices=("pretraining", "tagging", "inference"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    args.precision = args.precision or ("bf16" if args.device == "cuda" else "fp32")
    numbers: dict[str, Any] = {"size": args.size, "device": args.device, "precision": args.precision}
    print(f"{args.size}, {args.device}, {args.precision}{', compiled' if args.compile else ''}, {args.threads} threads")
    print(f"{'variant':34} {'sequences/s':>11} {'memory MB':>10} {'ours is':>9}  (range over rounds)")
    lengths = sentence_lengths(args.treebank)
    for kind in ("pretraining", "tagging", "inference"):
        if args.only not in (None, kind):
            continue
        if kind == "pretraining":
            rows = [[PRETRAINING_PATCHES] * args.batch_size]
            variants = {f"{kind}: {name}": rows for name in ("ours", "theirs, sdpa", "theirs, eager")}
        else:
            count = args.tagging_batches
            as_they_come = spread(list(batches_of(lengths, args.tagging_batch_size)), count)
            grouped_batches = spread(list(batches_of(sorted(lengths), args.tagging_batch_size)), count)
            variants = {f"{kind}: {name}": as_they_come for name in ("ours", "theirs, sdpa", "theirs, eager")}
            variants[f"{kind}: {GROUPED}"] = grouped_batches
        seconds, memory = compare(variants, args)
        ours = seconds[f"{kind}: ours"]
        for variant, batches in variants.items():
            rate = sum(map(len, batches)) / statistics.median(seconds[variant])
            key = variant.replace(": ", "_").replace(", ", "_")
            numbers[f"{key}_per_second"], numbers[f"{key}_mb"] = round(rate, 2), round(memory[variant])
            shown = ""
            if "theirs" in variant:
                ratios = sorted(theirs / our for our, theirs in zip(ours, seconds[variant], strict=True))
                numbers[f"{key}_ratio"] = round(statistics.median(ratios), 2)
                shown = f"{statistics.median(ratios):7.2f} x  ({ratios[0]:.2f} – {ratios[-1]:.2f})"
            print(f"{variant:34} {rate:11.1f} {memory[variant]:10.0f} {shown}", flush=True)
        if kind != "pretraining":
            grouped = seconds[f"{kind}: {GROUPED}"]
            theirs = seconds[f"{kind}: theirs, sdpa"]
            share = sum(map(len, variants[f"{kind}: {GROUPED}"])) / sum(map(len, as_they_come))
            ratio = statistics.median(share * t / o for o, t in zip(grouped, theirs, strict=True))
            numbers[f"{kind}_grouped_ratio"] = round(ratio, 2)
            print(f"{kind}: grouped against theirs, sdpa: {ratio:.2f} x")
        elif args.device == "cuda":
            from pixel_lm.models.flops import pretraining_flops

            flops = pretraining_flops(pixel_config(SIZES[args.size], PRETRAINING_PATCHES), PRETRAINING_PATCHES)
            share = numbers["pretraining_ours_per_second"] * flops / PEAK
            numbers["pretraining_share_of_peak"] = round(share, 4)
            print(f"pretraining: ours does {flops / 1e9:.0f} GFLOP a sequence, {share:.1%} of peak")
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
