"""What a run leaves behind for people and programs: a summary on the screen and results as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging


@contextlib.contextmanager
def no_progress_bars() -> Iterator[None]:
    """Hide transformers' bars about reading and writing weights."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write an object, readable and in the order of its keys as given."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def print_summary(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a title and aligned lines; rows with empty text are left out."""
    width = max(len(name) for name, _ in rows)
    print(f"\n{title}")
    for name, text in rows:
        if text:
            print(f"  {name:<{width}}  {text}")


def count_parameters(model: PreTrainedModel) -> int:
    """Number of parameters, position tables included."""
    return sum(parameter.numel() for parameter in model.parameters())


def format_count(number: int) -> str:
    """`1234` → `1 234`, `112334080` → `112.3 million`."""
    return f"{number / 1e6:.1f} million" if number >= 1_000_000 else f"{number:,}".replace(",", " ")


def last_value(history: Sequence[Mapping[str, Any]], key: str, step: int | None = None) -> float | None:
    """The newest value of a key in a log history, or that at a step; None if there is none."""
    for entry in reversed(history):
        if key in entry and (step is None or entry["step"] == step):
            value: float = entry[key]
            return value
    return None
