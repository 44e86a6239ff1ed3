"""Report pages."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pixel_lm.analysis.report import Report, TaggedWord, line_chart
from pixel_lm.errors import UserError

SVG = "{http://www.w3.org/2000/svg}"


class _Balance(HTMLParser):
    """Checks that tags are closed in order and remembers attributes that would load something."""

    VOID = ("meta", "img", "line", "circle", "polyline", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _filled() -> Report:
    report = Report("Title <&>", "what it is")
    report.heading("Numbers & more")
    report.paragraph("Mind <this>", note=True)
    report.table(["tagger", "accuracy"], [["word list", "74.1"], ["pretrained", "91.0"]], best=1)
    report.charts([line_chart({"loss": [(0, 1.0), (100, 0.5)]}, "loss", "steps", "loss")])
    report.picture(Image.fromarray(np.zeros((4, 4), np.uint8)), "a black square")
    report.tagged_sentence(
        [TaggedWord("שלום", "NOUN", "VERB", True), TaggedWord(".", "PUNCT", "PUNCT")], right_to_left=True
    )
    report.code("steps: 3", "settings")
    return report


def test_page_is_well_formed_and_loads_nothing() -> None:
    page = _filled().to_html()
    balance = _Balance()
    balance.feed(page)
    assert balance.open == []
    assert balance.loaded and all(value.startswith("data:") for value in balance.loaded)
    assert "@import" not in page and "url(" not in page and "<script" not in page
    assert "Title &lt;&amp;&gt;" in page and "Mind &lt;this&gt;" in page


def test_errors_and_new_words_are_marked() -> None:
    page = _filled().to_html()
    assert '<div class="sentence" dir="rtl">' in page
    assert '<span class="word wrong new"><b>שלום</b><small>VERB</small><small>gold NOUN</small></span>' in page
    assert '<span class="word"><b>.</b><small>PUNCT</small></span>' in page


def test_pictures_are_inside() -> None:
    match = re.search(r'src="data:image/png;base64,([^"]+)"', _filled().to_html())
    assert match is not None
    picture = Image.open(io.BytesIO(base64.b64decode(match[1])))
    assert picture.size == (4, 4)


def test_number_columns_and_best_row() -> None:
    page = _filled().to_html()
    assert "<tr class=best><td>pretrained</td><td class=number>91.0</td></tr>" in page
    with pytest.raises(ValueError, match="2 cells"):
        Report("x").table(["a", "b"], [["only one"]])


def test_chart_draws_every_point_at_its_place() -> None:
    svg = ElementTree.fromstring(
        line_chart({"a": [(0, 0), (50, 5), (100, 10)], "b": [(0, 10), (100, 0)]}, "t", "x", "y")
    )
    first, second = [
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        for line in svg.iter(f"{SVG}polyline")
    ]
    assert len(first) == 3 and len(second) == 2
    (x0, y0), (x1, y1), (x2, y2) = first
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1) and y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert x0 < x2 and y0 > y2  # larger values are higher up, where y is smaller
    assert second[0] == (x0, y2) and second[1] == (x2, y0)
    assert {text.text for text in svg.iter(f"{SVG}text")} >= {"a", "b", "t", "x", "y", "0", "100"}


def test_chart_of_awkward_data() -> None:
    svg = ElementTree.fromstring(
        line_chart({"constant": [(1, 2.0), (2, float("nan")), (3, 2.0)], "one": [(2, 2.0)]}, "t", "x", "y")
    )
    assert len(next(svg.iter(f"{SVG}polyline")).attrib["points"].split()) == 2
    assert len(list(svg.iter(f"{SVG}circle"))) == 1
    with pytest.raises(ValueError, match="nothing to draw"):
        line_chart({"empty": []}, "t", "x", "y")


def test_saving(tmp_path: Path) -> None:
    path = _filled().save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(UserError, match="cannot write the report"):
        _filled().save(tmp_path / "missing" / "report.html")
