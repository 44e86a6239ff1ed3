"""Speed of fine-tuning for part-of-speech tags, against the way of the original, interleaved in one run.

    python benchmarks/finetune.py [--treebank FOLDER] [--size tiny] [--device cuda --precision bf16] [--json FILE]

Ours: the data set, the sampler, the batches and the model of `pixel-lm finetune pos`: sentences rendered once, as long as they are,
kept as bytes, those of like length in one batch. Theirs: every sentence an image of 256 patches, white behind its end, kept as floats in
three channels, in the order of a shuffle; transformers' ViT of the same size with a linear layer on each patch, with eager attention, as
the original computes, and with sdpa. Their attention sees the padding, which spares it the mask that the original has. Both draw with our
renderer, whose words are known by then (the original's is slower: `benchmarks/rendering.py`); both have the same sentences in a round,
dropout, clipped gradients and AdamW.

An epoch of the whole training file is put into batches; a round does some of them, at even distances. `first epoch` draws the sentences and
trains on them, `later epochs` find them drawn. A ratio is ours divided by theirs, larger is better: median of the rounds, with its range.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from train_step import LABELS, PATCH, SIZES, TAGGING_PATCHES, Tagger, pixel_config

from pixel_lm.data.collators import IGNORED_LABEL
from pixel_lm.data.conllu import Sentence
from pixel_lm.data.synthetic import generate_corpus
from pixel_lm.models import PixelConfig, PixelForTokenClassification
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import get_task
from pixel_lm.tasks.pos import UPOS
from pixel_lm.tasks.tagging import label_words
from pixel_lm.training.trainer import EpochLengthGroupedSampler

Batches = list[list[int]]
OURS, THEIRS = "ours", ("theirs, sdpa", "theirs, eager")


@dataclass(frozen=True)
class Job:
    """A way of training: draw sentences, giving a function that makes a batch of some of them; do a step with a batch."""

    draw: Callable[[Sequence[Sentence]], Callable[[Sequence[int]], dict[str, torch.Tensor]]]
    step: Callable[[dict[str, torch.Tensor]], None]


def stepper(model: torch.nn.Module, args: argparse.Namespace) -> Callable[[dict[str, torch.Tensor]], None]:
    """Forward, backward, clipping, update."""
    device = torch.device(args.device)
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0, fused=device.type == "cuda")

    def step(batch: dict[str, torch.Tensor]) -> None:
        inputs = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            output = model(**inputs)
        (output if isinstance(output, torch.Tensor) else output.loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def ours(args: argparse.Namespace, renderer: TextRenderer, config: PixelConfig) -> Job:
    """What `pixel-lm finetune pos` does."""
    task = get_task("pos")
    collate = task.collator()

    def draw(sentences: Sequence[Sentence]) -> Callable[[Sequence[int]], dict[str, torch.Tensor]]:
        dataset = task.dataset(sentences, renderer, config)
        return lambda indices: collate([dataset[i] for i in indices])

    return Job(draw, stepper(PixelForTokenClassification(config), args))


def theirs(args: argparse.Namespace, renderer: TextRenderer, config: PixelConfig, attention: str) -> Job:
    """Images of full length for transformers' ViT."""
    model = Tagger(SIZES[args.size], args.dropout)
    model.vit.set_attn_implementation(attention)

    def draw(sentences: Sequence[Sentence]) -> Callable[[Sequence[int]], dict[str, torch.Tensor]]:
        images = torch.empty(len(sentences), 3, PATCH, PATCH * TAGGING_PATCHES)
        labels = torch.full((len(sentences), TAGGING_PATCHES), IGNORED_LABEL)
        for i, sentence in enumerate(sentences):
            rendering = renderer(sentence.forms)
            strip = np.full((PATCH, PATCH * TAGGING_PATCHES, 3), 255, np.uint8)
            strip[:, : PATCH * len(rendering)] = rendering.patches.transpose(1, 0, 2).reshape(PATCH, -1, 1)
            images[i] = torch.from_numpy(strip).permute(2, 0, 1).float() / 255
            row = label_words(rendering, [config.label2id[word.upos] for word in sentence.words])
            labels[i, : len(row)] = torch.from_numpy(row)
        return lambda indices: {"pixel_values": images[list(indices)], "labels": labels[list(indices)]}

    return Job(draw, stepper(model, args))


def measure(job: Job, sentences: list[Sentence], batches: Batches, cuda: bool) -> tuple[float, float]:
    """Seconds of drawing the sentences, and of training on them once."""
    began = time.perf_counter()
    make = job.draw(sentences)
    drawn = time.perf_counter()
    for indices in batches:
        job.step(make(indices))
    if cuda:
        torch.cuda.synchronize()
    return drawn - began, time.perf_counter() - drawn


def chosen(order: Sequence[int], batch_size: int, count: int) -> Batches:
    """Batches of an order, some of them, at even distances."""
    batches = [list(order[begin : begin + batch_size]) for begin in range(0, len(order), batch_size)]
    return [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(min(count, len(batches)))]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--treebank", type=Path, metavar="FOLDER", help="default: sentences of this project's grammars")
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default=None, help="default: bf16 on a GPU, else fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64, as published")
    parser.add_argument("--batches", type=int, default=8, help="of the epoch, in each round (default: 8)")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    args.precision = args.precision or ("bf16" if args.device == "cuda" else "fp32")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    task = get_task("pos")
    with tempfile.TemporaryDirectory() as folder:
        treebank = args.treebank or generate_corpus(folder, train=800).directory
        sentences = task.read(task.find_file(treebank, "train"))
    config = pixel_config(SIZES[args.size], TAGGING_PATCHES)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = args.dropout
    config.id2label = dict(enumerate(UPOS))
    config.label2id = {tag: index for index, tag in enumerate(UPOS)}
    assert config.num_labels == LABELS
    renderer = TextRenderer(max_seq_length=TAGGING_PATCHES)
    lengths = [len(renderer(sentence.forms)) for sentence in sentences]

    jobs = {OURS: ours(args, renderer, config)}
    jobs |= {name: theirs(args, renderer, config, name.split()[1]) for name in THEIRS}
    draw: dict[str, list[float]] = {name: [] for name in jobs}
    train: dict[str, list[float]] = {name: [] for name in jobs}
    counts: list[int] = []
    for turn in range(args.rounds + 1):
        order = list(EpochLengthGroupedSampler(args.batch_size, lengths, turn))
        batches = chosen(order, args.batch_size, args.batches if turn else 1)
        flat = [index for batch in batches for index in batch]
        places = [list(range(sum(map(len, batches[:i])), sum(map(len, batches[: i + 1])))) for i in range(len(batches))]
        for name in list(jobs) if turn % 2 else list(jobs)[::-1]:
            seconds = measure(jobs[name], [sentences[i] for i in flat], places, args.device == "cuda")
            if turn:  # the first round warms up
                draw[name].append(seconds[0])
                train[name].append(seconds[1])
        if turn:
            counts.append(len(flat))

    mean = sum(lengths) / len(lengths)
    print(
        f"{args.size}, {args.device}, {args.precision}, {args.threads} threads, {treebank.name if args.treebank else 'synthetic'}: "
        f"{len(sentences)} sentences of {mean:.0f} patches; {args.rounds} rounds of {counts[0]}, batches of {args.batch_size}"
    )
    numbers: dict[str, Any] = {"size": args.size, "device": args.device, "precision": args.precision}
    whole = {name: [d + t for d, t in zip(draw[name], train[name], strict=True)] for name in jobs}
    for title, key, seconds_of in (("first epoch", "first_epoch", whole), ("later epochs", "later_epochs", train)):
        print(f"{title + ', sentences/s':28} {'':>9} {'ours is':>9}  (range over rounds)")
        for name in jobs:
            rate = statistics.median(n / s for n, s in zip(counts, seconds_of[name], strict=True))
            short = name.replace(", ", "_")
            numbers[f"{key}_{short}_per_second"] = round(rate, 2)
            shown = ""
            if name != OURS:
                ratios = sorted(t / o for o, t in zip(seconds_of[OURS], seconds_of[name], strict=True))
                numbers[f"{key}_{short}_ratio"] = round(statistics.median(ratios), 2)
                shown = f"{statistics.median(ratios):7.2f} x  ({ratios[0]:.2f} – {ratios[-1]:.2f})"
            print(f"  {name:26} {rate:9.1f} {shown}", flush=True)
    parts = ", ".join(f"{name} {100 * sum(draw[name]) / sum(whole[name]):.1f} %" for name in jobs)
    print(f"drawing takes of the first epoch: {parts}")
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
