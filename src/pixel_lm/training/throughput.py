"""How fast a run is, and how long it will still take: in every line of the log.

Counts sequences and patches as batches go by; patches are attended ones, so padding does not make a run look faster. The
counters stay on the device until a line is due, so that counting never waits for it. `data_wait` is the share of the time in which
training waited for its next batch, `share_of_peak` the operations done, of those that the GPU could do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Throughput(TrainerCallback):
    """Counts what is trained on and turns it into rates since the last line of the log.

    Time that evaluations and checkpoints take is left out of the rates, but is part of the elapsed time.
    """

    def __init__(self, flops_per_sequence: float = 0.0) -> None:
        self._flops = flops_per_sequence
        self._waited = 0.0
        self._first_step = self._last_step = 0
        self._begin = self._mark = time.perf_counter()
        self._paused = 0.0
        self._pause_begin: float | None = None
        self._sequences = 0
        self._patches: torch.Tensor | int = 0

    def count(self, batch: Mapping[str, Any]) -> None:
        """Add a batch with `pixel_values` or `input_ids` (B, …) and, if it has padding, `attention_mask` (B, L)."""
        values = batch["pixel_values"] if "pixel_values" in batch else batch["input_ids"]
        self._sequences += values.shape[0]
        mask = batch.get("attention_mask")
        self._patches = self._patches + (mask.sum() if mask is not None else values.shape[0] * values.shape[1])

    def wait(self, seconds: float) -> None:
        """Note time in which training waited for its next batch."""
        self._waited += seconds

    def pause(self) -> None:
        """Stop the clock of the rates, for an evaluation or a checkpoint."""
        self._pause_begin = time.perf_counter()

    def resume(self) -> None:
        """Start it again."""
        if self._pause_begin is not None:
            self._paused += time.perf_counter() - self._pause_begin
            self._pause_begin = None

    def figures(self, step: int, max_steps: int, world_size: int) -> dict[str, float]:
        """Rates since the last call, over all devices, and seconds since the start and until the end of the run."""
        if step == self._last_step:
            return {}
        now = time.perf_counter()
        seconds = max(now - self._mark - self._paused, 1e-9)
        elapsed = now - self._begin
        result = {
            "sequences_per_second": round(self._sequences * world_size / seconds, 3),
            "patches_per_second": round(int(self._patches) * world_size / seconds, 1),
            "data_wait": round(min(self._waited / seconds, 1.0), 4),
            "elapsed_seconds": round(elapsed, 1),
            "remaining_seconds": round(elapsed / (step - self._first_step) * (max_steps - step), 1),
        }
        peak = peak_flops()
        if self._flops and peak:
            result["share_of_peak"] = round(self._sequences * self._flops / seconds / peak, 4)
        self._mark, self._paused, self._sequences, self._patches, self._last_step = now, 0.0, 0, 0, step
        self._waited = 0.0
        return result

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock; a resumed run starts at the step of its checkpoint."""
        self._first_step = self._last_step = state.global_step
        self._begin = self._mark = time.perf_counter()
        self._paused, self._waited, self._sequences, self._patches = 0.0, 0.0, 0, 0


# Operations per second in 16 bits, without sparsity, as the makers state them.
PEAKS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "4090": 165e12,
    "3090": 71e12,
    "V100": 125e12,
}


@cache
def peak_flops() -> float | None:
    """What this GPU could do in 16 bits, in operations per second; None without a GPU or for one that we do not know."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for model, peak in PEAKS.items() if model in name), None)


def format_seconds(seconds: float) -> str:
    """`754` → `12:34`, `3661` → `1:01:01`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
