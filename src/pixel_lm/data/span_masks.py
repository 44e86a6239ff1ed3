"""Span masks of pretraining.

The generator of Rust et al. (2023, section 2.2 and appendix): spans of neighbouring patches are drawn until a given
part of the patches is masked, with free patches on both sides of each new span. For the same state of Python's
generator it draws the same masks as the published one.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError

PUBLISHED_SPAN_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
"""Cumulative probabilities of the span lengths 1 … 6: a fifth each for 1 to 4, a tenth each for 5 and 6; mean 3.1."""

ATTEMPTS = 100
"""Per span, before a mask is left incomplete."""


class SpanMasker:
    """Draws masks of spans.

    Args:
        mask_ratio: part of the patches to mask, between 0 and 1.
        max_span_length: longest span, in patches.
        cumulative_span_weights: cumulative, not decreasing weights of the lengths 1 … `max_span_length` (the published
            setting by default); None for equal weights. The last one need not be 1.
        spacing: patches that must be free on each side of a new span. "span": as many as the new span is long. 0:
            none, so that spans may touch and overlap. The published advice is "span" up to a ratio of 0.4, 1 up to
            0.7, then 0.

    Raises:
        UserError: a setting is impossible.
    """

    def __init__(
        self,
        mask_ratio: float = 0.25,
        max_span_length: int = 6,
        cumulative_span_weights: Sequence[float] | None = PUBLISHED_SPAN_WEIGHTS,
        spacing: Literal["span"] | int = "span",
    ) -> None:
        if not 0 < mask_ratio < 1:
            raise UserError(f"mask_ratio is {mask_ratio}, but must lie between 0 and 1")
        if max_span_length < 1:
            raise UserError(f"max_span_length is {max_span_length}, but must be at least 1")
        if spacing != "span" and (isinstance(spacing, (str, bool)) or spacing < 0):
            raise UserError(f'spacing is {spacing!r}, but must be "span" or a number of patches, 0 or more')
        self.mask_ratio = mask_ratio
        self.max_span_length = max_span_length
        self.spacing: Literal["span"] | int = spacing
        self.cumulative_span_weights: tuple[float, ...] | None = None
        if cumulative_span_weights is not None:
            weights = tuple(float(weight) for weight in cumulative_span_weights)
            if len(weights) != max_span_length:
                raise UserError(
                    f"{len(weights)} cumulative span weights for spans of up to {max_span_length} patches: "
                    f"give {max_span_length}, or None for equal ones"
                )
            steps = zip((0.0, *weights), weights, strict=False)
            if weights[-1] <= 0 or not math.isfinite(weights[-1]) or any(not low <= high for low, high in steps):
                raise UserError(f"cumulative span weights must rise from 0 or more: {weights}")
            self.cumulative_span_weights = weights

    def num_masked(self, num_patches: int) -> int:
        """How many of `num_patches` patches are to be masked: the ratio, rounded up."""
        return math.ceil(self.mask_ratio * num_patches)

    def __call__(self, num_patches: int, num_text_patches: int, rng: random.Random) -> npt.NDArray[np.uint8]:
        """Draw one mask.

        The number of masked patches is that of `num_masked`, or less where 100 attempts in a row found no room: the
        model then masks further patches at random.

        Args:
            num_patches: length of the mask.
            num_text_patches: the first span is drawn within this many patches at the beginning, so that something
                that can be learnt from is masked. The published training passes the number of attended patches, the
                final separator included.
            rng: source of randomness; its state alone decides what is drawn.

        Returns:
            uint8 `(num_patches,)`, 1 = masked.

        Raises:
            ValueError: fewer than one patch.
        """
        if num_patches < 1 or num_text_patches < 1:
            raise ValueError(f"cannot mask {num_patches} patches, {num_text_patches} of them text")
        mask = bytearray(num_patches)
        target = self.num_masked(num_patches)
        # Where the next span may end: first within the text, later anywhere.
        end = min(num_text_patches, num_patches)
        count = 0
        while count < target:
            limit = min(target - count, self.max_span_length)
            for _ in range(ATTEMPTS):
                length = self._draw_length(rng)
                if length >= num_patches:
                    continue
                left = rng.randint(0, max(0, end - length))
                end = num_patches
                right = left + length
                gap = length if self.spacing == "span" else self.spacing
                if gap and (mask.find(1, max(0, left - gap), left) >= 0 or mask.find(1, right, right + gap) >= 0):
                    continue
                new = length - mask.count(1, left, right)
                if 0 < new <= limit:
                    mask[left:right] = b"\1" * length
                    count += new
                    break
            else:
                break
        return np.frombuffer(mask, dtype=np.uint8)

    def _draw_length(self, rng: random.Random) -> int:
        """As `random.choices` draws, one uniform number each, but several times as fast."""
        weights = self.cumulative_span_weights
        if weights is None:
            return 1 + math.floor(rng.random() * self.max_span_length)
        return 1 + bisect(weights, rng.random() * weights[-1], 0, self.max_span_length - 1)
