"""Reports of errors: numbers against scikit-learn and by hand, and the files."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pixel_lm.data.conllu import parse_conllu
from pixel_lm.data.dependencies import Arc
from pixel_lm.data.files import read_lines
from pixel_lm.data.questions import Answer, Question
from pixel_lm.errors import UserError
from pixel_lm.tasks import get_task
from pixel_lm.tasks.answers import Prediction
from pixel_lm.tasks.reports import (
    ErrorReport,
    Table,
    classification_report,
    confusion,
    label_table,
    mistakes_table,
    parsing_report,
    questions_report,
    regression_report,
    tagging_report,
    to_markdown,
    write_report,
)
from pixel_lm.tasks.task import Task, TaskOptions


def rows(table: Table) -> dict[str, tuple]:
    return {str(row[0]): row[1:] for row in table.rows}


def test_labels_score_as_in_scikit_learn() -> None:
    rng = random.Random(3)
    gold = rng.choices("abcd", [8, 4, 2, 1], k=200)
    predicted = [g if rng.random() < 0.6 else rng.choice("abcde") for g in gold]
    labels, counts = confusion(zip(gold, predicted, strict=True))
    assert labels == sorted("abcde", key=lambda label: (-gold.count(label), label))
    assert (counts == confusion_matrix(gold, predicted, labels=labels)).all()
    expected = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0.0)
    table = rows(label_table(zip(gold, predicted, strict=True), "Labels"))
    for i, label in enumerate(labels):
        assert table[label] == pytest.approx([part[i] for part in expected])


def test_mistakes_come_in_the_order_of_their_number() -> None:
    pairs = [("a", "a")] * 5 + [("a", "b")] * 2 + [("a", "c")] + [("b", "a")] * 3
    assert mistakes_table(pairs).rows == (("b", "a", 3, 1.0), ("a", "b", 2, 0.25), ("a", "c", 1, 0.125))


def test_tagging_errors_name_sentence_and_word() -> None:
    report = tagging_report([["a", "cat"], ["ไทย"]], [["DET", "NOUN"], ["NOUN"]], [["DET", "VERB"], ["NOUN"]])
    assert report.errors.rows == ((1, 2, "cat", "NOUN", "VERB", "a cat"),)
    assert report.total == 3 and report.unit == "words"


def test_entities_are_scored_whole(tmp_path: Path) -> None:
    task = get_task("ner")
    sentences = task.read(write(tmp_path, "Ada B-PER\nByron I-PER\nin O\nOslo B-LOC\n"))
    report = task.report(sentences, [["B-PER", "O", "O", "B-LOC"]])
    assert report.tables[0].title == "Entities"
    assert rows(report.tables[0]) == {"LOC": (1.0, 1.0, 1.0, 1), "PER": (0.0, 0.0, 0.0, 1)}
    assert [row[2:5] for row in report.errors.rows] == [("Byron", "I-PER", "O")]


def write(folder: Path, text: str) -> Path:
    path = folder / "test.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_parsing_by_relation_and_distance() -> None:
    gold = [[Arc(2, "det"), Arc(3, "nsubj"), Arc(0, "root"), Arc(3, "obj"), Arc(3, "punct")]]
    found = [[Arc(2, "det"), Arc(4, "nsubj"), Arc(0, "root"), Arc(3, "nsubj"), Arc(3, "punct")]]
    report = parsing_report([["the", "cat", "sees", "it", "."]], gold, found)
    relations, distances = rows(report.tables[0]), rows(report.tables[1])
    assert relations["det"] == (1.0, 1.0, 1.0, 1, 1.0)
    assert relations["nsubj"] == (0.0, 0.0, 0.0, 1, 0.0)
    assert relations["obj"] == (0.0, 0.0, 0.0, 1, 1.0)  # the head is right, the relation is not
    # support, UAS, LAS, and of the heads predicted at this distance those that are right
    assert distances == {
        "root": (1, 1.0, 1.0, 1.0),
        "1": (3, 2 / 3, 1 / 3, 1.0),
        "2": (1, 1.0, 1.0, 0.5),
    }
    assert list(distances) == ["root", "1", "2"]
    assert report.errors.rows[0][1:9] == (2, "cat", 3, "sees", "nsubj", 4, "it", "nsubj")


def test_parsing_errors_are_trees_with_the_gold_arc_in_misc(tmp_path: Path) -> None:
    text = (
        "1\tWe\t_\tX\t_\t_\t2\tnsubj\t_\tA=b\n2\tsee\t_\tX\t_\t_\t0\troot\t_\t_\n\n1\tGo\t_\tX\t_\t_\t0\troot\t_\t_\n\n"
    )
    sentences = parse_conllu(list(read_lines(write(tmp_path, text))), "test")
    report = get_task("parsing").report(sentences, [[Arc(0, "root"), Arc(1, "obj")], [Arc(0, "root")]])
    assert report.files["errors.conllu"] == (
        "1\tWe\t_\tX\t_\t_\t0\troot\t_\tA=b|GoldHead=2|GoldDeprel=nsubj\n2\tsee\t_\tX\t_\t_\t1\tobj\t_\tGoldHead=0|GoldDeprel=root\n\n"
    )


def test_classification_and_numbers() -> None:
    report = classification_report([("x",), ("y", "z")], ["a", "b"], ["a", "a"], [2, 3])
    assert report.errors.rows == ((3, "b", "a", "y", "z"),)
    report = regression_report([("x",), ("y",), ("z",)], [1.0, 4.6, 5.0], [1.5, 4.6, 3.0], [2, 3, 4])
    assert rows(report.tables[0]) == {"1": (1, 1.5, 0.5), "5": (2, pytest.approx(3.8), pytest.approx(1.0))}
    assert [row[0] for row in report.errors.rows] == [4, 2, 3] and not report.pairs
    assert "| 1 | 1 | 1.500 | 0.500 |" in to_markdown(report, "t", {})


def question(number: int, text: str, *answers: str) -> Question:
    return Question(str(number), text, "context", tuple(Answer(answer, None) for answer in answers))


def test_questions_by_their_first_word() -> None:
    questions = [question(1, "Who is it?", "Ada", "Ada Byron"), question(2, "who?", "Eve"), question(3, "When?")]
    task = get_task("qa")
    predictions = [Prediction(text, (), text, None) for text in ("the ada Byron", "Eve Adams", "")]
    report = task.report(questions, predictions)
    assert rows(report.tables[0]) == {
        "who": (1, 1.0, 1.0),
        "when?": (1, 1.0, 1.0),
        "who?": (1, 0.0, pytest.approx(2 / 3)),
    }
    assert [row[0] for row in report.errors.rows] == ["2"]
    assert list(rows(report.tables[2])) == ["none", "1–5"]
    assert questions_report([]).total == 0


def test_files(tmp_path: Path) -> None:
    report = classification_report([("a\tb\nc",), ("d",)], ["x|y", "z"], ["z", "z"], [2, 3])
    names = write_report(report, tmp_path / "new", "model on data", {"accuracy": 0.5, "examples": 2})
    assert sorted(names) == sorted(path.name for path in (tmp_path / "new").iterdir())
    with (tmp_path / "new" / "errors.tsv").open(newline="") as file:
        assert list(csv.reader(file, delimiter="\t"))[1:] == [["2", "x|y", "z", "a b c", ""]]
    values = json.loads((tmp_path / "new" / "report.json").read_text())
    assert values["confusion"] == {"labels": ["x|y", "z"], "counts": [[0, 1], [0, 1]]}
    assert values["tables"]["Labels"][1] == {"label": "z", "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}  # fmt: skip
    text = (tmp_path / "new" / "report.md").read_text()
    assert "| accuracy | 50.00 |" in text and "| x\\|y | 0.00 | 0.00 | 0.00 | 1 |" in text
    assert "1 of 2 examples" in text


def test_a_task_without_a_report_says_so() -> None:
    class Silent(type(get_task("pos"))):  # type: ignore[misc]
        name = "silent"
        report = Task.report

    with pytest.raises(UserError, match="task silent has no method `report`"):
        Silent(TaskOptions()).report([], [])


def test_each_task_has_a_report() -> None:
    from pixel_lm.tasks import TASKS

    assert all(type(get_task(name)).report is not Task.report for name in TASKS)
    assert isinstance(get_task("pos").report([], []), ErrorReport)
