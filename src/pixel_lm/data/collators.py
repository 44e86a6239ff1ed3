"""Examples → batches.

A batch is as long as its longest row, not as long as the longest strip there can be. Patches stay bytes until they
are on the device: 256 instead of 3072 per patch.

Masks are drawn per example from a generator that seed, pass through the data (epoch) and position in the data set
decide. So they do not depend on the number of processes that load data, nor on where a run was resumed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pixel_lm.data.batch_span_masks import mask_key
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import StripExample

PADDING_VALUE = 255
"""White, as the background."""

IGNORED_LABEL = -100
"""Label of patches that do not count in the loss."""


@dataclass(frozen=True, slots=True)
class TaggingExample:
    """A rendered sentence with a label on the first patch of each word."""

    patches: npt.NDArray[np.uint8]
    """uint8 `(n, 16, 16)`, the final separator included."""
    labels: npt.NDArray[np.int64]
    """int64 `(n,)`, −100 on patches without a label."""


@dataclass(frozen=True)
class Padding:
    """How long batches are, in patches.

    By default as long as the longest row.

    Raises:
        ValueError: a value is impossible.
    """

    length: int | None = None
    """Fixed length, for compiled models, which want batches of one shape."""
    multiple_of: int = 1
    """Round up to a multiple of this, for few shapes and full tiles of matrix units."""
    max_length: int | None = None
    """Do not round up beyond this, the length of the model's position table."""

    def __post_init__(self) -> None:
        if self.multiple_of < 1 or (self.length is not None and self.length < 1):
            raise ValueError(f"batches of {self.length} patches in multiples of {self.multiple_of} are impossible")

    def padded_length(self, longest: int) -> int:
        """Length of a batch whose longest row has this many patches.

        Raises:
            ValueError: the row is longer than allowed. Rows are never cut.
        """
        for limit in (self.length, self.max_length):
            if limit is not None and longest > limit:
                raise ValueError(f"a row of {longest} patches does not fit into {limit}: lower max_seq_length")
        if self.length is not None:
            return self.length
        length = -(-longest // self.multiple_of) * self.multiple_of
        return length if self.max_length is None else min(length, self.max_length)

    def pad(self, rows: Sequence[npt.NDArray[Any]]) -> dict[str, torch.Tensor]:
        """Put rows of patches together.

        Args:
            rows: uint8 `(n, height, width)`, with a third axis for colour, or `(n, values)`; n may differ. Of text models int64
                `(n,)`, tokens.

        Returns:
            `pixel_values` uint8 `(batch, length, values)`: each patch row by row (row, column, channel), white behind
            the end of each row of patches. `attention_mask` int64 `(batch, length)`: 1 on patches, 0 behind. Of tokens
            `input_ids` int64 `(batch, length)`, 0 behind the end.
        """
        length = self.padded_length(max(len(row) for row in rows))
        if rows[0].ndim == 1:
            return _pad_tokens(rows, length)
        values = rows[0][0].size
        pixel_values = np.empty((len(rows), length, values), dtype=np.uint8)
        attention_mask = np.zeros((len(rows), length), dtype=np.int64)
        for i, row in enumerate(rows):
            if row.dtype != np.uint8:
                raise ValueError(f"patches must be uint8, not {row.dtype}")
            pixel_values[i, : len(row)].reshape(row.shape)[:] = row  # (n, 256) seen as (n, 16, 16), filled in one copy
            pixel_values[i, len(row) :] = PADDING_VALUE
            attention_mask[i, : len(row)] = 1
        return {"pixel_values": torch.from_numpy(pixel_values), "attention_mask": torch.from_numpy(attention_mask)}


def _pad_tokens(rows: Sequence[npt.NDArray[np.int64]], length: int) -> dict[str, torch.Tensor]:
    input_ids = np.zeros((len(rows), length), dtype=np.int64)
    attention_mask = np.zeros((len(rows), length), dtype=np.int64)
    for i, row in enumerate(rows):
        input_ids[i, : len(row)] = row
        attention_mask[i, : len(row)] = 1
    return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(attention_mask)}


class PretrainingCollator:
    """Batches of strips with masks.

    Args:
        masker: draws span masks over the whole length of the batch, as published. None: no `patch_mask` in the batch;
            the model then masks at random.
        seed: decides the masks, with the example's epoch and index.
        padding: length of batches. Strips are full but for a few patches, so a fixed length costs little; masks
            depend on it.
        keys_only: leave drawing the masks to `draw_span_masks`, and give the keys for it.
    """

    def __init__(
        self, masker: SpanMasker | None, seed: int, padding: Padding | None = None, keys_only: bool = False
    ) -> None:
        self.masker = masker
        self.seed = seed
        self.padding = padding or Padding()
        self.keys_only = keys_only

    def __call__(self, examples: Sequence[StripExample]) -> dict[str, torch.Tensor]:
        """Make a batch.

        Returns:
            `pixel_values` and `attention_mask` as `Padding.pad` gives them; with a masker also `patch_mask`, uint8
            `(batch, length)`, 1 = masked; or with `keys_only` in its place `mask_keys`, int64 `(batch,)`.
        """
        batch = self.padding.pad([example.patches for example in examples])
        if self.masker is not None and self.keys_only:
            batch["mask_keys"] = torch.tensor([mask_key(self.seed, e.epoch, e.index) for e in examples])
        elif self.masker is not None:
            length = batch["pixel_values"].shape[1]
            patch_mask = np.empty((len(examples), length), dtype=np.uint8)
            for i, example in enumerate(examples):
                # A text as seed goes through SHA-512: neighbouring numbers give unrelated masks.
                rng = random.Random(f"{self.seed}/{example.epoch}/{example.index}")
                # The first span lies within the attended patches, the final separator included, as published.
                patch_mask[i] = self.masker(length, len(example.patches), rng)
            batch["patch_mask"] = torch.from_numpy(patch_mask)
        return batch


class TaggingCollator:
    """Batches of sentences with a label per word.

    Args:
        padding: length of batches.
    """

    def __init__(self, padding: Padding | None = None) -> None:
        self.padding = padding or Padding()

    def __call__(self, examples: Sequence[TaggingExample]) -> dict[str, torch.Tensor]:
        """Make a batch.

        Returns:
            `pixel_values` and `attention_mask` as `Padding.pad` gives them, and `labels`, int64 `(batch, length)`,
            −100 where there is none.
        """
        batch = self.padding.pad([example.patches for example in examples])
        labels = np.full(batch["attention_mask"].shape, IGNORED_LABEL, dtype=np.int64)
        for i, example in enumerate(examples):
            if len(example.labels) != len(example.patches):
                raise ValueError(f"{len(example.labels)} labels for {len(example.patches)} patches")
            labels[i, : len(example.labels)] = example.labels
        batch["labels"] = torch.from_numpy(labels)
        return batch
