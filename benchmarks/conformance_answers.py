"""Answers from scores of patches, compared with those that the original made of a recorded model.

Needs the texts that the recording was made of: the file that `settings.json` names, below `data` beside the folder of recordings or
below the folder that PIXEL_LM_SHARED names. Where it is not at hand, these checks are counted as not run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixel_lm.data.questions import read_questions
from pixel_lm.tasks.answers import AnswerOptions, Window, predict_answer
from pixel_lm.tasks.metrics.questions import squad_scores

if TYPE_CHECKING:
    from conformance_training import Recording

PROBABILITY, METRIC = 1e-3, 1e-6


def find_data(file: str, directory: Path) -> Path | None:
    """A file of texts, or None where it is not at hand."""
    roots = [directory / ".." / ".." / "data"]
    if shared := os.environ.get("PIXEL_LM_SHARED"):
        roots.append(Path(shared) / "data")
    return next((root / file for root in roots if (root / file).is_file()), None)


def compare_answers(recording: Recording, logits: Mapping[str, npt.NDArray[Any]], directory: Path) -> None:
    """Predictions, candidates and scores from logits (windows, length + 1) of first and last patches."""
    recorded = recording.json("eval.json")
    path = find_data(recording.settings["data"]["file"], directory)
    if path is None:
        recording.not_run += [f"metric {name}: no {recording.settings['data']['file']}" for name in recorded["metrics"]]
        return
    questions = {question.id: question for question in read_questions(path).questions}
    ids = recording.json("questions.json")
    inputs = recording.arrays("eval_inputs.npz")
    settings = recording.settings["post_processing"]
    options = AnswerOptions(
        n_best=settings["n_best_size"],
        max_patches=settings["max_answer_length"],
        can_be_impossible=settings["version_2_with_negative"],
        rtl=settings["rtl"],
        legacy=True,
    )
    windows: dict[str, list[Window]] = {}
    rows = zip(inputs["question"], inputs["offset_mapping"], logits["start_logits"], logits["end_logits"], strict=True)
    for index, spans, start, end in rows:
        windows.setdefault(ids[int(index)], []).append(Window(start, end, spans))
    answers = {name: predict_answer(questions[name].original_context, part, options) for name, part in windows.items()}
    predictions = {name: answer.text for name, answer in answers.items()}
    wanted = {entry["id"]: entry["prediction"] for entry in recorded["predictions"]}
    recording.same("answers", np.array([predictions.get(name) for name in wanted]), np.array(list(wanted.values())))
    for name, entries in recorded["n_best"].items():
        candidates = answers[name].candidates
        found = np.array([candidate.text for candidate in candidates])
        recording.same(f"candidates of {name}", found, np.array([entry["text"] for entry in entries]))
        recording.compare_arrays(
            f"probabilities of the candidates of {name}",
            np.array([candidate.probability for candidate in candidates]),
            np.array([entry["probability"] for entry in entries]),
            PROBABILITY,
        )
    gold = {name: [answer.text for answer in questions[name].answers or ()] for name in answers}
    scores = squad_scores(predictions, gold)
    for name, value in recorded["metrics"].items():
        recording.compare(f"metric {name}", 100 * scores[name], value, METRIC)
