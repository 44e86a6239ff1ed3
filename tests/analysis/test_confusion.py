"""Pictures of confusion matrices: what a person would look for in them."""

from __future__ import annotations

import numpy as np
import pytest

from pixel_lm.analysis.confusion import _CELL, _RIGHT, MAX_LABELS, draw_confusion


def colours(labels: list[str], counts: np.ndarray) -> np.ndarray:
    return np.asarray(draw_confusion(labels, counts).convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture - colour).sum(axis=-1) < 12).sum())


def test_right_cells_are_blue_and_wrong_ones_are_not() -> None:
    labels = ["a", "b", "c"]
    assert near(colours(labels, np.diag([5, 6, 7])), _RIGHT) > 3 * 700
    assert near(colours(labels, np.roll(np.diag([5, 6, 7]), 1, axis=1)), _RIGHT) == 0


def test_labels_in_any_script_are_drawn_and_not_the_same() -> None:
    pictures = [colours([label, "x"], np.eye(2)) for label in ("عربي", "ไทย", "日本語", "")]
    inks = [near(picture[:, :120], (28, 33, 38)) for picture in pictures]
    assert all(ink > inks[-1] for ink in inks[:-1]) and len(set(inks[:-1])) == 3


def test_rare_labels_are_left_out_of_large_pictures() -> None:
    count = MAX_LABELS + 20
    small, large = (draw_confusion([str(i) for i in range(n)], np.eye(n) * 9) for n in (MAX_LABELS, count))
    assert large.height == small.height
    assert draw_confusion(["x" * 500, "y"], np.eye(2)).width < 1000
    assert small.width >= MAX_LABELS * _CELL


def test_counts_must_belong_to_the_labels() -> None:
    with pytest.raises(ValueError, match=r"counts \(2, 2\) for 3 labels"):
        draw_confusion(["a", "b", "c"], np.eye(2))
    assert draw_confusion(["a"], [[0]]).width > 0
