"""A renderer whose strips can be read back, so that tests can tell which text a batch shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass
class ReadableStrip:
    patches: npt.NDArray[np.uint8]
    num_text_patches: int


@dataclass
class ReadableRenderer:
    """Draws each character below U+00FF as one patch of its code, and the separator as a patch of 255; cuts anywhere."""

    max_seq_length: int = 10

    def __call__(self, text: str) -> ReadableStrip:
        codes = np.array([*map(ord, text), 255], np.uint8)
        assert len(codes) <= self.max_seq_length, "clipped"
        return ReadableStrip(np.tile(codes[:, None, None], (1, 16, 16)), len(text))

    def num_patches(self, text: str) -> int:
        return len(text) + 1

    def split(self, text: str) -> list[str]:
        size = self.max_seq_length - 1
        return [text[start : start + size] for start in range(0, len(text), size)]

    def fingerprint(self) -> str:
        return "readable"

    def save_pretrained(self, folder: Any) -> None:
        """Nothing but its settings."""


def texts_of(batch: dict[str, Any]) -> list[str]:
    """What the rows of a batch show, the separators left out."""
    rows = batch["pixel_values"][:, :, 0].tolist()
    lengths = batch["attention_mask"].sum(1).tolist()
    return ["".join(map(chr, row[: length - 1])) for row, length in zip(rows, lengths, strict=True)]
