"""What a pretraining would be, without doing it: sizes, operations, time and memory."""

from __future__ import annotations

import time

import torch

from pixel_lm.models import PixelForPreTraining
from pixel_lm.models.flops import pretraining_flops
from pixel_lm.training.arguments import PretrainArguments, validate
from pixel_lm.training.pretrain import build_model, open_corpora, peak_learning_rate
from pixel_lm.training.reporting import count_parameters, format_count, print_summary
from pixel_lm.training.throughput import format_seconds, peak_flops
from pixel_lm.training.trainer import set_seed

__all__ = ["dry_run"]

PROBE = 2116
"""Patches in each of the steps that are timed: four strips of 529."""
PATIENCE = 3.0
"""Seconds that the first strip may take; after more, no further ones are tried."""


def dry_run(arguments: PretrainArguments) -> dict[str, float]:
    """Print what `run_pretraining` would do with these settings on this machine.

    Builds the model and trains it on a few strips of noise to see how fast this machine is; reads no text, writes nothing.

    Returns:
        The figures: `parameters`, `flops_per_step`, `sequences_per_second` and `seconds` (estimated), `state_bytes`.

    Raises:
        UserError: a setting is impossible, or a file is missing.
    """
    validate(arguments)
    rate = peak_learning_rate(arguments)
    corpora = open_corpora(arguments, arguments.text, separate=True)
    size = sum(corpus.size for corpus in corpora)
    set_seed(arguments.seed)
    model = build_model(arguments)
    config, length = model.config, arguments.max_seq_length
    flops = pretraining_flops(config, length) * arguments.batch_size
    parameters = count_parameters(model)
    # Weights, gradients and two moments of AdamW, in 32 bits.
    state = 16 * parameters
    device = torch.device("cuda" if torch.cuda.is_available() and not arguments.cpu else "cpu")
    rows = min(max(PROBE // length, 1), arguments.batch_size)
    speed, memory = probe(model, arguments, device, rows)
    seconds = arguments.steps * arguments.batch_size / speed
    bfloat = {"fp32": "32 bits", "bf16": "bfloat16", "fp16": "float16"}[arguments.precision]
    peak = peak_flops() if device.type == "cuda" else None
    if (timed := timed_precision(arguments, device)) != arguments.precision:
        bfloat += f" (timed in {timed}: this machine has no GPU)"
    share = f", {speed * pretraining_flops(config, length) / peak:.0%} of this GPU's peak" if peak else ""
    print_summary(
        "This would be trained (nothing was):",
        [
            (
                "model",
                f"{format_count(parameters)} parameters; encoder {config.num_hidden_layers} layers of {config.hidden_size}, decoder "
                f"{config.decoder_num_hidden_layers} of {config.decoder_hidden_size}",
            ),
            (
                "text",
                f"{sum(len(corpus.sources) for corpus in corpora)} sources, {size / 1e6:.1f} MB as they lie on disk",
            ),
            (
                "training",
                f"{arguments.steps} steps of {arguments.batch_size} strips of {length} patches, peak learning rate {rate:.3g}, {bfloat}",
            ),
            ("work", f"{flops / 1e12:.3g} TFLOP a step, {flops * arguments.steps:.3g} operations in all"),
            (
                "speed",
                f"about {speed:.1f} strips/s on this {device.type} in one process, timed on noise{share}; rendering not counted",
            ),
            ("time", f"about {format_seconds(seconds)} here (h:mm:ss)"),
            (
                "memory",
                f"{state / 1e9:.2f} GB for weights, gradients and optimizer"
                + (f"; {memory / 1e9:.2f} GB at its peak with {rows} strips at a time" if memory else ""),
            ),
            ("to write", arguments.output_dir),
        ],
    )
    return {
        "parameters": parameters,
        "flops_per_step": flops,
        "sequences_per_second": speed,
        "seconds": seconds,
        "state_bytes": state,
    }


def timed_precision(arguments: PretrainArguments, device: torch.device) -> str:
    """The precision that can be tried here: on a CPU float16 takes minutes for what takes seconds in 32 bits."""
    return "fp32" if arguments.precision == "fp16" and device.type == "cpu" else arguments.precision


def probe(
    model: PixelForPreTraining, arguments: PretrainArguments, device: torch.device, rows: int
) -> tuple[float, int]:
    """Strips per second of a few steps on noise, and bytes at the peak on a GPU (0 elsewhere)."""
    pixels = torch.randint(0, 256, (rows, arguments.max_seq_length, model.config.patch_size**2), dtype=torch.uint8)
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(timed_precision(arguments, device))

    def step(rows: int) -> None:
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            loss = model(pixels[:rows].to(device)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()

    began = time.perf_counter()
    step(1)
    if (seconds := time.perf_counter() - began) > PATIENCE:
        return 1 / seconds, 0  # a large model on a CPU; its first step is not much slower than the next ones
    step(rows)
    began, steps = time.perf_counter(), 0
    while steps < 2 or (time.perf_counter() - began < 2 and steps < 50):
        step(rows)
        steps += 1
    seconds = (time.perf_counter() - began) / steps
    return rows / seconds, torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
