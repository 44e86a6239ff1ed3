"""Signals, losses that are no numbers, disks that are full."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerControl, TrainerState, TrainingArguments

from pixel_lm.errors import UserError
from pixel_lm.models import PixelForPreTraining
from pixel_lm.rendering import TextRenderer
from pixel_lm.training.arguments import PretrainArguments
from pixel_lm.training.checkpoints import checkpoints, is_complete
from pixel_lm.training.pretrain import run_pretraining
from pixel_lm.training.safety import StopOnBadLoss

SIZES = {
    "hidden-size": 32, "num-hidden-layers": 1, "num-attention-heads": 2, "intermediate-size": 64,
    "decoder-hidden-size": 16, "decoder-num-hidden-layers": 1, "decoder-num-attention-heads": 2,
    "decoder-intermediate-size": 32, "max-seq-length": 20, "batch-size": 4, "base-learning-rate": 0.1,
    "logging-steps": 5,
}  # fmt: skip


def command(text: Path, output: Path, steps: int, **more: object) -> list[str]:
    given = {name.replace("_", "-"): value for name, value in more.items()}
    options = {**SIZES, "text": text, "output-dir": output, "steps": steps, **given}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "pixel_lm", "pretrain", "--cpu", *words]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"Line number {i} of a text that is long enough." for i in range(200)), encoding="utf-8")
    return path


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals of schedulers are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_ends_and_the_run_goes_on(text: Path, tmp_path: Path, number: int) -> None:
    interrupted, whole = tmp_path / "interrupted", tmp_path / "whole"
    words = command(text, interrupted, 400, save_steps=1000)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment())
    log = interrupted / "log_history.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") >= 2):  # two lines: it is under way
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert "the same command again continues" in errors.splitlines()[-1]
    (checkpoint,) = checkpoints(interrupted)
    step = json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    assert is_complete(checkpoint) and 10 <= step < 400
    assert subprocess.run(words, capture_output=True, env=environment()).returncode == 0
    assert (
        subprocess.run(command(text, whole, 400, save_steps=1000), capture_output=True, env=environment()).returncode
        == 0
    )
    ours, wanted = (load_file(folder / "model.safetensors") for folder in (interrupted, whole))
    assert all(torch.equal(ours[name], wanted[name]) for name in wanted)


def test_a_loss_that_is_no_number_stops_the_run(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = PretrainArguments(
        text=(str(text),), output_dir=str(tmp_path / "run"), steps=30, save_steps=10, logging_steps=10, max_seq_length=20,
        batch_size=4, base_learning_rate=0.1, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32,
        cpu=True,
    )  # fmt: skip
    forward, calls = PixelForPreTraining.forward, []

    def poisoned(self: PixelForPreTraining, *args: object, **kwargs: object) -> object:
        outputs = forward(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == 15:
            outputs.loss = outputs.loss * float("nan")
        return outputs

    monkeypatch.setattr(PixelForPreTraining, "forward", poisoned)
    with pytest.raises(UserError, match=r"the loss is nan at step 20; the last good checkpoint is .*checkpoint-10"):
        run_pretraining(arguments)
    (last,) = checkpoints(tmp_path / "run")
    assert all(value.isfinite().all() for value in load_file(last / "model.safetensors").values())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradients_that_are_no_numbers_stop_the_run(tmp_path: Path, value: float) -> None:
    """The step that spoils the weights still has a good loss."""
    settings, control = TrainingArguments(output_dir=str(tmp_path), use_cpu=True), TrainerControl()
    StopOnBadLoss().on_log(settings, TrainerState(), control, logs={"loss": 0.5, "grad_norm": 3.0})
    with pytest.raises(
        UserError, match=f"the norm of the gradients is {value} at step 0; no checkpoint was written before"
    ):
        StopOnBadLoss().on_log(settings, TrainerState(), control, logs={"loss": 0.5, "grad_norm": value})


def test_a_full_disk_leaves_the_last_checkpoint(text: Path, tmp_path: Path) -> None:
    """Files of more than so many bytes cannot be written: the optimizer's state fails, the weights before it do not."""
    TextRenderer(fallback_fonts=[]).save_pretrained(tmp_path / "renderer")  # the fonts are smaller than the weights
    sizes = {"hidden_size": 256, "intermediate_size": 512, "renderer": tmp_path / "renderer"}
    output, again = tmp_path / "run", tmp_path / "again"
    words = {folder: command(text, folder, 4, save_steps=2, **sizes) for folder in (output, again)}
    assert subprocess.run(words[output], env=environment(), capture_output=True).returncode == 0
    weights = (output / "checkpoint-4" / "model.safetensors").stat().st_size

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (weights + 1000, weights + 1000))

    result = subprocess.run(words[again], env=environment(), capture_output=True, text=True, preexec_fn=limit)
    assert result.returncode == 2, result.stderr
    message = result.stderr.splitlines()[-1]
    assert "a checkpoint could not be written" in message and "give the same command again" in message
    assert "Traceback" not in result.stderr
    assert not checkpoints(again)
    assert subprocess.run(words[again], env=environment(), capture_output=True).returncode == 0
