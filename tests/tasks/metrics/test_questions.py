"""Exact match and F1 of answers: against torchmetrics, the recording, and all thresholds there are."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import squad as reference_squad

from pixel_lm.errors import UserError
from pixel_lm.tasks.metrics.questions import (
    RULES,
    AnswerScore,
    get_rule,
    score_answer,
    squad2_scores,
    squad_scores,
    tydiqa_scores,
)  # fmt: skip

# Few words, so that they meet; articles, punctuation, other scripts and blanks among them.
TEXTS = st.lists(
    st.sampled_from(["the", "a", "An", "cat", "Cat", "cat.", "--", "ant", "năm", "王", "　", "x-y"]), max_size=5
).map(" ".join)


# It gives F1 1 where prediction and answer are both empty, as the script of version 2 does; that of version 1 gives 0.
ANSWERS = TEXTS.filter(lambda text: bool(RULES["squad"].normalize(text)))


@given(st.lists(st.tuples(TEXTS, st.lists(ANSWERS, min_size=1, max_size=3)), min_size=1, max_size=6))
def test_squad_1_agrees_with_torchmetrics(pairs: list[tuple[str, list[str]]]) -> None:
    predictions = {str(i): prediction for i, (prediction, _) in enumerate(pairs)}
    answers = {str(i): texts for i, (_, texts) in enumerate(pairs)}
    reference = reference_squad(
        [{"id": key, "prediction_text": text} for key, text in predictions.items()],
        [{"id": key, "answers": {"text": texts, "answer_start": [0] * len(texts)}} for key, texts in answers.items()],
    )
    ours = squad_scores(predictions, answers)
    assert 100 * ours["exact_match"] == pytest.approx(float(reference["exact_match"]), abs=1e-4)
    assert 100 * ours["f1"] == pytest.approx(float(reference["f1"]), abs=1e-4)


def test_the_recorded_scores(shared_dir: Path) -> None:
    recording = json.loads((shared_dir / "reference/training/qa_tydiqa_en/eval.json").read_text(encoding="utf-8"))
    with lzma.open(shared_dir / "data/qa/tydiqa-goldp/english_tydiqa_train.json.xz", "rt", encoding="utf-8") as file:
        data = json.load(file)["data"]
    answers = {
        question["id"]: [answer["text"] for answer in question["answers"]]
        for article in data for paragraph in article["paragraphs"] for question in paragraph["qas"]
    }  # fmt: skip
    predictions = {row["id"]: row["prediction"] for row in recording["predictions"]}
    for row in recording["predictions"]:
        assert score_answer(row["prediction"], answers[row["id"]]) == pytest.approx((row["exact_match"], row["f1"]))
    scores = squad_scores(predictions, {question: answers[question] for question in predictions})
    assert {name: 100 * score for name, score in scores.items()} == pytest.approx(recording["metrics"])


def test_rules() -> None:
    def score(rule: str, prediction: str, answer: str) -> AnswerScore:
        return score_answer(prediction, [answer], get_rule(rule))

    assert score("squad", "The Eiffel-Tower!", "eiffeltower") == (1, 1)
    assert score("squad", "in 1889", "1889") == (0, pytest.approx(2 / 3))
    assert score("squad", "서울에서", "서울") == (0, 0), "words, not characters"
    assert score("korquad", "서울에서", "서울") == (0, pytest.approx(2 * 2 / 6))
    assert score("korquad", "《햄릿》", "햄릿") == (1, 1)
    assert score("korquad", "1989년 2월", "1989년2월") == (0, 1), "blanks count for the match, not for F1"
    assert score("korquad", "the cat", "cat")[0] == 0, "articles stay"
    assert score("jaquad", "東京 都", "東京都") == (1, 1)
    assert score("jaquad", "東京都。", "東京都") == (0, pytest.approx(2 * 3 / 7)), "punctuation stays"
    assert score("jaquad", "Ａ", "A") == (0, 0), "full width stays"
    assert score("squad", "the", "") == (1, 0), "as in version 1: no words in common"
    assert score_answer("b", ["a b c", "b"]) == (1, 1)
    with pytest.raises(ValueError, match="no answers"):
        score_answer("b", [])
    with pytest.raises(UserError, match="unknown rule for answers 'bleu': choose one of squad, tydiqa"):
        get_rule("bleu")
    assert all(rule.name == name for name, rule in RULES.items())


def test_missing_predictions_are_wrong() -> None:
    assert squad_scores({"1": "x"}, {"1": ["x"], "2": ["y"]}) == {"exact_match": 0.5, "f1": 0.5}
    assert squad2_scores({}, {"1": []})["exact_match"] == 0.0
    assert squad_scores({}, {}) == {"exact_match": 0.0, "f1": 0.0}
    with pytest.raises(ValueError, match="question 7 has no answers"):
        squad_scores({}, {"7": []})


def test_tydiqa_averages_languages_without_english() -> None:
    answers = {"english-1": ["a b"], "finnish-1": ["x y"], "finnish-2": ["x"], "korean-1": ["z"]}
    predictions = {"english-1": "no", "finnish-1": "x", "finnish-2": "x", "korean-1": "z"}
    scores = tydiqa_scores(predictions, answers)
    assert scores["exact_match"] == 0.75 and scores["f1"] == pytest.approx((5 / 6 + 1) / 2)
    assert scores["f1_english"] == 0.0 and scores["exact_match_finnish"] == 0.5
    assert tydiqa_scores({"english-1": "x z"}, {"english-1": ["x y"]})["f1"] == 0.5


def test_squad_2() -> None:
    answers = {"1": ["x y"], "2": [], "3": ["the"], "4": ["z"]}
    scores = squad2_scores({"1": "x", "2": "", "3": "", "4": ""}, answers)
    assert scores == {
        "exact_match": 0.5, "f1": pytest.approx((2 / 3 + 1 + 1) / 4),
        "exact_match_has_answer": 0.0, "f1_has_answer": pytest.approx(1 / 3),
        "exact_match_no_answer": 1.0, "f1_no_answer": 1.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="question 1 has a prediction but no odds"):
        squad2_scores({"1": "x"}, {"1": ["x"]}, {})


QUESTIONS = st.lists(
    st.tuples(st.sampled_from(["x", "x y", "z"]), st.sampled_from([[], ["x"], ["x y", "y"]]), st.integers(-3, 3)),
    min_size=1,
    max_size=8,
)


@given(QUESTIONS, st.integers(-4, 4))
def test_no_threshold_is_better_than_the_best(rows: list[tuple[str, list[str], int]], threshold: int) -> None:
    predictions = {str(i): row[0] for i, row in enumerate(rows)}
    answers = {str(i): row[1] for i, row in enumerate(rows)}
    odds = {str(i): float(row[2]) for i, row in enumerate(rows)}
    scores = squad2_scores(predictions, answers, odds, float(threshold))
    # Texts that the threshold empties by hand give the same scores.
    emptied = {key: "" if odds[key] > threshold else text for key, text in predictions.items()}
    assert {name: scores[name] for name in squad2_scores(emptied, answers)} == squad2_scores(emptied, answers)
    for name in ("exact_match", "f1"):
        every = [squad2_scores(predictions, answers, odds, half / 2)[name] for half in range(-9, 9)]
        assert scores[f"best_{name}"] == pytest.approx(max(every))
        at_best = squad2_scores(predictions, answers, odds, scores[f"best_{name}_threshold"])
        assert at_best[name] == pytest.approx(scores[f"best_{name}"])
