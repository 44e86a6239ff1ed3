"""Report pages: one HTML file that needs nothing else.

A `Report` is filled part by part (paragraphs, tables, loss curves, pictures, tagged sentences) and written as a page
with its styles and pictures inside, so that it can be mailed or archived. Curves are drawn as SVG here; there is no
script.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = (
    "#1f6feb",
    "#d1600a",
    "#1a7f4b",
    "#8250df",
)  # told apart by colour-blind readers too; lines are labelled as well

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: #fdfdfb; color: #1c2126;
  font: 16px/1.55 "Noto Sans", system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid #d8dade; }
p.lead { color: #4b545d; margin-top: 0; }
p.note { border-left: 4px solid #d9a514; background: #fff8e1; padding: .6rem .9rem; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; border-bottom: 1px solid #e6e8eb; vertical-align: top; }
th { font-weight: 600; color: #4b545d; border-bottom: 2px solid #c4c9ce; }
td.number, th.number { text-align: right; padding-left: .9rem; }
tr.best td { font-weight: 700; background: #eef6f0; }
figure { margin: 1.2rem 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; border: 1px solid #d8dade; background: #fff; }
figcaption { font-size: .9rem; color: #4b545d; margin-top: .3rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.charts figure { flex: 1 1 26rem; margin: .4rem 0; }
svg { max-width: 100%; height: auto; }
svg text { font: 12px "Noto Sans", system-ui, "DejaVu Sans", sans-serif; fill: #4b545d; }
.sentence { margin: .9rem 0 1.3rem; line-height: 1; }
.word { display: inline-block; vertical-align: top; text-align: center; padding: .25rem .35rem; margin: .15rem .1rem; border-radius: .3rem; }
.word b { display: block; font-weight: 400; font-size: 1.05rem; line-height: 1.5; unicode-bidi: isolate; }
.word small { display: block; font-size: .68rem; color: #5a636c; line-height: 1.35; direction: ltr; }
.word.new b { border-bottom: 2px dotted #6f7780; }
.word.wrong { background: #fde8e4; }
.word.wrong small { color: #a3210f; font-weight: 700; }
.word.wrong small + small { color: #4b545d; font-weight: 400; }
pre { background: #f1f2f3; padding: .7rem .9rem; overflow-x: auto; font-size: .85rem; }
details summary { cursor: pointer; color: #4b545d; }
"""


class TaggedWord(NamedTuple):
    """A word in a tagged sentence: what it should be, what the model says, and whether training had this form."""

    form: str
    gold: str
    predicted: str
    is_new: bool = False


class Report:
    """A page under construction.

    Args:
        title: heading of the page.
        lead: one sentence below it.
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self.title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if lead:
            self._parts.append(f'<p class="lead">{html.escape(lead)}</p>')

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str, *, note: bool = False) -> None:
        """A paragraph; `note` marks what a reader must not miss."""
        self._parts.append(f"<p{' class=note' if note else ''}>{html.escape(text)}</p>")

    def code(self, text: str, summary: str | None = None) -> None:
        """Preformatted text, folded away behind `summary` if that is given."""
        block = f"<pre>{html.escape(text)}</pre>"
        if summary is not None:
            block = f"<details><summary>{html.escape(summary)}</summary>{block}</details>"
        self._parts.append(block)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, best: int | None = None) -> None:
        """A table; columns in which every cell looks like a number are set to the right.

        Args:
            header: names of the columns.
            rows: cells, as many as there are columns.
            best: index of the row to emphasise.

        Raises:
            ValueError: a row has another number of cells than the header.
        """
        if any(len(row) != len(header) for row in rows):
            raise ValueError(f"every row needs {len(header)} cells")
        numeric = [bool(rows) and all(_looks_numeric(row[column]) for row in rows) for column in range(len(header))]

        def line(cells: Sequence[str], tag: str, emphasise: bool = False) -> str:
            inner = "".join(
                f"<{tag}{' class=number' if right else ''}>{html.escape(cell)}</{tag}>"
                for cell, right in zip(cells, numeric, strict=True)
            )
            return f"<tr{' class=best' if emphasise else ''}>{inner}</tr>"

        body = "".join(line(row, "td", index == best) for index, row in enumerate(rows))
        self._parts.append(f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>")

    def picture(self, image: Image, caption: str, *, width: int | None = None) -> None:
        """A picture, stored inside the page as PNG.

        Args:
            image: any PIL image.
            caption: what it shows; also its alternative text.
            width: shown at this width in CSS pixels (None: its own).
        """
        buffer = io.BytesIO()
        image.save(buffer, format="PNG", optimize=True)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        size = f' width="{width}"' if width else ""
        self._parts.append(
            f'<figure><img alt="{html.escape(caption)}"{size} src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def charts(self, charts: Sequence[str]) -> None:
        """Charts made by `line_chart`, side by side where there is room."""
        figures = "".join(f"<figure>{chart}</figure>" for chart in charts)
        self._parts.append(f'<div class="charts">{figures}</div>')

    def tagged_sentence(self, words: Sequence[TaggedWord], *, right_to_left: bool = False) -> None:
        """A sentence with tags below its words. Errors are marked and show the right tag; new forms are dotted."""
        cells = []
        for word in words:
            wrong = word.gold != word.predicted
            classes = "word" + (" wrong" if wrong else "") + (" new" if word.is_new else "")
            tags = f"<small>{html.escape(word.predicted)}</small>"
            if wrong:
                tags += f"<small>gold {html.escape(word.gold)}</small>"
            cells.append(f'<span class="{classes}"><b>{html.escape(word.form)}</b>{tags}</span>')
        direction = "rtl" if right_to_left else "ltr"
        self._parts.append(f'<div class="sentence" dir="{direction}">{"".join(cells)}</div>')

    def to_html(self) -> str:
        """The whole page."""
        body = "\n".join(self._parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the page and return its path.

        Raises:
            UserError: the file cannot be written.
        """
        path = Path(path)
        try:
            path.write_text(self.to_html(), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write the report {path}: {error.strerror or error}") from None
        return path


def _looks_numeric(cell: str) -> bool:
    try:
        float(cell.strip().rstrip("%").replace(" ", "").replace("−", "-").replace("–", "0"))
    except ValueError:
        return False
    return True


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    x_label: str,
    y_label: str,
    *,
    width: int = 460,
    height: int = 280,
) -> str:
    """Lines over a common axis as an SVG element.

    Args:
        series: points (x, y) by name; points that are not finite are left out.
        title, x_label, y_label: texts.
        width, height: size in CSS pixels.

    Raises:
        ValueError: there is no point at all.
    """
    lines = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)] for name, points in series.items()
    }
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    if not xs:
        raise ValueError("nothing to draw")
    x_ticks, y_ticks = _ticks(min(xs), max(xs)), _ticks(min(ys), max(ys))
    left, right, top, bottom = 52, 16, 44 + (18 if len(lines) > 1 else 0), 42
    x_low, x_high = min(x_ticks[0], min(xs)), max(x_ticks[-1], max(xs))
    y_low, y_high = min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low or 1)
        up = (y - y_low) / (y_high - y_low or 1)
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{html.escape(title)}</title>',
        f'<text x="{left}" y="18" style="font-weight:600;font-size:14px;fill:#1c2126">{html.escape(title)}</text>',
    ]
    for tick in y_ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in x_ticks:
        x, _ = place(tick, y_low)
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 18}" text-anchor="middle">{_number(tick)}</text>')
    parts.append(
        f'<line x1="{left}" x2="{width - right}" y1="{height - bottom}" y2="{height - bottom}" stroke="#8a939b"/>'
    )
    middle = (left + width - right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{height - 6}" text-anchor="middle">{html.escape(x_label)}</text>')
    parts.append(f'<text x="{left}" y="36">{html.escape(y_label)}</text>')
    legend = left
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        if len(points) == 1:
            x, y = place(*points[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        else:
            parts.append(
                f'<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round" points="{drawn}"/>'
            )
        if len(lines) > 1:
            parts.append(f'<line x1="{legend}" x2="{legend + 18}" y1="50" y2="50" stroke="{colour}" stroke-width="3"/>')
            parts.append(f'<text x="{legend + 24}" y="54">{html.escape(name)}</text>')
            legend += 44 + 7 * len(name)
    return "".join(parts) + "</svg>"


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span low … high."""
    if high <= low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough)
    first = math.floor(low / step)
    last = math.ceil(high / step)
    return [index * step for index in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= 1000 else f"{value:.6g}"
