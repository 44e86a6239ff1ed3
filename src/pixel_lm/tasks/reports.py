"""Where a model is wrong: scores of each label, frequent mistakes, and every example that is wrong.

A task compares its gold data with predictions (`Task.report`) and gives an `ErrorReport`, made with the functions below;
`write_report` turns it into files for people and for programs. Predictions are those of `predict`, so everything counts, also what
did not fit into the first strip.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pixel_lm.data.dependencies import Arc

Cell = str | int | float
Pair = tuple[str, str]
"""A gold label and the predicted one."""

FREQUENT_MISTAKES = 20
FIRST_WORDS = 20
DISTANCES = ((0, "root"), (1, "1"), (2, "2"), (6, "3–6"), (10, "7–10"))
"""Largest distance between a word and its head, and the name of the group; beyond: more than 10."""


@dataclass(frozen=True)
class Table:
    """A table of a report. Floats are shares between 0 and 1, or other numbers where the name of the column says so."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class ErrorReport:
    """What is right and wrong."""

    unit: str
    """What is compared, in the plural: words, examples, questions."""
    total: int
    tables: tuple[Table, ...]
    errors: Table
    """One row for each that is wrong."""
    pairs: tuple[Pair, ...] = ()
    """Gold and predicted label of each, for a confusion matrix; empty where there are no labels."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Contents of further files, by name."""


def confusion(pairs: Iterable[Pair]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Labels, the most frequent gold ones first, and how often each (row) was taken for each (column), int64 (n, n)."""
    counts = Counter(pairs)
    support: Counter[str] = Counter()
    for (gold, predicted), count in counts.items():
        support[gold] += count
        support[predicted] += 0
    labels = sorted(support, key=lambda label: (-support[label], label))
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for (gold, predicted), count in counts.items():
        matrix[labels.index(gold), labels.index(predicted)] = count
    return labels, matrix


def label_table(pairs: Iterable[Pair], title: str) -> Table:
    """Precision, recall, F1 and support of each label, most frequent first."""
    labels, matrix = confusion(pairs)
    return Table(
        title,
        ("label", "precision", "recall", "f1", "support"),
        tuple(
            (label, *precision_recall_f1(int(matrix[i, i]), int(matrix[:, i].sum()), int(matrix[i].sum())))
            for i, label in enumerate(labels)
        ),
    )


def precision_recall_f1(correct: int, predicted: int, gold: int) -> tuple[float, float, float, int]:
    """Precision, recall, F1 (0 where they would divide by zero), and support."""
    f1 = 2 * correct / (predicted + gold) if predicted + gold else 0.0
    return correct / predicted if predicted else 0.0, correct / gold if gold else 0.0, f1, gold


def mistakes_table(pairs: Iterable[Pair]) -> Table:
    """What is most often taken for what, and which part of the gold label it is."""
    pairs = list(pairs)
    support = Counter(gold for gold, _ in pairs)
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    rows = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT_MISTAKES]
    return Table(
        "Frequent mistakes",
        ("label", "predicted", "times", "of the label"),
        tuple((gold, predicted, count, count / support[gold]) for (gold, predicted), count in rows),
    )


def tagging_report(
    forms: Sequence[Sequence[str]], gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> ErrorReport:
    """Tags of words.

    Args:
        forms, gold, predicted: words, their tags and the predicted ones, for each sentence.
    """
    pairs = [pair for g, p in zip(gold, predicted, strict=True) for pair in zip(g, p, strict=True)]
    errors = [
        (number, place, words[place - 1], right, found, " ".join(words))
        for number, (words, g, p) in enumerate(zip(forms, gold, predicted, strict=True), start=1)
        for place, (right, found) in enumerate(zip(g, p, strict=True), start=1)
        if right != found
    ]
    columns = ("sentence", "word", "form", "gold", "predicted", "text")
    tables = (label_table(pairs, "Tags"), mistakes_table(pairs))
    return ErrorReport("words", len(pairs), tables, Table("Errors", columns, tuple(errors)), tuple(pairs))


def parsing_report(
    forms: Sequence[Sequence[str]], gold: Sequence[Sequence[Arc]], predicted: Sequence[Sequence[Arc]]
) -> ErrorReport:
    """Heads and relations of words. A relation is found where its head is right, too.

    Args:
        forms, gold, predicted: words, their arcs and the predicted ones, for each sentence.
    """
    found, wanted, right, attached = (Counter[str]() for _ in range(4))
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    pairs, errors = [], []
    for number, (words, arcs, guesses) in enumerate(zip(forms, gold, predicted, strict=True), start=1):
        for place, (arc, guess) in enumerate(zip(arcs, guesses, strict=True), start=1):
            pairs.append((arc.relation, guess.relation))
            same_head, same = arc.head == guess.head, arc == guess
            wanted[arc.relation] += 1
            found[guess.relation] += 1
            right[arc.relation] += same
            attached[arc.relation] += same_head
            group = groups[_distance(place, arc.head)]
            group.update(gold=1, head=same_head, arc=same)
            groups[_distance(place, guess.head)].update(predicted=1, confirmed=same_head)
            if not same:
                heads = ["" if not head else words[head - 1] for head in (arc.head, guess.head)]
                errors.append(
                    (number, place, words[place - 1], arc.head, heads[0], arc.relation, guess.head, heads[1], guess.relation, " ".join(words))
                )  # fmt: skip
    relations = tuple(
        (name, *precision_recall_f1(right[name], found[name], wanted[name]), _share(attached[name], wanted[name]))
        for name in sorted(wanted | found, key=lambda name: (-wanted[name], name))
    )
    distances = tuple(
        (
            name,
            groups[name]["gold"],
            _share(groups[name]["head"], groups[name]["gold"]),
            _share(groups[name]["arc"], groups[name]["gold"]),
            _share(groups[name]["confirmed"], groups[name]["predicted"]),
        )
        for name in [*(name for _, name in DISTANCES), "more"]
        if name in groups
    )
    columns = ("sentence", "word", "form", "head", "head form", "relation", "predicted head", "predicted head form", "predicted relation", "text")  # fmt: skip
    return ErrorReport(
        "words",
        len(pairs),
        (
            Table("Relations", ("relation", "precision", "recall", "f1", "support", "uas"), relations),
            Table("Distance of the head", ("distance", "support", "uas", "las", "precision"), distances),
            mistakes_table(pairs),
        ),
        Table("Errors", columns, tuple(errors)),
        tuple(pairs),
    )


def _distance(word: int, head: int) -> str:
    away = abs(word - head) if head else 0
    return next((name for limit, name in DISTANCES if away <= limit), "more")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def classification_report(
    texts: Sequence[Sequence[str]], gold: Sequence[str], predicted: Sequence[str], lines: Sequence[int]
) -> ErrorReport:
    """Labels of texts.

    Args:
        texts: one or two, for each example.
        gold, predicted: (n,) labels.
        lines: (n,) where the examples stand in their file.
    """
    pairs = list(zip(gold, predicted, strict=True))
    errors = [
        (line, right, found, *_two(parts))
        for line, (right, found), parts in zip(lines, pairs, texts, strict=True)
        if right != found
    ]
    columns = ("line", "gold", "predicted", "text", "second text")
    tables = (label_table(pairs, "Labels"), mistakes_table(pairs))
    return ErrorReport("examples", len(pairs), tables, Table("Errors", columns, tuple(errors)), tuple(pairs))


def regression_report(
    texts: Sequence[Sequence[str]], gold: Sequence[float], predicted: Sequence[float], lines: Sequence[int]
) -> ErrorReport:
    """Numbers of texts, arguments as for labels. Errors are all examples, the worst first."""
    groups: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for right, found in zip(gold, predicted, strict=True):
        groups[round(right)].append((right, found))
    rows = tuple(
        (
            str(number),
            len(group),
            float(np.mean([found for _, found in group])),
            float(np.mean([abs(right - found) for right, found in group])),
        )
        for number, group in sorted(groups.items())
    )
    columns = ("line", "gold", "predicted", "difference", "text", "second text")
    errors = sorted(
        (
            (line, right, found, found - right, *_two(parts))
            for line, right, found, parts in zip(lines, gold, predicted, texts, strict=True)
        ),
        key=lambda row: -abs(row[3]),
    )
    table = Table("Numbers", ("gold, rounded", "support", "mean prediction", "mean distance"), rows)
    return ErrorReport("examples", len(errors), (table,), Table("Errors", columns, tuple(errors)))


def _two(texts: Sequence[str]) -> tuple[str, str]:
    return texts[0], texts[1] if len(texts) > 1 else ""


@dataclass(frozen=True)
class ScoredAnswer:
    """A question, what was accepted, what was answered, and how good that is."""

    id: str
    question: str
    answers: tuple[str, ...]
    """Empty if there is none."""
    predicted: str
    exact_match: float
    f1: float


def questions_report(scored: Sequence[ScoredAnswer]) -> ErrorReport:
    """Answers by the first word of the question, by its length and by that of the answer."""
    first = [(answer.question.lower().split() or [""])[0] for answer in scored]
    frequent = {word for word, _ in Counter(first).most_common(FIRST_WORDS)}
    tables = (
        _by("First word of the question", [word if word in frequent else "(other)" for word in first], scored),
        _by("Words of the question", [_bin(len(s.question.split()), (5, 10, 15, 20)) for s in scored], scored, True),
        _by(
            "Characters of the answer",
            ["none" if not s.answers else _bin(len(s.answers[0]), (5, 10, 20, 40)) for s in scored],
            scored,
            True,
        ),
    )
    errors = tuple(
        (s.id, s.question, " | ".join(s.answers), s.predicted, s.f1) for s in scored if s.exact_match < 1
    )  # fmt: skip
    columns = ("id", "question", "answers", "predicted", "f1")
    return ErrorReport("questions", len(scored), tables, Table("Errors", columns, errors))


def _bin(number: int, limits: Sequence[int]) -> str:
    lower = 0
    for limit in limits:
        if number <= limit:
            return f"{lower + 1}–{limit}"
        lower = limit
    return f"more than {lower}"


def _by(title: str, names: Sequence[str], scored: Sequence[ScoredAnswer], by_number: bool = False) -> Table:
    groups: dict[str, list[ScoredAnswer]] = defaultdict(list)
    for name, answer in zip(names, scored, strict=True):
        groups[name].append(answer)

    def place(name: str) -> tuple[int, int, str]:
        digits = name.partition("–")[0]
        if by_number:
            return (int(digits), 0, "") if digits.isdecimal() else (0 if name == "none" else 10**9, 0, "")
        return name == "(other)", -len(groups[name]), name

    rows = tuple(
        (
            name,
            len(groups[name]),
            float(np.mean([answer.exact_match for answer in groups[name]])),
            float(np.mean([answer.f1 for answer in groups[name]])),
        )
        for name in sorted(groups, key=place)
    )
    return Table(title, (title.split(" of ")[0].lower(), "questions", "exact match", "f1"), rows)


# ---------------------------------------------------------------------------------------------------------------------
# Files


def write_report(report: ErrorReport, folder: Path, title: str, scores: Mapping[str, float]) -> list[str]:
    """Write `report.md`, `report.json`, `errors.tsv` and what else the report has.

    Args:
        report: the report.
        folder: is made if it is not there.
        title: what was scored on what.
        scores: of all of it together.

    Returns:
        The names of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels, matrix = confusion(report.pairs)
    values = {
        "title": title,
        "scores": dict(scores),
        report.unit: report.total,
        "errors": len(report.errors.rows),
        "tables": {table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in report.tables},
        "confusion": {"labels": labels, "counts": matrix.tolist()} if report.pairs else None,
    }  # fmt: skip
    texts = {
        "report.md": to_markdown(report, title, scores),
        "report.json": json.dumps(values, indent=2, ensure_ascii=False) + "\n",
        "errors.tsv": to_tsv(report.errors),
        **report.files,
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return list(texts)


def to_markdown(report: ErrorReport, title: str, scores: Mapping[str, float]) -> str:
    """The tables, shares in per cent."""
    lines = [f"# {title}", ""]
    lines += ["| score | |", "|---|---:|"]
    lines += [f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in scores.items()]
    lines += ["", f"{len(report.errors.rows)} of {report.total} {report.unit} are listed in errors.tsv."]
    for table in report.tables:
        lines += ["", f"## {table.title}", "", f"| {' | '.join(table.columns)} |"]
        numeric = [all(not isinstance(row[i], str) for row in table.rows) for i in range(len(table.columns))]
        lines.append("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
        means = [name.startswith("mean") for name in table.columns]
        lines += [
            f"| {' | '.join(_shown(cell, plain) for cell, plain in zip(row, means, strict=True))} |"
            for row in table.rows
        ]
    return "\n".join(lines) + "\n"


def _shown(cell: Cell, plain: bool = False) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}" if plain else f"{100 * cell:.2f}"
    return str(cell).replace("|", "\\|")


def to_tsv(table: Table) -> str:
    """A table with its header; tabs and line ends in cells become blanks."""
    rows = [table.columns, *table.rows]
    return "".join("\t".join(_flat(cell) for cell in row) + "\n" for row in rows)


def _flat(cell: Cell) -> str:
    return f"{cell:.4f}" if isinstance(cell, float) else " ".join(str(cell).split())
