"""Speed of `pixel-lm pretrain` itself, as a user starts it, for several recipes: made for a GPU that is lent for minutes.

    python benchmarks/pretrain_job.py --out build/pretrain-job                                       # what a GPU is asked
    python benchmarks/pretrain_job.py --out build/trial --device cpu --seconds 10                      # a trial on a CPU

Each piece is a recipe in one of several ways of computing. It trains for `--seconds` after a warm-up, in a process of its own: text is
cut and drawn, masks are drawn, batches travel, weights are updated. The figures are those of the training's own log: medians of its
lines. Pieces that are done stand in `OUT/results.json`; a command that was stopped, or that stopped itself because `--minutes`
were over, goes on with the rest when it is given again. No network: the text is what comes with Python and this project, or `--text`.
It is short, so that after the first pass the renderer knows all its words, as it knows nearly all of any long text.

    way              what is different
    compiled         as the recipes for GPUs compute: bfloat16, torch.compile, all strips of one length, masks drawn by the workers
    plain            without torch.compile
    device-masks     masks of the whole batch drawn on the GPU
    fp32             single precision

`share of peak`: operations counted from the sizes (`pixel_lm.models.flops`) of what the GPU's maker states for 16 bits. `data wait`: share of
the time in which training waited for its next batch; as soon as it is more than nothing, rendering is the bottleneck. `hours`:
derived, for all updates of the recipe at this speed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WAYS: dict[str, dict[str, Any]] = {
    "compiled": {},
    "plain": {"torch_compile": False},
    "device-masks": {"draw_masks": "device"},
    "fp32": {"precision": "fp32"},
}
BATCHES = {"pixel-tiny": 512, "pixel-small": 256, "pixel-base": 128}  # halved until they fit
SKIPPED_LINES = 2  # of the log, while kernels are compiled and caches filled
PIECE_LIMIT = 500  # seconds; a piece that takes longer is ended and noted as failed
LEAST_REST = 60  # seconds for start, warm-up and compilation, without which no piece is begun


def write_text(folder: Path) -> Path:
    """The text that is at hand without a network."""
    from pixel_lm.data.texts import project_texts, python_documentation_text

    path = folder / "text.txt"
    if not path.exists():
        paragraphs = [*python_documentation_text(), *(text for texts in project_texts().values() for text in texts)]
        path.write_text("\n".join(" ".join(paragraph.split()) for paragraph in paragraphs), encoding="utf-8")
    return path


def measure(args: argparse.Namespace, recipe: str, way: str, text: Path) -> dict[str, Any]:
    """Train, and return figures. The batch is halved until it fits."""
    import torch
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    from pixel_lm.training.arguments import PretrainArguments
    from pixel_lm.training.pretrain import run_pretraining
    from pixel_lm.training.recipes import resolve

    lines: list[dict[str, float]] = []

    class Stop(TrainerCallback):
        """Ends the training when enough was seen."""

        began = 0.0

        def on_log(
            self,
            args_: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            logs: Any = None,
            **kwargs: Any,
        ) -> None:
            if "sequences_per_second" not in (logs or {}):
                return
            lines.append(dict(logs))
            self.began = self.began or (time.monotonic() if len(lines) == SKIPPED_LINES else 0.0)
            enough = self.began and time.monotonic() - self.began >= args.seconds
            control.should_training_stop = bool(enough and len(lines) >= SKIPPED_LINES + 3)

    cuda = args.device == "cuda"
    computed = {"precision": "bf16", "torch_compile": True} if cuda else {"precision": "fp32", "torch_compile": False}
    batch = args.batch_size or BATCHES.get(recipe, 32)
    work = args.out / "work"
    while True:
        shutil.rmtree(work, ignore_errors=True)
        lines.clear()
        given = {
            "text": [str(text)], "output_dir": str(work), "overwrite": True, "batch_size": batch, "num_workers": args.num_workers,
            "logging_steps": args.logging_steps, "steps": 1_000_000, "save_steps": 1_000_000, "base_learning_rate": 0.01 / batch,
            "min_learning_rate": 0.0, "pad_to_max_length": True, "min_text_patches": 0, "packing": "full", "cpu": not cuda,
            "keep_checkpoints": 1, **computed, **WAYS[way],
        }  # fmt: skip
        if args.patches:
            given["max_seq_length"] = args.patches
        arguments = resolve(PretrainArguments, "pretrain", recipe, given)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                results = run_pretraining(arguments, [lambda model, renderer, strips: Stop()])
            break
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2  # outside of `except`, where the model is not held any more
        gc.collect()
        torch.cuda.empty_cache()
    shutil.rmtree(work, ignore_errors=True)
    rows = lines[SKIPPED_LINES:]
    planned = resolve(PretrainArguments, "pretrain", recipe, {})
    speed = statistics.median(row["sequences_per_second"] for row in rows)
    shares = [row["share_of_peak"] for row in rows if "share_of_peak" in row]
    return {
        "batch_size": batch,
        "patches": arguments.max_seq_length,
        "parameters": results["num_parameters"],
        "lines": len(rows),
        "sequences_per_second": round(speed, 2),
        "lowest": min(row["sequences_per_second"] for row in rows),
        "highest": max(row["sequences_per_second"] for row in rows),
        "share_of_peak": round(statistics.median(shares), 4) if shares else None,
        "data_wait": round(statistics.median(row["data_wait"] for row in rows), 4),
        "memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if cuda else None,
        "hours_of_recipe": round(planned.steps * planned.batch_size / speed / 3600, 1) if not args.patches else None,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "torch": torch.__version__,
    }


def run_piece(args: argparse.Namespace, recipe: str, way: str, limit: float) -> dict[str, Any] | None:
    """Measure in a process of its own; None if it did not end within `limit` seconds."""
    command = [sys.executable, __file__, *sys.argv[1:], "--piece", recipe, way]
    log = args.out / f"{recipe}-{way}.log"
    try:
        with log.open("w", encoding="utf-8") as errors:
            found = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if found.returncode:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        return {"failed": last[0] if last else f"exit status {found.returncode}"}
    figures: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return figures


def table(results: dict[str, dict[str, Any]]) -> str:
    """What is known, for people."""
    lines = [
        f"{'recipe':20} {'way':13} {'batch':>6} {'seq/s':>9} {'of peak':>8} {'data wait':>9} {'memory GB':>9} {'hours':>9}"
    ]
    for name, row in results.items():
        recipe, way = name.split("/")
        if "failed" in row:
            lines.append(f"{recipe:20} {way:13} failed: {row['failed']}")
            continue
        share = f"{row['share_of_peak']:.1%}" if row["share_of_peak"] is not None else "–"
        memory, hours = (row[key] if row[key] is not None else "–" for key in ("memory_gb", "hours_of_recipe"))
        lines.append(
            f"{recipe:20} {way:13} {row['batch_size']:6} {row['sequences_per_second']:9.1f} {share:>8} {row['data_wait']:9.1%} "
            f"{memory:>9} {hours:>9}"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("build/pretrain-job"), metavar="FOLDER", help="results, logs, cache"
    )
    parser.add_argument(
        "--recipes", nargs="+", metavar="RECIPE", help="default: tiny, small and base; on a CPU cpu-tiny"
    )
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), help="default: all on a GPU, plain on a CPU")
    parser.add_argument("--text", type=Path, metavar="FILE")
    parser.add_argument("--batch-size", type=int, metavar="INTEGER")
    parser.add_argument("--patches", type=int, metavar="INTEGER", help="length of strips, if not the recipe's")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each piece, after the warm-up (default: 45)")
    parser.add_argument("--minutes", type=float, default=8.5, help="of this command (default: 8.5)")
    parser.add_argument("--logging-steps", type=int, default=10, metavar="INTEGER", help="steps in a line of the log")
    parser.add_argument(
        "--num-workers", type=int, metavar="INTEGER", help="default: the cores but two on a GPU, else 0"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda if there is one")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--piece", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ["PIXEL_LM_CACHE"] = str(args.out / "cache")
    if args.device is None:
        import torch

        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    args.recipes = args.recipes or (list(BATCHES) if args.device == "cuda" else ["cpu-tiny"])
    if args.num_workers is None:
        args.num_workers = max((os.cpu_count() or 1) - 2, 0) if args.device == "cuda" else 0
    text = args.text or write_text(args.out)
    if args.piece:
        recipe, way = args.piece
        print(json.dumps(measure(args, recipe, way, text)))
        return 0
    file = args.out / "results.json"
    results: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    ways = args.ways or (list(WAYS) if args.device == "cuda" else ["plain"])
    end = time.monotonic() + 60 * args.minutes
    left = [(recipe, way) for way in ways for recipe in args.recipes if f"{recipe}/{way}" not in results]
    while left and (seconds := end - time.monotonic()) > args.seconds + LEAST_REST:
        recipe, way = left[0]
        found = run_piece(args, recipe, way, min(seconds, PIECE_LIMIT))
        if found is None and seconds < PIECE_LIMIT:
            break  # it gets its full time when it is the first one
        results[f"{recipe}/{way}"] = found or {"failed": f"took longer than {PIECE_LIMIT} s"}
        left.pop(0)
        new = file.with_suffix(".tmp")
        new.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        os.replace(new, file)
    print(table(results))
    if left:
        print(f"{len(left)} pieces are left: give the same command again")
    if args.json:
        numbers = {
            f"{name.replace('/', '_')}_{key}": value
            for name, row in results.items()
            for key, value in row.items()
            if not isinstance(value, str)
        }
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
