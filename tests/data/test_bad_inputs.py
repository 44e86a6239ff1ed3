"""Lines, rows and files that cannot be read: by default the first is an error, on request they are left out and counted."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixel_lm.data.bad_inputs import BadInputs
from pixel_lm.data.corpora import Corpus
from pixel_lm.errors import UserError


def read(path: Path, text_field: str | None = None) -> tuple[list[str], int]:
    """What is read when the rest is skipped, and how often something was."""
    corpus = Corpus(path, text_field, on_bad_input="skip")
    return [paragraph.text for paragraph in corpus.paragraphs()], corpus.bad_inputs.count


def stops(path: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(Corpus(path).paragraphs())


def test_lines_of_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n" + b"\xff\xfe\n" + "three ☃\n".encode() + b"caf\xe9\n")
    stops(path, r"a\.txt, line 2: not UTF-8 text")
    assert read(path) == (["one", "three ☃"], 2)


def test_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps({"text": "good"})
    bad = ["not json", "[1]", '{"body": "x"}', '{"text": 5}', '{"text": ["kept?", 5]}', '{"text": "\\ud83d"}']
    path.write_text("\n".join(line for one in bad for line in (good, one)) + "\n")
    stops(path, r"a\.jsonl, line 2: not valid JSON")
    assert read(path) == (["good"] * 6, 6)


def test_rows_and_damaged_pages_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {i} " + "x" * 100 for i in range(2000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=500, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    for start in range(len(content) // 2, len(content) // 2 + 40_000, 97):
        content[start] ^= 0xFF
    path.write_bytes(content)
    kept, count = read(path)
    assert count > 0 and kept == [text for text in kept if text in set(texts)]
    assert texts[:500] == kept[:500], "what comes before the damage is kept"
    stops(path, r"a\.parquet")
    path.write_bytes(b"PAR1 this is not Parquet PAR1")
    stops(path, r"a\.parquet: cannot be read as Parquet")
    assert read(path) == ([], 2), "the file, and that nothing was in it"


def test_a_compressed_file_that_ends_too_early(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    lines = [f"line {i * i}" for i in range(50_000)]
    content = gzip.compress("\n".join(lines).encode())
    path.write_bytes(content[: len(content) // 2])
    stops(path, r"a\.txt\.gz, after line \d+: cannot be read, the compressed data end too early")
    kept, count = read(path)
    assert count == 1 and 0 < len(kept) < len(lines) and kept == lines[: len(kept)]


def test_other_files_of_a_corpus_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jsonl").write_text("{\n" * 9)
    (tmp_path / "b.txt").write_text("fine\n")
    (tmp_path / "c.txt").write_text("\n")
    with caplog.at_level(logging.WARNING, logger="pixel_lm"):
        logging.getLogger("pixel_lm").propagate = True
        corpus = Corpus(tmp_path, on_bad_input="skip")
        assert [paragraph.text for paragraph in corpus.paragraphs()] == ["fine"]
        assert corpus.bad_inputs.count == 11
    assert "a.jsonl, line 1: not valid JSON" in caplog.text, "the first are shown"
    assert "a.jsonl, line 9" not in caplog.text and "11 lines, rows or files could not be read" in caplog.text


def test_missing_files_and_unknown_policies_always_stop(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Corpus(tmp_path / "nowhere.txt", on_bad_input="skip")
    with pytest.raises(UserError, match="on-bad-input is 'ignore', but must be one of stop, skip"):
        BadInputs("ignore")  # type: ignore[arg-type]


def test_strips_of_the_two_policies_are_not_confused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("fine\n")
    assert Corpus(path).identity() != Corpus(path, on_bad_input="skip").identity()
