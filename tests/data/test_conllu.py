"""CoNLL-U: what is read as a word, what is refused, and that files are written back byte for byte."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from pixel_lm.data.conllu import find_treebank_file, parse_conllu, read_conllu
from pixel_lm.data.files import read_lines
from pixel_lm.errors import UserError

ENGLISH = """\
# newdoc id = example
# sent_id = example-1
# text = I don't know = yet.
1\tI\tI\tPRON\tPRP\tCase=Nom\t4\tnsubj\t4:nsubj\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t4:aux\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t4:advmod\t_
4\tknow\tknow\tVERB\tVB\t_\t0\troot\t0:root\t_
4.1\tit\tit\tPRON\t_\t_\t_\t_\t4:obj\tCopyOf=-1
5\tyet\tyet\tADV\tRB\t_\t4\tadvmod\t4:advmod\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t4\tpunct\t4:punct\t_

# sent_id = example-2
1\t_\t_\tPUNCT\tNFP\t_\t0\troot\t_\t_

"""
VIETNAMESE = "1\tViệt Nam\tViệt Nam\tPROPN\tNp\t_\t2\tnsubj\t_\t_\n2\tđẹp\tđẹp\tADJ\tA\t_\t_\t_\t_\t_\n\n"
MARATHI = """\
1\tत्या\tतो\tDET\t_\t_\t2\tdet\t_\t_
2-3\tतुकड्याचे\t_\t_\t_\t_\t_\t_\t_\t_
2\t_\tतुकडा\tNOUN\t_\t_\t0\troot\t_\t_
3\t_\tचा\tADP\t_\t_\t2\tcase\t_\t_

"""


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_words_and_nothing_else(tmp_path: Path) -> None:
    first, second = read_conllu(write(tmp_path / "en.conllu", ENGLISH))
    assert first.forms == ["I", "do", "n't", "know", "yet", "."]
    assert [word.id for word in first.words] == [1, 2, 3, 4, 5, 6]
    assert [word.upos for word in first.words] == ["PRON", "AUX", "PART", "VERB", "ADV", "PUNCT"]
    assert [word.head for word in first.words] == [4, 4, 4, 0, 4, 4]
    assert first.words[3].line == 8 and first.words[0].feats == "Case=Nom" and first.words[4].misc == "SpaceAfter=No"
    assert first.sent_id == "example-1" and first.text == "I don't know = yet."
    assert first.comments[0] == "# newdoc id = example"
    assert (first.source, first.line, second.line) == (str(tmp_path / "en.conllu"), 1, 13)
    assert second.forms == ["_"], "a literal underscore is a word"
    assert second.text is None


def test_forms_with_spaces_and_unannotated_columns(tmp_path: Path) -> None:
    [sentence] = read_conllu(write(tmp_path / "vi.conllu", VIETNAMESE))
    assert sentence.forms == ["Việt Nam", "đẹp"]
    assert sentence.words[1].head is None


def test_words_without_forms_get_that_of_their_token(tmp_path: Path) -> None:
    [sentence] = read_conllu(write(tmp_path / "mr.conllu", MARATHI))
    assert sentence.forms == ["त्या", "तुकड्याचे", "_"]
    assert sentence.to_conllu() == MARATHI, "what is written back is what was read"
    assert sentence.to_conllu(upos=["X", "Y", "Z"]) == MARATHI.replace("DET", "X").replace("NOUN", "Y").replace(
        "ADP", "Z"
    )


def test_underscores_within_a_token_that_has_other_words_stay(tmp_path: Path) -> None:
    lines = ["1-2\ta_", "1\ta", "2\t_", "3-4\t__", "3\t_", "4\t_"]
    text = "".join(line + "\t_" * 8 + "\n" for line in lines)
    assert read_conllu(write(tmp_path / "a.conllu", text))[0].forms == ["a", "_", "_", "_"]


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        ENGLISH.replace("\n", "\r\n"),
        ENGLISH.rstrip("\n"),  # no line end, no blank line at the end
        ENGLISH + "\n\n",
        "\n\n" + ENGLISH,
        "\ufeff" + ENGLISH,
        "\ufeff" + VIETNAMESE,
        ENGLISH.replace("example-1", "a\u2028b\x85c"),
        ENGLISH.replace("\n\n", "\n\n\n\n"),
    ],
)
def test_round_trip(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.conllu", text)
    sentences = read_conllu(path)
    assert "".join(sentence.to_conllu() for sentence in sentences).encode() == path.read_bytes()
    tagged = "".join(sentence.to_conllu(upos=["NEW"] * len(sentence.words)) for sentence in sentences)
    for old, new in zip(text.split("\n"), tagged.split("\n"), strict=True):
        cells = old.split("\t")
        if len(cells) == 10 and cells[0].lstrip("\ufeff").isdigit():
            cells[3] = "NEW"
        assert new == "\t".join(cells)


def test_replacing_columns(tmp_path: Path) -> None:
    [sentence] = read_conllu(write(tmp_path / "vi.conllu", VIETNAMESE))
    assert sentence.to_conllu(upos=[None, "X"], head=[None, 0], deprel=[None, "root"]) == VIETNAMESE.replace(
        "ADJ\tA\t_\t_\t_", "X\tA\t_\t0\troot"
    )
    for bad in (["X"], ["X", ""], ["X", "a\tb"], ["X", "a\n"]):
        with pytest.raises(ValueError):
            sentence.to_conllu(upos=bad)
    with pytest.raises(ValueError):
        sentence.to_conllu(colour=["red", "blue"])


WORD = "1\ta\ta\tX\t_\t_\t0\troot\t_\t_\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "only blank lines"),
        ("# text = no words\n\n" + WORD, "line 2: the sentence ends without a word"),
        (WORD + "\n# text = no words\n", "line 3: the sentence ends without a word"),
        (WORD + "# comment\n" + WORD, "line 2: a comment inside a sentence"),
        (WORD + WORD, "line 2: ID is 1, expected 2"),
        (WORD + "3" + WORD[1:], "line 2: ID is 3, expected 2"),
        (WORD + "x" + WORD[1:], "line 2: ID is 'x', expected a number"),
        (WORD + "01" + WORD[1:], "line 2: ID is '01'"),
        (WORD.replace("\t", " "), r"line 1: 1 columns, expected 10 \(columns are separated by single tabs"),
        (WORD.replace("\t_\n", "\n"), "line 1: 9 columns"),
        (WORD + " \n", r"line 2: 1 columns, expected 10 \(a blank line must be empty"),
        (WORD.replace("\ta\ta", "\t\ta"), "line 1: the column FORM is empty"),
        (WORD.replace("\t0\t", "\tx\t"), "line 1: HEAD is 'x'"),
        (WORD.replace("\t0\t", "\t2\t") + "\n" + WORD, "line 1: HEAD is 2, but the sentence has 1 words"),
        ("1-2" + WORD[1:] + WORD, "line 1: the range 1-2 is not complete"),
        ("2-3" + WORD[1:] + WORD, "line 1: the range 2-3 cannot stand here; the next word is 1"),
        ("1-2" + WORD[1:] + WORD + "2-3" + WORD[1:] + "2" + WORD[1:], "line 3: the range 2-3 cannot stand here"),
        (WORD + "1.2" + WORD[1:], r"line 2: ID is 1\.2, expected 1\.1"),
        ("1.1" + WORD[1:], r"line 1: ID is 1\.1, expected 0\.1"),
    ],
)
def test_what_is_not_conllu(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"bad\.conllu(: |, ){message}") as caught:
        read_conllu(write(tmp_path / "bad.conllu", text))
    assert "\n" not in str(caught.value)


def test_empty_node_before_the_first_word(tmp_path: Path) -> None:
    text = "0.1\tit" + "\t_" * 8 + "\n" + WORD
    assert read_conllu(write(tmp_path / "a.conllu", text))[0].forms == ["a"]


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu.xz"
    path.write_bytes(lzma.compress(ENGLISH.encode()))
    assert len(read_conllu(path)) == 2
    path.write_bytes(lzma.compress(ENGLISH.encode())[:-20])
    with pytest.raises(UserError, match=r"a\.conllu\.xz, after line \d+: cannot be read"):
        read_conllu(path)


def test_parsing_lines_from_elsewhere() -> None:
    lines = enumerate(ENGLISH.splitlines(keepends=True), start=1)
    assert [sentence.source for sentence in parse_conllu(lines, "standard input")] == ["standard input"] * 2


def test_finding_the_file_of_a_split(tmp_path: Path) -> None:
    for name in ("xx_a-ud-train.rebuilt.conllu.xz", "xx_a-ud-dev.conllu", "xx_b-ud-dev.conllu.gz", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "xx_a-ud-train.conllu.orig").touch()
    assert find_treebank_file(tmp_path, "train").name == "xx_a-ud-train.rebuilt.conllu.xz"
    with pytest.raises(
        UserError, match=r"several files for the split dev: xx_a-ud-dev\.conllu, xx_b-ud-dev\.conllu\.gz"
    ):
        find_treebank_file(tmp_path, "dev")
    with pytest.raises(
        UserError, match=r"no file \*-ud-test\.conllu in this folder; CoNLL-U files there: .*xx_b-ud-dev"
    ):
        find_treebank_file(tmp_path, "test")
    with pytest.raises(UserError, match="no such folder"):
        find_treebank_file(tmp_path / "nowhere", "test")


# Sentences in train, dev and test; 0: there is no such file.
TREEBANKS = {
    "UD_English-EWT": (12543, 2001, 2077),
    "UD_Coptic-Scriptorium": (1227, 381, 403),
    "UD_Korean-GSD": (4400, 950, 989),
    "UD_Tamil-TTB": (400, 80, 120),
    "UD_Vietnamese-VTB": (1400, 800, 800),
    "UD_Japanese-GSD": (7050, 507, 543),
    "UD_Chinese-GSD": (3997, 500, 500),
    "UD_Arabic-PUD": (0, 0, 1000),
    "UD_Hindi-PUD": (0, 0, 1000),
    "UD_Chinese-PUD": (0, 0, 1000),
    "UD_Uyghur-UDT": (1656, 900, 900),
    "UD_Marathi-UFAL": (373, 46, 47),
    "UD1_Arabic-PADT-20160422": (0, 786, 704),
    "UD1_Hindi-HDTB-20151023": (0, 1659, 1684),
    "UD1_Chinese-GSD-r1.4": (3997, 500, 500),
}


@pytest.mark.parametrize("treebank", TREEBANKS)
def test_real_treebanks(shared_dir: Path, treebank: str) -> None:
    folder = shared_dir / "data/ud" / treebank
    for split, count in zip(("train", "dev", "test"), TREEBANKS[treebank], strict=True):
        if not count:
            with pytest.raises(UserError, match=f"no file .*-ud-{split}"):
                find_treebank_file(folder, split)  # type: ignore[arg-type]
            continue
        path = find_treebank_file(folder, split)  # type: ignore[arg-type]
        sentences = read_conllu(path)
        assert len(sentences) == count
        lines = [line for _, line in read_lines(path)]
        assert "".join(sentence.to_conllu() for sentence in sentences) == "".join(lines)
        words = [word for sentence in sentences for word in sentence.words]
        raw = [line.split("\t") for line in lines if line.split("\t")[0].isdigit()]
        assert [word.upos for word in words] == [cells[3] for cells in raw]
        same_form = [word.form == cells[1] for word, cells in zip(words, raw, strict=True)]
        if treebank == "UD_Marathi-UFAL":
            ranges = sum("-" in line.split("\t")[0] for line in lines if not line.startswith("#"))
            assert same_form.count(False) == ranges > 0
        else:
            assert all(same_form)
