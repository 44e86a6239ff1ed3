"""Span masks: the published generator's masks for given seeds, and what every mask must fulfil."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixel_lm.data.span_masks import PUBLISHED_SPAN_WEIGHTS, SpanMasker
from pixel_lm.errors import UserError

# Masks drawn by the original implementation: settings, seed, patches, text patches given, mask as bits in hexadecimal.
RECORDED: list[tuple[dict[str, Any], int, int, int, str]] = [
    (
        {"mask_ratio": 0.25, "spacing": "span"},
        0,
        529,
        1,
        "f80a02007c000000f018001c41c003e0078063f03c07c0c46800f801d0007180f03c0400e020038019063e000003f018"
        "003800800007c000003e000200fc07c0001000",
    ),
    (
        {"mask_ratio": 0.25, "spacing": "span"},
        10,
        529,
        528,
        "3e01c000c00e02f03870380238080100000200070f8002000fc0070000000701800e00600fc703f0018f000004007e01"
        "03c0003c33e041c21e06803e009e0598000000",
    ),
    (
        {"mask_ratio": 0.5, "spacing": 1},
        0,
        529,
        1,
        "fc879bc87df37801f0d8e47defc1823c27b8e3f23d07c3e46810f833d0007180f03c043ee3f7c7803d063e63e003f018"
        "fc78fa9f9cc7cf000e3e07837efc17df30fc00",
    ),
    (
        {"mask_ratio": 0.25, "max_span_length": 4, "cumulative_span_weights": None, "spacing": "span"},
        1,
        196,
        2,
        "c1e00078000007100e8000071e0e870311c30000021c00e300",
    ),
    (
        {"mask_ratio": 0.25, "max_span_length": 4, "cumulative_span_weights": None, "spacing": "span"},
        39,
        196,
        5,
        "129c3018000c00a040f0c060e00c07001e03c0038006071800",
    ),
]


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of each run of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]]).astype(int)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


@pytest.mark.parametrize(("settings", "seed", "num_patches", "num_text_patches", "masked"), RECORDED)
def test_recorded_masks(
    settings: dict[str, Any], seed: int, num_patches: int, num_text_patches: int, masked: str
) -> None:
    mask = SpanMasker(**settings)(num_patches, num_text_patches, random.Random(seed))
    assert mask.dtype == np.uint8 and mask.shape == (num_patches,)
    assert np.packbits(mask).tobytes().hex() == masked


def test_all_recorded_masks(shared_dir: Path) -> None:
    records = json.loads((shared_dir / "reference/models/span_masks.json").read_text())
    masks = np.load(shared_dir / "reference/models/span_masks.npz")["masks"]
    assert len(records) == len(masks) == 120
    for record in records:
        masker = SpanMasker(
            record["ratio"], record["max_span_length"], record["cumulative_span_weights"], record["spacing"]
        )
        n = record["num_patches"]
        mask = masker(n, record["num_text_patches_argument"], random.Random(record["seed"]))
        np.testing.assert_array_equal(mask, masks[record["row"], :n])


def test_masks_of_a_recorded_training(shared_dir: Path) -> None:
    """320 masks drawn one after the other from one generator."""
    folder = shared_dir / "reference/training/pretraining_span"
    expected = np.load(folder / "train_masks.npz")["patch_mask"]
    attended = np.load(folder / "train_inputs.npz")["attended"]
    masker, rng = SpanMasker(), random.Random(29)
    np.testing.assert_array_equal([masker(expected.shape[1], int(n), rng) for n in attended], expected)


@hypothesis_settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    num_patches=st.integers(1, 200),
    text=st.floats(0, 1),
    ratio=st.floats(0.01, 0.99),
    spacing=st.sampled_from(["span", 0, 1, 3]),
)
def test_every_mask(seed: int, num_patches: int, text: float, ratio: float, spacing: Any) -> None:
    masker = SpanMasker(ratio, spacing=spacing)
    num_text_patches = max(1, round(text * num_patches))
    mask = masker(num_patches, num_text_patches, random.Random(seed))
    assert set(mask.tolist()) <= {0, 1}
    assert mask.sum() <= masker.num_masked(num_patches)
    assert (mask == masker(num_patches, num_text_patches, random.Random(seed))).all()
    if spacing == 0 and ratio <= 0.5 and num_patches > 6:  # spans may touch: there is room, and 100 attempts find it
        assert mask.sum() == masker.num_masked(num_patches)
    if spacing != 0:
        gaps = [right[0] - left[1] for left, right in zip(runs(mask), runs(mask)[1:], strict=False)]
        assert all(gap >= (1 if spacing == "span" else spacing) for gap in gaps)
        assert all(end - start <= 6 for start, end in runs(mask))


@hypothesis_settings(deadline=None)
@given(seed=st.integers(0, 2**32), num_text_patches=st.integers(1, 100))
def test_something_within_the_text_is_masked(seed: int, num_text_patches: int) -> None:
    assert SpanMasker()(100, num_text_patches, random.Random(seed))[:num_text_patches].any()


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        (PUBLISHED_SPAN_WEIGHTS, (0.2, 0.2, 0.2, 0.2, 0.1, 0.1)),
        ((1, 1, 1, 3), (1 / 3, 0, 0, 2 / 3)),
        (None, (0.2,) * 5),
    ],
)
def test_lengths_of_spans_follow_the_weights(weights: Sequence[float] | None, shares: Sequence[float]) -> None:
    """In a long and sparse mask nearly every span that is drawn finds room, whatever its length."""
    mask = SpanMasker(0.05, len(shares), weights, spacing=1)(100_000, 100_000, random.Random(0))
    lengths = [end - start for start, end in runs(mask)]
    assert len(lengths) > 1000
    np.testing.assert_allclose(np.bincount(lengths, minlength=len(shares) + 1)[1:] / len(lengths), shares, atol=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mask_ratio": 0}, "mask_ratio is 0"),
        ({"mask_ratio": 1.5}, "mask_ratio is 1.5"),
        ({"max_span_length": 0, "cumulative_span_weights": ()}, "max_span_length is 0"),
        ({"max_span_length": 4}, "6 cumulative span weights for spans of up to 4"),
        ({"cumulative_span_weights": (0.2, 0.2, 0.2, 0.2, 0.1, 0.1)}, "must rise"),
        ({"cumulative_span_weights": (0, 0, 0, 0, 0, 0)}, "must rise"),
        ({"cumulative_span_weights": (0, 0, 0, 0, 0, float("nan"))}, "must rise"),
        ({"spacing": "wide"}, "spacing is 'wide'"),
        ({"spacing": -1}, "spacing is -1"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SpanMasker(**settings)


def test_masks_are_drawn_fast_enough() -> None:
    """A mask costs far less than rendering a strip: below 2 ms even on a busy machine (0.15 ms on an idle one)."""
    masker, rng = SpanMasker(), random.Random(0)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        masker(529, 529, rng)
        best = min(best, time.perf_counter() - start)
    assert best < 2e-3
