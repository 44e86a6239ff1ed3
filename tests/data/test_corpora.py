"""Corpora: what is a paragraph and a document in each format, how sources are named, what is said about bad ones."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pixel_lm.data.corpora import Corpus, Document, HubDataset
from pixel_lm.errors import UserError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
}

TXT = "One.\n  Two, with a line\u2028separator and \x85.  \r\n\n \t\nThree.\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    return path


def write_json_lines(path: Path, *records: Any) -> Path:
    return write(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def write_parquet(path: Path, **columns: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def documents(*names: str | Path, text_field: str | None = None) -> list[tuple[str, ...]]:
    return [document.paragraphs for document in Corpus(names, text_field).documents()]


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


def test_txt(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "\n\n" + TXT)
    found = list(Corpus(path).documents())
    assert found == [
        Document(("One.", "Two, with a line\u2028separator and \x85."), str(path), 3),
        Document(("Three.",), str(path), 7),
    ]
    assert found[0].text == "One.\nTwo, with a line\u2028separator and \x85."


def test_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "a.txt", "\ufeffOne \ufeff two\n")) == [("One \ufeff two",)]
    assert documents(write(tmp_path / "a.jsonl", '\ufeff{"text": "One"}\n')) == [("One",)]


def test_jsonl(tmp_path: Path) -> None:
    path = write_json_lines(
        tmp_path / "a.jsonl",
        {"id": 1, "text": "One.\n\n Two.\r\nThree\u2028and \x85 more."},
        {"id": 2, "text": ""},
        {"id": 3, "text": None},
        {"id": 4, "sentences": ["Four.", "", "Five.\nSix."]},
    )
    path.write_text(path.read_text().replace('{"id": 4', '\n{"id": 4'))  # a blank line between records
    found = list(Corpus(path).documents())
    assert [document.paragraphs for document in found] == [
        ("One.", "Two.", "Three\u2028and \x85 more."),
        ("Four.", "Five.", "Six."),
    ]
    assert [document.line for document in found] == [1, 5]


def test_the_field_can_be_chosen(tmp_path: Path) -> None:
    path = write_json_lines(
        tmp_path / "a.jsonl", {"text": "no", "sentences": ["no"], "body": "yes", "list": ["y", "s"]}
    )
    assert documents(path) == [("no",)]
    assert documents(path, text_field="body") == [("yes",)]
    assert documents(path, text_field="list") == [("y", "s")]


def test_parquet(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", id=[1, 2, 3], text=["One.\nTwo.", None, "Three."])
    assert list(Corpus(path).documents()) == [
        Document(("One.", "Two."), str(path), 1),
        Document(("Three.",), str(path), 3),
    ]
    path = write_parquet(tmp_path / "b.parquet", id=[1, 2], body=[["One.", "Two."], ["Three."]])
    assert documents(path, text_field="body") == [("One.", "Two."), ("Three.",)]


def test_large_parquet_in_row_groups(tmp_path: Path) -> None:
    texts = [f"text number {i}" for i in range(3000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=700)
    found = list(Corpus(tmp_path / "a.parquet").paragraphs())
    assert [paragraph.text for paragraph in found] == texts
    assert [paragraph.line for paragraph in found] == list(range(1, 3001))


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet"])
@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_files_and_progress(tmp_path: Path, suffix: str, compression: str) -> None:
    texts = [f"{i * i} ☃ {'a' * (i % 50)}." for i in range(2000)]
    plain = tmp_path / f"a{suffix}"
    if suffix == ".txt":
        write(plain, "\n".join(texts))
    elif suffix == ".jsonl":
        write_json_lines(plain, *({"text": text} for text in texts))
    else:
        write_parquet(plain, text=texts)
    path = Path(f"{plain}{compression}")
    path.write_bytes(COMPRESS[compression](plain.read_bytes()))
    corpus = Corpus(path)
    counts: list[int] = []
    assert [paragraph.text for paragraph in corpus.paragraphs(counts.append)] == texts
    assert sum(counts) == corpus.size == path.stat().st_size


def test_folders_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "corpus/b.txt", "b\n")
    write_json_lines(tmp_path / "corpus/a.jsonl", {"text": "a"})
    write_parquet(tmp_path / "corpus/sub/c.parquet", text=["c"])
    write(tmp_path / "corpus/README.md", "not text to train on")
    write(tmp_path / "corpus/.hidden.txt", "neither")
    assert documents(tmp_path / "corpus") == [("a",), ("b",), ("c",)]
    assert documents(tmp_path / "corpus/*.txt") == [("b",)]
    assert documents(tmp_path / "corpus/**/*") == [("a",), ("b",), ("c",)]
    assert documents(tmp_path / "corpus/b.txt", tmp_path / "corpus/sub") == [("b",), ("c",)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert documents("corpus") == documents("~/corpus") == [("a",), ("b",), ("c",)]


def test_identity_changes_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\n")
    before = Corpus(path).identity()
    assert before == Corpus(path).identity() and json.dumps(before)
    assert before != Corpus(path, text_field="body").identity()
    write(path, "two, longer\n")
    assert before != Corpus(path).identity()


def test_a_data_set_of_the_datasets_library(tmp_path: Path, hub_cache: None) -> None:
    write_parquet(tmp_path / "set/en/train.parquet", text=["One.\nTwo.", "Three."])
    write_parquet(tmp_path / "set/en/test.parquet", text=["Four."])
    write_parquet(tmp_path / "set/de/train.parquet", body=["Eins."])
    configs = "".join(
        f"- config_name: {name}\n  {default}data_files:\n  - split: train\n    path: {name}/train.parquet\n{more}"
        for name, default, more in (
            ("en", "default: true\n  ", "  - split: test\n    path: en/test.parquet\n"),
            ("de", "", ""),
        )
    )
    write(tmp_path / "set/README.md", f"---\nconfigs:\n{configs}---\n")
    name = f"hub:{tmp_path / 'set'}"
    assert documents(name) == documents(f"{name}:en") == [("One.", "Two."), ("Three.",)]
    assert documents(f"{name}:en:test") == documents(f"{name}::test") == [("Four.",)]
    assert documents(f"{name}:en:train[1:]") == [("Three.",)]
    assert documents(f"{name}:de", text_field="body") == [("Eins.",)]
    corpus = Corpus(f"{name}:en")
    counts: list[int] = []
    assert [paragraph.line for paragraph in corpus.paragraphs(counts.append)] == [1, 1, 2]
    assert sum(counts) == corpus.size > 0
    assert corpus.identity() == Corpus(f"{name}:en").identity() != Corpus(f"{name}:en:test").identity()
    with pytest.raises(UserError, match=r'set:de:train: no field "text" or "sentences"; there are: body'):
        documents(f"{name}:de")
    with pytest.raises(UserError, match=r"set:en:dev: neither a file nor a folder .* nor a data set"):
        documents(f"{name}:en:dev")
    with pytest.raises(UserError, match=r"set:fr:train: neither a file nor a folder .* nor a data set"):
        documents(f"{name}:fr")


def test_what_a_name_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "wikitext/a.txt", "a folder with the name of a data set\n")
    assert Corpus("wiki/text:some-config:test").sources == [HubDataset("wiki/text", "some-config", "test")]
    assert Corpus("wiki:text:train[:10%]").sources == [HubDataset("wiki", "text", "train[:10%]")]
    assert Corpus("hub:wikitext").sources == [HubDataset("wikitext")]
    assert documents("wikitext") == [("a folder with the name of a data set",)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.txt", "nowhere.txt: no such file"),
        ("nowhere.jsonl.zst", "nowhere.jsonl.zst: no such file"),
        ("nowhere.xml.gz", "nowhere.xml.gz: no such file"),
        ("./nowhere", "./nowhere: no such file"),
        ("nowhere/", "nowhere/: no such file"),
        ("*.txt", r"\*\.txt: no file of text matches this pattern; known suffixes are \.txt, \.jsonl, \.parquet"),
        ("folder", "folder: no files of text in this folder; known suffixes"),
        ("folder/page.html", "page.html: cannot tell what this file holds; known suffixes"),
        ("hub:", "a data set is named as NAME"),
    ],
)
def test_names_that_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "folder/page.html", "<p>")
    with pytest.raises(UserError, match=message):
        Corpus(name)
    with pytest.raises(UserError, match="no text given"):
        Corpus([])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", r"a\.txt: no text in this file"),
        ("a.txt", " \n\n", r"a\.txt: no text in this file"),
        ("a.jsonl", '{"text": ""}\n', r"a\.jsonl: no text in this file"),
        ("a.jsonl", '{"text": "a"}\n{"text": b}\n', r"a\.jsonl, line 2: not valid JSON \(Expecting value, column 10\)"),
        ("a.jsonl", '{"text": "a"}\n\n"b"\n', r"a\.jsonl, line 3: expected a JSON object"),
        (
            "a.jsonl",
            '{"body": "a", "id": 1}\n',
            r'a\.jsonl, line 1: no field "text" or "sentences"; there are: body, id',
        ),
        ("a.jsonl", "{}\n", r'a\.jsonl, line 1: no field "text" or "sentences"; there are: none'),
        ("a.jsonl", '{"text": 5}\n', r"a\.jsonl, line 1: expected a text or a list of texts, found int"),
        ("a.jsonl", '{"text": ["a", ["b"]]}\n', r"a\.jsonl, line 1: expected a text or a list of texts, found list"),
        ("a.jsonl", '{"text": "\\ud83d"}\n', r"a\.jsonl, line 1: half of a surrogate pair"),
        ("a.jsonl", "[" * 100_000 + "\n", r"a\.jsonl, line 1: not valid JSON \(too deep\)"),
        ("a.parquet", "not Parquet", r"a\.parquet: cannot be read as Parquet \(.*\)"),
        ("a.parquet", "", r"a\.parquet: cannot be read as Parquet"),
        ("a.parquet.gz", "not gzip", r"a\.parquet\.gz: cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        documents(path)
    assert "\n" not in str(caught.value)


def test_bad_columns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", id=[1, 2], body=["One.", "Two."])
    with pytest.raises(UserError, match=r'a\.parquet: no field "text" or "sentences"; there are: id, body'):
        documents(path)
    with pytest.raises(UserError, match=r"a\.parquet, row 1, column id: expected a text or a list of texts, found int"):
        documents(path, text_field="id")


def test_files_of_many_languages(shared_dir: Path) -> None:
    """Counts from the description of the files."""
    text = shared_dir / "data/text"
    assert len(documents(text / "multilingual/flores200-devtest.jsonl.xz")) == 192
    assert len(documents(text / "multilingual/udhr.jsonl.xz")) == 462, "463, of which one is empty"
    assert len(documents(text / "multilingual/ja-aozora.jsonl.xz")) == 231
    [wikipedia] = documents(text / "en-wikipedia-sentences.txt.xz")
    assert len(wikipedia) == 15_000
