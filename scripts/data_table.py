"""Write the table of data sets in docs/finetuning.md anew: `python scripts/data_table.py`. A test compares the two."""

from __future__ import annotations

import re
from pathlib import Path

from pixel_lm.data.catalogue import Entry, catalogue

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "finetuning.md"
BEGIN, END = "<!-- data -->", "<!-- end of data -->"


def table() -> str:
    """A row for each data set: its name, what it is, for which tasks, size, licence, and when it is fetched."""
    lines = ["| name | data | for | MB | licence | fetched |", "|---|---|---|---:|---|---|"]
    for entry in catalogue():
        size = f"{entry.size / 1e6:.1f}" if entry.files else ""
        tasks = ", ".join(f"`{task}`" for task in entry.tasks)
        licence = f"[{entry.licence}]({entry.licence_url})"
        lines.append(f"| `{entry.name}` | {entry.title} | {tasks} | {size} | {licence} | {when(entry)} |")
    return "\n".join(lines) + "\n"


def when(entry: Entry) -> str:
    """What makes the data come."""
    return "never" if entry.unavailable else "when named" if entry.open else "`data get`"


def renewed(text: str) -> str:
    """The guide with a new table."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{table()}\n{END}", text, flags=re.DOTALL)


if __name__ == "__main__":
    GUIDE.write_text(renewed(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
