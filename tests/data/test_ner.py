"""Entities in CoNLL files: what is a word, what is refused, and that files are written back byte for byte."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from pixel_lm.data.ner import (
    CONLL2003_LABELS,
    MASAKHANER_LABELS,
    check_scheme,
    collect_labels,
    find_ner_file,
    iob_to_bio,
    read_labels,
    read_ner,
)
from pixel_lm.errors import UserError

TWO_COLUMNS = "Ada B-PER\nLovelace I-PER\nlived O\n\n\nLondon B-LOC\n"
FOUR_COLUMNS = """\
-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

-DOCSTART- -X- -X- O
-DOCSTART- -X- -X- O

Peter NNP I-NP I-PER
-DOCSTART- -X- -X- O

"""


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_words_and_tags(tmp_path: Path) -> None:
    first, second = read_ner(write(tmp_path / "a.txt", TWO_COLUMNS), MASAKHANER_LABELS, scheme="BIO")
    assert first.forms == ["Ada", "Lovelace", "lived"] and first.tags == ("B-PER", "I-PER", "O")
    assert (second.words, second.tags, second.line, second.word_lines) == (("London",), ("B-LOC",), 6, (6,))
    assert second.source == str(tmp_path / "a.txt")


def test_first_and_last_of_several_columns(tmp_path: Path) -> None:
    first, second = read_ner(write(tmp_path / "a.txt", FOUR_COLUMNS))
    assert (first.words, first.tags) == (("EU", "rejects"), ("I-ORG", "O"))
    assert (second.words, second.tags) == (("Peter",), ("I-PER",))


def test_columns_are_separated_by_tabs_or_blanks_and_nothing_else(tmp_path: Path) -> None:
    [sentence] = read_ner(write(tmp_path / "a.txt", "\ufeffNew York\tB-LOC\na\u00a0b  O\nc\u2028d O\t \n"))
    assert sentence.words == ("New York", "a\u00a0b", "c\u2028d")
    assert sentence.to_conll(["O", "O", "B-X"]) == "\ufeffNew York\tO\na\u00a0b  O\nc\u2028d B-X\t \n"


@pytest.mark.parametrize(
    "text",
    [
        TWO_COLUMNS,
        FOUR_COLUMNS,
        TWO_COLUMNS.replace("\n", "\r\n"),
        TWO_COLUMNS.rstrip("\n"),
        "\n\n" + TWO_COLUMNS + "\n \n\n",
        "\ufeff" + TWO_COLUMNS.replace(" ", "\t"),
    ],
)
def test_round_trip(tmp_path: Path, text: str) -> None:
    sentences = read_ner(write(tmp_path / "a.txt", text))
    assert "".join("".join(sentence.lines) for sentence in sentences) == text
    assert "".join(sentence.to_conll(sentence.tags) for sentence in sentences) == text
    tagged = "".join(sentence.to_conll(["B-NEW"] * len(sentence.words)) for sentence in sentences)
    (tmp_path / "b.txt").write_text(tagged, encoding="utf-8", newline="")
    again = read_ner(tmp_path / "b.txt")
    assert [sentence.words for sentence in again] == [sentence.words for sentence in sentences]
    assert {tag for sentence in again for tag in sentence.tags} == {"B-NEW"}


def test_text_without_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "Ada\nlived\n\nhere\n")
    with pytest.raises(UserError, match=r"a\.txt, line 1: one column; expected a word and its tag"):
        read_ner(path)
    first, _ = read_ner(path, default_tag="O")
    assert first.tags == ("O", "O")
    assert first.to_conll(["B-PER", "O"]) == "Ada B-PER\nlived O\n\n"
    for bad in (["O"], ["O", ""], ["O", "a b"]):
        with pytest.raises(ValueError):
            first.to_conll(bad)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"no words in this file"),
        ("\n-DOCSTART- O\n\n", r"no words in this file"),
        ("a O\nb PER\n", r"line 2: 'PER' is no tag"),
        ("a O\nb B-MISC\n", r"line 2: unknown tag 'B-MISC', expected one of O, B-DATE"),
        ("a O\n\tB-PER\n", r"line 2: the line begins with a separator"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=r"a\.txt.*" + complaint):
        read_ner(write(tmp_path / "a.txt", text), MASAKHANER_LABELS)


@pytest.mark.parametrize(
    ("tags", "bio", "iob"),
    [
        ("B-A I-A O B-B", "", r"line 1: B-A after O"),
        ("I-A I-A O I-B", r"line 1: I-A after O", ""),
        ("O B-A I-B", r"line 3: I-B after B-A", r"line 2: B-A after O"),
        ("I-A B-A I-A", r"line 1: I-A after O", ""),
        ("B-A E-A", r"line 2: the tag E-A is not of the scheme BIO", r"line 1: B-A after O"),
    ],
)
def test_schemes(tmp_path: Path, tags: str, bio: str, iob: str) -> None:
    text = "".join(f"w {tag}\n" for tag in tags.split())
    [sentence] = read_ner(write(tmp_path / "a.txt", text))
    for scheme, complaint in (("BIO", bio), ("IOB", iob)):
        if complaint:
            with pytest.raises(UserError, match=complaint):
                check_scheme(sentence, scheme)  # type: ignore[arg-type]
        else:
            check_scheme(sentence, scheme)  # type: ignore[arg-type]


def test_iob_becomes_bio() -> None:
    assert iob_to_bio("I-A I-A B-A I-B O I-B".split()) == "B-A I-A B-A B-B O B-B".split()
    assert iob_to_bio("B-A I-A O".split()) == "B-A I-A O".split()


def test_labels(tmp_path: Path) -> None:
    sentences = read_ner(write(tmp_path / "a.txt", "a I-PER\nb B-LOC\nc O\n"))
    assert collect_labels(sentences) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert read_labels(write(tmp_path / "l.txt", "B-PER\nI-PER\n\n")) == ("O", "B-PER", "I-PER")
    assert read_labels(write(tmp_path / "l.txt", "\n".join(CONLL2003_LABELS))) == CONLL2003_LABELS
    for text, complaint in (
        ("B-PER\nB-PER\n", r"line 2: B-PER is there twice"),
        ("PER\n", r"line 1: 'PER' is no tag"),
        ("\n", "no tags"),
    ):
        with pytest.raises(UserError, match=complaint):
            read_labels(write(tmp_path / "l.txt", text))


def test_finding_the_file_of_a_split(tmp_path: Path) -> None:
    for name in ("train.txt.xz", "valid.conll", "test.txt", "testb.txt", "README.txt"):
        (tmp_path / name).touch()
    assert find_ner_file(tmp_path, "train").name == "train.txt.xz"
    assert find_ner_file(tmp_path, "dev").name == "valid.conll"
    with pytest.raises(UserError, match=r"several files for the split test: test\.txt, testb\.txt"):
        find_ner_file(tmp_path, "test")
    with pytest.raises(UserError, match="no such folder"):
        find_ner_file(tmp_path / "nowhere", "dev")
    (tmp_path / "valid.conll").unlink()
    with pytest.raises(UserError, match=r"no file dev\.txt"):
        find_ner_file(tmp_path, "dev")


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.xz"
    path.write_bytes(lzma.compress(TWO_COLUMNS.encode()))
    assert len(read_ner(path)) == 2


@pytest.mark.parametrize("language", "amh hau ibo kin lug luo pcm swa wol yor".split())
def test_masakhaner(shared_dir: Path, language: str) -> None:
    for split in ("train", "dev", "test"):
        path = find_ner_file(shared_dir / "data/ner/masakhaner-v1" / language, split)
        sentences = read_ner(path, MASAKHANER_LABELS)
        text = path.read_bytes().decode()
        assert "".join(sentence.to_conll(sentence.tags) for sentence in sentences) == text
        blocks = [block for block in text.split("\n\n") if block.strip()]
        assert len(sentences) == len(blocks)
        assert sum(len(sentence.words) for sentence in sentences) == sum(bool(line) for line in text.split("\n"))
