"""`pixel-lm evaluate` and `predict`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pixel_lm.data.conllu import read_conllu

Fails = Callable[..., str]
Command = Callable[..., int]


def column(text: str, number: int) -> list[str]:
    return [line.split("\t")[number] for line in text.splitlines() if "\t" in line]


def test_evaluate(command: Command, runs: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained = json.loads((runs / "tagger" / "all_results.json").read_text())
    scores = tmp_path / "scores.json"
    for where in (data / "UD_Odd-Cats", data / "UD_Odd-Cats" / "oc_cats-ud-test.conllu"):
        assert command("evaluate", "pos", where, "--model", runs / "tagger", "--json", scores, "--cpu") == 0
        written = json.loads(scores.read_text())
        assert written["accuracy"] == pytest.approx(trained["test_accuracy"])
        assert written["coverage"] == trained["test_coverage"] and written["words"] == trained["test_words"]
    out = capfd.readouterr().out
    assert f"accuracy {100 * trained['test_accuracy']:.2f}; 100.00 % of the words fit" in out
    assert command("evaluate", "pos", data / "UD_Odd-Cats", "--split", "dev", "--model", runs / "tagger", "--cpu") == 0
    assert f"{100 * trained['eval_accuracy']:.2f}" in capfd.readouterr().out


def test_words_that_do_not_fit(command: Command, runs: Path, data: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    words = ["evaluate", "pos", data / "UD_Odd-Cats", "--model", runs / "tagger", "--json", scores, "--cpu"]
    assert command(*words, "--max-seq-length", "6") == 0
    result = json.loads(scores.read_text())
    assert 0 < result["coverage"] < 1
    assert result["accuracy_all_words"] == pytest.approx(result["accuracy"] * result["coverage"])


def test_predict(command: Command, runs: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = data / "UD_Odd-Cats" / "oc_cats-ud-test.conllu"
    output = tmp_path / "tagged.conllu"
    assert command("predict", "pos", source, "--model", runs / "tagger", "--output", output, "--cpu") == 0
    assert command("predict", "pos", source, "--model", runs / "tagger", "--cpu") == 0
    before, after = source.read_text(), output.read_text()
    assert capfd.readouterr().out.endswith(after)
    for number in range(10):
        if number != 3:
            assert column(before, number) == column(after, number)
    comments = [line for line in before.splitlines() if "\t" not in line]
    assert comments == [line for line in after.splitlines() if "\t" not in line]
    gold = [word.upos for sentence in read_conllu(source) for word in sentence.words]
    tags = [word.upos for sentence in read_conllu(output) for word in sentence.words]
    agree = sum(a == b for a, b in zip(gold, tags, strict=True)) / len(gold)
    trained = json.loads((runs / "tagger" / "all_results.json").read_text())
    assert agree == pytest.approx(trained["test_accuracy"]) and trained["test_coverage"] == 1


def test_every_word_gets_a_tag_however_long_the_sentence(command: Command, runs: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "long.conllu", tmp_path / "out.conllu"
    words = ["the", "odd", "cat", "supercalifragilisticexpialidocious" * 5, "sees", "a", "river", "."] * 12
    rows = [f"{i}\t{word}\t_\t_\t_\t_\t_\t_\t_\t_" for i, word in enumerate(words, start=1)]
    source.write_text("\n".join(rows) + "\n\n")
    assert command("predict", "pos", source, "--model", runs / "tagger", "--output", output, "--cpu") == 0
    tags = [word.upos for word in read_conllu(output)[0].words]
    assert len(tags) == len(words) and "_" not in tags


def test_mistakes(fails: Fails, runs: Path, data: Path, tmp_path: Path) -> None:
    model = ["--model", runs / "tagger", "--cpu"]
    good = data / "UD_Odd-Cats" / "oc_cats-ud-test.conllu"
    assert fails("predict", "pos", "nowhere.conllu", *model) == "nowhere.conllu: no such file"
    assert fails("evaluate", "pos", "nowhere.conllu", *model) == "nowhere.conllu: no such file"
    broken = tmp_path / "broken.conllu"
    broken.write_text("1\tgood\t_\tNOUN\t_\t_\t0\t_\t_\t_\nbad line\n\n")
    for verb in ("predict", "evaluate"):
        assert fails(verb, "pos", broken, *model).startswith(f"{broken}, line 2: ")
    broken.write_text("")
    for verb in ("predict", "evaluate"):
        assert fails(verb, "pos", broken, *model).startswith(f"{broken}: the file is empty")
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert fails("predict", "pos", good, *model, "--output", out) == f"cannot write {out}: Not a directory"
    assert fails("evaluate", "pos", good, *model, "--json", out) == f"cannot write {out}: Not a directory"
    assert fails("predict", "pos", good, "--model", "/nowhere").startswith("/nowhere: ")
    assert "is no model for pos: its labels are LABEL_0" in fails(
        "predict", "pos", good, "--model", runs / "pretrained"
    )
    assert fails("predict", "pos", good, *model, "--max-seq-length", "99").startswith(
        "max-seq-length is 99, but the model"
    )
    assert "no file *-ud-dev.conllu" in fails("evaluate", "pos", tmp_path, "--split", "dev", *model)


def test_files_in_place_survive_a_mistake(fails: Fails, runs: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.conllu"
    output.write_text("mine")
    fails("predict", "pos", "nowhere.conllu", "--model", runs / "tagger", "--output", output)
    assert output.read_text() == "mine"
