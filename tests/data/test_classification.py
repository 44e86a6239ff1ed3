"""Labelled texts from any table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_lm.data.classification import ClassificationExample, read_classification
from pixel_lm.errors import UserError


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_one_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "text\tlabel\nfine\tpos\nbad\tneg\nhm\t\n")
    data = read_classification(path, ["text"])
    assert data.examples == (
        ClassificationExample(("fine",), "pos", str(path), 2),
        ClassificationExample(("bad",), "neg", str(path), 3),
    )
    assert data.labels == ("neg", "pos") and data.left_out == {"no label": 1} and not data.is_regression


def test_labels_given_by_number_or_name(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        '{"a": "x", "b": "y", "l": 1}\n{"a": "x", "b": "z", "l": "no"}\n{"a": "", "b": "", "l": -1}\n',
    )
    data = read_classification(path, ["a", "b"], "l", labels=["no", "yes"])
    assert [(example.texts, example.label) for example in data.examples] == [(("x", "y"), "yes"), (("x", "z"), "no")]
    assert data.labels == ("no", "yes") and data.left_out == {"no label": 1}
    with pytest.raises(UserError, match=r"line 1: unknown label 1, expected one of maybe"):
        read_classification(path, ["a"], "l", labels=["maybe"])


def test_numbers_in_numerical_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"t,{i}\n" for i in (10, 2, 1)))
    assert read_classification(path, ["text"]).labels == ("1", "2", "10")


def test_regression(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b,3.5\nc,d,0\n")
    data = read_classification(path, ["x", "y"], "score", regression=True, columns=["x", "y", "score"])
    assert [example.label for example in data.examples] == [3.5, 0.0] and data.is_regression
    write(path, "a,b,high\n")
    with pytest.raises(UserError, match=r"line 1: the column 'score' holds 'high'; expected a number"):
        read_classification(path, ["x", "y"], "score", regression=True, columns=["x", "y", "score"])


def test_test_data_without_labels(tmp_path: Path) -> None:
    data = read_classification(write(tmp_path / "a.csv", "text\nx\n"), ["text"], None)
    assert data.examples[0].label is None


def test_what_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "text\tlabel\nx\t-\n")
    with pytest.raises(UserError, match="none of the 1 rows has a label"):
        read_classification(path, ["text"])
    with pytest.raises(UserError, match=r"line 2: no column 'sentence'; there are: text, label"):
        read_classification(path, ["sentence"])
    with pytest.raises(UserError, match="3 columns, expected one or two"):
        read_classification(path, ["a", "b", "c"])
    with pytest.raises(UserError, match=r"line 2: 1 columns, expected 2 \(text, label\)"):
        read_classification(write(path, "text\tlabel\nx\n"), ["text"])
    with pytest.raises(UserError, match=r"line 1: the column 'label' holds 1\.5; expected the name or the number"):
        read_classification(write(tmp_path / "a.jsonl", '{"text": "x", "label": 1.5}\n'), ["text"])


def test_real_tables(shared_dir: Path) -> None:
    glue = shared_dir / "data/glue"
    pair = ("premise", "hypothesis")
    mnli = read_classification(glue / "mnli-dev.csv.xz", pair, labels=["entailment", "neutral", "contradiction"])
    assert len(mnli.examples) == 19647
    assert len(read_classification(glue / "qnli-dev.csv.xz", pair).examples) == 5732
    assert read_classification(glue / "wnli-train.csv", pair).labels == ("entailment", "not_entailment")
    stsb = [
        read_classification(glue / name, ["a", "b"], "score", regression=True, columns=["a", "b", "score"])
        for name in ("stsb-en-train.csv.xz", "stsb-en-dev.csv", "stsb-en-test.csv")
    ]
    assert [len(data.examples) for data in stsb] == [5749, 1500, 1379]
    assert all(0 <= float(example.label or 0) <= 5 for data in stsb for example in data.examples)
    for name, count in (("train", 5749), ("dev", 1500), ("test", 1379)):
        korean = read_classification(
            glue / f"korsts/sts-{name}.tsv.xz", ["sentence1", "sentence2"], "score", regression=True
        )
        assert len(korean.examples) == count
    for name in ("imdb", "yelp"):
        data = read_classification(glue / f"uci-sentiment/{name}_labelled.txt", ["text"], columns=["text", "label"])
        assert len(data.examples) == 1000 and data.labels == ("0", "1")
