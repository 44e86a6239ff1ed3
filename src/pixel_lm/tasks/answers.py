"""From the scores of patches to answers: extractive question answering after the model.

A model gives each patch a score as the first and one as the last patch of the answer; the last score of a row is that of "no answer
here". A long text has several windows. The best pairs of patches over all windows are the candidates; `snapping` says which
words a pair stands for.

By default all pairs are looked at, a candidate is made of whole words or characters of the string that was rendered, candidates of
the same passage (from overlapping windows) are one, and what has no answer is the empty string. With `legacy=True` it is
all as in the original, for published scores; see `_legacy_text`.

The length of an answer is limited in patches, which are about two Latin letters or one Chinese character.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering import Rendering
from pixel_lm.tasks.snapping import AnswerText

ABSENT = -9
"""Start and end of the span of a patch that shows nothing of the text."""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How answers are chosen."""

    n_best: int = 20
    """Candidates per question, besides "no answer"; with `legacy` also the number of first and of last patches per window that are combined."""
    max_patches: int = 30
    """Longest answer."""
    can_be_impossible: bool = False
    """Whether "no answer" is a candidate (SQuAD version 2)."""
    null_threshold: float = 0.0
    """There is no answer if its score is higher than that of the best answer by more than this."""
    legacy: bool = False
    """As the original does it."""
    rtl: bool = False
    """With `legacy`: the text runs from right to left. By default the spans say so."""

    def __post_init__(self) -> None:
        if self.n_best < 1 or self.max_patches < 1:
            raise ValueError(f"n_best {self.n_best} and max_patches {self.max_patches} must be at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Scores of a strip that shows a question and a part of its text.

    Raises:
        ValueError: the shapes do not fit together.
    """

    start_logits: npt.NDArray[np.floating]
    """float (n + 1,): for each patch, that the answer begins on it; the last: that there is no answer."""
    end_logits: npt.NDArray[np.floating]
    """float (n + 1,): that the answer ends on it."""
    spans: npt.NDArray[np.integer]
    """int (n, 2): which characters of the text a patch shows, negative for none; see `context_spans`."""

    def __post_init__(self) -> None:
        n = len(self.spans)
        if self.spans.shape != (n, 2) or self.start_logits.shape != (n + 1,) or self.end_logits.shape != (n + 1,):
            raise ValueError(
                f"spans {self.spans.shape} and logits {self.start_logits.shape}, {self.end_logits.shape} do not fit together: "
                "expected (n, 2), (n + 1,), (n + 1,)"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible answer."""

    text: str
    """Empty for "no answer"."""
    start: int | None
    """Place in the text; None for "no answer" and with `legacy`."""
    end: int | None
    start_logit: float
    end_logit: float
    probability: float
    """Softmax over the candidates of the question."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to a question."""

    text: str
    """Empty if there is none."""
    candidates: tuple[Candidate, ...] = field(repr=False)
    """Best first."""
    best_text: str
    """The best answer that is not empty; the text to give to a search for the best threshold."""
    null_odds: float | None
    """Score of "no answer" minus that of the best answer; None unless the question can be impossible."""


def context_spans(rendering: Rendering) -> npt.NDArray[np.int64]:
    """Spans of the second text of a rendered pair, int64 (num_patches, 2), `ABSENT` for all other patches.

    Raises:
        ValueError: the rendering has no offsets of a pair.
    """
    if rendering.offset_mapping is None or rendering.sequence_ids is None:
        raise ValueError("render pairs with return_offset_mapping=True and without legacy")
    spans = np.array(rendering.offset_mapping, np.int64).reshape(-1, 2)
    spans[[sequence != 1 for sequence in rendering.sequence_ids]] = ABSENT
    return spans


def legacy_context_spans(offset_mapping: Sequence[tuple[int, int]] | npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Spans as the original has them: `ABSENT` up to the first (0, 0), which ends the question, and for all (0, 0) at the end.

    Args:
        offset_mapping: as a renderer gives it with `legacy=True`.
    """
    spans = np.array(offset_mapping, np.int64).reshape(-1, 2)
    blank = (spans == 0).all(axis=1)
    if blank.any():
        spans[: int(blank.argmax()) + 1] = ABSENT
    last = len(spans)
    while last and (blank[last - 1] or spans[last - 1, 0] == ABSENT):
        last -= 1
    spans[last:] = ABSENT
    return spans


def predict_answer(context: str, windows: Sequence[Window], options: AnswerOptions = AnswerOptions()) -> Prediction:
    """The answer to one question.

    Args:
        context: the string that was rendered. (With `legacy` the one with the white space that was around it, if the aim is to
            repeat published scores.)
        windows: all windows of this question.
        options: see there.

    Raises:
        ValueError: there are no windows, or spans begin beyond the text.
    """
    if not windows:
        raise ValueError("no windows to find an answer in")
    if options.legacy:
        return _legacy_answer(context, windows, options)
    text = AnswerText(context)
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for window in windows:
        if window.spans[:, 0].max(initial=0) > len(context):
            raise ValueError(f"a span begins at {window.spans[:, 0].max()}, but the text ends at {len(context)}")
        # Spans of the original end one behind the text.
        window = replace(window, spans=np.minimum(window.spans, len(context)))
        spans = window.spans.tolist()
        here: set[tuple[int, int]] = set()
        for first, last, start_logit, end_logit in _best_pairs(context, window, options):
            place = text.snap(*_edges(spans[first : last + 1]))
            here.add(place)
            if place not in found or start_logit + end_logit > sum(found[place]):
                found[place] = (start_logit, end_logit)
            if len(here) == options.n_best:
                break
    ranked = sorted(found.items(), key=lambda item: -sum(item[1]))[: options.n_best]
    rows: list[tuple[str, int | None, int | None, float, float]] = [
        (context[start:end], start, end, *logits) for (start, end), logits in ranked
    ]
    best_text = rows[0][0] if rows else ""
    odds = None
    answer = best_text
    if options.can_be_impossible:
        null = min(((float(w.start_logits[-1]), float(w.end_logits[-1])) for w in windows), key=sum)
        best_score = rows[0][3] + rows[0][4] if rows else -np.inf
        odds = float(sum(null) - best_score)
        position = sum(row[3] + row[4] >= sum(null) for row in rows)
        rows.insert(position, ("", None, None, *null))
        if odds > options.null_threshold:
            answer = ""
    probabilities = _softmax([row[3] + row[4] for row in rows])
    candidates = tuple(Candidate(*row, p) for row, p in zip(rows, probabilities, strict=True))
    return Prediction(answer, candidates, best_text, odds)


def _best_pairs(context: str, window: Window, options: AnswerOptions) -> list[tuple[int, int, float, float]]:
    """The best pairs of a first and a last patch, with their logits."""
    shows = np.array([0 <= a < b and not context[a:b].isspace() for a, b in window.spans.tolist()], bool)
    n = len(shows)
    start = np.where(shows, window.start_logits[:n], -np.inf).astype(np.float64)
    end = np.where(shows, window.end_logits[:n], -np.inf).astype(np.float64)
    longest = min(options.max_patches, n)
    scores = np.full((longest, n), -np.inf)  # row: length - 1, column: first patch
    for extra in range(longest):
        scores[extra, : n - extra] = start[: n - extra] + end[extra:]
    # More than are wanted, since several pairs may stand for the same words.
    wanted = min(8 * options.n_best, scores.size)
    order = np.argsort(-scores, axis=None, kind="stable")[:wanted]
    pairs = []
    for extra, first in zip(*np.unravel_index(order, scores.shape), strict=True):
        if np.isfinite(scores[extra, first]):
            last = int(first + extra)
            pairs.append((int(first), last, float(window.start_logits[first]), float(window.end_logits[last])))
    return pairs


def _edges(spans: Sequence[Sequence[int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Spans of the patches with the first and the last character of an answer, whichever way the text runs."""
    shown = [(a, b) for a, b in spans if 0 <= a < b]
    return min(shown), max(shown, key=lambda span: (span[1], span[0]))


def _softmax(scores: Sequence[float]) -> list[float]:
    if not scores:
        return []
    exponentials = np.exp(np.array(scores) - max(scores))
    result: list[float] = (exponentials / exponentials.sum()).tolist()
    return result


def _legacy_answer(context: str, windows: Sequence[Window], options: AnswerOptions) -> Prediction:
    """As the original: the best `n_best` first patches with the best `n_best` last ones, and `_legacy_text`.

    Without any text the answer is "empty", or, where the question can be impossible, the empty string.
    """
    found: list[tuple[float, str, float, float]] = []
    null: tuple[float, float] | None = None
    for window in windows:
        odds_here = float(window.start_logits[-1]), float(window.end_logits[-1])
        null = odds_here if null is None or sum(odds_here) < sum(null) else null
        starts = np.argsort(window.start_logits)[: -options.n_best - 1 : -1].tolist()
        ends = np.argsort(window.end_logits)[: -options.n_best - 1 : -1].tolist()
        for first in starts:
            for last in ends:
                if max(first, last) >= len(window.spans) or not 0 <= last - first < options.max_patches:
                    continue
                one, other = (tuple(window.spans[patch].tolist()) for patch in (first, last))
                if ABSENT in (one[0], other[0]):
                    continue
                begin, finish = (other, one) if options.rtl else (one, other)
                text = _legacy_text(context, begin, finish, same=first == last)
                logits = float(window.start_logits[first]), float(window.end_logits[last])
                found.append((sum(logits), text, *logits))
    if options.can_be_impossible and null is not None:
        found.append((sum(null), "", *null))
    found.sort(key=lambda row: -row[0])
    dropped = found[options.n_best :]
    found = found[: options.n_best]
    if options.can_be_impossible and null is not None and (sum(null), "", *null) in dropped:
        found.append((sum(null), "", *null))
    if not found or (len(found) == 1 and not found[0][1]):
        found.insert(0, (0.0, "empty", 0.0, 0.0))
    probabilities = _softmax([row[0] for row in found])
    rows = zip(found, probabilities, strict=True)
    candidates = tuple(Candidate(text, None, None, start, end, p) for (_, text, start, end), p in rows)
    if not options.can_be_impossible or null is None:
        return Prediction(candidates[0].text, candidates, candidates[0].text, None)
    best = next((candidate for candidate in candidates if candidate.text), None)
    if best is None:  # here the original fails
        return Prediction("", candidates, "", float("inf"))
    odds = sum(null) - best.start_logit - best.end_logit
    return Prediction("" if odds > options.null_threshold else best.text, candidates, best.text, odds)


def _legacy_text(context: str, begin: tuple[int, ...], finish: tuple[int, ...], same: bool) -> str:
    """The text of a candidate as the original makes it.

    One patch: what it shows, as it is. Otherwise, if the first patch has a blank after its left end and no number before it, only
    its second piece is taken (a third is lost); of the last patch likewise the first piece, unless a number is the second. ASCII
    punctuation is cut off at both ends, also where it belongs to the answer.
    """
    first, last = context[begin[0] : begin[1]], context[finish[0] : finish[1]]
    if same:
        return first
    first, last = first.lstrip(), last.rstrip()
    if " " in first and not first.split(" ")[0].isnumeric():
        first = first.split(" ")[1]
    if " " in last and not last.split(" ")[1].isnumeric():
        last = last.split(" ")[0]
    return (first + context[begin[1] : finish[0]] + last).strip(string.punctuation)
