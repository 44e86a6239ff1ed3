"""`pixel-lm score` against the scorer that Universal Dependencies publish."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pixel_lm.data.conllu import read_conllu
from pixel_lm.data.synthetic import generate_corpus

Fails = Callable[..., str]
Command = Callable[..., int]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Gold sentences, and the same with other tags, other relations, and other trees: two words that hang on one word swap their heads."""
    folder = tmp_path_factory.mktemp("files")
    gold = generate_corpus(folder, languages=["en", "he"], train=1, dev=1, test=60).files["test"]
    rng = random.Random(5)
    written = []
    for sentence in read_conllu(gold):
        heads = [word.head for word in sentence.words]
        leaves = [i for i, word in enumerate(sentence.words) if word.id not in heads]
        root = heads.index(0) + 1
        changed = {i: root for i in leaves if rng.random() < 0.4 and i + 1 != root}
        tags = [word.upos if rng.random() < 0.9 else "X" for word in sentence.words]
        relations = [word.deprel if word.head == 0 or rng.random() < 0.8 else "obl:x" for word in sentence.words]
        written.append(
            sentence.to_conllu(head=[changed.get(i, h) for i, h in enumerate(heads)], upos=tags, deprel=relations)
        )
    predicted = folder / "predicted.conllu"
    predicted.write_text("".join(written), encoding="utf-8")
    return gold, predicted


def test_agrees_with_udtools(
    command: Command, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, predicted = files
    assert command("score", gold, predicted, "--json", tmp_path / "scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    start = "import sys; from udtools.cli import main_eval; sys.exit(main_eval())"
    reference = subprocess.run(
        [sys.executable, "-c", start, "--verbose", str(gold), str(predicted)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    table = {
        cells[0].strip().lower(): float(cells[3])
        for cells in (line.split("|") for line in reference.splitlines() if line.count("|") >= 4)
        if cells[0].strip() in ("UPOS", "UAS", "LAS", "CLAS")
    }
    assert set(scores) == set(table) == {"upos", "uas", "las", "clas"} and scores["las"] < scores["uas"] < 1
    assert {name: round(100 * value, 2) for name, value in scores.items()} == pytest.approx(table, abs=0.011)
    out = capsys.readouterr().out
    assert "120 sentences" in out and f"CLAS  {100 * scores['clas']:6.2f}" in out


def test_without_heads_only_tags_are_compared(
    command: Command, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in files:
        bare = [sentence.to_conllu(head=["_"] * len(sentence.words)) for sentence in read_conllu(path)]
        (tmp_path / path.name).write_text("".join(bare), encoding="utf-8")
    assert command("score", *(tmp_path / path.name for path in files)) == 0
    out = capsys.readouterr().out
    assert "UPOS" in out and "LAS" not in out


def test_mistakes(fails: Fails, files: tuple[Path, Path], tmp_path: Path) -> None:
    gold, predicted = files
    lines = predicted.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith("1\t"))
    cells = lines[first].split("\t")
    other = [*lines[:first], "\t".join([cells[0], "Zebra", *cells[2:]]), *lines[first + 1 :]]
    (tmp_path / "other.conllu").write_text("".join(other), encoding="utf-8")
    assert f"line {first + 1}: the word is 'Zebra'" in fails("score", gold, tmp_path / "other.conllu")
    forest = [sentence.to_conllu(head=[0] * len(sentence.words)) for sentence in read_conllu(gold)]
    (tmp_path / "forest.conllu").write_text("".join(forest), encoding="utf-8")
    assert "predict with --decoding tree" in fails("score", gold, tmp_path / "forest.conllu")
    assert "no such file" in fails("score", gold, tmp_path / "nothing.conllu").lower()
