"""Pairs of premise and hypothesis in the formats in which they are published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pixel_lm.data.nli import NLI_LABELS, read_nli
from pixel_lm.errors import UserError

SNLI_HEADER = "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tcaptionID\tpairID\tlabel1\tlabel2\n"
XNLI_HEADER = "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\tmatch\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def pairs(path: Path, language: str | None = None) -> list[tuple[str, ...]]:
    data = read_nli(path, language)
    assert data.labels == NLI_LABELS
    return [(*example.texts, str(example.label)) for example in data.examples]


def test_snli(tmp_path: Path) -> None:
    rows = ('neutral\t(\t(\t(\t(\tA "b.\tC.\tx\ty\tneutral\t\n', "-\t(\t(\t(\t(\tD.\tE.\tx\ty\tneutral\tentailment\n")
    path = write(tmp_path / "snli_1.0_dev.txt", SNLI_HEADER + "".join(rows))
    assert pairs(path) == [('A "b.', "C.", "neutral")]
    assert read_nli(path).left_out == {"no label": 1}
    lines = '{"annotator_labels": ["neutral"], "gold_label": "neutral", "sentence1": "A.", "sentence2": "B."}\n{"gold_label": "-", "sentence1": "A.", "sentence2": "B."}\n'
    path = write(tmp_path / "snli_1.0_dev.jsonl", lines)
    assert pairs(path) == [("A.", "B.", "neutral")]
    assert read_nli(path).left_out == {"no label": 1}


def test_rows_of_the_hub(tmp_path: Path) -> None:
    lines = "".join(f'{{"premise": "A", "hypothesis": "{label}", "label": {label}}}\n' for label in (0, 1, 2, -1))
    path = write(tmp_path / "a.jsonl", lines)
    assert [pair[2] for pair in pairs(path)] == ["entailment", "neutral", "contradiction"]
    assert read_nli(path).left_out == {"no label": 1}


def test_one_language_of_xnli(tmp_path: Path) -> None:
    rows = (
        f"{language}\tentailment\t\t\t\t\t{language} one\t{language} two\t1\t1\tg\tentailment\tTrue\n"
        for language in ("ar", "bg")
    )
    path = write(tmp_path / "xnli.dev.tsv", XNLI_HEADER + "".join(rows))
    assert pairs(path, "bg") == [("bg one", "bg two", "entailment")]
    assert [example.language for example in read_nli(path, "all").examples] == ["ar", "bg"]
    with pytest.raises(
        UserError, match=r"line 2: the file has a column 'language'; name the one that you want \(here: ar\), or all"
    ):
        read_nli(path)
    with pytest.raises(UserError, match="no pairs in the language 'en'; there are: ar, bg"):
        read_nli(path, "en")


def test_translated_training_data(tmp_path: Path) -> None:
    text = "premise\thypo\tlabel\nA\tB\tcontradictory\nC\tD\tneutral\n"
    assert pairs(write(tmp_path / "multinli.train.sw.tsv", text)) == [
        ("A", "B", "contradiction"),
        ("C", "D", "neutral"),
    ]


def test_columns_with_languages_in_their_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tsv",
        "genre\tlabel\tsentence1_en\tsentence2_en\tsentence1_my\tsentence2_my\ng\tneutral\ta\tb\tc\td\n",
    )
    assert pairs(path, "my") == [("c", "d", "neutral")]
    with pytest.raises(UserError, match=r"line 2: no column 'premise' or 'sentence1'; there are: genre"):
        read_nli(path)


def test_data_without_labels_and_wrong_labels(tmp_path: Path) -> None:
    assert pairs(write(tmp_path / "a.tsv", "sentence1\tsentence2\na\tb\n")) == [("a", "b", "None")]
    with pytest.raises(UserError, match=r"line 2: unknown label 'yes', expected one of entailment, neutral"):
        read_nli(write(tmp_path / "a.tsv", "sentence1\tsentence2\tlabel\na\tb\tyes\n"))


def test_real_files(shared_dir: Path) -> None:
    nli = shared_dir / "data/nli"
    for split, count in (("dev", 2490), ("test", 5010)):
        balanced = dict.fromkeys(NLI_LABELS, count // 3)
        sources = (
            [(nli / f"xnli-my/my.genre.{split}.tsv.xz", language) for language in ("en", "my")]
            + [(nli / f"xnli-sw/sw.genre.{split}.tsv.xz", "sw"), (nli / f"xnli-ko/xnli.{split}.ko.tsv.xz", None)]
        )  # fmt: skip
        for path, language in sources:
            data = read_nli(path, language)
            assert Counter(example.label for example in data.examples) == balanced, path
    assert len(read_nli(shared_dir / "data/glue/snli-dev.csv.xz").examples) == 9831
    assert len(read_nli(shared_dir / "data/glue/mnli-dev.csv.xz").examples) == 19647


def test_training_data_of_all_languages(tmp_path: Path) -> None:
    for language in ("ur", "xx", "en"):
        text = f"premise\thypo\tlabel\n{language} one\t{language} two\tcontradictory\n"
        write(tmp_path / f"multinli.train.{language}.tsv", text)
    write(tmp_path / "xnli.dev.tsv", XNLI_HEADER)
    assert [pair[0] for pair in pairs(tmp_path, "all")] == ["en one", "ur one", "xx one"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no files like multinli\.train\.en\.tsv"):
        read_nli(tmp_path / "empty", "all")
