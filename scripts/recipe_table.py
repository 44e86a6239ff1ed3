"""Write the table of recipes in docs/finetuning.md anew: `python scripts/recipe_table.py`. A test compares the two."""

from __future__ import annotations

import re
from pathlib import Path

from pixel_lm.tasks import TASKS
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.recipes import find_recipe, read_recipe, recipe_names

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "finetuning.md"
BEGIN, END = "<!-- recipes -->", "<!-- end of recipes -->"
BASE_MODEL = "Team-PIXEL/pixel-base"


def table() -> str:
    """A row for each recipe: what it is called, its published score, and what differs from the defaults."""
    lines = ["| task | recipe | published score | settings |", "|---|---|---:|---|"]
    for task in TASKS:
        for name in recipe_names(f"finetune/{task}"):
            values = read_recipe(find_recipe(name, f"finetune/{task}"), FinetuneArguments)
            scores = values.pop("published_scores", None) or {}
            score = published(scores)
            if values.get("model") == BASE_MODEL:
                del values["model"]
            settings = ", ".join(f"{key.replace('_', '-')} {shown(value)}" for key, value in values.items())
            lines.append(f"| {task} | `{name}` | {score} | {settings} |")
    return "\n".join(lines) + "\n"


def published(scores: dict[str, float]) -> str:
    """The published score, and further ones by what tells their names from that of the first: part of the data, or language."""
    main = next(iter(scores), "").split("_")
    labels = (next((part for part in key.split("_") if part not in main), "") for key in scores)
    return ", ".join(f"{label} {score}".strip() for label, score in zip(labels, scores.values(), strict=True))


def shown(value: object) -> str:
    """A setting as one would type it."""
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def renewed(text: str) -> str:
    """The guide with a new table."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{table()}\n{END}", text, flags=re.DOTALL)


if __name__ == "__main__":
    GUIDE.write_text(renewed(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
