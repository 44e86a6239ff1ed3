"""Extractive question answering: the passage of a text that answers a question.

A text that does not fit beside its question is shown in several windows, in training and in evaluation. The labels of a window are
the first and the last patch that show a character of the answer (its first accepted one); in a window that does not show all of
it, "no answer", which is the class token. `answers` makes texts of the scores of all windows of a question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixel_lm.data.collators import Padding
from pixel_lm.data.conllu import Split
from pixel_lm.data.questions import Question, find_question_file, read_questions
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForQuestionAnswering
from pixel_lm.rendering import Rendering
from pixel_lm.tasks.answers import AnswerOptions, Prediction, Window, context_spans, predict_answer
from pixel_lm.tasks.metrics.questions import get_rule, score_answer, squad2_scores, squad_scores, tydiqa_scores
from pixel_lm.tasks.reports import ErrorReport, ScoredAnswer, questions_report
from pixel_lm.tasks.task import CACHE_BYTES, Cache, Renderer, Task, TaskDataset, run_model

NO_ANSWER = -1
"""Place of windows that do not show the answer."""
IGNORED = -2
"""Place of windows of questions whose answer is not in the text."""
BASELINE_QUESTIONS = 500
"""Questions of the training data on which the rule of the baseline is chosen."""


@dataclass(frozen=True, slots=True)
class WindowExample:
    """A strip with a question and a part of its text."""

    patches: np.ndarray
    start: int
    """First patch of the answer, or `NO_ANSWER` or `IGNORED`."""
    end: int


class QuestionDataset(TaskDataset):
    """Windows of questions.

    Attributes:
        lengths: patches of each window.
        questions: in order.
        owners: index of the question of each window.
        spans: which characters of the text each patch of a window shows, see `context_spans`.
    """

    def __init__(
        self, questions: Sequence[Question], renderer: Renderer, stride: int, question_max_length: int | None
    ) -> None:
        self.questions = list(questions)
        self.renderer = renderer
        self.stride = stride
        self.question_max_length = question_max_length
        self.owners: list[int] = []
        self.spans: list[np.ndarray] = []
        self.lengths: list[int] = []
        self._positions: list[tuple[int, int]] = []
        self._places: list[int] = []
        self._cache = Cache(self._item, CACHE_BYTES)
        for index, question in enumerate(self.questions):
            for place, window in enumerate(self._windows(question)):
                spans = context_spans(window)
                self.owners.append(index)
                self._places.append(place)
                self.spans.append(spans)
                self.lengths.append(len(window))
                self._positions.append(answer_patches(question, spans))
                item = WindowExample(np.ascontiguousarray(window.patches), *self._positions[-1])
                self._cache.add(len(self.owners) - 1, item, item.patches.nbytes)

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, index: int) -> WindowExample:
        item: WindowExample = self._cache[index]
        return item

    def figures(self) -> dict[str, float]:
        """Questions, windows, and the part of the questions of which a window shows the whole answer, or that have none."""
        shown = {owner for owner, (start, _) in zip(self.owners, self._positions, strict=True) if start >= 0}
        shown |= {i for i, question in enumerate(self.questions) if not question.answers}
        coverage = len(shown) / len(self.questions) if self.questions else 0.0
        return {"questions": len(self.questions), "windows": len(self), "coverage": coverage}

    def _windows(self, question: Question) -> list[Rendering]:
        try:
            rendering = self.renderer(
                (question.question, question.context),
                return_offset_mapping=True,
                return_overflowing_patches=True,
                stride=self.stride,
                text_a_max_length=self.question_max_length,
            )
        except UserError as error:
            raise UserError(
                f"question {question.id}: {error} (--stride {self.stride}, --question-max-length {self.question_max_length}, "
                f"--max-seq-length {self.renderer.max_seq_length})"
            ) from None
        return [rendering, *(rendering.windows or [])]

    def _item(self, index: int) -> WindowExample:
        window = self._windows(self.questions[self.owners[index]])[self._places[index]]
        return WindowExample(np.ascontiguousarray(window.patches), *self._positions[index])


def answer_patches(question: Question, spans: np.ndarray) -> tuple[int, int]:
    """First and last patch of the first answer of a question in a window, int64 (n, 2) being its spans."""
    if not question.answers:
        return NO_ANSWER, NO_ANSWER
    answer = question.answers[0]
    if answer.start is None or answer.end is None:
        return IGNORED, IGNORED
    shown = spans[spans[:, 0] >= 0]
    if not len(shown) or shown[:, 0].min() > answer.start or shown[:, 1].max() < answer.end:
        return NO_ANSWER, NO_ANSWER
    covering = np.flatnonzero((spans[:, 0] >= 0) & (spans[:, 0] < answer.end) & (spans[:, 1] > answer.start))
    if not len(covering):
        return NO_ANSWER, NO_ANSWER
    return int(covering[0]), int(covering[-1])


def collate_windows(examples: Sequence[WindowExample]) -> dict[str, torch.Tensor]:
    """Make a batch: `pixel_values`, `attention_mask`, `start_positions`, `end_positions` (batch,), see the model."""
    batch = Padding().pad([example.patches for example in examples])
    length = batch["attention_mask"].shape[1]
    special = {NO_ANSWER: length, IGNORED: length + 1}
    for name, values in (("start", [e.start for e in examples]), ("end", [e.end for e in examples])):
        batch[f"{name}_positions"] = torch.tensor([special.get(value, value) for value in values])
    return batch


class QaTask(Task):
    """Questions in the format of SQuAD."""

    name = "qa"
    reads_datasets = True
    model_class = PixelForQuestionAnswering
    label_names = ("start_positions", "end_positions")
    settings = {"num_labels": 2}  # noqa: RUF012
    metric = "f1"
    shown_metrics = ("exact_match", "f1")
    output_suffix = ".json"
    baseline_name = "the best of fixed rules"

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """The file with the split in its name."""
        return find_question_file(folder, split)

    def read(self, path: str | Path, *, labelled: bool = True) -> list[Question]:
        """Questions; with `labelled` their answers must be known."""
        questions = list(read_questions(path).questions)
        if labelled and any(question.answers is None for question in questions):
            raise UserError(f"{path}: there are questions without answers; pixel-lm predict takes such files")
        return questions

    def check_model(self, config: PixelConfig, model: str) -> None:
        """Two scores per patch."""
        if config.num_labels != 2:
            raise UserError(f"{model} is no model for qa: it has {config.num_labels} outputs per patch, expected 2")

    def dataset(self, examples: Sequence[Question], renderer: Renderer, config: PixelConfig) -> QuestionDataset:
        """All windows of all questions."""
        return QuestionDataset(examples, renderer, self.options.stride, self.options.question_max_length)

    def collator(self) -> Callable[[Sequence[WindowExample]], dict[str, torch.Tensor]]:
        """Batches as long as the longest window."""
        return collate_windows

    def reduce(self, outputs: tuple[torch.Tensor, ...], labels: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Logits, (batch, 1 + length, 2): "no answer" comes first here, so that padding can be behind."""
        return torch.stack([output.float() for output in outputs[:2]], dim=-1).roll(1, dims=1)

    def answer(self, dataset: QuestionDataset, outputs: Sequence[np.ndarray]) -> list[Prediction]:
        """An answer to each question from the logits of all windows."""
        options = AnswerOptions(
            n_best=self.options.n_best,
            max_patches=self.options.max_answer_patches,
            null_threshold=self.options.null_threshold,
            legacy=self.options.legacy_answers,
            can_be_impossible=self.impossible(dataset.questions),
        )
        windows: list[list[Window]] = [[] for _ in dataset.questions]
        for owner, spans, row in zip(dataset.owners, dataset.spans, outputs, strict=True):
            logits = np.roll(row[: len(spans) + 1], -1, axis=0)  # "no answer" last
            windows[owner].append(Window(logits[:, 0], logits[:, 1], spans))
        return [predict_answer(q.context, w, options) for q, w in zip(dataset.questions, windows, strict=True)]

    def impossible(self, questions: Sequence[Question]) -> bool:
        """Whether some questions are known to have no answer, as in SQuAD version 2."""
        return any(question.is_impossible for question in questions)

    def score_texts(self, questions: Sequence[Question], texts: Mapping[str, str]) -> dict[str, float]:
        """Exact match and F1, by the rule of the data set."""
        answers = {q.id: [answer.text for answer in q.answers or ()] for q in questions}
        if self.impossible(questions):
            return squad2_scores(texts, answers)
        if self.options.answer_rule == "tydiqa":
            return tydiqa_scores(texts, answers)
        return squad_scores(texts, answers, self.options.answer_rule)

    def score(self, dataset: QuestionDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Exact match and F1 over all questions, and coverage."""
        predictions = self.answer(dataset, outputs)
        texts = {q.id: p.text for q, p in zip(dataset.questions, predictions, strict=True)}
        return {**self.score_texts(dataset.questions, texts), "coverage": dataset.figures()["coverage"]}

    def baseline(self, train: Sequence[Question], examples: Sequence[Question]) -> dict[str, float]:
        """Answers by the rule that is best on training data: see `RULES_OF_THUMB`."""
        rule = get_rule(self.options.answer_rule)

        def mean_f1(answer: Callable[[Question], str]) -> float:
            sample = train[:BASELINE_QUESTIONS]
            return sum(score_answer(answer(q), [a.text for a in q.answers or ()] or [""], rule).f1 for q in sample)

        best = max(RULES_OF_THUMB, key=mean_f1)
        return self.score_texts(examples, {question.id: best(question) for question in examples})

    def predict(
        self,
        model: Any,
        renderer: Renderer,
        examples: Sequence[Question],
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
    ) -> list[Prediction]:
        """An answer to each question, with further candidates."""
        dataset = self.dataset(examples, renderer, model.config)
        outputs = run_model(self, model, dataset, batch_size)
        if progress is not None:
            progress(len(examples))
        return self.answer(dataset, outputs)

    def write(self, examples: Sequence[Question], predictions: Sequence[Prediction]) -> str:
        """JSON: the text by the id of the question, as the scripts of SQuAD take it."""
        return _json({q.id: p.text for q, p in zip(examples, predictions, strict=True)})

    def write_n_best(self, examples: Sequence[Question], predictions: Sequence[Prediction]) -> str:
        """JSON: the candidates by the id of the question, best first, with places, logits and probabilities."""
        return _json({q.id: [asdict(c) for c in p.candidates] for q, p in zip(examples, predictions, strict=True)})

    def report(self, examples: Sequence[Question], predictions: Sequence[Prediction]) -> ErrorReport:
        """Exact match and F1 by kinds of questions, and the questions with an answer that is not exact."""
        rule, scored = get_rule(self.options.answer_rule), []
        for question, prediction in zip(examples, predictions, strict=True):
            answers = tuple(answer.text for answer in question.answers or ())
            score = score_answer(prediction.text, answers or ("",), rule)
            f1 = score.f1 if answers else score.exact_match
            scored.append(ScoredAnswer(question.id, question.question, answers, prediction.text, score.exact_match, f1))
        return questions_report(scored)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _no_answer(question: Question) -> str:
    return ""


def _whole_text(question: Question) -> str:
    return question.context


def _first_words(question: Question) -> str:
    return " ".join(question.context.split()[:3])


def _best_sentence(question: Question) -> str:
    wanted = set(re.findall(r"\w+", question.question.lower()))
    sentences = re.split(r"(?<=[.!?。！？])\s*", question.context)
    return max(sentences, key=lambda s: len(wanted & set(re.findall(r"\w+", s.lower()))))


RULES_OF_THUMB = (_no_answer, _whole_text, _first_words, _best_sentence)
"""No answer; the whole text; its first three words; the sentence that shares most words with the question."""


TASK = QaTask()
