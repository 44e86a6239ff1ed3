"""The nine tasks of GLUE in their published formats, one small file of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_lm.data.glue import GLUE_TASKS, find_glue_file, read_glue
from pixel_lm.errors import UserError

MNLI_PARSES = "sentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"

# Training or development files: task, lines, texts and labels.
LABELLED = {
    "cola": ('gj04\t1\t\tThe car "honked" down.\ngj04\t0\t*\tThey drank the pub.\n', [("unacceptable", 'They drank the pub.'), ("acceptable", 'The car "honked" down.')]),
    "sst2": ("sentence\tlabel\nhide new \t0\na fine film \t1\n", [("negative", "hide new "), ("positive", "a fine film ")]),
    "mrpc": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe said \"so\tx\n0\t7\t9\ta\tb\n", [("not_equivalent", "a", "b"), ("equivalent", 'He said "so', "x")]),
    "qqp": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWhy?\tHow?\t0\n1\t3\t4\tA?\tA!\t1\n", [("not_duplicate", "Why?", "How?"), ("duplicate", "A?", "A!")]),
    "mnli": (f"index\tpromptID\tpairID\tgenre\t{MNLI_PARSES}\tsentence1\tsentence2\tlabel1\tgold_label\n0\t1\t1n\tfiction\t(\t(\t(\t(\tA.\tB.\tneutral\tneutral\n1\t1\t1e\tfiction\t(\t(\t(\t(\tC.\tD.\tentailment\tentailment\n2\t1\t1c\tfiction\t(\t(\t(\t(\tE.\tF.\tneutral\t-\n", [("entailment", "C.", "D."), ("neutral", "A.", "B.")]),
    "qnli": ("index\tquestion\tsentence\tlabel\n0\tWho?\tShe.\tentailment\n1\tWhat?\tNo.\tnot_entailment\n", [("entailment", "Who?", "She."), ("not_entailment", "What?", "No.")]),
    "rte": ("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n1\tc\td\tentailment\n", [("entailment", "c", "d"), ("not_entailment", "a", "b")]),
    "wnli": ("index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n1\tc\td\t0\n", [("not_entailment", "c", "d"), ("entailment", "a", "b")]),
}  # fmt: skip

# Test files: lines and texts.
UNLABELLED = {
    "cola": ("index\tsentence\n0\tBill whistled.\n", ("Bill whistled.",)),
    "sst2": ("index\tsentence\n0\ta film\n", ("a film",)),
    "mrpc": ("\ufeffindex\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\ta\tb\n", ("a", "b")),
    "qqp": ("id\tquestion1\tquestion2\n0\ta\tb\n", ("a", "b")),
    "stsb": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n0\tg\tf\t2012\t1\tn\tn\ta\tb\n",
        ("a", "b"),
    ),
    "mnli": (
        f"index\tpromptID\tpairID\tgenre\t{MNLI_PARSES}\tsentence1\tsentence2\n0\t1\t1\tg\t(\t(\t(\t(\ta\tb\n",
        ("a", "b"),
    ),
    "qnli": ("index\tquestion\tsentence\n0\ta\tb\n", ("a", "b")),
    "rte": ("index\tsentence1\tsentence2\n0\ta\tb\n", ("a", "b")),
    "wnli": ("index\tsentence1\tsentence2\n0\ta\tb\n", ("a", "b")),
}


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_all_tasks_are_tested() -> None:
    assert set(UNLABELLED) == set(GLUE_TASKS) == {*LABELLED, "stsb"}


@pytest.mark.parametrize("task", LABELLED)
def test_labels_in_the_order_of_the_hub(tmp_path: Path, task: str) -> None:
    text, expected = LABELLED[task]
    data = read_glue(write(tmp_path / "dev.tsv", text), task)
    found = sorted(data.examples, key=lambda example: data.labels.index(str(example.label)))
    assert [(example.label, *example.texts) for example in found] == expected
    assert data.left_out.total() == (1 if task == "mnli" else 0)


def test_regression(tmp_path: Path) -> None:
    header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
    path = write(tmp_path / "dev.tsv", header + '0\tg\tf\t2012test\t0001\tn\tn\tA "man.\tB.\t3.800\n')
    data = read_glue(path, "stsb")
    assert data.examples[0].texts == ('A "man.', "B.") and data.examples[0].label == 3.8
    assert data.is_regression and data.labels == ()


@pytest.mark.parametrize("task", UNLABELLED)
def test_test_files(tmp_path: Path, task: str) -> None:
    text, texts = UNLABELLED[task]
    [example] = read_glue(write(tmp_path / "test.tsv", text), task).examples
    assert (example.texts, example.label, example.line) == (texts, None, 2)


def test_rows_that_were_cut_off(tmp_path: Path) -> None:
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    rows = "".join(f"{i}\t1\t2\ta\tb\t{i % 2}\n" for i in range(200))
    data = read_glue(write(tmp_path / "train.tsv", header + rows + "200\t1\t2\tcut\n"), "qqp")
    assert len(data.examples) == 200 and data.left_out == {"too few columns": 1}
    with pytest.raises(UserError, match=r"train\.tsv, line 2: too few columns here and in 1 more rows; .*QQP"):
        read_glue(write(tmp_path / "train.tsv", header + "1\tx\n2\ty\n"), "qqp")


@pytest.mark.parametrize(
    ("task", "text", "complaint"),
    [
        (
            "rte",
            "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tmaybe\n",
            r"line 2: unknown label 'maybe', expected one of entail",
        ),
        (
            "rte",
            "index\tquestion\tlabel\n0\ta\tentailment\n",
            r"line 2: no column 'sentence1'; there are: index, question",
        ),
        ("sst2", "sentence\tlabel\n", "no rows in it"),
        ("ax", "", "unknown GLUE task 'ax': choose one of cola"),
    ],
)
def test_what_is_refused(tmp_path: Path, task: str, text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_glue(write(tmp_path / "dev.tsv", text), task)


def test_finding_files(tmp_path: Path) -> None:
    for name in ("MNLI/dev_matched.tsv", "MNLI/dev_mismatched.tsv", "SST-2/dev.tsv.xz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_glue_file(tmp_path, "mnli", "dev") == tmp_path / "MNLI/dev_matched.tsv"
    assert find_glue_file(tmp_path / "MNLI", "mnli", "dev_mismatched") == tmp_path / "MNLI/dev_mismatched.tsv"
    assert find_glue_file(tmp_path, "sst2", "dev").name == "dev.tsv.xz"
    with pytest.raises(UserError, match=r"neither train\.tsv nor CoLA/train\.tsv"):
        find_glue_file(tmp_path, "cola", "train")
