"""Rows of files and data sets."""

from __future__ import annotations

import gzip
from pathlib import Path

import datasets
import pytest

from pixel_lm.data.tables import read_rows
from pixel_lm.errors import UserError


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_csv_with_quotes(tmp_path: Path) -> None:
    text = '\ufefftext,label\r\n"a, ""b""\nc\x85d",1\r\n\r\n"a\rb",0\r\n'
    rows = list(read_rows(write(tmp_path / "a.csv", text)))
    assert [row.values for row in rows] == [
        {"text": 'a, "b"\nc\x85d', "label": "1"},
        {"text": "a\rb", "label": "0"},
    ]
    assert [row.line for row in rows] == [2, 5]


def test_nothing_is_quoted_in_tsv(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'a\tb\n"open\tx\n\ny\t""\u2028"\nshort\n')
    rows = list(read_rows(path))
    assert [row.values for row in rows] == [{"a": '"open', "b": "x"}, {"a": "y", "b": '""\u2028"'}, {"a": "short"}]
    assert rows[2].columns == ("a", "b") and rows[2].place == f"{path}, line 5"


def test_files_without_header(tmp_path: Path) -> None:
    assert next(read_rows(write(tmp_path / "a.txt", "x\t1\n"), ["text", "label"])).values == {"text": "x", "label": "1"}
    assert next(read_rows(write(tmp_path / "a.csv", "x,1\n"), ["text", "label"])).values == {"text": "x", "label": "1"}


def test_json_lines_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": "x", "n": 1}\n\n{"a": null}\n'))
    first, second = read_rows(path)
    assert first.values == {"a": "x", "n": 1} and first.text("a") == "x"
    for row, column, complaint in (
        (first, "n", r"line 1: int, not a text, in the column 'n'"),
        (second, "a", r"line 3: no value in the column 'a'; there are: a"),
    ):
        with pytest.raises(UserError, match=complaint):
            row.text(column)


def test_long_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'text\n"{"x" * 300_000}"\n')
    assert len(next(read_rows(path)).values["text"]) == 300_000


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "a,b\nx\n", r"line 2: 1 columns, expected 2 \(a, b\)"),
        ("a.csv", 'a\n"x\n', r"line 2: not valid CSV .*quotation mark"),
        ("a.csv", 'a\n"x"y\n', r"line 2: not valid CSV"),
        ("a.csv", "a\nx\ry\n", r"line 2: not valid CSV"),
        ("a.tsv", "a\nx\ty\n", r"line 2: 2 columns, expected 1 \(a\)"),
        ("a.tsv", "a\ta\nx\ty\n", r"line 1: two columns are called 'a'"),
        ("a.tsv", "a\tb\n", r"a\.tsv: no rows in it"),
        ("a.jsonl", "{]\n", r"line 1: not valid JSON"),
        ("a.jsonl", "[1]\n", r"line 1: expected a JSON object"),
        ("a.parquet.gz", "x", r"cannot tell"),
        ("a.doc", "x", r"cannot tell what this file holds; known suffixes are \.csv"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        list(read_rows(write(tmp_path / name, text)))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.tsv: no such file"):
        list(read_rows(tmp_path / "nowhere.tsv"))


def test_data_sets_on_disk(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    table.save_to_disk(tmp_path / "one")
    rows = list(read_rows(tmp_path / "one"))
    assert [(row.values["text"], row.values["label"]) for row in rows] == [("a", "yes"), ("b", "no"), ("c", None)]
    assert rows[1].place == f"{tmp_path / 'one'}, row 2"
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(tmp_path / "two")
    with pytest.raises(UserError, match="the folder holds the splits train, test"):
        list(read_rows(tmp_path / "two"))
    assert len(list(read_rows(tmp_path / "two" / "test"))) == 3
    assert len(list(read_rows(f"{tmp_path / 'two'}::test"))) == 3
    with pytest.raises(UserError, match=r"the folder holds the splits train, test; name one, as in .*two::train"):
        list(read_rows(f"{tmp_path / 'two'}::dev"))
    table.to_parquet(tmp_path / "a.parquet")
    assert [row.values["label"] for row in read_rows(tmp_path / "a.parquet")] == ["yes", "no", None]
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(UserError, match=r"b\.parquet: cannot be read as Parquet"):
        list(read_rows(tmp_path / "b.parquet"))


def test_folder_of_data_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.jsonl", '{"text": "a"}\n{"text": "b"}\n')
    assert [row.values for row in read_rows(tmp_path / "data")] == [{"text": "a"}, {"text": "b"}]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a folder of data that could be loaded"):
        list(read_rows(tmp_path / "empty"))
