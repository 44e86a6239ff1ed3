"""The quickstart, with so few steps that it takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixel_lm.cli import quickstart
from pixel_lm.cli.main import main


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Fewer sentences, and an output folder."""
    monkeypatch.setenv("PIXEL_LM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(quickstart, "SENTENCES", {"train": 12, "dev": 4, "test": 6})
    monkeypatch.setattr(quickstart, "GRAMMAR_TEXT", 40)
    return tmp_path / "out"


def test_the_whole_path(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["quickstart", "-o", str(small), "--pretrain-steps", "3", "--finetune-steps", "3"]
    assert main(command) == 0
    table = capsys.readouterr().out
    for row in ("most frequent tag of each word", "pixels, without pretraining", "pixels, with pretraining"):
        assert row in table
    metrics = json.loads((small / "metrics.json").read_text())
    assert metrics["pretraining"]["steps"] == 3
    assert set(metrics["test"]) == {
        "most frequent tag of each word",
        "pixels, without pretraining",
        "pixels, with pretraining",
    }
    page = (small / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") >= 11
    assert "synthetic" in page
    for folder in ("pretrained", "finetuned", "from-scratch"):
        assert (small / folder / "model.safetensors").exists()
        assert (small / folder / "text_renderer_config.json").exists()
    # Sentences that are tagged in dev and test are not in the text.
    text = (small / "text.txt").read_text(encoding="utf-8")
    for line in (small / "synthetic-corpus/pixel_grammar-ud-test.conllu").read_text(encoding="utf-8").splitlines():
        if line.startswith("# text = "):
            assert line.removeprefix("# text = ") not in text

    weights = (small / "finetuned/model.safetensors").stat().st_mtime_ns
    assert main(command) == 0  # what is finished is not done again
    assert (small / "finetuned/model.safetensors").stat().st_mtime_ns == weights


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["quickstart", "-o", str(tmp_path / "file/out")]) == 2
    assert "cannot write to" in capsys.readouterr().err
    assert main(["quickstart", "-o", str(tmp_path / "a"), "--treebank", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
