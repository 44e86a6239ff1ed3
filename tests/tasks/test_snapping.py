"""Answers made of whole words, from the patches on which they begin and end."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.data.questions import read_questions
from pixel_lm.tasks.metrics.questions import squad_scores
from pixel_lm.tasks.snapping import AnswerText


def snap(text: str) -> str:
    """The answer in a text in which the first patch is between `[` and `]`, the last one between `<` and `>`."""
    plain = "".join(char for char in text if char not in "[]<>")
    places = {}
    for mark in "[]<>":
        places[mark] = sum(char not in "[]<>" for char in text[: text.index(mark)]) if mark in text else -1
    first = (places["["], places["]"])
    last = (places["<"], places[">"]) if "<" in text else first
    start, end = AnswerText(plain).snap(first, last)
    return plain[start:end]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("the[ Sw]edish Acade<my >to", "Swedish Academy"),
        ("the Sw[edi]sh Aca<dem>y to", "Swedish Academy"),
        ("th[e S]wedish Academ<y t>o", "Swedish Academy"),
        ("born[ in] Paris<, F>rance", "in Paris, France"),
        ("was [in P]ari<s in> May", "Paris"),
        ("after [30 y]ea<rs o>f", "30 years"),
        ("on [Ma]rc<h 7,> 1965", "March 7"),
        ("[Mark] Twai<n's >book", "Mark Twain"),
        ("the [U.]S<. a>nd", "U.S."),
        ("cost[ $1],234<.5 >in", "$1,234.5"),
        ("is [0.]0<4% >of", "0.04%"),
        ("wa[s (4]2 inche<s) i>n", "(42 inches)"),
        ("wa[s (4]2 inch<es >tall)", "42 inches"),
        ("said «[Ди]нам<о» >и", "Динамо"),
        ("said[ «Д]инам<о» >и", "«Динамо»"),
        ("explanat[ion. In] most", "In"),
        ("one pat[ch]", "patch"),
        ("en[d. ]", "end"),
        ("東京[は首]<都で>ある", "首都"),
        ("昭和[26年]<4月に>は", "26年4月"),
        ("[マー]ガレット夫<人は>美しい", "マーガレット夫人"),
        ("는[ 모]스<크바>에", "모스크바"),
        ("ใน[กรุ]งเท<พมห>านคร", "กรุงเทพมห"),
        ("ה[עיר] ירוש<לים >היא", "העיר ירושלים"),
        ("[...]", "..."),
    ],
)
def test_answers(text: str, answer: str) -> None:
    assert snap(text) == answer


TEXTS = st.text(st.sampled_from("ab é1.,-()\"'«»[]% \n\u3000日本のー第한국ไท\u0301\u200dשל"), min_size=1, max_size=20)


@given(TEXTS, st.data())
def test_the_answer_is_a_piece_of_the_text_without_blanks_around_it(text: str, data: st.DataObject) -> None:
    def span(least: int) -> tuple[int, int]:
        start = data.draw(st.integers(least, len(text) - 1))
        return start, data.draw(st.integers(start + 1, len(text)))

    first = span(0)
    last = span(first[0])
    start, end = AnswerText(text).snap(first, max(last, first, key=lambda place: place[1]))
    assert 0 <= start <= end <= len(text)
    answer = text[start:end]
    assert answer == answer.strip()
    if text[first[0] : max(first[1], last[1])].strip():
        assert answer


def random_patches(text: str, rng: random.Random, longest: int) -> list[tuple[int, int]]:
    cuts = [0]
    while cuts[-1] < len(text):
        cuts.append(min(len(text), cuts[-1] + rng.randint(1, longest)))
    return list(itertools.pairwise(cuts))


@pytest.mark.parametrize(
    ("name", "rule", "longest", "at_least", "gain"),
    [
        ("squad-v1.1/dev-v1.1.rebuilt.json.xz", "squad", 3, 0.96, 0.1),
        ("tydiqa-goldp/russian_tydiqa_dev.json.xz", "squad", 3, 0.96, 0.1),
        ("tydiqa-goldp/arabic_tydiqa_dev.json.xz", "squad", 3, 0.94, 0.1),
        ("jaquad/jaquad_dev.json.xz", "jaquad", 2, 0.86, 0.1),
        ("korquad-v1.0/KorQuAD_v1.0_dev.json.xz", "korquad", 2, 0.82, 0.0),
    ],
)
def test_perfect_patches_give_the_answers_of_people(
    shared_dir: Path, name: str, rule: str, longest: int, at_least: float, gain: float
) -> None:
    """Patches of a few characters each; what is lost is lost to their coarseness."""
    rng = random.Random(3)
    questions = [q for q in read_questions(shared_dir / "data/qa" / name).questions if len(q.context) < 1500][:300]
    predictions, cut_at_patches, gold = {}, {}, {}
    for question in questions:
        assert question.answers
        answer = question.answers[0]
        assert answer.start is not None and answer.end is not None
        patches = random_patches(question.context, rng, longest)
        first = next(patch for patch in patches if patch[0] <= answer.start < patch[1])
        last = next(patch for patch in patches if patch[0] < answer.end <= patch[1])
        start, end = AnswerText(question.context).snap(first, last)
        predictions[question.id] = question.context[start:end]
        cut_at_patches[question.id] = question.context[first[0] : last[1]]
        gold[question.id] = [answer.text]
    snapped = squad_scores(predictions, gold, rule)
    assert snapped["exact_match"] >= at_least
    assert snapped["exact_match"] >= squad_scores(cut_at_patches, gold, rule)["exact_match"] + gain
