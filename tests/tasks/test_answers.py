"""From scores of patches to answers: by default, and as the original does it, against its recording."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from pixel_lm.data.questions import read_questions
from pixel_lm.rendering import Rendering, TextRenderer
from pixel_lm.tasks.answers import (
    ABSENT,
    AnswerOptions,
    Window,
    context_spans,
    legacy_context_spans,
    predict_answer,
)

CONTEXT = "The Swedish Academy, in Stockholm"


def window(
    spans: list[tuple[int, int]], starts: dict[int, float], ends: dict[int, float], null: float = -20.0
) -> Window:
    """Scores are -10 where none is given, those of "no answer" `null` in all."""
    start_logits, end_logits = np.full((2, len(spans) + 1), -10.0, np.float32)
    for logits, values in ((start_logits, starts), (end_logits, ends)):
        logits[-1] = null / 2
        for patch, value in values.items():
            logits[patch] = value
    return Window(start_logits, end_logits, np.array(spans))


def in_threes(text: str, offset: int = 0, count: int | None = None) -> list[tuple[int, int]]:
    """Two patches of a question, then patches of three characters each, then a separator."""
    places = range(offset, len(text), 3)[:count]
    return [(ABSENT, ABSENT)] * 2 + [(i, min(len(text), i + 3)) for i in places] + [(ABSENT, ABSENT)]


def test_best_answer_first() -> None:
    # Patches: "The", " Sw", "edi", "sh ", "Aca", "dem", "y, ", "in ", "Sto", …
    scores = window(in_threes(CONTEXT), {3: 5.0, 10: 4.0}, {8: 3.0, 12: 2.5})
    prediction = predict_answer(CONTEXT, [scores])
    assert prediction.text == prediction.best_text == "Swedish Academy" and prediction.null_odds is None
    best, second = prediction.candidates[:2]
    assert (best.text, best.start, best.end, best.start_logit, best.end_logit) == ("Swedish Academy", 4, 19, 5.0, 3.0)
    assert second.text == "Swedish Academy, in Stockholm"
    assert sum(candidate.probability for candidate in prediction.candidates) == pytest.approx(1.0)
    assert best.probability / second.probability == pytest.approx(np.exp(0.5))


def test_the_same_passage_is_one_candidate() -> None:
    spans = in_threes(CONTEXT)
    prediction = predict_answer(
        CONTEXT, [window(spans, {3: 1.0}, {8: 1.0}), window(in_threes(CONTEXT, 1), {3: 2.0, 2: 1.5}, {7: 2.0})]
    )
    texts = [candidate.text for candidate in prediction.candidates]
    assert texts[0] == "Swedish Academy" and len(set(texts)) == len(texts)
    assert prediction.candidates[0].start_logit == 2.0, "the better of the two"


def test_impossible_pairs_are_not_looked_at() -> None:
    spans = in_threes(CONTEXT)
    backwards = predict_answer(CONTEXT, [window(spans, {8: 9.0}, {3: 9.0})])
    assert all(candidate.start_logit + candidate.end_logit < 0 for candidate in backwards.candidates)
    outside = predict_answer(CONTEXT, [window(spans, {0: 9.0, 3: 1.0}, {1: 9.0, 5: 1.0})])
    assert outside.text == "Swedish"
    short = predict_answer(CONTEXT, [window(spans, {3: 5.0}, {8: 5.0, 4: 1.0})], AnswerOptions(max_patches=3))
    assert short.text == "Swedish"
    assert (
        predict_answer(CONTEXT, [window(spans, {3: 5.0}, {8: 5.0})], AnswerOptions(max_patches=6)).text
        == "Swedish Academy"
    )


def test_no_answer() -> None:
    spans, options = in_threes(CONTEXT), AnswerOptions(can_be_impossible=True)
    sure = window(spans, {3: 5.0}, {8: 3.0}, null=2.0)
    prediction = predict_answer(CONTEXT, [sure], options)
    assert prediction.text == "Swedish Academy" and prediction.null_odds == pytest.approx(-6.0)
    assert "" in [candidate.text for candidate in prediction.candidates]
    unsure = window(spans, {3: 5.0}, {8: 3.0}, null=9.0)
    prediction = predict_answer(CONTEXT, [unsure], options)
    assert prediction.text == "" and prediction.best_text == "Swedish Academy"
    assert prediction.null_odds == pytest.approx(1.0)
    assert prediction.candidates[0].text == "" and prediction.candidates[0].start is None
    raised = AnswerOptions(can_be_impossible=True, null_threshold=1.5)
    assert predict_answer(CONTEXT, [unsure], raised).text == "Swedish Academy"
    # The window that is least sure that there is no answer decides.
    assert predict_answer(CONTEXT, [sure, unsure], options).null_odds == pytest.approx(-6.0)
    assert (
        predict_answer(CONTEXT, [unsure], AnswerOptions(n_best=1, can_be_impossible=True)).best_text
        == "Swedish Academy"
    )


@pytest.mark.parametrize("can_be_impossible", [False, True])
def test_windows_that_show_nothing(can_be_impossible: bool) -> None:
    nothing = window([(ABSENT, ABSENT)] * 4, {}, {})
    options = AnswerOptions(can_be_impossible=can_be_impossible)
    assert predict_answer(CONTEXT, [nothing], options).text == ""
    legacy = AnswerOptions(can_be_impossible=can_be_impossible, legacy=True)
    assert predict_answer(CONTEXT, [nothing], legacy).text == "empty"


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="no windows"):
        predict_answer(CONTEXT, [])
    with pytest.raises(ValueError, match="a span begins at 30, but the text ends at 3"):
        predict_answer("The", [window(in_threes(CONTEXT), {}, {})])
    with pytest.raises(ValueError, match="do not fit together"):
        Window(np.zeros(3), np.zeros(3), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="at least 1"):
        AnswerOptions(n_best=0)


def test_texts_of_the_original() -> None:
    def text(spans: list[tuple[int, int]], first: int, last: int, context: str = CONTEXT, rtl: bool = False) -> str:
        options = AnswerOptions(legacy=True, rtl=rtl)
        return predict_answer(context, [window(spans, {first: 9.0}, {last: 9.0})], options).text

    assert text([(0, 5), (5, 9), (9, 14)], 0, 2) == "Swedish", (
        "the second piece of the first patch, the first of the last"
    )
    assert text([(9, 14), (5, 9)], 0, 0) == "sh Ac", "one patch: as it is"
    assert text([(12, 19), (19, 24)], 0, 1) == "Academy", "the first piece of the last patch, a comma"
    assert text([(12, 19), (19, 21)], 0, 1) == "Academy", "no punctuation at the end"
    assert text([(0, 4), (4, 8)], 0, 1, "7 of 12 x") == "7 of 12", "numbers in front and behind stay"
    assert text([(0, 5), (5, 6)], 0, 1, "a b c.") == "b", "a third piece is lost"
    # From right to left the leftmost patch shows the end of the answer.
    assert text([(9, 14), (5, 9), (0, 5)], 0, 2, rtl=True) == "Swedish"


def test_no_answer_in_the_original() -> None:
    spans, options = in_threes(CONTEXT), AnswerOptions(can_be_impossible=True, legacy=True, n_best=2)
    # More than n_best candidates are better than "no answer", which is put back behind them.
    prediction = predict_answer(CONTEXT, [window(spans, {3: 5.0, 4: 4.0}, {8: 3.0, 7: 2.0}, null=-30.0)], options)
    assert [candidate.text for candidate in prediction.candidates][-1] == "" and len(prediction.candidates) == 3
    assert prediction.null_odds == pytest.approx(-38.0)
    prediction = predict_answer(CONTEXT, [window(spans, {3: 5.0}, {8: 3.0}, null=9.0)], options)
    assert prediction.text == "" and prediction.null_odds == pytest.approx(1.0)


def test_the_recording(shared_dir: Path) -> None:
    folder = shared_dir / "reference/training/qa_tydiqa_en"
    recording = json.loads((folder / "eval.json").read_text(encoding="utf-8"))
    ids = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    source = shared_dir / "data/qa/tydiqa-goldp/english_tydiqa_train.json.xz"
    questions = {question.id: question for question in read_questions(source).questions}
    with np.load(folder / "eval_inputs.npz") as inputs, np.load(folder / "eval_outputs.npz") as outputs:
        spans, owner = inputs["offset_mapping"], inputs["question"]
        start_logits, end_logits = outputs["start_logits"], outputs["end_logits"]
    n_best = 0
    for row in recording["predictions"]:
        windows = [Window(start_logits[i], end_logits[i], spans[i]) for i in np.flatnonzero(owner == row["question"])]
        question = questions[ids[row["question"]]]
        prediction = predict_answer(question.original_context, windows, AnswerOptions(legacy=True))
        assert prediction.text == row["prediction"]
        for candidate, expected in zip(prediction.candidates, recording["n_best"].get(question.id, []), strict=False):
            n_best += 1
            assert (candidate.text, candidate.start_logit, candidate.end_logit) == (
                expected["text"],
                expected["start_logit"],
                expected["end_logit"],
            )
            assert candidate.probability == pytest.approx(expected["probability"], abs=1e-6)
        default = predict_answer(question.context, windows)
        assert default.text == question.context[default.candidates[0].start : default.candidates[0].end] != ""
    assert n_best == 100


def test_spans_of_the_original() -> None:
    mapping = [(0, 3), (3, 5), (0, 0), (0, 4), (4, 9), (-1, -1), (9, 12), (0, 0), (0, 0)]
    assert legacy_context_spans(mapping).tolist() == [
        [ABSENT, ABSENT], [ABSENT, ABSENT], [ABSENT, ABSENT], [0, 4], [4, 9], [-1, -1], [9, 12], [ABSENT, ABSENT],
        [ABSENT, ABSENT],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def renderer() -> TextRenderer:
    """With a font that is always there."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.submodule_search_locations
    font = Path(spec.submodule_search_locations[0]) / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return TextRenderer(font, fallback_fonts=[], max_seq_length=60)


def perfect_window(rendering: Rendering, start: int, end: int) -> Window:
    """What a model without fault says of this strip."""
    spans = context_spans(rendering)
    first = [i for i, (a, b) in enumerate(spans) if a <= start < b]
    last = [i for i, (a, b) in enumerate(spans) if a < end <= b]
    if not first or not last:
        return window(spans.tolist(), {}, {}, null=18.0)
    left, right = sorted((first[0], last[0]))
    return window(spans.tolist(), {left: 9.0}, {right: 9.0})


@pytest.mark.parametrize(
    ("question", "context", "answer"),
    [
        (
            "Who?",
            "It was written by Selma Lagerlöf, who lived in Mårbacka. " * 3 + "In 1909 she got the Prize.",
            "1909",
        ),
        ("Who?", "It was written by Selma Lagerlöf, who lived in Mårbacka.", "Selma Lagerlöf"),
        ("מי?", "הספר נכתב בידי סלמה לגרלף, שחיה במורבקה.", "סלמה לגרלף"),
        ("Кто?", "Книгу написала Сельма Лагерлёф.", "Сельма Лагерлёф"),
    ],
)
def test_from_strips_to_answers(renderer: TextRenderer, question: str, context: str, answer: str) -> None:
    rendering = renderer(
        (question, context),
        return_offset_mapping=True,
        return_overflowing_patches=True,
        stride=10,
        text_a_max_length=20,
    )
    start = context.index(answer)
    strips = [rendering, *(rendering.windows or [])]
    windows = [perfect_window(strip, start, start + len(answer)) for strip in strips]
    options = AnswerOptions(can_be_impossible=True)
    prediction = predict_answer(context, windows, options)
    assert prediction.text == answer
    assert (prediction.candidates[0].start, prediction.candidates[0].end) == (start, start + len(answer))


def test_renderings_without_offsets(renderer: TextRenderer) -> None:
    with pytest.raises(ValueError, match="return_offset_mapping=True"):
        context_spans(renderer(("a", "b")))
