"""Several processes, as `torchrun` starts them: gloo on the CPU."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pixel_lm.training.checkpoints import checkpoints, is_complete

# Masks depend on the length that a batch is padded to: a fixed one makes them the same however the batch is divided.
OPTIONS = (
    "pretrain --cpu --batch-size 8 --max-seq-length 24 --hidden-size 32 --num-hidden-layers 1 --num-attention-heads 2 "
    "--intermediate-size 64 --decoder-hidden-size 16 --decoder-num-hidden-layers 1 --decoder-num-attention-heads 2 "
    "--decoder-intermediate-size 32 --base-learning-rate 0.1 --dropout 0 --logging-steps 1 --pad-to-max-length"
).split()
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"Line number {i} of a text that is long enough." for i in range(300)), encoding="utf-8")
    return path


def command(processes: int, text: Path, output: Path, steps: int, *more: str, fsdp: bool = False) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    return [
        sys.executable,
        *launcher,
        *([str(Path(__file__).with_name("fsdp_on_cpu.py"))] if fsdp else ["-m", "pixel_lm"]),
        *OPTIONS,
        "--text",
        str(text),
        "--output-dir",
        str(output),
        "--steps",
        str(steps),
        *more,
    ]


def run(words: list[str]) -> str:
    result = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stderr


def losses(folder: Path) -> list[float]:
    lines = (json.loads(line) for line in (folder / "log_history.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_two_processes_train_as_one_with_the_same_batch(text: Path, tmp_path: Path) -> None:
    for processes in (1, 2):
        run(command(processes, text, tmp_path / str(processes), 8))
    one, two = losses(tmp_path / "1"), losses(tmp_path / "2")
    assert len(one) == len(two) == 8 and one[-1] < one[0]
    assert two == pytest.approx(one, rel=1e-5)


def test_a_divided_model_trains_as_a_whole_one_and_goes_on(text: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(command(1, text, one, 8))
    words = command(2, text, two, 8, "--fsdp", "--save-steps", "4", "--picture-steps", "8", fsdp=True)
    run(words)
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    whole, divided = (load_file(folder / "model.safetensors") for folder in (one, two))
    assert whole.keys() == divided.keys()
    for name in whole:
        torch.testing.assert_close(divided[name], whole[name], rtol=1e-4, atol=1e-5)
    assert len(list((two / "reconstructions").iterdir())) == 2
    # What was computed in the first run is computed again from the middle.
    shutil.rmtree(two / "checkpoint-8")
    (two / "all_results.json").unlink()
    assert "continuing from" in run(words)
    again = load_file(two / "model.safetensors")
    assert all(torch.equal(again[name], divided[name]) for name in divided)


@pytest.mark.parametrize(("processes", "message"), [(1, "but this is one"), (2, "fsdp needs a GPU for each process")])
def test_fsdp_where_it_cannot_be(text: Path, tmp_path: Path, processes: int, message: str) -> None:
    words = command(processes, text, tmp_path / "run", 8, "--fsdp")
    result = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert result.returncode and message in result.stderr


def test_a_signal_to_one_process_saves_and_ends_all(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = subprocess.Popen(
        command(2, text, output, 3000), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    )
    log = output / "log_history.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        os.killpg(process.pid, signal.SIGTERM)
    else:
        os.kill(int(children.read_text().split()[-1]), signal.SIGTERM)
    process.communicate(timeout=120)
    (checkpoint,) = checkpoints(output)
    assert is_complete(checkpoint)
    step = json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    assert step % 10 == 0 and step < 3000
