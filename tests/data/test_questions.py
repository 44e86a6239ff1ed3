"""Questions in the format of SQuAD."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pixel_lm.data.questions import Answer, find_question_file, read_questions
from pixel_lm.errors import UserError

CONTEXT = "\u3000\n Ada wrote it. Ada was first.\u00a0 "


def entry(identity: str = "1", question: str = " Who? ", **rest: Any) -> dict[str, Any]:
    return {"id": identity, "question": question, **rest}


def write(path: Path, *entries: dict[str, Any], context: Any = CONTEXT) -> Path:
    document = {"version": "1", "data": [{"title": "Ada", "paragraphs": [{"context": context, "qas": list(entries)}]}]}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def answers(*pairs: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"text": text, "answer_start": start} for text, start in pairs]


def test_places_move_with_the_white_space(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", entry(answers=answers(("Ada", 3), (" Ada ", 16), ("first", 25))))
    data = read_questions(path)
    [question] = data.questions
    assert (
        question.context == "Ada wrote it. Ada was first." and question.question == "Who?" and question.title == "Ada"
    )
    assert question.original_context == CONTEXT
    assert question.answers == (Answer("Ada", 0), Answer("Ada", 14), Answer("first", 22))
    for answer in question.answers:
        assert question.context[answer.start : answer.end] == answer.text
    assert not data.repairs and not question.is_impossible


def test_answers_in_the_wrong_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", entry(answers=answers(("Ada", 14), ("Ada", 5), ("Eve", 3))))
    data = read_questions(path)
    assert data.questions[0].answers == (Answer("Ada", 14), Answer("Ada", 0), Answer("Eve", None))
    assert data.repairs == {"moved": 2, "not in the context": 1}
    assert data.questions[0].answers[2].end is None
    with pytest.raises(
        UserError,
        match=r"a\.json, data\[0\]\.paragraphs\[0\]\.qas\[0\]\.answers\[0\]: the text 'Ada' is not at 14, where",
    ):
        read_questions(path, on_mismatch="error")


def test_impossible_and_unknown(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        entry("1", is_impossible=True, answers=[], plausible_answers=answers(("Ada", 3))),
        entry("2", answers=[]),
        entry("3"),
        entry("4", is_impossible=False, answers=answers(("Ada", 3))),
    )
    questions = read_questions(path).questions
    assert [question.is_impossible for question in questions] == [True, True, False, False]
    assert [question.answers for question in questions[:3]] == [(), (), None]


def test_rows(tmp_path: Path) -> None:
    row = {
        "id": "7",
        "title": "T",
        "context": " ab cd",
        "question": "?",
        "answers": {"text": ["cd"], "answer_start": [4]},
    }
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress((json.dumps(row) + "\n").encode()))
    [question] = read_questions(path).questions
    assert (question.id, question.context, question.answers) == ("7", "ab cd", (Answer("cd", 3),))
    path.write_bytes(gzip.compress(json.dumps({**row, "answers": {"text": ["cd"]}}).encode()))
    with pytest.raises(UserError, match=r"line 1: answers must hold the lists text and answer_start"):
        read_questions(path)


@pytest.mark.parametrize(
    ("entries", "context", "complaint"),
    [
        ([entry(), entry()], CONTEXT, r"qas\[1\]: the id 1 is there twice"),
        ([entry()], " \u2003\n", r"qas\[0\]: the context of 1 is blank"),
        ([entry(question="\t")], CONTEXT, r"the question of 1 is blank"),
        ([entry()], None, r"a question has an id, and question and context"),
        ([{"question": "?"}], CONTEXT, r"a question has an id"),
        ([entry(answers=["Ada"])], CONTEXT, r"qas\[0\]\.answers: expected a list of JSON objects"),
        ([entry(answers=answers((" ", 0)))], CONTEXT, r"answers\[0\]: the answer is blank"),
        ([entry(answers=[{"text": "Ada"}])], CONTEXT, r"answers\[0\]: an answer has text"),
        ([], CONTEXT, r"no questions in it"),
    ],
)
def test_what_is_refused(tmp_path: Path, entries: list[dict[str, Any]], context: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_questions(write(tmp_path / "a.json", *entries, context=context))


def test_what_is_not_squad(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"data":\n[}')
    with pytest.raises(UserError, match=r"a\.json, line 2: not valid JSON"):
        read_questions(path)
    for text in ('{"rows": []}', "[]", '{"data": [1]}'):
        path.write_text(text)
        with pytest.raises(UserError, match=r"a\.json, data: expected a list of JSON objects, as in SQuAD"):
            read_questions(path)


def test_finding_files(tmp_path: Path) -> None:
    for name in (
        "train-v2.0.json",
        "KorQuAD_v1.0_dev.json.xz",
        "test_a.json",
        "test_b.json",
        "retrained.json",
        "dev.txt",
    ):
        (tmp_path / name).touch()
    assert find_question_file(tmp_path, "train").name == "train-v2.0.json"
    assert find_question_file(tmp_path, "dev").name == "KorQuAD_v1.0_dev.json.xz"
    with pytest.raises(UserError, match=r"several files for the split test: test_a\.json, test_b\.json"):
        find_question_file(tmp_path, "test")
    with pytest.raises(UserError, match="no file with validation in its name"):
        find_question_file(tmp_path, "validation")
    with pytest.raises(UserError, match="no such folder"):
        find_question_file(tmp_path / "nowhere", "dev")


REAL = {
    "squad-v1.1/dev-v1.1.rebuilt.json.xz": 10570,
    "tydiqa-goldp/english_tydiqa_train.json.xz": 3696,
    "tydiqa-goldp/arabic_tydiqa_dev.json.xz": 921,
    "tydiqa-goldp/korean_tydiqa_dev.json.xz": 276,
    "jaquad/jaquad_dev.json.xz": 3939,
    "korquad-v1.0/KorQuAD_v1.0_dev.json.xz": 5774,
    "xquad/xquad.hi.json.xz": 1190,
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_dir: Path, name: str) -> None:
    questions = read_questions(shared_dir / "data/qa" / name, on_mismatch="error").questions
    assert len(questions) == REAL[name]
    for question in questions:
        assert question.answers
        for answer in question.answers:
            assert question.context[answer.start : answer.end] == answer.text


def test_a_real_file_with_wrong_places(shared_dir: Path) -> None:
    data = read_questions(shared_dir / "data/qa/cmrc2018/cmrc2018_dev.json.xz")
    assert len(data.questions) == 3219 and data.repairs.total() == 200
