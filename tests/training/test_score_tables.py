"""Tables of the scores of runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixel_lm.cli.main import main
from pixel_lm.errors import UserError
from pixel_lm.training import FinetuneArguments, run_finetuning
from pixel_lm.training.arguments import to_dict
from pixel_lm.training.score_tables import as_markdown, build_tables, find_runs

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A folder as a run leaves it, with these scores between 0 and 1; None: not finished."""

    def write(name: str, task: str, recipe: str | None, scores: dict[str, float] | None, **settings: Any) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        arguments = FinetuneArguments(task=task, recipe=recipe, output_dir=str(folder), **settings)
        (folder / "arguments.yaml").write_text(yaml.safe_dump(to_dict(arguments)))
        if scores is not None:
            (folder / "all_results.json").write_text(json.dumps(scores))
        return folder

    return write


def cells(text: str, row: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_seeds_are_one_cell_and_models_are_rows(make: Make, tmp_path: Path) -> None:
    for seed, score in ((1, 0.90), (2, 0.94)):
        scores = {"test_accuracy": score, "test_baseline_accuracy": 0.8583}
        make(f"ewt/seed-{seed}", "pos", "ud-english-ewt", scores, model="mine", seed=seed, data="a")
    make("vtb", "pos", "recipes/ud-vietnamese-vtb.yaml", {"test_accuracy": 0.8}, model="mine")
    make("bert", "pos", "ud-english-ewt", {"test_accuracy": 0.97}, model="bert", from_scratch=True)
    make("few", "pos", "ud-english-ewt", {"test_accuracy": 0.3}, model="mine", max_eval_examples=9)
    make("other-rate", "pos", "ud-english-ewt", {"test_accuracy": 0.5}, model="mine", learning_rate=1.0)
    text = as_markdown(build_tables(find_runs([tmp_path / "runs"])))
    assert text.startswith("## Part-of-speech tagging, accuracy\n")
    assert cells(text, "PIXEL (published)")[:3] == ["96.7", "95.7", "96.0"]
    assert cells(text, "BERT (published)")[2] == "26.5"
    first, second = (line for line in text.splitlines() if line.startswith("| mine in "))
    assert "ewt" in first and "1–2 seeds |" in first and "92.0 ± 2.8" in first and "80.0" in first
    assert "other-rate" in second and "50.0" in second and " seeds |" not in second
    assert cells(text, "mine, part of the data")[0] == "30.0"
    assert cells(text, "bert (random weights)")[0] == "97.0"
    assert cells(text, "simple baseline") == ["85.8", *[""] * 8]


def test_means_need_all_columns(make: Make, tmp_path: Path) -> None:
    languages = "english arabic bengali finnish indonesian korean russian swahili telugu".split()
    scores = {f"eval_f1_{language}": 0.1 * number for number, language in enumerate(languages)}
    make("tydi", "qa", "tydiqa", scores, model="m")
    text = as_markdown(build_tables(find_runs([tmp_path])))
    assert cells(text, "PIXEL (published)")[-1] == "52.3"  # as published: without English
    assert cells(text, "m")[-1] == "45.0" and cells(text, "BERT (published)")[-1] == ""
    make("mnli", "glue", "mnli", {"eval_accuracy": 0.5, "mismatched_accuracy": 0.6}, model="m", glue_task="mnli")
    glue = next(table for table in build_tables(find_runs([tmp_path])) if table.title.startswith("GLUE"))
    rows = dict(glue.rows)
    assert str(rows["PIXEL (published)"]["mean"]) == "74.1" and str(rows["BERT (published)"]["mean"]) == "80.0"
    assert "mean" not in rows["m"] and str(rows["m"]["MNLI-mm"]) == "60.0"


def test_runs_without_recipe_and_runs_that_are_not_finished(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = make("own", "parsing", None, {"eval_uas": 0.5, "eval_las": 0.4, "eval_baseline_las": 0.1}, model="m")
    make("cut", "ner", "masakhaner-amh", None, model="m", steps=30)
    for step in (10, 20):
        (tmp_path / "runs" / "cut" / f"checkpoint-{step}").mkdir()
    (make("torn", "pos", None, {}) / "all_results.json").write_text('{"test_acc')
    pretraining = tmp_path / "runs" / "pretraining"
    pretraining.mkdir()
    (pretraining / "arguments.yaml").write_text("text: [a.txt]\n")
    target = tmp_path / "scores.csv"
    assert main(["table", str(tmp_path / "runs"), "--format", "csv", "--output", str(target)]) == 0
    rows = list(csv.DictReader(target.open()))
    assert [row["score"] for row in rows] == ["40.0000", "10.0000"]
    assert all(row["row"] == f"parsing, {own}: eval las" and row["std"] == "" for row in rows)
    captured = capsys.readouterr()
    assert captured.out.startswith("1 runs in ")
    assert "cut (saved at step 20 of 30)" in captured.err and "torn (all_results.json cannot be read)" in captured.err
    assert "pretraining" not in captured.err.replace(str(tmp_path), "")


def test_a_real_run_finds_its_column(
    tmp_path: Path, treebank: Path, tiny_encoder: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {
        "data": str(treebank),
        "from_scratch": True,
        "max_seq_length": 48,
        "steps": 1,
        "eval_steps": 1,
    }
    results = run_finetuning(
        FinetuneArguments(
            **tiny_encoder, **settings, recipe="ud-tamil-ttb", seeds=(2,), output_dir=str(tmp_path / "ttb")
        )
    )
    assert main(["table", str(tmp_path)]) == 0
    score = f"{100 * results['mean']['test_accuracy']:.1f} ± {100 * results['std']['test_accuracy']:.1f}"
    assert cells(capsys.readouterr().out, "random weights, 2 seeds")[6] == score


def test_folders_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no fine-tuning runs in"):
        find_runs([tmp_path])
    with pytest.raises(UserError, match="no such folder"):
        find_runs([tmp_path / "nothing"])
