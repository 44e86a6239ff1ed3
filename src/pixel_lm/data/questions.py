"""Questions about texts, answered by passages of them: SQuAD, and the many data sets that have its format.

* `.json`: the format of SQuAD version 1 and 2 (`data` → `paragraphs` → `qas`), which TyDiQA-GoldP, KorQuAD, JaQuAD, XQuAD, MLQA
  and CMRC 2018 share.
* `.jsonl` and data sets of the `datasets` library: a question per row, with `id`, `question`, `context` and `answers`, which holds
  the lists `text` and `answer_start`.

White space around contexts, questions and answers is removed, of any kind that Unicode knows, and places of answers are moved with
it: the context that an example holds is the string that is rendered, and the one that predicted answers are cut out of.

Places count code points from 0. Some published files have places that are wrong; `on_mismatch` says what becomes of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines, strip_compression
from pixel_lm.data.tables import read_rows
from pixel_lm.errors import UserError

OnMismatch = Literal["repair", "error"]
"""What to do with an answer that does not stand where the file says: take the nearest place where it does, or raise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and where it stands."""

    text: str
    start: int | None
    """Of its first character in the context; None if it is not in the context, so that it can only be scored with."""

    @property
    def end(self) -> int | None:
        """Behind its last character."""
        return None if self.start is None else self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a text."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None
    """All accepted answers, in the order of the file; empty if the text has none; None in test data."""
    title: str = ""
    margins: tuple[str, str] = ("", "")
    """White space that was removed before and behind the context."""
    source: str = ""

    @property
    def is_impossible(self) -> bool:
        """Whether it is known that the text has no answer."""
        return self.answers == ()

    @property
    def original_context(self) -> str:
        """The context with the white space around it."""
        return self.margins[0] + self.context + self.margins[1]


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a file, and what was wrong with it."""

    questions: tuple[Question, ...]
    repairs: Counter[str] = field(default_factory=Counter)
    """Number of answers by what was done to them: `moved` to the nearest place where they stand, `not in the context`."""


def read_questions(source: str | Path, *, on_mismatch: OnMismatch = "repair") -> Questions:
    """Read a file or a data set.

    Args:
        source: `.json` in the format of SQuAD, `.jsonl`, also compressed, or a data set as in `pixel_lm.data.tables`.
        on_mismatch: what to do with answers that do not stand where the file says.

    Raises:
        UserError: the file is missing, damaged, has another format or no questions, an id is there twice, a context or question is
            blank, or, with `on_mismatch="error"`, an answer is not where it should be; the message names the file and the place
            in it.
    """
    name = strip_compression(Path(source).name)
    raw = _squad_questions(Path(source)) if name.endswith(".json") else _row_questions(source)
    repairs: Counter[str] = Counter()
    questions: dict[str, Question] = {}
    for place, entry, context, title in raw:
        question = _question(place, entry, context, title, str(source), on_mismatch, repairs)
        if question.id in questions:
            raise UserError(f"{place}: the id {question.id} is there twice")
        questions[question.id] = question
    if not questions:
        raise UserError(f"{source}: no questions in it")
    return Questions(tuple(questions.values()), repairs)


def find_question_file(directory: str | Path, split: str) -> Path:
    """The one file of a folder whose name has the split as a word: `dev-v1.1.json`, `jaquad_dev.json.xz`.

    Raises:
        UserError: the folder does not exist, or no file or several files match.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; expected one with a file like {split}.json")
    compressions = "|".join(map(re.escape, COMPRESSION_SUFFIXES))
    pattern = re.compile(rf"(?:.*[-_.])?{split}(?:[-_.].*)?\.jsonl?(?:{compressions})?", re.DOTALL | re.IGNORECASE)
    matches = sorted(path.name for path in directory.iterdir() if path.is_file() and pattern.fullmatch(path.name))
    if len(matches) == 1:
        return directory / matches[0]
    if matches:
        raise UserError(
            f"{directory}: several files for the split {split}: {', '.join(matches)}; name the one that you want"
        )
    raise UserError(f"{directory}: no file with {split} in its name and the suffix .json or .jsonl")


Raw = Iterator[tuple[str, dict[str, Any], Any, str]]
"""Place, entry, context and title of each question."""


def _squad_questions(path: Path) -> Raw:
    text = "".join(line for _, line in read_lines(path)).removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = (
            f", line {error.lineno}: not valid JSON ({error.msg})"
            if isinstance(error, json.JSONDecodeError)
            else ": too deep"
        )
        raise UserError(f"{path}{where}") from error
    articles = document.get("data") if isinstance(document, dict) else None
    for i, article in enumerate(_objects(articles, f"{path}, data")):
        place = f"{path}, data[{i}].paragraphs"
        for j, paragraph in enumerate(_objects(article.get("paragraphs"), place)):
            title = article.get("title", "")
            for k, entry in enumerate(_objects(paragraph.get("qas"), f"{place}[{j}].qas")):
                yield f"{place}[{j}].qas[{k}]", entry, paragraph.get("context"), title if isinstance(title, str) else ""


def _row_questions(source: str | Path) -> Raw:
    for row in read_rows(source):
        entry = dict(row.values)
        answers = entry.get("answers")
        if isinstance(answers, dict):
            texts, starts = answers.get("text"), answers.get("answer_start")
            if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
                raise UserError(f"{row.place}: answers must hold the lists text and answer_start, one start per text")
            entry["answers"] = [
                {"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)
            ]
        title = entry.get("title")
        yield row.place, entry, entry.get("context"), title if isinstance(title, str) else ""


def _objects(value: Any, place: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise UserError(f"{place}: expected a list of JSON objects, as in SQuAD (data → paragraphs → qas)")
    return value


def _question(
    place: str,
    entry: dict[str, Any],
    context: Any,
    title: str,
    source: str,
    on_mismatch: OnMismatch,
    repairs: Counter[str],
) -> Question:
    identity, text = entry.get("id"), entry.get("question")
    if not isinstance(identity, (str, int)) or not isinstance(text, str) or not isinstance(context, str):
        raise UserError(f"{place}: a question has an id, and question and context, which are texts")
    stripped = context.strip()
    if not stripped or not text.strip():
        raise UserError(f"{place}: the {'question' if stripped else 'context'} of {identity} is blank; leave it out")
    leading = len(context) - len(context.lstrip())
    answers: tuple[Answer, ...] | None = None
    if entry.get("is_impossible") is True:
        answers = ()  # what SQuAD 2 calls plausible answers are none
    elif entry.get("answers") is not None:
        found = (
            _answer(f"{place}.answers[{i}]", raw, stripped, leading, on_mismatch, repairs)
            for i, raw in enumerate(_objects(entry["answers"], f"{place}.answers"))
        )
        answers = tuple(found)
    margins = context[:leading], context[leading + len(stripped) :]
    return Question(str(identity), text.strip(), stripped, answers, title, margins, source)


def _answer(
    place: str, raw: dict[str, Any], context: str, leading: int, on_mismatch: OnMismatch, repairs: Counter[str]
) -> Answer:
    text = raw.get("text", raw.get("answer_text"))
    start = raw.get("answer_start")
    if not isinstance(text, str) or not isinstance(start, int) or isinstance(start, bool):
        raise UserError(f"{place}: an answer has text, which is a text, and answer_start, which is a whole number")
    answer = text.strip()
    if not answer:
        raise UserError(f"{place}: the answer is blank; a question without answer has an empty list of answers")
    wanted = start - leading + len(text) - len(text.lstrip())
    if wanted >= 0 and context.startswith(answer, wanted):
        return Answer(answer, wanted)
    if on_mismatch == "error":
        found = context[max(0, wanted) : max(0, wanted) + len(answer)]
        raise UserError(f"{place}: the text {answer!r} is not at {start}, where the context has {found!r}")
    nearest = min(
        (match.start() for match in re.finditer(f"(?={re.escape(answer)})", context)),
        key=lambda at: abs(at - wanted),
        default=None,
    )
    repairs["not in the context" if nearest is None else "moved"] += 1
    return Answer(answer, nearest)
