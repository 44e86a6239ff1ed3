"""PangoCairo driven as the original implementation drives it; run by `rendering.py` with the system's Python.

Reads one JSON object a line from standard input, {"kind": …, "inputs": […]}, and answers each with the seconds it took.
Needs python3-gi, python3-gi-cairo, gir1.2-pango-1.0 and python3-cairo, nothing of ours.
"""

import json
import sys
import time
from typing import Any

import cairo  # type: ignore[import-not-found]
import gi  # type: ignore[import-not-found]

gi.require_version("Pango", "1.0")
gi.require_version("PangoCairo", "1.0")
from gi.repository import Pango, PangoCairo  # type: ignore[import-not-found]  # noqa: E402

PATCH = 16
INVERT = bytes(255 - value for value in range(256))


class Renderer:
    """Text, words and pairs on a new surface for every input."""

    def __init__(self, num_patches: int) -> None:
        self.width = num_patches * PATCH

    def begin(self) -> tuple[Any, Any]:
        surface = cairo.ImageSurface(cairo.FORMAT_A8, self.width, PATCH)
        return surface, cairo.Context(surface)

    def draw(self, context: Any, text: str, x: int) -> tuple[Any, int]:
        layout = PangoCairo.create_layout(context)
        layout.set_font_description(Pango.FontDescription("Noto Sans 13.333333333333334px"))
        layout.set_text(text, -1)
        width, height = layout.get_pixel_size()
        context.move_to(x, PATCH / 2.0 - height / 2.0 - 2)
        PangoCairo.show_layout(context, layout)
        return layout, width

    def up(self, x: int) -> int:
        return min(-(-x // PATCH) * PATCH, self.width - PATCH)

    def separate(self, context: Any, x: int) -> None:
        context.rectangle(x, 0, PATCH, PATCH)
        context.fill()

    def finish(self, surface: Any) -> bytes:
        return bytes(surface.get_data()).translate(INVERT)

    def text(self, text: str) -> bytes:
        surface, context = self.begin()
        _, width = self.draw(context, text.replace("\n", " "), 2)
        self.separate(context, self.up(width + 4))
        return self.finish(surface)

    def words(self, words: list[str]) -> bytes:
        surface, context = self.begin()
        x = 2
        for word in words:
            _, width = self.draw(context, word + " ", x)
            x = self.up(x + width)
            if x == self.width - PATCH:
                break
        self.separate(context, x)
        return self.finish(surface)

    def offsets(self, layout: Any) -> list[tuple[int, int]]:
        positions = []
        iterator = layout.get_iter()
        while True:
            positions.append(iterator.get_char_extents().x / Pango.SCALE)
            if not iterator.next_char():
                break
        clusters = []
        iterator = layout.get_iter()
        while True:
            clusters.append(iterator.get_cluster_extents()[1].x / Pango.SCALE)
            if not iterator.next_cluster():
                break
        spans: list[tuple[int, int]] = []
        previous = 0
        for index, x in enumerate(positions):
            if x >= PATCH * (len(spans) + 1):
                spans.append((previous, index))
                previous = index
        return [*spans, (previous, len(positions))]

    def windows(self, pair: list[str], stride: int = 160) -> int:
        question, passage = pair
        count = 0
        while True:
            surface, context = self.begin()
            layout, width = self.draw(context, question, 2)
            middle = self.up(width + 4)
            self.offsets(layout)
            begin = middle + PATCH + 2
            layout, width = self.draw(context, passage, begin)
            self.separate(context, middle)
            self.separate(context, self.up(begin + width + 2))
            if count == 0:
                spans = self.offsets(layout)
                full = len(spans)
            self.finish(surface)
            count += 1
            overflow = -(-(begin + width - (self.width - PATCH)) // PATCH)
            if overflow <= 0 or overflow + stride >= len(spans):
                return count
            passage = passage[spans[-overflow - stride][0] - spans[0][0] :]
            spans = [(start - spans[-overflow - stride][0], end) for start, end in spans[-overflow - stride :]]
            if count > full:
                return count


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        renderer = Renderer(job["num_patches"])
        draw = getattr(renderer, job["kind"])
        began = time.perf_counter()
        for value in job["inputs"]:
            draw(value)
        print(json.dumps(time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
