"""Small data sets in the formats of the published ones, a list of them, and a server that has them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixel_lm.data import catalogue
from pixel_lm.data.catalogue import Entry, PinnedFile
from tests.file_server import FileServer, serve

HOST = "data.example.org"


def conllu(*words: str) -> bytes:
    lines = [f"{i}\t{word}\t_\tNOUN\t_\t_\t{i - 1}\tdep\t_\t_\n" for i, word in enumerate(words, start=1)]
    return ("# a comment\n" + "".join(lines) + "\n").encode()


def squad(*names: str) -> bytes:
    paragraphs = [
        {
            "context": f"{n} is here.",
            "qas": [{"id": n, "question": "Who?", "answers": [{"text": n, "answer_start": 0}]}],
        }
        for n in names
    ]
    return json.dumps({"version": "0.1", "data": [{"title": "t", "paragraphs": paragraphs}]}).encode()


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


NLI = b"gold_label\tsentence1\tsentence2\nneutral\tA cat.\tAn animal.\n"
PAIRS = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
FILES = {
    "tt-ud-train.conllu": conllu("one", "two", "three") * 200,
    "tt-ud-dev.conllu": conllu("four", "five"),
    "tt-ud-test.conllu": conllu("six"),
    "cola.zip": archive(
        {"CoLA/train.tsv": b"x\t1\t\tFine.\n", "CoLA/dev.tsv": b"x\t0\t*\tFine not.\n", "CoLA/more": b"!"}
    ),
    "xnli.zip": archive(
        {
            "XNLI-1.0/xnli.dev.tsv": b"language\t" + NLI.replace(b"\nneutral", b"\nde\tneutral"),
            "XNLI-MT-1.0/multinli/multinli.train.de.tsv": b"premise\thypo\tlabel\nEine Katze.\tEin Tier.\tcontradictory\n",
        }
    ),
    "train_0.json": squad("Ada"),
    "train_1.json": squad("Bo", "Cy"),
    "dev_0.json": squad("Di"),
    "pairs.txt": ("\ufeff" + PAIRS + "1\t1\t2\ta\tb\r\n0\t3\t4\tc\td\r\n1\t5\t6\te\tf\r\n").encode(),
    "ids.tsv": b"3\t4\n",
}


def pinned(name: str, **more: object) -> PinnedFile:
    data = FILES[name]
    return PinnedFile(f"https://{HOST}/v1/{name}", len(data), hashlib.sha256(data).hexdigest(), **more)  # type: ignore[arg-type]


def entry(name: str, task: str, *files: PinnedFile, licence: str = "CC BY 4.0", **more: object) -> Entry:
    free = "NC" not in licence
    return Entry(name, f"UD_{name}", name.upper(), (task,), licence, "https://l.org/", free, "hub", files, **more)  # type: ignore[arg-type]


TREEBANK = entry("tiny", "pos", *(pinned(f"tt-ud-{split}.conllu") for split in ("train", "dev", "test")))
RESTRICTED = entry("mine", "pos", *TREEBANK.files, licence="CC BY-NC 4.0")
COLA = entry("cola", "glue", pinned("cola.zip", members=(("CoLA/train.tsv", "train.tsv"), ("CoLA/dev.tsv", "dev.tsv"))))
XNLI = entry(
    "xnli", "nli",
    pinned(
        "xnli.zip",
        members=(
            ("XNLI-1.0/xnli.dev.tsv", "xnli.dev.tsv"),
            ("XNLI-MT-1.0/multinli/multinli.train.de.tsv", "multinli.train.de.tsv"),
        ),
    ),
)  # fmt: skip
PARTS = entry(
    "parts", "qa",
    *(
        pinned(name, into=into)
        for name, into in (("train_0.json", "train.json"), ("train_1.json", "train.json"), ("dev_0.json", "dev.json"))
    ),
)  # fmt: skip
MRPC = entry(
    "mrpc", "glue", pinned("pairs.txt"), pinned("ids.tsv"),
    split={"source": "pairs.txt", "ids": "ids.tsv", "train": "train.tsv", "dev": "dev.tsv"},
)  # fmt: skip
LOCKED = entry("locked", "ner", unavailable="its owners give it to those who ask")
ENTRIES = (TREEBANK, RESTRICTED, COLA, XNLI, PARTS, MRPC, LOCKED)


@contextmanager
def data_server(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[FileServer]:
    """A mirror with all files, the list of these data sets in place of the real one, and a cache."""
    state = FileServer({f"/{HOST}/v1/{name}": data for name, data in FILES.items()})
    with serve(state):
        monkeypatch.setattr(catalogue, "_list", lambda: ENTRIES)
        monkeypatch.setenv("PIXEL_LM_DATA_URL", state.url)
        monkeypatch.setenv("PIXEL_LM_CACHE", str(cache))
        yield state
