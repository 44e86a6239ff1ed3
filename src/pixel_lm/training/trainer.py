"""transformers' Trainer with what is ours: schedule, batches, throughput and readable progress.

What is special here:

* Learning rate. Pretraining: linear warm-up, then half a cosine down to a floor; fine-tuning: linear warm-up, linear decay.
  Weight decay is the Trainer's: all trained weights but biases and layer norms, so the class token and, in fine-tuning, the
  position table too; in pretraining position tables are frozen (Rust et al., 2023, appendix on training).
* Exact resumption. Batches depend on seed and step alone; evaluation uses its own random numbers and leaves those of the
  training untouched; a line is logged at each checkpoint, so that the averages in the log begin anew there in a resumed and
  in an uninterrupted run alike.
* Evaluation with a fixed seed, so that its losses can be compared over time.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from torch.utils.data import Dataset, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from pixel_lm.data.strips import ShuffledStrips
from pixel_lm.errors import UserError
from pixel_lm.training.arguments import JobArguments
from pixel_lm.training.checkpoints import STATE, is_final, seal
from pixel_lm.training.reporting import no_progress_bars
from pixel_lm.training.safety import StopOnBadLoss, StopOnSignal, explained_write_errors, raise_if_stopped
from pixel_lm.training.throughput import Throughput, format_seconds

logger = logging.getLogger(__name__)

LOG_HISTORY = "log_history.jsonl"


def per_device_batch_size(batch_size: int, accumulation: int, num_devices: int) -> int:
    """Examples that one device computes at a time.

    Raises:
        UserError: the batch cannot be divided evenly.
    """
    parts = accumulation * num_devices
    if batch_size % parts:
        raise UserError(
            f"batch-size is {batch_size}, but must be a multiple of gradient-accumulation-steps × devices = "
            f"{accumulation} × {num_devices}"
        )
    return batch_size // parts


def training_arguments(arguments: JobArguments, batch_size: int, **settings: Any) -> TrainingArguments:
    """transformers' arguments for a job: what both jobs share, and `settings` on top.

    Raises:
        UserError: the batch cannot be divided among the devices, or this machine cannot compute in the precision.
    """
    cuda = torch.cuda.is_available() and not arguments.cpu
    if arguments.precision == "fp16" and not cuda:
        raise UserError("precision fp16 needs a CUDA GPU: use fp32 or bf16")
    if arguments.precision == "bf16" and cuda and not torch.cuda.is_bf16_supported():
        raise UserError("this GPU cannot compute in bf16: use fp16 or fp32")
    for tracker in arguments.report_to:
        try:
            get_reporting_integration_callbacks([tracker])[0]()
        except (ValueError, RuntimeError, ImportError) as error:
            raise UserError(f"report-to: {tracker} cannot be used ({str(error).splitlines()[0]})") from None
    values: dict[str, Any] = {
        "output_dir": arguments.output_dir,
        "seed": arguments.seed,
        "data_seed": arguments.seed,
        "gradient_accumulation_steps": arguments.gradient_accumulation_steps,
        "weight_decay": arguments.weight_decay,
        "max_grad_norm": arguments.max_grad_norm,
        "bf16": arguments.precision == "bf16",
        "fp16": arguments.precision == "fp16",
        "ddp_find_unused_parameters": False,
        "torch_compile": arguments.torch_compile,
        "use_cpu": arguments.cpu,
        "dataloader_num_workers": arguments.num_workers,
        "dataloader_pin_memory": cuda,
        "accelerator_config": {"non_blocking": cuda},  # batches go to the device while it computes
        "logging_steps": arguments.logging_steps,
        "logging_nan_inf_filter": False,  # a loss that is not a number must show
        "eval_steps": arguments.eval_steps,
        "save_strategy": "steps",
        "save_total_limit": arguments.keep_checkpoints,
        "restore_callback_states_from_checkpoint": True,  # the patience of early stopping
        "report_to": list(arguments.report_to) or "none",
        "disable_tqdm": True,  # Progress does it
        "log_level": "error",
        "remove_unused_columns": False,
        **settings,
    }
    result = TrainingArguments(**values)
    # Several GPUs are used by starting several processes (torchrun); without it one is enough.
    _ = result.device
    result._n_gpu = min(result.n_gpu, 1)
    result.per_device_train_batch_size = per_device_batch_size(
        batch_size, arguments.gradient_accumulation_steps, result.world_size
    )
    return result


class EpochLengthGroupedSampler(LengthGroupedSampler):
    """Groups examples of like length, in an order that depends on seed and epoch alone, so that a run can be resumed."""

    def __init__(self, batch_size: int, lengths: Sequence[int], seed: int) -> None:
        super().__init__(batch_size, lengths=list(lengths))
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader at the beginning of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return super().__iter__()


class PixelTrainer(Trainer):
    """Trainer whose log lines carry throughput and which evaluates with random numbers of its own.

    Examples of a data set with a `lengths` attribute are batched with others of like length.
    """

    def __init__(self, *args: Any, flops_per_sequence: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.throughput = Throughput(flops_per_sequence)
        # Losses of our models are means over the batch; a `**kwargs` in their signature does not mean that they take the
        # number of items from outside.
        self.model_accepts_loss_kwargs = False
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        for callback in (
            self.throughput,
            LogAtCheckpoints(),
            StopOnSignal(),
            StopOnBadLoss(),
            LogHistory(),
            Progress(),
        ):
            self.add_callback(callback)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        lengths = getattr(dataset, "lengths", None)
        if lengths is None:
            return super()._get_train_sampler(train_dataset)
        return EpochLengthGroupedSampler(
            self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size,
            lengths,
            self.args.seed,
        )

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The next batches, and how long they were waited for."""
        began = time.perf_counter()
        batches = super().get_batch_samples(*args, **kwargs)
        self.throughput.wait(time.perf_counter() - began)
        return batches

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        """The loss; in pretraining with several processes every masked patch counts the same, whichever process has it."""
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
        mask = outputs.get("mask")
        if mask is not None and model.training and self.args.world_size > 1:
            attended = outputs.get("attention_mask")
            ours = (mask if attended is None else mask * attended).sum()
            total = ours.clone()
            torch.distributed.all_reduce(total)
            loss = loss * ours * self.args.world_size / total.clamp(min=1)
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """One forward and backward pass, counted."""
        self.throughput.count(inputs)
        return super().training_step(model, inputs, *args, **kwargs)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate with the random numbers of the seed, and put back those of the training."""
        devices = [torch.cuda.current_device()] if self.args.device.type == "cuda" else []
        self.throughput.pause()
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.args.seed)
            result = super().evaluation_loop(*args, **kwargs)
        self.throughput.resume()
        return result

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.throughput.pause()
        with no_progress_bars(), explained_write_errors(Path(self.args.output_dir)):
            super()._save_checkpoint(*args, **kwargs)
            if self.args.world_size > 1:
                torch.distributed.barrier()  # each process has written its part
            if self.args.should_save:
                seal(Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}")
        self.throughput.resume()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the rates to lines about training."""
        if "loss" in logs:
            logs.update(self.throughput.figures(self.state.global_step, self.state.max_steps, self.args.world_size))
        if isinstance(self.train_dataset, ShuffledStrips):  # to the Trainer the whole run is one epoch
            examples = self.state.global_step * self.args.train_batch_size
            examples *= self.args.gradient_accumulation_steps * self.args.world_size
            self.state.epoch = examples / len(self.train_dataset.strips)
        super().log(logs, start_time)


def train_or_resume(trainer: PixelTrainer, checkpoint: Path | None) -> None:
    """Train from the beginning or from a checkpoint; of a run that had ended, only load the state and the weights.

    Afterwards the model holds the last weights, or the best ones if the trainer was told to load these.
    """
    if checkpoint is None:
        trainer.train()
        raise_if_stopped(trainer)
        return
    if not is_final(checkpoint, trainer.args.max_steps):
        logger.info("continuing from %s", checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint))
        raise_if_stopped(trainer)
        return
    logger.info("training had ended at %s; only evaluating", checkpoint)
    trainer.state = TrainerState.load_from_json(str(checkpoint / STATE))
    best = trainer.state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
    trainer.model.load_state_dict(load_file(Path(best or checkpoint) / "model.safetensors"))
    LogHistory().on_train_begin(trainer.args, trainer.state, trainer.control)


class LogAtCheckpoints(TrainerCallback):
    """Logs at each checkpoint, since the average loss since the last line is not part of a checkpoint."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called after the default callback has decided whether a checkpoint is due."""
        if control.should_save:
            control.should_log = True


class LogHistory(TrainerCallback):
    """Writes every line of the log to `log_history.jsonl`, for loss curves of runs that are under way."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start with what the checkpoint knows; lines after it belong to steps that are done again."""
        if state.is_world_process_zero:
            self._write(args, state.log_history, "w")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Append the newest line."""
        if state.is_world_process_zero and state.log_history:
            self._write(args, state.log_history[-1:], "a")

    def _write(self, args: TrainingArguments, lines: Sequence[Mapping[str, Any]], mode: str) -> None:
        with (Path(args.output_dir) / LOG_HISTORY).open(mode, encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


class Progress(ProgressCallback):
    """A bar on a terminal, and one readable line for each entry of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = sys.stderr.isatty()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self.current_step = 0
        if self.bars:
            super().on_train_begin(args, state, control, **kwargs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self.bars:
            super().on_step_end(args, state, control, **kwargs)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar of the evaluation."""
        if self.bars:
            super().on_prediction_step(args, state, control, **kwargs)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Print the line."""
        line = describe(logs or {}, state.global_step, state.max_steps)
        if not state.is_world_process_zero or line is None:
            return
        if self.training_bar is not None:
            self.training_bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if self.training_bar is not None:
            super().on_train_end(args, state, control, **kwargs)


def describe(logs: Mapping[str, Any], step: int, max_steps: int) -> str | None:
    """A log entry as a line for people, or None for entries that say nothing new."""
    start = f"step {step}/{max_steps}"
    if "loss" in logs:
        parts = [start, f"loss {logs['loss']:.4f}", f"lr {logs['learning_rate']:.2e}"]
        if "grad_norm" in logs:
            parts.append(f"grad norm {logs['grad_norm']:.2f}")
        if "sequences_per_second" in logs:
            parts += [
                f"{logs['sequences_per_second']:.1f} sequences/s",
                f"{logs['patches_per_second']:.0f} patches/s",
                f"elapsed {format_seconds(logs['elapsed_seconds'])}",
                f"left {format_seconds(logs['remaining_seconds'])}",
            ]
            if logs.get("data_wait", 0.0) >= 0.01:
                parts.append(f"waiting for data {100 * logs['data_wait']:.0f} %")
            if "share_of_peak" in logs:
                parts.append(f"{100 * logs['share_of_peak']:.1f} % of peak")
        return "  ".join(parts)
    shown = {
        key: value
        for key, value in logs.items()
        if key.startswith("eval_") and not key.endswith(("_runtime", "_per_second", "_preparation_time"))
    }
    if not shown:
        return None
    return "  ".join([start, *(f"{key[5:]} {value:.4f}" for key, value in shown.items())]).replace(
        start, f"{start}  evaluation:", 1
    )


def set_seed(seed: int) -> None:
    """Seed Python, numpy and torch, before a model is built."""
    transformers.set_seed(seed)
