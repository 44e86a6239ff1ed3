"""`pixel-lm data`, and data sets that are named to `finetune` and `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.data_sets import FILES, HOST, data_server
from tests.file_server import FileServer

Command = Callable[..., int]
Fails = Callable[..., str]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """A list of small data sets and the server that has them."""
    with data_server(monkeypatch, tmp_path / "cache") as state:
        yield state


def test_list(command: Command, server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("data", "get", "tiny") == 0
    capsys.readouterr()
    assert command("data", "list") == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["name"].split() == ["name", "tasks", "MB", "licence", "fetched", "there"]
    assert rows["tiny"].split() == ["tiny", "pos", "0.0", "CC", "BY", "4.0", "when", "named", "yes"]
    assert rows["mine"].split() == ["mine", "pos", "0.0", "CC", "BY-NC", "4.0", "on", "request", "no"]
    assert rows["locked"].split()[-2:] == ["never", "no"]


def test_list_of_some(command: Command, server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("data", "list", "tiny", "locked", "mine") == 0
    out = capsys.readouterr().out
    assert f"  https://{HOST}/v1/tt-ud-test.conllu  {len(FILES['tt-ud-test.conllu'])} bytes, SHA-256 " in out
    assert "LOCKED: licence CC BY 4.0 (https://l.org/)\n  cannot be fetched: its owners give it" in out
    assert "  not there; `pixel-lm data get mine` fetches it" in out
    assert command("data", "list", "tiny", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "tiny" and row["folder"] is None and row["open"] is True and len(row["files"]) == 3
    assert not server.requests


def test_get(command: Command, server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("data", "get", "mine", "parts") == 0
    lines = capsys.readouterr().out.splitlines()
    folder = tmp_path / "cache" / "data"
    assert lines[0].startswith("MINE: licence CC BY-NC 4.0, which restricts its use (https://l.org/); ")
    assert lines[1] == f"mine: {folder / 'mine'} (source.json, tt-ud-dev.conllu, tt-ud-test.conllu, tt-ud-train.conllu)"
    assert lines[2].startswith("PARTS: licence CC BY 4.0 (https://l.org/); ") and len(lines) == 4
    assert command("data", "get", "mine") == 0
    assert (
        capsys.readouterr().out
        == f"mine is there, verified: {folder / 'mine'} (licence CC BY-NC 4.0, https://l.org/)\n"
    )
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "cola.zip").write_bytes(FILES["cola.zip"])
    assert command("data", "get", "cola", "--from", tmp_path / "published") == 0
    assert f"0.0 MB from {tmp_path / 'published'} into" in capsys.readouterr().out


def test_get_refuses(fails: Fails, server: FileServer, tmp_path: Path) -> None:
    assert fails("data", "get", "tinny").startswith("no data set 'tinny' in the list; did you mean tiny?")
    assert fails("data", "get", "locked") == "LOCKED cannot be fetched: its owners give it to those who ask"
    assert "exclude each other" in fails("data", "get", "tiny", "--from", tmp_path, "--base-url", "http://x")
    assert "no such folder; --from names" in fails("data", "get", "tiny", "--from", tmp_path / "x")
    assert "ftp://x is not an address of data" in fails("data", "get", "tiny", "--base-url", "ftp://x")
    assert "required: ACTION" in fails("data")


def test_fine_tuning_with_a_name(
    command: Command, fails: Fails, server: FileServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Fetched, trained, scored, without a word of where the files are."""
    small = [
        "--hidden-size",
        "32",
        "--num-hidden-layers",
        "1",
        "--num-attention-heads",
        "2",
        "--intermediate-size",
        "32",
    ]
    out = tmp_path / "out"
    words = ["finetune", "pos", "--from-scratch", *small, "--steps", "1", "--max-seq-length", "64", "--output-dir", out]
    assert "`pixel-lm data get mine` and give the same command again" in fails(*words, "--data", "mine")
    assert command(*words, "--data", "tiny") == 0
    captured = capfd.readouterr()
    assert captured.err.count("TINY: licence CC BY 4.0 (https://l.org/); 0.0 MB from http://127.0.0.1:") == 1
    assert f"{tmp_path / 'cache' / 'data' / 'tiny'}: 200 sentences" in captured.out
    assert command("evaluate", "pos", "UD_tiny", "--model", out, "--split", "dev") == 0
    assert "tt-ud-dev.conllu" in capfd.readouterr().out
    assert fails("evaluate", "ner", "tiny", "--model", out) == "tiny is data for pos, not for ner"
