"""Which checkpoint a run continues from, and which runs may continue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from pixel_lm.errors import UserError
from pixel_lm.training import PretrainArguments
from pixel_lm.training.checkpoints import RECORD, is_complete, is_final, last_complete, prepare_output_dir, seal
from pixel_lm.training.recipes import as_yaml


def make_checkpoint(run: Path, step: int, stopped: bool = False) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({"a": torch.arange(10.0), "b": torch.ones(2, 3)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"x": torch.arange(100)}, folder / name)
    state = {
        "global_step": step,
        "stateful_callbacks": {"TrainerControl": {"args": {"should_training_stop": stopped}, "attributes": {}}},
    }
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def test_complete_checkpoint(tmp_path: Path) -> None:
    assert is_complete(make_checkpoint(tmp_path, 10))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]
)
def test_torn_files_are_noticed(tmp_path: Path, name: str) -> None:
    folder = make_checkpoint(tmp_path, 10)
    cut(folder / name)
    assert not is_complete(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "scheduler.pt", "trainer_state.json"])
def test_missing_files_are_noticed(tmp_path: Path, name: str) -> None:
    folder = make_checkpoint(tmp_path, 10)
    (folder / name).unlink()
    assert not is_complete(folder)


def test_a_sealed_checkpoint_is_what_was_written(tmp_path: Path) -> None:
    """Also where a file has its length but not its content, as a machine that lost its power leaves it."""
    folder = make_checkpoint(tmp_path, 10)
    seal(folder)
    assert is_complete(folder)
    for name in ("model.safetensors", "optimizer.pt", "trainer_state.json", "checksums.json"):
        path, content = folder / name, (folder / name).read_bytes()
        path.write_bytes(content[:-20] + bytes(20))
        assert not is_complete(folder), name
        path.write_bytes(content[:-20])
        assert not is_complete(folder), name
        path.write_bytes(content)
        assert is_complete(folder)
    (folder / "optimizer.pt").unlink()
    assert not is_complete(folder)


@pytest.mark.parametrize("size", [0, 4, 8, 20])
def test_weights_cut_in_their_header(tmp_path: Path, size: int) -> None:
    folder = make_checkpoint(tmp_path, 10)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert not is_complete(folder)


def test_newest_complete_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    assert last_complete(tmp_path) is None
    for step in (9, 10, 100):
        make_checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-best").mkdir()
    cut(tmp_path / "checkpoint-100" / "optimizer.pt")
    assert last_complete(tmp_path) == tmp_path / "checkpoint-10"


def test_end_of_training(tmp_path: Path) -> None:
    assert is_final(make_checkpoint(tmp_path, 10), max_steps=10)
    assert not is_final(make_checkpoint(tmp_path, 9), max_steps=10)
    assert is_final(make_checkpoint(tmp_path, 8, stopped=True), max_steps=10)


def test_new_folder(tmp_path: Path) -> None:
    arguments = PretrainArguments(output_dir=str(tmp_path / "a" / "b"), steps=3)
    assert prepare_output_dir(arguments) is None
    assert yaml.safe_load((tmp_path / "a" / "b" / RECORD).read_text())["steps"] == 3


def test_continue_and_clear_torn_checkpoints(tmp_path: Path) -> None:
    arguments = PretrainArguments(output_dir=str(tmp_path))
    (tmp_path / RECORD).write_text(as_yaml(arguments))
    for step in (10, 20, 30):
        make_checkpoint(tmp_path, step)
    cut(tmp_path / "checkpoint-30" / "trainer_state.json")
    assert prepare_output_dir(arguments) == tmp_path / "checkpoint-20"
    assert not (tmp_path / "checkpoint-30").exists() and (tmp_path / "checkpoint-10").exists()


def test_other_settings_are_refused_unless_they_do_not_matter(tmp_path: Path) -> None:
    prepare_output_dir(PretrainArguments(output_dir=str(tmp_path), steps=5))
    prepare_output_dir(PretrainArguments(output_dir=str(tmp_path)))  # nothing was trained yet, so nothing is lost
    make_checkpoint(tmp_path, 10)
    prepare_output_dir(PretrainArguments(output_dir=str(tmp_path), keep_checkpoints=7, report_to=("tensorboard",)))
    with pytest.raises(UserError, match=r"holds a run with base-learning-rate 0\.00015, not 1\.0: .*--overwrite"):
        prepare_output_dir(PretrainArguments(output_dir=str(tmp_path), base_learning_rate=1.0))
    with pytest.raises(UserError, match="holds a run with text"):
        prepare_output_dir(PretrainArguments(output_dir=str(tmp_path), text=("other.txt",)))


def test_overwrite_removes_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 10)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="checkpoints of an unknown run"):
        prepare_output_dir(PretrainArguments(output_dir=str(tmp_path)))
    assert prepare_output_dir(PretrainArguments(output_dir=str(tmp_path), overwrite=True)) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, "notes.txt"]


def test_record_torn_by_a_kill_at_the_start(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("text: [un")
    assert prepare_output_dir(PretrainArguments(output_dir=str(tmp_path))) is None


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write to output folder .*file/run: Not a directory"):
        prepare_output_dir(PretrainArguments(output_dir=str(tmp_path / "file" / "run")))
