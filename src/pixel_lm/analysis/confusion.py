"""A confusion matrix as a picture. Its labels are drawn by the text renderer, so they may be in any script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pixel_lm.rendering import TextRenderer

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_LABELS = 40
MAX_CHARACTERS = 28
"""Of a label; longer ones are cut."""

_TITLE = "per cent of each row, and how many there are of it"
_CELL, _GAP, _MARGIN, _LINE = 34, 2, 14, 16
_INK, _SOFT, _PAPER = (28, 33, 38), (110, 118, 126), (255, 255, 255)
_RIGHT, _WRONG = (31, 111, 235), (209, 72, 10)  # blue and orange: told apart by colour-blind readers, too


def draw_confusion(labels: Sequence[str], counts: npt.ArrayLike, renderer: TextRenderer | None = None) -> Image:
    """Draw how often each label (row) was taken for each (column).

    Cells give per cent of their row, 0 left out; the strength of their colour is the square root of it, so that rare
    mistakes show. Behind each row stands the number of its examples. Of more than `MAX_LABELS` labels the most frequent are shown.

    Args:
        labels: n names.
        counts: int (n, n).
        renderer: draws the labels; by default a new one.

    Raises:
        ValueError: the counts do not belong to the labels, or there are none.
    """
    from PIL import Image, ImageDraw

    matrix = np.asarray(counts, np.int64)
    if matrix.shape != (len(labels), len(labels)) or not len(labels):
        raise ValueError(f"counts {matrix.shape} for {len(labels)} labels")
    renderer = renderer or TextRenderer()
    support = matrix.sum(axis=1)
    order = np.argsort(-support, kind="stable")[:MAX_LABELS]
    shown = np.sort(order)
    names = [_text(renderer, _shortened(labels[i])) for i in shown]
    numbers = [_text(renderer, f"{support[i]:,}".replace(",", "\u2009")) for i in shown]
    left = _MARGIN + _LINE + 8 + max(name.width for name in names)
    top = _MARGIN + 2 * _LINE + 16 + max(name.width for name in names)
    right = left + len(shown) * _CELL + 8 + max(number.width for number in numbers)
    heads = {text: _text(renderer, text) for text in ("gold", "predicted", _TITLE)}
    width = max(right, left + heads[_TITLE].width) + _MARGIN
    image = Image.new("RGB", (width, top + len(shown) * _CELL + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(image)

    def put(text: Image.Image, x: int, y: int, colour: tuple[int, int, int] = _INK) -> None:
        image.paste(colour, (x, y), text)

    put(heads[_TITLE], left, _MARGIN, _SOFT)
    put(heads["predicted"], left, _MARGIN + _LINE + 4, _SOFT)
    put(heads["gold"].transpose(Image.Transpose.ROTATE_90), _MARGIN, top, _SOFT)
    for row, index in enumerate(shown):
        y = top + row * _CELL
        put(names[row], left - 8 - names[row].width, y + (_CELL - _LINE) // 2)
        upright = names[row].transpose(Image.Transpose.ROTATE_90)
        put(upright, left + row * _CELL + (_CELL - _LINE) // 2, top - 8 - upright.height)
        put(numbers[row], left + len(shown) * _CELL + 8, y + (_CELL - _LINE) // 2, _SOFT)
        for column, other in enumerate(shown):
            share = matrix[index, other] / support[index] if support[index] else 0.0
            x = left + column * _CELL
            base = _RIGHT if index == other else _WRONG
            strength = float(np.sqrt(share))
            colour = tuple(round(p + (b - p) * strength) for p, b in zip((244, 245, 246), base, strict=True))
            draw.rectangle((x, y, x + _CELL - 1 - _GAP, y + _CELL - 1 - _GAP), fill=colour)
            percent = round(100 * share)
            if percent:
                text = _text(renderer, str(percent))
                place = (x + (_CELL - _GAP - text.width) // 2, y + (_CELL - _GAP - text.height) // 2)
                put(text, *place, _PAPER if strength > 0.6 else _INK)
    return image


def _shortened(label: str) -> str:
    return label if len(label) <= MAX_CHARACTERS else label[: MAX_CHARACTERS - 1] + "…"


def _text(renderer: TextRenderer, text: str) -> Image:
    """A line of text as a mask, white where there is ink, as wide as its ink."""
    from PIL import Image

    rendering = renderer(text or " ")
    patches = rendering.patches[: rendering.num_text_patches]
    if not len(patches):
        return Image.new("L", (1, _LINE))
    line = 255 - patches.reshape(len(patches), *patches.shape[1:3], -1).mean(axis=-1).astype(np.uint8)
    line = line.transpose(1, 0, 2).reshape(line.shape[1], -1)
    inked = np.flatnonzero(line.any(axis=0))
    return Image.fromarray(line[:, inked[0] : inked[-1] + 1] if len(inked) else line[:, :1])
