"""`pixel-lm pretrain` and `finetune`: what they accept and what they refuse. Training itself is tested in tests/training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Fails = Callable[..., str]
Command = Callable[..., int]


def test_settings_are_shown(command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command("pretrain", "pixel-base", "--steps", "7", "--no-norm-pix-loss", "--show-settings") == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert (settings["steps"], settings["packing"], settings["batch_size"]) == (7, "document", 256)
    assert settings["norm_pix_loss"] is False
    assert command("finetune", "pos", "ud-tamil-ttb", "--seeds", "1", "2", "--show-settings") == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["seeds"] == [1, 2]
    # What is shown is a recipe itself.
    (tmp_path / "again.yaml").write_text(shown)
    assert command("finetune", "pos", tmp_path / "again.yaml", "--show-settings") == 0
    assert capsys.readouterr().out == shown


def test_recipes_with_mistakes(fails: Fails, tmp_path: Path) -> None:
    recipe = tmp_path / "my.yaml"
    recipe.write_text("steps: 10\nspan_masking: true\n")
    assert fails("pretrain", recipe, "--output-dir", tmp_path).startswith(
        f"{recipe}, line 2: unknown setting 'span_masking'"
    )
    recipe.write_text("steps: ten\n")
    assert (
        fails("pretrain", recipe, "--output-dir", tmp_path) == f"{recipe}, line 1: steps must be an integer, not 'ten'"
    )
    assert "no recipe 'pixel-bse' for pretrain: choose pixel-base" in fails("pretrain", "pixel-bse")
    assert "no recipe 'pixel-base' for finetune/pos" in fails("finetune", "pos", "pixel-base")


def test_pretraining_without_what_it_needs(fails: Fails, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    assert fails("pretrain", "cpu-tiny") == "no output folder: give --output-dir FOLDER"
    assert fails("pretrain", "cpu-tiny", "--output-dir", out).startswith("no text given")
    assert fails("pretrain", "cpu-tiny", "--output-dir", out, "--text", "nowhere.txt") == "nowhere.txt: no such file"
    assert not out.exists()
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    assert fails("pretrain", "cpu-tiny", "--output-dir", out, "--text", empty).startswith(f"{empty}: ")
    broken = tmp_path / "broken.txt"
    broken.write_bytes(b"good\nb\xffd\n")
    assert f"{broken}, line 2: not UTF-8" in fails("pretrain", "cpu-tiny", "--output-dir", out, "--text", broken)


def test_folders_that_cannot_be_written(fails: Fails, tmp_path: Path, data: Path) -> None:
    # Below a file nobody can write, not even root.
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    expected = f"cannot write to output folder {out}: Not a directory"
    assert fails("pretrain", "cpu-tiny", "--output-dir", out, "--text", data / "text.txt") == expected
    small = ["--hidden-size", "32", "--num-hidden-layers", "1", "--num-attention-heads", "2"]
    words = ["finetune", "pos", "--from-scratch", *small, "--data", data / "UD_Odd-Cats", "--output-dir", out]
    assert fails(*words) == expected


def test_fine_tuning_without_what_it_needs(fails: Fails, tmp_path: Path, data: Path) -> None:
    words = ["finetune", "pos", "--output-dir", tmp_path / "out", "--from-scratch"]
    assert fails(*words) == "no train data: give --data FOLDER or --train-file FILE"
    assert fails(*words, "--data", "UD_Nowhere").startswith("no folder UD_Nowhere, neither here nor in ")
    assert "no file *-ud-train.conllu" in fails(*words, "--data", data)
    files = ["--data", data / "UD_Odd-Cats", "--train-file"]
    assert fails(*words, *files, "nowhere.conllu") == "nowhere.conllu: no such file"
    broken = tmp_path / "broken.conllu"
    broken.write_text("1\ta\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2 b NOUN\n\n")
    assert fails(*words, *files, broken).startswith(f"{broken}, line 2: 1 columns, expected 10")
    broken.write_text("1\ta\t_\tNOMEN\t_\t_\t_\t_\t_\t_\n\n")
    small = ["--hidden-size", "32", "--num-hidden-layers", "1", "--num-attention-heads", "2"]
    assert fails(*words, *files, broken, *small).startswith(f"{broken}, line 1: UPOS is 'NOMEN'")
    broken.write_text("")
    assert fails(*words, *files, broken).startswith(f"{broken}: the file is empty")
    assert not (tmp_path / "out").exists()


def test_model_that_is_too_short(fails: Fails, runs: Path, data: Path, tmp_path: Path) -> None:
    words = ["--model", runs / "pretrained", "--data", data / "UD_Odd-Cats", "--output-dir", tmp_path / "out"]
    assert fails("finetune", "pos", *words) == "max-seq-length is 256, but the model takes at most 40 patches: lower it"


def test_run_that_is_finished(command: Command, runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (runs / "tagger" / "model.safetensors").stat().st_mtime_ns
    assert command("finetune", "pos", runs / "tagger" / "arguments.yaml") == 0
    assert "holds the finished run; add --overwrite to train anew" in capfd.readouterr().err
    assert (runs / "tagger" / "model.safetensors").stat().st_mtime_ns == before
