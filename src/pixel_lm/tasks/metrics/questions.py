"""Question answering: exact match and F1 of a predicted answer against the answers that people gave.

Which texts count as equal is a rule of each data set; the rules of four are here:

| rule | removed before texts are compared | F1 over |
|---|---|---|
| `squad` | case, ASCII punctuation, English articles, surplus blanks | words |
| `tydiqa` | the same, whatever the language; scores are averaged over languages without English | words |
| `korquad` | case, quotation marks and brackets, ASCII punctuation, surplus blanks | characters |
| `jaquad` | white space; a prediction matches if it has the same characters | characters |

With several answers the best counts. All scores are between 0 and 1; the official scripts print percent.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pixel_lm.errors import UserError

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KOREAN_MARKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))


class AnswerScore(NamedTuple):
    """Scores of one answer, between 0 and 1."""

    exact_match: float
    f1: float


@dataclass(frozen=True, slots=True)
class Rule:
    """How two answers are compared."""

    name: str
    normalize: Callable[[str], str]
    units: Callable[[str], list[str]]
    """What F1 counts, of a normalised text."""
    same_units_match: bool = False
    """Whether the same units in any order are an exact match."""
    empty_matches_empty: bool = False
    """Whether F1 of two empty texts is 1 (as in SQuAD version 2) or 0 (as in version 1)."""


def _squad_text(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _korquad_text(text: str) -> str:
    return " ".join(text.translate(_KOREAN_MARKS).lower().translate(_NO_PUNCTUATION).split())


def _words(text: str) -> list[str]:
    return text.split()


def _characters(text: str) -> list[str]:
    return list("".join(text.split()))


RULES = {
    "squad": Rule("squad", _squad_text, _words),
    "tydiqa": Rule("tydiqa", _squad_text, _words),
    "korquad": Rule("korquad", _korquad_text, _characters),
    "jaquad": Rule("jaquad", str, _characters, same_units_match=True, empty_matches_empty=True),
}
"""The rules by name."""

_SQUAD_2 = Rule("squad2", _squad_text, _words, empty_matches_empty=True)


def get_rule(name: str) -> Rule:
    """A rule by its name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in RULES:
        raise UserError(f"unknown rule for answers {name!r}: choose one of {', '.join(RULES)}")
    return RULES[name]


def score_answer(prediction: str, answers: Sequence[str], rule: Rule = RULES["squad"]) -> AnswerScore:
    """Exact match and F1 of one prediction, each with the answer that fits best.

    Args:
        prediction: a text, empty for none.
        answers: at least one text; `[""]` for questions without an answer.
        rule: how texts are compared.

    Raises:
        ValueError: there is no answer to compare with.
    """
    if not answers:
        raise ValueError("no answers to compare with")
    scores = [_compare(prediction, answer, rule) for answer in answers]
    return AnswerScore(max(score.exact_match for score in scores), max(score.f1 for score in scores))


def squad_scores(
    predictions: Mapping[str, str], answers: Mapping[str, Sequence[str]], rule: str = "squad"
) -> dict[str, float]:
    """Mean scores over questions which all have an answer (SQuAD version 1, KorQuAD, JaQuAD).

    Args:
        predictions: text by id of the question; questions that are missing count as answered wrongly, as in the official script.
        answers: texts by id of the question.
        rule: one of `RULES`.

    Returns:
        `exact_match` and `f1`, 0 without questions.

    Raises:
        UserError: no such rule.
        ValueError: a question has no answers; those are for `squad2_scores`.
    """
    chosen = get_rule(rule)
    unanswerable = next((question for question, texts in answers.items() if not texts), None)
    if unanswerable is not None:
        raise ValueError(f"question {unanswerable} has no answers; score such data with squad2_scores")
    scores = [
        score_answer(predictions[question], texts, chosen) if question in predictions else AnswerScore(0.0, 0.0)
        for question, texts in answers.items()
    ]
    return _means(scores)


def tydiqa_scores(predictions: Mapping[str, str], answers: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Scores of TyDiQA-GoldP: of each language, and the mean over all languages but English.

    Args:
        predictions, answers: as `squad_scores`; the language is what stands before the first hyphen of the id.

    Returns:
        `exact_match` and `f1`: mean over languages, each counting the same, English left out unless there is no other;
        and `exact_match_LANGUAGE`, `f1_LANGUAGE` for each language.
    """
    languages: dict[str, dict[str, Sequence[str]]] = {}
    for question, texts in answers.items():
        languages.setdefault(question.partition("-")[0], {})[question] = texts
    scores = {language: squad_scores(predictions, part, "tydiqa") for language, part in sorted(languages.items())}
    averaged = [score for language, score in scores.items() if language != "english"] or list(scores.values())
    result = {
        name: sum(score[name] for score in averaged) / len(averaged) if averaged else 0.0
        for name in ("exact_match", "f1")
    }
    for language, score in scores.items():
        result |= {f"{name}_{language}": value for name, value in score.items()}
    return result


def squad2_scores(
    predictions: Mapping[str, str],
    answers: Mapping[str, Sequence[str]],
    no_answer_odds: Mapping[str, float] | None = None,
    threshold: float = 0.0,
) -> dict[str, float]:
    """Scores of data in which some questions have no answer (SQuAD version 2).

    A question without answers is right if nothing is predicted, and only then. Answers that are empty once articles and
    punctuation are gone do not count as answers.

    Args:
        predictions: text by id of the question, empty for "there is no answer". Questions that are missing count as wrong.
        answers: texts by id of the question, an empty list where there is no answer.
        no_answer_odds: by id of the question, how much rather there is no answer. With it predictions should be the best texts
            that are not empty: above `threshold` they count as empty.
        threshold: see above.

    Returns:
        `exact_match`, `f1`; the same with `_has_answer` and `_no_answer` behind for each kind of question, where there are
        any; with `no_answer_odds` also `best_exact_match`, `best_f1`, and the thresholds which give them,
        `best_exact_match_threshold`, `best_f1_threshold`. With these thresholds a question is answered if its odds are *at
        most* the threshold; minus infinity means to answer none.

    Raises:
        ValueError: a prediction has no odds.
    """
    gold = {question: [text for text in texts if _squad_text(text)] for question, texts in answers.items()}
    raw: dict[str, AnswerScore] = {}  # without threshold
    for question, texts in gold.items():
        raw[question] = (
            score_answer(predictions[question], texts or [""], _SQUAD_2)
            if question in predictions
            else AnswerScore(0.0, 0.0)
        )
    scores = raw
    if no_answer_odds is not None:
        missing = next(
            (question for question in gold if question in predictions and question not in no_answer_odds), None
        )
        if missing is not None:
            raise ValueError(f"question {missing} has a prediction but no odds")
        scores = {
            question: AnswerScore(float(not gold[question]), float(not gold[question]))
            if question in predictions and no_answer_odds[question] > threshold
            else score
            for question, score in raw.items()
        }
    result = _means(list(scores.values()))
    for suffix, wanted in (("has_answer", True), ("no_answer", False)):
        part = [score for question, score in scores.items() if bool(gold[question]) == wanted]
        if part:
            result |= {f"{name}_{suffix}": value for name, value in _means(part).items()}
    if no_answer_odds is not None and gold:
        # Questions without a prediction are wrong whatever the threshold is.
        known = [question for question in gold if question in predictions]
        odds = np.array([no_answer_odds[question] for question in known])
        empty = np.array([float(not gold[question]) for question in known])
        for index, name in enumerate(AnswerScore._fields):
            values = np.array([raw[question][index] for question in known])
            best, where = _best_threshold(odds, values, empty)
            result[f"best_{name}"], result[f"best_{name}_threshold"] = best / len(gold), where
    return result


def _best_threshold(odds: np.ndarray, answered: np.ndarray, empty: np.ndarray) -> tuple[float, float]:
    """Highest sum of scores, and the lowest threshold that gives it.

    Args:
        odds, answered, empty: float (n,): odds, score of the answer, and score of no answer for each question.
    """
    order = np.argsort(odds, kind="stable")
    sums = float(empty.sum()) + np.concatenate([[0.0], np.cumsum((answered - empty)[order])])  # of the first k answered
    steps = np.concatenate(
        [[odds.min(initial=1.0) - 1.0], odds[order]]
    )  # the first: below all odds, so that none is answered
    attainable = np.append(steps[1:] != steps[:-1], True)  # equal odds are answered together
    best = int(np.argmax(np.where(attainable, sums, -np.inf)))
    return float(sums[best]), float(steps[best])


def _compare(prediction: str, answer: str, rule: Rule) -> AnswerScore:
    found, wanted = rule.normalize(prediction), rule.normalize(answer)
    units, answer_units = Counter(rule.units(found)), Counter(rule.units(wanted))
    match = units == answer_units if rule.same_units_match else found == wanted
    if not units and not answer_units:
        return AnswerScore(float(match), float(rule.empty_matches_empty))
    shared, total = (units & answer_units).total(), units.total() + answer_units.total()
    return AnswerScore(float(match), 2 * shared / total)


def _means(scores: Sequence[AnswerScore]) -> dict[str, float]:
    if not scores:
        return {"exact_match": 0.0, "f1": 0.0}
    exact_matches, f1s = zip(*scores, strict=True)
    return {"exact_match": sum(exact_matches) / len(scores), "f1": sum(f1s) / len(scores)}
