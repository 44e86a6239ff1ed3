"""Text models do the same tasks by the same commands: every task is learned, scored, predicted, and models reload."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, CanineConfig, CanineModel, CanineTokenizer, RobertaConfig, RobertaModel
from transformers import T5Config as EncoderDecoderConfig

from pixel_lm.cli.main import main
from pixel_lm.errors import UserError
from pixel_lm.models import PixelForPreTraining, PixelForQuestionAnswering, PixelForTokenClassification
from pixel_lm.models.text_encoder import TextModelConfig, text_model
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.finetune import run_finetuning
from pixel_lm.training.loading import load_config, load_model, load_model_config
from tests.training.test_tasks import DATA, write_splits

ROOT = Path(__file__).resolve().parents[2]
WORDS = "Anna Boris Oslo Quito sees in the and he she it them cat dog oak elm is yes mmm NO aa ii oo WWW MMM big ? A text , no ."


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of two layers, made by the script that the docs name."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "text.txt").write_text("\n".join([WORDS] * 5), encoding="utf-8")
    command = [
        sys.executable,
        "scripts/new_text_model.py",
        str(folder / "text.txt"),
        "--output-dir",
        str(folder / "model"),
    ]
    sizes = "--vocabulary 200 --hidden-size 32 --num-hidden-layers 2 --num-attention-heads 2 --intermediate-size 64 --max-positions 64"
    subprocess.run([*command, *sizes.split()], check=True, cwd=ROOT, capture_output=True)
    return str(folder / "model")


def arguments(model: str, task: str, data: Path, output_dir: Path, **changes: object) -> FinetuneArguments:
    values = {
        "task": task, "model": model, "data": str(data), "output_dir": str(output_dir), "batch_size": 8, "learning_rate": 3e-3,
        "dropout": 0.0, "warmup_steps": 2, "eval_steps": 50, "early_stopping_patience": 0, "max_seq_length": 20, "cpu": True,
    }  # fmt: skip
    return FinetuneArguments(**(values | changes))  # type: ignore[arg-type]


STEPS = {"ner": 60, "parsing": 150, "classification": 60, "nli": 60, "qa": 200}
WANTED = {"ner": 0.95, "parsing": 0.9, "classification": 0.95, "nli": 0.95, "qa": 0.7}


@pytest.mark.parametrize("task", DATA)
def test_learns_evaluates_and_predicts(
    tmp_path: Path, task: str, bert: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, make = DATA[task]
    data = write_splits(tmp_path / "data", name, make)
    run = tmp_path / "run"
    options = {"stride": 4, "question_max_length": 8, "max_seq_length": 12} if task == "qa" else {}
    results = run_finetuning(arguments(bert, task, data, run, steps=STEPS[task], save_predictions=True, **options))
    metric = {"ner": "f1", "parsing": "las", "qa": "f1"}.get(task, "accuracy")
    assert results[f"test_{metric}"] > WANTED[task], results
    assert results["test_coverage"] == 1.0
    if task == "qa":
        assert results["train_windows"] > results["train_questions"]
    capsys.readouterr()
    scores = tmp_path / "scores.json"
    assert main(["evaluate", task, str(data), "--model", str(run), "--cpu", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())[metric] == pytest.approx(results[f"test_{metric}"], abs=1e-6)
    output = tmp_path / "predictions"
    assert (
        main(["predict", task, str(data / name.format(split="test")), "--model", str(run), "--cpu", "-o", str(output)])
        == 0
    )
    suffix = {"ner": ".txt", "parsing": ".conllu", "qa": ".json"}.get(task, ".tsv")
    assert output.read_bytes() == (run / f"test_predictions{suffix}").read_bytes()


def test_part_of_speech_from_random_weights(tmp_path: Path, bert: str) -> None:
    data = write_splits(tmp_path / "data", *DATA["parsing"])
    results = run_finetuning(arguments(bert, "pos", data, tmp_path / "run", steps=10, eval_steps=10, from_scratch=True))
    assert results["test_accuracy"] == 1.0  # a single tag


def test_a_checkpoint_is_continued_bit_for_bit(tmp_path: Path, bert: str) -> None:
    data = write_splits(tmp_path / "data", *DATA["ner"])
    whole = run_finetuning(arguments(bert, "ner", data, tmp_path / "whole", steps=12, eval_steps=4, dropout=0.1))
    part = tmp_path / "part"
    run_finetuning(arguments(bert, "ner", data, part, steps=12, eval_steps=4, dropout=0.1))
    (part / "all_results.json").unlink()
    for checkpoint in sorted(part.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))[1:]:
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    again = run_finetuning(arguments(bert, "ner", data, part, steps=12, eval_steps=4, dropout=0.1))
    assert again["test_loss"] == whole["test_loss"]


def test_the_encoder_sees_what_transformers_would_give_it(bert: str) -> None:
    config = load_model_config(bert)
    assert isinstance(config, TextModelConfig)
    assert config.max_num_patches == 62
    model = text_model(PixelForTokenClassification, config, bert).eval()
    reference = BertModel.from_pretrained(bert).eval()
    separator, classes = config.sep_token_id, config.cls_token_id
    pair = torch.tensor([[7, 8, separator, 9, separator], [10, separator, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    with torch.no_grad():
        found = model.vit(pair, mask).last_hidden_state
        first = reference(
            torch.tensor([[classes, *pair[0].tolist()]]), token_type_ids=torch.tensor([[0, 0, 0, 0, 1, 1]])
        ).last_hidden_state
        second = reference(torch.tensor([[classes, 10, separator]])).last_hidden_state
    assert torch.allclose(found[:1], first, atol=1e-5)
    assert torch.allclose(found[1:, :3], second, atol=1e-5)


@pytest.mark.parametrize("kind", ["roberta", "canine"])
def test_other_encoders(kind: str, tmp_path: Path) -> None:
    """Byte-level tokens and two separators; characters and no tokenizer file."""
    folder = tmp_path / "model"
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "roberta":
        from tokenizers import ByteLevelBPETokenizer
        from transformers import RobertaTokenizerFast

        learned = ByteLevelBPETokenizer()
        learned.train_from_iterator([WORDS] * 3, 400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        folder.mkdir()
        learned.save(str(folder / "tokenizer.json"))
        tokenizer = RobertaTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        tokenizer.save_pretrained(folder)
        RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, **small)).save_pretrained(
            folder
        )
    else:
        CanineTokenizer().save_pretrained(folder)
        CanineModel(CanineConfig(max_position_embeddings=128, local_transformer_stride=32, **small)).save_pretrained(
            folder
        )
    for task in ("nli", "ner"):
        data = write_splits(tmp_path / f"data-{task}", *DATA[task])
        length = 60 if kind == "canine" else 30
        run = tmp_path / f"run-{task}"
        results = run_finetuning(arguments(str(folder), task, data, run, steps=2, eval_steps=2, max_seq_length=length))
        assert results["test_coverage"] == 1.0
        assert main(["evaluate", task, str(data), "--model", str(run), "--cpu"]) == 0


def test_what_is_wrong_is_said(tmp_path: Path, bert: str) -> None:
    with pytest.raises(UserError, match="of type bert, not a pixel model"):
        load_config(bert)
    with pytest.raises(UserError, match="of type bert, not a pixel model"):
        load_model(PixelForPreTraining, bert)
    data = write_splits(tmp_path / "data", *DATA["ner"])
    with pytest.raises(UserError, match="max-seq-length is 99, but the model takes at most 62"):
        run_finetuning(arguments(bert, "ner", data, tmp_path / "run", max_seq_length=99))
    with pytest.raises(UserError, match="is a text model: leave out --renderer"):
        run_finetuning(arguments(bert, "ner", data, tmp_path / "run", strategy="words"))
    EncoderDecoderConfig(d_model=8, num_layers=1, num_heads=1, d_ff=8).save_pretrained(tmp_path / "t5")
    with pytest.raises(UserError, match="of type t5, neither a pixel model nor an encoder of text"):
        load_model_config(str(tmp_path / "t5"))
    BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(
        tmp_path / "b"
    )
    with pytest.raises(UserError, match="no tokenizer that can be loaded"):
        load_model_config(str(tmp_path / "b"))
    run_finetuning(arguments(bert, "ner", data, tmp_path / "run", steps=1, eval_steps=1))
    with pytest.raises(UserError, match="was trained for another task"):
        load_model(PixelForQuestionAnswering, str(tmp_path / "run"))
