"""What can happen to a long run: a signal, a loss that is no number, a full disk. Nothing is lost, and it is said what to do.

* SIGTERM and SIGUSR1 (schedulers send them before they kill): the step is finished, a checkpoint written, and the command ends with
  status 143; the same command continues. Ctrl-C ends at once; the last checkpoint stands.
* A loss that is not a number stops the run before another checkpoint is written: the last one is good.
* A checkpoint that cannot be written is removed, and the run stops; older checkpoints stand.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pixel_lm.errors import StoppedBySignal, UserError
from pixel_lm.training.checkpoints import checkpoints, is_complete, last_complete

if TYPE_CHECKING:
    from transformers import Trainer

__all__ = ["StopOnBadLoss", "StopOnSignal", "explained_write_errors", "raise_if_stopped"]

# With several processes, steps between two questions whether one of them was told to stop: each waits for the device.
STEPS_BETWEEN_TALKS = 10
TORCH_WRITE_ERRORS = ("inline_container", "PytorchStreamWriter")
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class StopOnSignal(TrainerCallback):
    """Ends training after a checkpoint when a signal has come."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Listen. Only the main thread may."""
        self.received = None
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A checkpoint first; the end of training is not part of it, so that the run can go on from there."""
        if args.world_size > 1:
            if state.global_step % STEPS_BETWEEN_TALKS:
                return
            self._agree(args)
        if self.received is not None:
            control.should_save = control.should_log = True

    def _agree(self, args: TrainingArguments) -> None:
        """What one process was told, all must know: they save together."""
        told = torch.tensor([self.received or 0], device=args.device)
        torch.distributed.all_reduce(told, op=torch.distributed.ReduceOp.MAX)
        self.received = int(told.item()) or None

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Now the end."""
        if self.received is not None:
            control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def raise_if_stopped(trainer: Trainer) -> None:
    """Raise StoppedBySignal if a signal ended training before its last step."""
    state = trainer.state
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, StopOnSignal) and callback.received is not None and state.global_step < state.max_steps:
            name = signal.Signals(callback.received).name
            raise StoppedBySignal(f"{name}: stopped at step {state.global_step} of {state.max_steps}, saved")


class StopOnBadLoss(TrainerCallback):
    """Stops when the loss is not a number any more. Logging comes before saving, so no such weights are saved."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at the newest loss.

        Raises:
            UserError: it, or the norm of the gradients, is infinite or not a number.
        """
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        what, value = "loss", loss
        if math.isfinite(loss):
            # The newest step may have spoilt the weights, which the loss before it does not show. With fp16 such steps are left out.
            value = (logs or {}).get("grad_norm", 0.0)
            if args.fp16 or math.isfinite(value):
                return
            what = "norm of the gradients"
        last = last_complete(Path(args.output_dir))
        where = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise UserError(
            f"the {what} is {value} at step {state.global_step}; {where}. Lower the learning rate, raise the warm-up, or compute in "
            "another precision, and start again from that checkpoint (--model) in another folder"
        )


@contextlib.contextmanager
def explained_write_errors(output_dir: Path) -> Iterator[None]:
    """Turn failures to write a checkpoint into a message, and remove what was written of it.

    Raises:
        UserError: writing failed, for instance because the disk is full.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        # torch reports a write that failed as an error of its zip archives.
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in TORCH_WRITE_ERRORS):
            raise
        for path in checkpoints(output_dir)[-1:]:
            if not is_complete(path):
                shutil.rmtree(path, ignore_errors=True)
        last = last_complete(output_dir)
        free = shutil.disk_usage(output_dir).free / 1e9
        cause = error if isinstance(error, OSError) else error.__context__
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error).splitlines()[0]
        raise UserError(
            f"{output_dir}: a checkpoint could not be written ({reason}; {free:.1f} GB are free). "
            + (f"{last.name} stands" if last else "There is none yet")
            + "; make room and give the same command again"
        ) from error
