"""Rendering in several processes at once: sequences per second, and the ratio to one process of the same kind.

    python benchmarks/rendering_workers.py [--processes 1 2 4] [--seconds 3] [--rounds 3] [--json FILE]

Every worker renders English texts of Python's documentation that fill a strip of 509 patches, over and over, so that all words
are known, as in later epochs of fine-tuning. fork: workers begin with the words that their parent has drawn; spawn: they unpickle
the renderer and begin with none, but draw the texts once before the time is taken, as all workers do. threads: one renderer
shared within one process, for comparison, since Python runs one of them at a time.

All workers start together after their warm-up. The numbers of workers take turns within a round; figures are medians over the
rounds. What is drawn stays in the worker, so what a data loader adds to bring it to its parent is not measured. No ratio can
exceed the number of cores that are free.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from pixel_lm.data.texts import python_documentation_text
from pixel_lm.rendering import TextRenderer

LENGTH = 509
WARM_UP_TEXTS = 300
METHODS = ("fork", "spawn", "threads")
PATIENCE_SECONDS = 120


def render_for(
    renderer: TextRenderer, texts: Sequence[str], offset: int, seconds: float, wait: Callable[[], object]
) -> float:
    """Sequences per second of one worker, which begins at text `offset` and goes round."""
    for text in texts[:WARM_UP_TEXTS]:
        renderer(text)
    wait()
    count = 0
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        renderer(texts[(offset + count) % len(texts)])
        count += 1
    return count / (now - began)


def _work(renderer: TextRenderer, texts: Sequence[str], offset: int, seconds: float, barrier: Any, rates: Any) -> None:
    """One process."""
    rates.put(render_for(renderer, texts, offset, seconds, lambda: barrier.wait(PATIENCE_SECONDS)))


def in_processes(
    context: BaseContext, renderer: TextRenderer, texts: Sequence[str], number: int, seconds: float
) -> float:
    """Sequences per second of `number` processes together."""
    barrier, rates = context.Barrier(number), context.Queue()
    offsets = range(0, len(texts), -(-len(texts) // number))
    workers = [
        context.Process(target=_work, args=(renderer, texts, offset, seconds, barrier, rates))  # type: ignore[attr-defined]
        for offset in offsets
    ]
    for worker in workers:
        worker.start()
    total = sum(rates.get(timeout=PATIENCE_SECONDS + seconds) for _ in workers)
    for worker in workers:
        worker.join()
    return float(total)


def in_threads(renderer: TextRenderer, texts: Sequence[str], number: int, seconds: float) -> float:
    """Sequences per second of `number` threads together."""
    barrier = threading.Barrier(number)
    rates: list[float] = []

    def work(offset: int) -> None:
        rates.append(render_for(renderer, texts, offset, seconds, lambda: barrier.wait(PATIENCE_SECONDS)))

    threads = [
        threading.Thread(target=work, args=(offset,)) for offset in range(0, len(texts), -(-len(texts) // number))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all kinds and numbers of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--processes", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers; 1 is the baseline"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(arguments)
    if min(args.processes) < 1 or args.seconds <= 0 or args.rounds < 1:
        parser.error("--processes and --rounds must be at least 1, --seconds more than 0")
    numbers_of_workers = sorted({1, *args.processes})

    renderer = TextRenderer(profile="pango").with_max_seq_length(LENGTH)
    texts = renderer.split(" ".join(" ".join(python_documentation_text()).split()))
    for text in texts[:WARM_UP_TEXTS]:
        renderer(text)
    # A pickled renderer brings no words along, so for `spawn` the same object serves.
    measured: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(args.rounds):
        for method in args.methods:
            for number in numbers_of_workers:
                if method == "threads":
                    rate = in_threads(renderer, texts, number, args.seconds)
                else:
                    context = multiprocessing.get_context(method)
                    rate = in_processes(context, renderer, texts, number, args.seconds)
                measured[method, number].append(rate)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    numbers: dict[str, float] = {"cores": cores}
    print(f"{len(texts)} texts, {cores} cores, which other work may share")
    print(f"{'workers':12} {'sequences/s':>12} {'ratio to 1':>11}   (range over rounds)")
    for method in args.methods:
        for number in numbers_of_workers:
            rates = measured[method, number]
            ratios = [rate / one for rate, one in zip(rates, measured[method, 1], strict=True)]
            rate, ratio = statistics.median(rates), statistics.median(ratios)
            spread = "" if number == 1 else f"   ({min(ratios):.2f} – {max(ratios):.2f})"
            print(f"{method:8} {number:3} {rate:12.0f} {ratio:11.2f}{spread}")
            numbers |= {
                f"{method}_{number}_per_second": round(rate, 1),
                f"{method}_{number}_ratio": round(ratio, 3),
            }
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
