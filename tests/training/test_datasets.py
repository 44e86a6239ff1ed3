"""Data sets of the `datasets` library as training data: saved folders, and what `load_dataset` loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from pixel_lm.data.glue import GLUE_TASKS, read_glue
from pixel_lm.data.ner import read_ner
from pixel_lm.errors import UserError
from pixel_lm.tasks import get_task
from pixel_lm.tasks.task import TaskOptions
from pixel_lm.training import FinetuneArguments, run_finetuning
from pixel_lm.training.annotated_data import data_files, data_name, split_file

NAMES = ["O", "B-PER", "I-PER", "B-LOC"]
ROWS = {"tokens": [["Ada", "Lovelace", "lived"], ["in", "New York"], []], "ner_tags": [[1, 2, 0], [0, 3], []]}
TAGS = [("B-PER", "I-PER", "O"), ("O", "B-LOC")]


def classes(rows: dict[str, Any] = ROWS) -> datasets.Dataset:
    """Words, and tags as numbers with names."""
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=NAMES)),
        }
    )
    return datasets.Dataset.from_dict(rows, features=features)


def texts() -> datasets.Dataset:
    """Words, and tags as texts, in columns of other names."""
    return datasets.Dataset.from_dict({"words": ROWS["tokens"], "tags": [list(tags) for tags in TAGS] + [[]]})


def saved(folder: Path, table: datasets.Dataset, *splits: str) -> str:
    datasets.DatasetDict(dict.fromkeys(splits, table)).save_to_disk(folder)
    return str(folder)


def loadable(folder: Path, table: datasets.Dataset, *splits: str) -> str:
    """A folder as it lies on the hub: Parquet files by split."""
    folder.mkdir()
    for split in splits:
        table.to_parquet(folder / f"{split}.parquet")
    return f"hub:{folder}"


@pytest.mark.parametrize("table", [classes(), texts()], ids=["classes", "texts"])
@pytest.mark.parametrize("make", [saved, loadable])
def test_entities(tmp_path: Path, table: datasets.Dataset, make: Callable[..., str]) -> None:
    ner = get_task("ner")
    data = make(tmp_path / "data", table, "train", "validation", "test")
    files = data_files(FinetuneArguments(task="ner", data=data), ner)
    assert [str(files[split]) for split in ("train", "dev", "test")] == [
        f"{data}::train", f"{data}::validation", f"{data}::test",
    ]  # fmt: skip
    assert data_name(files["train"]) == data
    sentences = ner.read(files["dev"])
    assert [sentence.tags for sentence in sentences] == TAGS
    assert [sentence.words for sentence in sentences] == [("Ada", "Lovelace", "lived"), ("in", "New York")]
    written = tmp_path / "out.txt"
    written.write_text(ner.write(sentences, [list(tags) for tags in TAGS]))
    assert written.read_text() == "Ada\tB-PER\nLovelace\tI-PER\nlived\tO\n\nin\tO\nNew York\tB-LOC\n\n"
    again = ner.read(written)
    assert [(s.words, s.tags, s.line, s.word_lines) for s in again] == [
        (s.words, s.tags, s.line, s.word_lines) for s in sentences
    ]
    assert split_file(ner, data, "test") == files["test"]
    assert split_file(ner, f"{data}::validation", "test") == files["dev"]


def test_one_saved_split_at_a_time(tmp_path: Path) -> None:
    classes().save_to_disk(tmp_path / "one")
    saved(tmp_path / "two", classes(), "train", "dev")
    ner = get_task("ner")
    arguments = FinetuneArguments(
        task="ner", train_file=str(tmp_path / "one"), validation_file=f"{tmp_path / 'two'}::dev"
    )
    assert [len(ner.read(path)) for path in data_files(arguments, ner).values()] == [2, 2]
    assert split_file(ner, str(tmp_path / "one"), "test") == tmp_path / "one"
    with pytest.raises(UserError, match="one: one data set without splits; save a DatasetDict with train, dev, test"):
        data_files(FinetuneArguments(task="ner", data=str(tmp_path / "one")), ner)
    files = data_files(FinetuneArguments(task="ner", data="two", data_dir=str(tmp_path)), ner)
    assert set(files) == {"train", "dev"}  # no test data is no mistake
    with pytest.raises(UserError, match="two: no split test; there are: train, dev"):
        split_file(ner, str(tmp_path / "two"), "test")


def test_tables_in_files(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"tokens": ["Ada", "lived"], "ner_tags": ["B-PER", "O"]}\n')
    classes().to_parquet(tmp_path / "dev.parquet")
    ner = get_task("ner")
    files = data_files(FinetuneArguments(task="ner", data=str(tmp_path)), ner)
    assert [sentence.tags for path in files.values() for sentence in ner.read(path)] == [("B-PER", "O"), *TAGS]
    (tmp_path / "plain.jsonl").write_text('{"words": ["Ada", "lived"]}\n')
    (sentence,) = ner.read(tmp_path / "plain.jsonl", labelled=False)
    assert sentence.tags == ("O", "O")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"text": "Ada"}', "line 1: no column 'tokens' or 'words'; there are: text"),
        ('{"tokens": ["Ada"], "labels": ["O"]}', "no column 'ner_tags' or 'tags'; there are: tokens, labels"),
        (
            '{"tokens": ["Ada"], "ner_tags": [1]}',
            "'ner_tags' holds numbers without names; make the column one of class",
        ),
        ('{"tokens": ["Ada"], "ner_tags": [null]}', "'ner_tags' does not hold texts only"),
        ('{"tokens": ["Ada"], "ner_tags": []}', "1 words, but 0 tags"),
        ('{"tokens": "Ada", "ner_tags": ["O"]}', "'tokens' holds str; expected a list of texts"),
        ('{"tokens": ["A\\tB"], "ner_tags": ["O"]}', "cannot be a word"),
        ('{"tokens": ["Ada"], "ner_tags": ["PER"]}', "'PER' is no tag; expected O, or a prefix and a type"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text(row + "\n")
    with pytest.raises(UserError) as caught:
        read_ner(tmp_path / "x.jsonl")
    assert str(caught.value).startswith(f"{tmp_path / 'x.jsonl'}, line 1: ") and message in str(caught.value)


def test_what_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"hub:no/such:en: not a data set that could be loaded \("):
        data_files(FinetuneArguments(task="ner", data="hub:no/such:en"), get_task("ner"))
    data = saved(tmp_path / "data", classes(), "train", "validation")
    with pytest.raises(UserError, match="data: pos does not read data sets of the `datasets` library; give a folder"):
        data_files(FinetuneArguments(task="pos", data=data), get_task("pos"))


def test_other_tasks(tmp_path: Path) -> None:
    """Pairs, texts and questions with the columns of the hub."""
    names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
    pairs = datasets.Dataset.from_dict({"premise": ["a", "c"], "hypothesis": ["b", "d"], "label": [2, -1]})
    nli = get_task("nli")
    data = saved(tmp_path / "nli", pairs.cast_column("label", names), "train", "validation_matched")
    (example,) = nli.read(data_files(FinetuneArguments(task="nli", data=data), nli)["dev"])
    assert (example.texts, example.label) == (("a", "b"), "contradiction")
    answers = [{"text": ["Ada"], "answer_start": [0]}]
    questions = datasets.Dataset.from_dict(
        {"id": ["1"], "question": ["Who?"], "context": ["Ada is."], "answers": answers}
    )
    qa = get_task("qa")
    data = saved(tmp_path / "qa", questions, "train", "validation")
    assert [q.id for q in qa.read(data_files(FinetuneArguments(task="qa", data=data), qa)["dev"])] == ["1"]
    labels = datasets.ClassLabel(names=["bad", "good"])
    table = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [0, 1]}).cast_column("label", labels)
    classification = get_task("classification")
    data = saved(tmp_path / "classification", table, "train", "test")
    assert [e.label for e in classification.read(split_file(classification, data, "test"))] == ["bad", "good"]


@pytest.mark.parametrize("name", GLUE_TASKS)
def test_glue_with_the_columns_of_the_hub(tmp_path: Path, name: str) -> None:
    task = GLUE_TASKS[name]
    rows: dict[str, Any] = {column: [f"{column} x", "y"] for column in task.hub_texts or task.texts}
    table = datasets.Dataset.from_dict({**rows, "label": [1, 0] if task.labels else [2.5, 4.0], "idx": [0, 1]})
    if task.labels:
        table = table.cast_column("label", datasets.ClassLabel(names=list(task.labels)))
    data = saved(tmp_path / "data", table, "train", "validation")
    glue = get_task("glue").with_options(TaskOptions(glue_task=name))
    files = data_files(FinetuneArguments(task="glue", data=data, glue_task=name), glue)
    first = read_glue(files["dev"], name).examples[0]
    assert first.texts == tuple(f"{column} x" for column in task.hub_texts or task.texts)
    assert first.label == (task.labels[1] if task.labels else 2.5)
    assert len(glue.read(files["train"])) == 2


def test_training_with_a_saved_data_set(
    tmp_path: Path, tiny_encoder: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data = saved(tmp_path / "data", classes(), "train", "validation", "test")
    results = run_finetuning(
        FinetuneArguments(
            **tiny_encoder
            | {
                "task": "ner",
                "data": data,
                "output_dir": str(tmp_path / "out"),
                "from_scratch": True,
                "steps": 2,
                "eval_steps": 1,
            }
        )
    )
    assert results["test_words"] == 5
    assert f"{data}: 2 sentences" in capsys.readouterr().out
