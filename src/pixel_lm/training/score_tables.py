"""The tables of the paper, filled with the scores of fine-tuning runs: what `pixel-lm table` prints.

`recipes/tables.yaml` says which score of which recipe stands in which column. Runs with the same settings but for the seed are one cell,
mean and standard deviation; runs of the same model are one row.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from pixel_lm.data.catalogue import find_entry
from pixel_lm.errors import UserError
from pixel_lm.tasks import TASKS, get_task
from pixel_lm.tasks.metrics import mean_and_deviation
from pixel_lm.tasks.task import options_from
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.checkpoints import FREE_SETTINGS, RECORD, RESULTS, checkpoints
from pixel_lm.training.recipes import find_recipe, read_recipe, recipes_dir

__all__ = ["Cell", "Run", "Table", "as_csv", "as_markdown", "build_tables", "find_runs"]

PUBLISHED = "PIXEL (published)"
PUBLISHED_TEXT = "BERT (published)"
BASELINE = "simple baseline"
SPLITS = ("test", "eval")


@dataclass(frozen=True)
class Run:
    """A folder that fine-tuning wrote.

    Attributes:
        settings: of the run, by the names of `FinetuneArguments`.
        results: what `all_results.json` holds; None if the run is not finished.
        problem: why there are no results.
    """

    folder: Path
    settings: dict[str, Any]
    results: dict[str, Any] | None = None
    problem: str = ""

    @property
    def recipe(self) -> str:
        """Name of the recipe, without folder and ending; empty if the run had none."""
        return Path(self.settings.get("recipe") or "").stem

    @property
    def model(self) -> str:
        """What it began with, and whether it saw or was scored on a part of the data only."""
        name = self.settings.get("model")
        start = f"{name} (random weights)" if name and self.settings.get("from_scratch") else name or "random weights"
        part = any(self.settings.get(key) for key in ("max_train_examples", "max_eval_examples"))
        return start + (", part of the data" if part else "")

    @cached_property
    def kind(self) -> str:
        """The settings without those that do not change scores and without the seed: the same for all seeds of an experiment."""
        kept = {k: v for k, v in self.settings.items() if k not in FREE_SETTINGS and k not in ("seed", "seeds")}
        return json.dumps(kept, sort_keys=True)


@dataclass(frozen=True)
class Cell:
    """A score in percent, over seeds."""

    score: float
    deviation: float | None = None
    seeds: int = 0

    def __str__(self) -> str:
        return f"{self.score:.1f}" if self.deviation is None else f"{self.score:.1f} ± {self.deviation:.1f}"


@dataclass
class Table:
    """Rows of cells by heading; a cell that nothing is known of is missing."""

    title: str
    columns: list[str]
    rows: list[tuple[str, dict[str, Cell]]] = field(default_factory=list)


# -- runs -------------------------------------------------------------------------------------------------------------


def find_runs(folders: Iterable[str | Path]) -> list[Run]:
    """The fine-tuning runs in some folders and in all folders below, in the order of the alphabet.

    Raises:
        UserError: a folder does not exist, or there is no run at all.
    """
    places = [Path(folder) for folder in folders]
    runs: dict[Path, Run] = {}
    for folder in places:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        for record in _records(folder):
            if (run := _read_run(record)) is not None:
                runs.setdefault(run.folder.resolve(), run)
    if not runs:
        raise UserError(f"no fine-tuning runs in {', '.join(map(str, places))}: a run is a folder with {RECORD}")
    return sorted(runs.values(), key=lambda run: run.folder)


def _records(folder: Path) -> Iterator[Path]:
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith(("checkpoint-", ".")))
        if RECORD in files:
            yield Path(place, RECORD)


def _read_run(record: Path) -> Run | None:
    """The run in a folder, or None if it is no fine-tuning."""
    folder = record.parent
    try:
        settings = yaml.safe_load(record.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return Run(folder, {}, problem=f"{RECORD} cannot be read")
    if not isinstance(settings, dict) or "task" not in settings:
        return None
    path = folder / RESULTS
    if not path.is_file():
        done = max((int(checkpoint.name.partition("-")[2]) for checkpoint in checkpoints(folder)), default=0)
        return Run(folder, settings, problem=f"saved at step {done} of {settings.get('steps')}")
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        results = None
    if not isinstance(results, dict):
        return Run(folder, settings, problem=f"{RESULTS} cannot be read")
    return Run(folder, settings, results)


def _cell(runs: Sequence[Run], key: str) -> Cell | None:
    """Mean and deviation of a score over the runs that have it; None if none has."""
    scores = [100 * run.results[key] for run in runs if run.results and isinstance(run.results.get(key), int | float)]
    if not scores:
        return None
    mean, deviation = mean_and_deviation(scores)
    return Cell(mean, deviation if len(scores) > 1 else None, len(scores))


# -- tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    heading: str
    recipe: str
    key: str
    text_model: float | None


def build_tables(runs: Sequence[Run]) -> list[Table]:
    """The tables of the paper that the finished runs belong to, and one of all other finished runs."""
    finished = [run for run in runs if run.results is not None]
    tables = []
    layouts = yaml.safe_load((recipes_dir() / "tables.yaml").read_text(encoding="utf-8"))
    for task, layout in layouts.items():
        columns = [_Column(*values) for values in layout["columns"]]
        recipes = {column.recipe for column in columns}
        by_data = {_data_name(_recipe(task, name).get("data")): name for name in recipes}
        finished = [
            replace(run, settings=run.settings | {"recipe": by_data.get(_data_name(run.settings.get("data")))})
            if run.settings["task"] == task and not run.recipe and not run.settings.get("train_file")
            else run
            for run in finished
        ]
        mine = [run for run in finished if run.settings["task"] == task and run.recipe in recipes]
        finished = [run for run in finished if run not in mine]
        if mine:
            tables.append(_paper_table(task, layout["title"], columns, layout.get("mean", []), mine))
    if finished:
        tables.append(_other_table(finished))
    return tables


def _recipe(task: str, name: str) -> dict[str, Any]:
    return read_recipe(find_recipe(name, f"finetune/{task}"), FinetuneArguments)


def _data_name(data: str | None) -> str:
    """What a data set is called, however it was given: by a folder, by its name or that of its folder in the catalogue."""
    name = Path(data).name if data else ""
    entry = find_entry(name)
    return entry.name if entry else name


def _paper_table(task: str, title: str, columns: list[_Column], averaged: list[str], runs: list[Run]) -> Table:
    table = Table(title, [column.heading for column in columns])
    table.rows += [(PUBLISHED, _published(task, columns))]
    table.rows += [
        (PUBLISHED_TEXT, {c.heading: Cell(c.text_model) for c in columns if c.text_model is not None}),
        *_rows_of_models(columns, runs),
        (BASELINE, _baseline(columns, runs)),
    ]
    table.rows = [(name, cells) for name, cells in table.rows if cells]
    if averaged:
        table.columns.append("mean")
        for _, cells in table.rows:
            if all(heading in cells for heading in averaged):
                cells["mean"] = Cell(sum(cells[heading].score for heading in averaged) / len(averaged))
    return table


def _published(task: str, columns: list[_Column]) -> dict[str, Cell]:
    cells = {}
    for column in columns:
        scores = _recipe(task, column.recipe).get("published_scores") or {}
        if column.key in scores:
            cells[column.heading] = Cell(scores[column.key])
    return cells


def _baseline(columns: list[_Column], runs: list[Run]) -> dict[str, Cell]:
    """It does not depend on model and seed: that of the first run that has it."""
    cells = {}
    for column in columns:
        split, _, name = column.key.partition("_")
        found = (_cell([run], f"{split}_baseline_{name}") for run in runs if run.recipe == column.recipe)
        if (cell := next(filter(None, found), None)) is not None:
            cells[column.heading] = cell
    return cells


def _rows_of_models(columns: list[_Column], runs: list[Run]) -> list[tuple[str, dict[str, Cell]]]:
    """A row for each model; further ones, with the names of the folders, where a model was trained with several settings."""
    rows: list[tuple[str, dict[str, Cell]]] = []
    for model in dict.fromkeys(run.model for run in runs):
        mine: list[dict[str, Cell]] = []
        names: list[set[str]] = []
        for column in columns:
            of_column = [run for run in runs if run.model == model and run.recipe == column.recipe]
            for number, kind in enumerate(dict.fromkeys(run.kind for run in of_column)):
                group = [run for run in of_column if run.kind == kind]
                if (cell := _cell(group, column.key)) is None:
                    continue
                while len(mine) <= number:
                    mine.append({})
                    names.append(set())
                mine[number][column.heading] = cell
                names[number].add(_folder(group))
        for number, cells in enumerate(mine):
            least, most = (choose(cell.seeds for cell in cells.values()) for choose in (min, max))
            seeds = "" if most == 1 else f", {most} seeds" if least == most else f", {least}–{most} seeds"
            place = f" in {', '.join(sorted(names[number]))}" if len(mine) > 1 else ""
            rows.append((model + place + seeds, cells))
    return rows


def _folder(group: list[Run]) -> str:
    """The folder of a run, or the one that holds those of all seeds."""
    return str(group[0].folder if len(group) == 1 else os.path.commonpath([run.folder for run in group]))


def _other_table(runs: list[Run]) -> Table:
    """Runs without a recipe of the paper, a row for each experiment."""
    table = Table("Other runs", ["score", "baseline"])
    for kind in dict.fromkeys(run.kind for run in runs):
        group = [run for run in runs if run.kind == kind]
        key = _main_score(group[0])
        split, _, name = key.partition("_")
        cells = {"score": _cell(group, key), "baseline": _cell(group[:1], f"{split}_baseline_{name}")}
        label = f"{group[0].settings['task']}, {_folder(group)}: {split} {name.replace('_', ' ')}"
        table.rows.append((label, {heading: cell for heading, cell in cells.items() if cell is not None}))
    return table


def _main_score(run: Run) -> str:
    """The score that the best checkpoint was chosen by, on test data if there are such; of tasks from outside the first one."""
    results, task = run.results or {}, run.settings["task"]
    names = [key.partition("_baseline_")[2] for key in results if "_baseline_" in key]
    if task in TASKS:
        names.insert(0, get_task(task).with_options(options_from(run.settings)).metric)
    return next((f"{split}_{name}" for name in names for split in SPLITS if f"{split}_{name}" in results), "")


# -- output -----------------------------------------------------------------------------------------------------------


def as_markdown(tables: Sequence[Table]) -> str:
    """Tables with headings."""
    parts = []
    for table in tables:
        lines = [f"| | {' | '.join(table.columns)} |", "|---|" + "---:|" * len(table.columns)]
        for name, cells in table.rows:
            lines.append(f"| {name} | {' | '.join(str(cells.get(column, '')) for column in table.columns)} |")
        parts.append(f"## {table.title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def as_csv(tables: Sequence[Table]) -> str:
    """A line for each cell: table, row, column, score, standard deviation (empty for a single run), number of seeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "row", "column", "score", "std", "seeds"])
    for table in tables:
        for name, cells in table.rows:
            for column in table.columns:
                if (cell := cells.get(column)) is not None:
                    deviation = "" if cell.deviation is None else f"{cell.deviation:.4f}"
                    writer.writerow([table.title, name, column, f"{cell.score:.4f}", deviation, cell.seeds or ""])
    return text.getvalue()
