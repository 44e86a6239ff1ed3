"""Fine-tuning for part-of-speech tags."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pixel_lm.data.conllu import read_conllu
from pixel_lm.errors import UserError
from pixel_lm.models import PixelForTokenClassification
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import get_task
from pixel_lm.tasks.pos import UPOS
from pixel_lm.training import FinetuneArguments, PretrainArguments, run_finetuning, run_pretraining
from pixel_lm.training.annotated_data import data_files, find_data

Curve = Callable[[Path], list[dict[str, float]]]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def run(tiny_encoder: dict[str, Any], treebank: Path) -> Run:
    def start(output_dir: Path, **changes: Any) -> dict[str, Any]:
        settings = tiny_encoder | {
            "data": str(treebank), "output_dir": str(output_dir), "from_scratch": True, "max_seq_length": 48, "steps": 8,
            "batch_size": 8, "learning_rate": 1e-3, "warmup_steps": 2, "eval_steps": 4, "logging_steps": 4,
        }  # fmt: skip
        return run_finetuning(FinetuneArguments(**settings | changes))

    return start


def test_from_treebank_to_tagger(tmp_path: Path, treebank: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    results = run(tmp_path, steps=150, eval_steps=25, learning_rate=3e-3, dropout=0.0, save_predictions=True)
    # 19 words, each with one tag: within reach of any model that sees letters at all.
    assert results["eval_accuracy"] > 0.9 and results["test_accuracy"] > 0.9
    assert results["eval_coverage"] == 1.0 and results["eval_accuracy_all_words"] == results["eval_accuracy"]
    assert results["eval_baseline_accuracy"] == 1.0
    assert (results["train_sentences"], results["eval_sentences"], results["test_words"]) == (60, 16, 16 * 7)
    for name in ("train", "eval", "test", "all"):
        part = json.loads((tmp_path / f"{name}_results.json").read_text())
        assert part == {key: value for key, value in results.items() if name == "all" or key.startswith(name)}

    # The best checkpoint is what is kept.
    scores = {line["step"]: line["eval_accuracy"] for line in log(tmp_path) if "eval_accuracy" in line}
    assert results["eval_accuracy"] == max(scores.values()) == scores[results["train_best_step"]]

    model = PixelForTokenClassification.from_pretrained(tmp_path)
    assert [model.config.id2label[i] for i in range(17)] == list(UPOS)
    assert TextRenderer.from_pretrained(tmp_path).max_seq_length == 48
    for name, split in (("eval", "dev"), ("test", "test")):
        predicted = read_conllu(tmp_path / f"{name}_predictions.conllu")
        gold = read_conllu(treebank / f"tt_tiny-ud-{split}.conllu")
        right = [
            p.upos == g.upos
            for a, b in zip(predicted, gold, strict=True)
            for p, g in zip(a.words, b.words, strict=True)
        ]
        assert sum(right) / len(right) == pytest.approx(results[f"{name}_accuracy"])
    out = capsys.readouterr().out
    assert "most frequent tag: 100.00" in out and "100.00 % of the words fit" in out


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log_history.jsonl").read_text().splitlines()]


def test_words_that_do_not_fit_are_reported(tmp_path: Path, run: Run) -> None:
    results = run(tmp_path, max_seq_length=12)
    assert 0 < results["eval_coverage"] < 1 and 0 < results["train_coverage"] < 1
    assert results["eval_accuracy_all_words"] == pytest.approx(results["eval_accuracy"] * results["eval_coverage"])


def test_from_a_pretrained_model(tmp_path: Path, text_file: Path, run: Run, tiny_pretraining: dict[str, Any]) -> None:
    run_pretraining(PretrainArguments(**tiny_pretraining | {
        "max_seq_length": 64, "text": (str(text_file),), "output_dir": str(tmp_path / "p"), "steps": 2, "save_steps": 2
    }))  # fmt: skip
    for name, source in (("a", "p"), ("b", "p/checkpoint-2")):
        run(tmp_path / name, model=str(tmp_path / source), from_scratch=False, steps=1, warmup_steps=1)
        tuned = PixelForTokenClassification.from_pretrained(tmp_path / name).state_dict()
        start = PixelForTokenClassification.from_pretrained(tmp_path / "p", num_labels=17).state_dict()
        key = "vit.encoder.layer.0.attention.attention.query.weight"
        assert torch.equal(tuned[key], start[key])  # the only step has learning rate 0

    run(tmp_path / "c", model=str(tmp_path / "p"), from_scratch=True, hidden_size=48, steps=1, warmup_steps=1)
    scratch = PixelForTokenClassification.from_pretrained(tmp_path / "c")
    assert scratch.config.hidden_size == 32  # the shape of the model, not the setting
    assert not torch.equal(scratch.state_dict()[key], start[key])


def test_numbers_of_labels_are_those_of_a_model_for_the_task(tmp_path: Path, run: Run) -> None:
    run(tmp_path / "a", steps=1)
    model = PixelForTokenClassification.from_pretrained(tmp_path / "a")
    names = list(reversed(UPOS))
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: i for i, name in enumerate(names)}
    model.save_pretrained(tmp_path / "a")
    run(tmp_path / "b", model=str(tmp_path / "a"), from_scratch=False, steps=1)
    config = PixelForTokenClassification.from_pretrained(tmp_path / "b").config
    assert [config.id2label[i] for i in range(17)] == names


def test_early_stopping(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    # With a learning rate of next to nothing the score does not change: nothing after the first evaluation is better.
    settings = {"steps": 100, "eval_steps": 1, "learning_rate": 1e-9, "early_stopping_patience": 3}
    results = run(tmp_path, **settings)
    assert results["train_steps"] == 4 and results["train_best_step"] == 1
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-1", "checkpoint-4"}
    weights = (tmp_path / "model.safetensors").read_bytes()
    assert (tmp_path / "checkpoint-1" / "model.safetensors").read_bytes() == weights
    capsys.readouterr()
    (tmp_path / "all_results.json").unlink()  # as after a kill at the very end
    assert run(tmp_path, **settings) == results
    assert (tmp_path / "model.safetensors").read_bytes() == weights
    assert "step 4" not in capsys.readouterr().err


def test_interrupted_run_continues_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_curve: Curve, run: Run
) -> None:
    from pixel_lm.training.trainer import LogHistory

    settings = {"steps": 30, "eval_steps": 5, "logging_steps": 3}  # 8 steps an epoch
    whole = run(tmp_path / "whole", **settings)

    def interrupt(self: LogHistory, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 18:
            raise KeyboardInterrupt
        on_log(self, args, state, control, **kwargs)

    on_log = LogHistory.on_log
    with monkeypatch.context() as patch:
        patch.setattr(LogHistory, "on_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", **settings)
    continued = run(tmp_path / "cut", **settings)
    assert read_curve(tmp_path / "cut") == read_curve(tmp_path / "whole")
    timeless = [key for key in whole if not key.endswith(("seconds", "per_second"))]
    assert {key: continued[key] for key in timeless} == {key: whole[key] for key in timeless}


def test_several_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    results = run(tmp_path, steps=2, seeds=(3, 4))
    scores = [r["eval_accuracy"] for r in results["runs"]]
    assert results["mean"]["eval_accuracy"] == pytest.approx(sum(scores) / 2)
    assert results["std"]["eval_accuracy"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)
    assert [r["train_seed"] for r in results["runs"]] == [3, 4]
    assert {"seed-3", "seed-4", "all_results.json"} == {path.name for path in tmp_path.iterdir()}
    assert "±" in capsys.readouterr().out


def test_a_number_of_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    settings = {"steps": 1, "seed": 7, "seeds": (2,), "published_scores": {"test_accuracy": 96.7}}
    results = run(tmp_path, **settings)
    assert [r["train_seed"] for r in results["runs"]] == [7, 8]
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  test accuracy"))
    mean, deviation, baseline = (results[a][b] for a, b in (
        ("mean", "test_accuracy"), ("std", "test_accuracy"), ("mean", "test_baseline_accuracy")
    ))  # fmt: skip
    end = f"{100 * mean:.2f} ± {100 * deviation:.2f} (published 96.7; most frequent tag {100 * baseline:.2f})"
    assert shown.endswith(end)
    # What is finished is not trained again.
    (tmp_path / "seed-8" / "all_results.json").unlink()
    before = (tmp_path / "seed-7" / "model.safetensors").stat().st_mtime_ns
    assert run(tmp_path, **settings)["runs"][1]["train_seed"] == 8
    assert (tmp_path / "seed-7" / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="a seed is given by --seed"):
        run(tmp_path, seeds=(1234,))


def test_use_of_the_first_examples(tmp_path: Path, run: Run) -> None:
    results = run(tmp_path, max_train_examples=10, max_eval_examples=3, steps=1)
    assert (results["train_sentences"], results["eval_sentences"], results["test_sentences"]) == (10, 3, 3)


def test_where_data_are_found(tmp_path: Path, treebank: Path) -> None:
    pos = get_task("pos")
    named = FinetuneArguments(data=treebank.name, data_dir=str(treebank.parent), test_file=str(treebank / "x"))
    with pytest.raises(UserError, match="x: no such file"):
        data_files(named, pos)
    files = data_files(dataclasses.replace(named, test_file=None), pos)
    assert {split: path.name for split, path in files.items()} == {
        split: f"tt_tiny-ud-{split}.conllu" for split in ("train", "dev", "test")
    }
    with pytest.raises(UserError, match=r"git clone https://github.com/UniversalDependencies/UD_Nowhere"):
        find_data("UD_Nowhere", str(tmp_path))
    with pytest.raises(UserError, match="no train data: give --data FOLDER or --train-file FILE"):
        data_files(FinetuneArguments(), pos)
    (tmp_path / "a-ud-train.conllu").touch()
    (tmp_path / "a-ud-dev.conllu").touch()
    assert set(data_files(FinetuneArguments(data=str(tmp_path)), pos)) == {"train", "dev"}  # no test data is no mistake


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"from_scratch": False}, "no model: give --model FOLDER, or --from-scratch"),
        ({"model": "/nowhere/model", "from_scratch": False}, "/nowhere/model"),
        ({"task": "chess"}, "unknown task 'chess'"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str, run: Run
) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_tags_that_do_not_exist_are_named_with_file_and_line(tmp_path: Path, run: Run) -> None:
    broken = tmp_path / "broken.conllu"
    broken.write_text("1\ta\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2\tb\t_\tNOMEN\t_\t_\t_\t_\t_\t_\n\n")
    with pytest.raises(UserError, match=r"broken\.conllu, line 2: UPOS is 'NOMEN'"):
        run(tmp_path / "out", train_file=str(broken))
