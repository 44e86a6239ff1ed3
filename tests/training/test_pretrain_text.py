"""What pretraining can take as text, and how masks may be drawn: each with the same curve after a resumption."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixel_lm.cli.main import main
from pixel_lm.errors import UserError
from pixel_lm.models import PixelForPreTraining
from pixel_lm.training import PretrainArguments, run_pretraining

Curve = Callable[[Path], list[dict[str, float]]]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tiny_pretraining: dict[str, Any], text_file: Path) -> Run:
    def start(output_dir: Path, **changes: Any) -> dict[str, Any]:
        settings = tiny_pretraining | {
            "text": (str(text_file),), "output_dir": str(output_dir), "steps": 6, "save_steps": 3, "eval_steps": 3,
            "logging_steps": 1,
        }  # fmt: skip
        return run_pretraining(PretrainArguments(**settings | changes))

    return start


@pytest.fixture
def other_text(tmp_path: Path) -> Path:
    path = tmp_path / "other.jsonl"
    path.write_text("".join(json.dumps({"text": f"Something else, number {i}: {i * i}."}) + "\n" for i in range(40)))
    return path


def resumed(run: Run, folder: Path, read_curve: Curve, **settings: Any) -> None:
    """Ask that a run which lost what came after its first checkpoint goes on as it had gone."""
    run(folder, keep_checkpoints=9, **settings)
    before = read_curve(folder)
    weights = (folder / "model.safetensors").read_bytes()
    for path in (folder / "checkpoint-6").iterdir():
        path.unlink()
    (folder / "checkpoint-6").rmdir()
    (folder / "model.safetensors").unlink()
    (folder / "all_results.json").unlink()
    run(folder, keep_checkpoints=9, **settings)
    assert read_curve(folder) == before and (folder / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("workers", [0, 2])
def test_weights(tmp_path: Path, text_file: Path, other_text: Path, run: Run, read_curve: Curve, workers: int) -> None:
    settings = {
        "text": (str(text_file), str(other_text)), "text_weights": (1.0, 3.0), "validation_size": 4.0,
    }  # fmt: skip
    resumed(run, tmp_path / "a", read_curve, num_workers=workers, **settings)
    results = run(tmp_path / "b", **settings)
    assert read_curve(tmp_path / "a") == read_curve(tmp_path / "b"), "whatever the number of workers"
    assert results["num_eval_strips"] == 4 and results["text_documents"] == 41
    assert results["passes"] == pytest.approx(read_curve(tmp_path / "b")[-1]["epoch"], abs=0.01)
    run(tmp_path / "c", **settings | {"text_weights": (3.0, 1.0)})
    assert read_curve(tmp_path / "a") != read_curve(tmp_path / "c")


def test_drawn_strips_train_as_text_does(
    tmp_path: Path, text_file: Path, run: Run, read_curve: Curve, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prerender", "--text", str(text_file), "--output-dir", str(tmp_path / "drawn"), "--max-seq-length", "24"]
    assert main([*words, "--strips-per-shard", "7"]) == 0
    assert "--text prerendered:" in capsys.readouterr().out
    run(tmp_path / "text")
    drawn = (f"prerendered:{tmp_path / 'drawn'}",)
    resumed(run, tmp_path / "drawn-run", read_curve, text=drawn, renderer=str(tmp_path / "drawn"))
    assert read_curve(tmp_path / "text") == read_curve(tmp_path / "drawn-run")
    with pytest.raises(UserError, match="drawn with another renderer.*--max-seq-length 24"):
        run(tmp_path / "short", text=drawn, renderer=str(tmp_path / "drawn"), max_seq_length=12)
    results = run(tmp_path / "both", text=(*drawn, str(text_file)), validation_text=drawn, max_eval_strips=3)
    assert results["num_strips"] == results["text_strips"] and results["num_eval_strips"] == 3


def test_masks_drawn_on_the_device(tmp_path: Path, run: Run, read_curve: Curve) -> None:
    settings = {"draw_masks": "device", "validation_size": 4.0}
    resumed(run, tmp_path / "a", read_curve, **settings)
    run(tmp_path / "b", **settings, num_workers=2)
    run(tmp_path / "c", validation_size=4.0)
    assert read_curve(tmp_path / "a") == read_curve(tmp_path / "b") != read_curve(tmp_path / "c")
    run(tmp_path / "d", draw_masks="device", masking="random")
    assert PixelForPreTraining.from_pretrained(tmp_path / "d").config.mask_ratio == 0.25


def test_bad_lines(tmp_path: Path, other_text: Path, run: Run) -> None:
    other_text.write_text(other_text.read_text() + "{\n")
    with pytest.raises(UserError, match=r"other\.jsonl, line 41: not valid JSON"):
        run(tmp_path / "a", text=(str(other_text),))
    assert run(tmp_path / "b", text=(str(other_text),), on_bad_input="skip")["text_skipped_inputs"] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text_weights": (1.0, 2.0)}, "text-weights is 1.0 2.0, but there are 1 --text: give one number for each"),
        ({"text_weights": (0.0,)}, "text-weights is 0.0, but each must be greater than 0"),
        ({"text": ("prerendered:nowhere.parquet",)}, "nowhere.parquet: no such file"),
    ],
)
def test_mistakes(tmp_path: Path, run: Run, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()
