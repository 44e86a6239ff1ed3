"""Text behind addresses: read as from disk, fetched once per reading, and not left behind."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixel_lm.data.corpora import Corpus
from pixel_lm.errors import UserError


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """A file system in memory, with the same text in three formats."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a.txt.gz", gzip.compress(b"One.\n\nTwo.\n"))
    memory.pipe("/bucket/b.jsonl", b'{"text": "Three."}\n')
    with memory.open("/bucket/sub/c.parquet", "wb") as file:
        pq.write_table(pa.table({"text": ["Four."]}), file)
    memory.pipe("/bucket/README.md", b"not text")
    yield memory
    memory.rm("/bucket", recursive=True)


def texts(*names: str) -> list[str]:
    return [paragraph.text for paragraph in Corpus(names).paragraphs()]


def test_files_folders_and_patterns(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert texts("memory://bucket/a.txt.gz") == ["One.", "Two."]
    assert texts("memory://bucket") == ["One.", "Two.", "Three.", "Four."]
    assert texts("memory://bucket/*.jsonl", "memory://bucket/**/*.parquet") == ["Three.", "Four."]
    assert list(tmp_path.iterdir()) == [], "nothing is left"
    counts: list[int] = []
    corpus = Corpus("memory://bucket")
    list(corpus.paragraphs(counts.append))
    assert sum(counts) == corpus.size > 0
    assert next(corpus.paragraphs()).source == "memory:///bucket/a.txt.gz"


def test_addresses_of_files_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here\n")
    assert texts(f"file://{tmp_path}/a.txt") == texts(f"file://{tmp_path}") == ["here"]


def test_identity_changes_with_the_file(bucket: fsspec.AbstractFileSystem) -> None:
    before = Corpus("memory://bucket/b.jsonl").identity()
    assert before == Corpus("memory://bucket/b.jsonl").identity()
    bucket.pipe("/bucket/b.jsonl", b'{"text": "Other."}\n')
    assert before != Corpus("memory://bucket/b.jsonl").identity()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memory://bucket/nowhere.txt", "memory://bucket/nowhere.txt: no such file or folder"),
        ("memory://bucket/*.zst", r"memory://bucket/\*.zst: no such file or folder"),
        ("memory://bucket/README.md", "memory://bucket/README.md: no file of text there; known suffixes"),
        ("nosuchprotocol://x/a.txt", "nosuchprotocol://x/a.txt: cannot be reached"),
    ],
)
def test_addresses_that_lead_nowhere(bucket: fsspec.AbstractFileSystem, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Corpus(name)


def test_errors_name_the_address(bucket: fsspec.AbstractFileSystem) -> None:
    bucket.pipe("/bucket/b.jsonl", b'{"text": "fine"}\n{\n')
    with pytest.raises(UserError, match=r"^memory://bucket/b\.jsonl, line 2: not valid JSON"):
        texts("memory://bucket/b.jsonl")
    bucket.pipe("/bucket/a.txt.gz", b"not gzip")
    with pytest.raises(UserError, match=r"^memory://bucket/a\.txt\.gz"):
        texts("memory://bucket/a.txt.gz")
    bucket.pipe("/bucket/sub/c.parquet", b"not Parquet")
    with pytest.raises(UserError, match=r"^memory:///?bucket/sub/c\.parquet: cannot be read as Parquet"):
        texts("memory://bucket/sub")
    assert [p.text for p in Corpus("memory://bucket/b.jsonl", on_bad_input="skip").paragraphs()] == ["fine"]


def test_a_connection_that_breaks_is_tried_again(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt ends after three bytes, the second is whole."""
    whole, attempts = bucket.get_file, []

    def breaking(remote: str, local: str) -> None:
        attempts.append(remote)
        whole(remote, local)
        if len(attempts) == 1:
            Path(local).write_bytes(b"One")

    monkeypatch.setattr(bucket, "get_file", breaking)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert texts("memory://bucket/b.jsonl") == ["Three."] and len(attempts) == 2


def test_a_folder_that_the_datasets_library_saved(tmp_path: Path) -> None:
    one, two = (datasets.Dataset.from_dict({"text": [text]}) for text in ("train text", "test text"))
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": one, "test": two}).save_to_disk(tmp_path / "both")
    assert texts(str(tmp_path / "one")) == texts(str(tmp_path / "both")) == ["train text"]
    assert texts(f"hub:{tmp_path}/both::test") == ["test text"]
