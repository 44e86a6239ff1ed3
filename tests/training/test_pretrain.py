"""Pretraining from text to a folder with a model, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pixel_lm.errors import UserError
from pixel_lm.models import PixelForPreTraining
from pixel_lm.rendering import TextRenderer
from pixel_lm.training import PretrainArguments, run_pretraining

Curve = Callable[[Path], list[dict[str, float]]]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def run(tiny_pretraining: dict[str, Any], text_file: Path) -> Callable[..., dict[str, Any]]:
    def start(output_dir: Path, **changes: Any) -> dict[str, Any]:
        settings = tiny_pretraining | {
            "text": (str(text_file),), "output_dir": str(output_dir), "steps": 12, "save_steps": 4, "eval_steps": 6,
            "logging_steps": 3, "validation_size": 5.0,
        }  # fmt: skip
        return run_pretraining(PretrainArguments(**settings | changes))

    return start


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return PixelForPreTraining.from_pretrained(folder).state_dict()


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_from_text_to_model(tmp_path: Path, capsys: pytest.CaptureFixture[str], read_curve: Curve, run: Run) -> None:
    results = run(tmp_path)
    assert {"model.safetensors", "config.json", "text_renderer_config.json", "all_results.json", "log_history.jsonl",
            "arguments.yaml"} <= {path.name for path in tmp_path.iterdir()}  # fmt: skip
    assert json.loads((tmp_path / "all_results.json").read_text()) == results
    assert results["steps"] == 12 and results["num_eval_strips"] == 5
    assert results["passes"] == 12 * 4 / results["num_strips"]
    assert results["train_loss"] > 0 and results["eval_loss"] > 0

    lines = read_curve(tmp_path)
    trained = [line for line in lines if "loss" in line]
    assert [line["step"] for line in trained] == [3, 4, 6, 8, 9, 12]  # every third, and at checkpoints
    assert [line["step"] for line in lines if "eval_loss" in line] == [6, 12]
    raw = [json.loads(line) for line in (tmp_path / "log_history.jsonl").read_text().splitlines()]
    assert all(line["sequences_per_second"] > 0 and line["patches_per_second"] > 0 for line in raw if "loss" in line)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-12", "checkpoint-8"]

    model = PixelForPreTraining.from_pretrained(tmp_path)
    assert model.config.hidden_size == 32 and list(model.config.image_size) == [16, 16 * 24]
    assert model.config.hidden_dropout_prob == 0.1
    assert TextRenderer.from_pretrained(tmp_path).max_seq_length == 24
    summary = capsys.readouterr()
    assert "Pretraining is finished." in summary.out and str(tmp_path) in summary.out
    assert "step 12/12  loss" in summary.err and "patches/s" in summary.err


def test_training_learns(tmp_path: Path, read_curve: Curve, run: Run) -> None:
    results = run(tmp_path, steps=60, base_learning_rate=0.3, dropout=0.0, eval_steps=6, save_steps=60)
    losses = [line["eval_loss"] for line in read_curve(tmp_path) if "eval_loss" in line]
    assert len(losses) == 10 and results["eval_loss"] == losses[-1] < losses[0] - 0.05


def test_same_seed_same_run_other_seed_other_run(tmp_path: Path, read_curve: Curve, run: Run) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, seed=seed, steps=4)
    assert read_curve(tmp_path / "a") == read_curve(tmp_path / "b") != read_curve(tmp_path / "c")
    assert same_weights(tmp_path / "a", tmp_path / "b")


def test_workers_do_not_change_the_run(tmp_path: Path, read_curve: Curve, run: Run) -> None:
    run(tmp_path / "a", steps=4, num_workers=0)
    run(tmp_path / "b", steps=4, num_workers=2)
    assert read_curve(tmp_path / "a") == read_curve(tmp_path / "b")


def test_gradient_accumulation_gives_nearly_the_same_losses(tmp_path: Path, read_curve: Curve, run: Run) -> None:
    # All strips of one length and random draws in the model aside, two halves make a whole.
    settings = {"steps": 3, "logging_steps": 1, "dropout": 0.0, "pad_to_max_length": True, "batch_size": 8}
    run(tmp_path / "a", **settings)
    run(tmp_path / "b", **settings, gradient_accumulation_steps=2)
    for whole, halves in zip(read_curve(tmp_path / "a"), read_curve(tmp_path / "b"), strict=True):
        if "loss" in whole:
            assert halves["loss"] == pytest.approx(whole["loss"], rel=0.05)


def test_random_masking_and_bf16(tmp_path: Path, run: Run) -> None:
    results = run(tmp_path, steps=2, masking="random", precision="bf16", validation_size=0.0)
    assert results["train_loss"] > 0 and results["eval_loss"] is None


def test_continue_from_a_model(tmp_path: Path, run: Run) -> None:
    run(tmp_path / "a", steps=2)
    # No step has an effect while the learning rate is 0, as it is in the first of a warm-up.
    run(tmp_path / "b", steps=1, warmup_ratio=0.5, model=str(tmp_path / "a"), seed=5, mask_ratio=0.5)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert PixelForPreTraining.from_pretrained(tmp_path / "b").config.mask_ratio == 0.5


def test_validation_file_and_tracker(tmp_path: Path, text_file: Path, run: Run) -> None:
    results = run(
        tmp_path, steps=2, validation_size=0.0, validation_text=(str(text_file),), max_eval_strips=3,
        report_to=("tensorboard",),
    )  # fmt: skip
    assert results["num_eval_strips"] == 3
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def command(settings: dict[str, Any], output_dir: Path, text_file: Path) -> list[str]:
    options = settings | {
        "text": str(text_file), "output_dir": str(output_dir), "steps": 40, "save_steps": 5, "eval_steps": 10,
        "logging_steps": 2, "validation_size": 5, "keep_checkpoints": 3,
    }  # fmt: skip
    words = [sys.executable, "-m", "pixel_lm", "pretrain"]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


def test_killed_run_continues_as_if_nothing_had_happened(
    tmp_path: Path, text_file: Path, read_curve: Curve, tiny_pretraining: dict[str, Any]
) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = command(tiny_pretraining, whole, text_file)
    subprocess.run(words, env=environment, check=True, capture_output=True)

    words = command(tiny_pretraining, killed, text_file)
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "checkpoint-15" / "trainer_state.json").exists():
        assert process.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "all_results.json").exists()

    # The newest checkpoint as a kill in the middle of writing it leaves it.
    newest = max(killed.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    optimizer = newest / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[: optimizer.stat().st_size // 2])
    (newest / "trainer_state.json").unlink(missing_ok=True)

    again = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    assert (
        "continuing from" in again.stderr and newest.name not in again.stderr.split("continuing from")[1].split("\n")[0]
    )
    assert read_curve(whole) == read_curve(killed)
    assert same_weights(whole, killed)
    assert (
        json.loads((whole / "all_results.json").read_text())["eval_loss"]
        == (json.loads((killed / "all_results.json").read_text())["eval_loss"])
    )


def test_finished_run_is_not_trained_again(
    tmp_path: Path, read_curve: Curve, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path)
    weights, curve = (tmp_path / "model.safetensors").read_bytes(), read_curve(tmp_path)
    capsys.readouterr()
    assert run(tmp_path) == first
    assert "step" not in capsys.readouterr().err
    # As after a kill between the last checkpoint and the end.
    (tmp_path / "all_results.json").unlink()
    (tmp_path / "model.safetensors").unlink()
    assert run(tmp_path) == first
    assert (tmp_path / "model.safetensors").read_bytes() == weights and read_curve(tmp_path) == curve
    assert "step" not in capsys.readouterr().err


def test_overwrite_starts_anew(tmp_path: Path, run: Run) -> None:
    run(tmp_path, steps=4)
    with pytest.raises(UserError, match="holds a run with steps 4, not 2"):
        run(tmp_path, steps=2)
    assert run(tmp_path, steps=2, overwrite=True)["steps"] == 2
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"text": ()}, "no text given"),
        ({"text": ("nowhere.txt",)}, r"nowhere\.txt: no such file"),
        ({"validation_text": ("nowhere.txt",)}, r"nowhere\.txt: no such file"),
        ({"model": "/nowhere/model"}, r"/nowhere/model"),
        ({"renderer": "/nowhere/renderer"}, r"/nowhere/renderer"),
        ({"font": "/nowhere/font.ttf"}, r"/nowhere/font\.ttf"),
        ({"batch_size": 5, "gradient_accumulation_steps": 2}, "batch-size is 5"),
        ({"report_to": ("nosuchtracker",)}, "report-to: nosuchtracker"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str, run: Run
) -> None:
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path / "out", **changes)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
