"""Masks of whole batches: the distribution of the generator that draws them one by one, and nothing but the key decides."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixel_lm.data.batch_span_masks import draw_span_masks, mask_key
from pixel_lm.data.span_masks import SpanMasker

DRAWS = 3000
SETTINGS: list[tuple[dict[str, Any], int, int]] = [
    ({}, 120, 120),
    ({}, 120, 20),
    ({"mask_ratio": 0.5, "spacing": 1}, 100, 100),
    ({"mask_ratio": 0.6, "spacing": 0}, 64, 10),
    ({"mask_ratio": 0.4}, 36, 30),  # often there is no room in the end
    ({"mask_ratio": 0.25, "max_span_length": 4, "cumulative_span_weights": None}, 100, 5),
    ({"mask_ratio": 0.3, "max_span_length": 3, "cumulative_span_weights": (0, 1, 3), "spacing": 2}, 60, 60),
    ({"mask_ratio": 0.5}, 5, 2),  # spans may be longer than the mask, and than what is to be masked
]


def one_by_one(masker: SpanMasker, length: int, attended: int, draws: int = DRAWS) -> np.ndarray:
    rng = random.Random(11)
    return np.stack([masker(length, attended, rng) for _ in range(draws)])


def at_once(masker: SpanMasker, length: int, attended: int, draws: int = DRAWS) -> np.ndarray:
    generator = torch.Generator().manual_seed(7)
    return draw_span_masks(masker, length, torch.full((draws,), attended), generator=generator).numpy()


def run_lengths(masks: np.ndarray) -> np.ndarray:
    """How often each length of a run of ones occurs."""
    edges = np.diff(np.pad(masks.astype(int), ((0, 0), (1, 1))), axis=1)
    starts, ends = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    return np.bincount(ends - starts, minlength=masks.shape[1] + 1)


def same_distribution(first: np.ndarray, second: np.ndarray) -> float:
    """p of the chi-square test that two rows of counts come from one distribution; rare outcomes are put together."""
    table = np.stack([first, second])
    common = table.sum(0) >= 10
    table = np.concatenate([table[:, common], table[:, ~common].sum(1, keepdims=True)], axis=1)
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    half_freedom = torch.tensor((table.shape[1] - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(half_freedom, torch.tensor(statistic / 2, dtype=torch.float64)))


@pytest.mark.parametrize(("settings", "length", "attended"), SETTINGS)
def test_same_distribution_as_one_by_one(settings: dict[str, Any], length: int, attended: int) -> None:
    masker = SpanMasker(**settings)
    expected, found = one_by_one(masker, length, attended), at_once(masker, length, attended)
    assert found.dtype == np.uint8 and set(np.unique(found)) <= {0, 1}
    counts = [np.bincount(masks.sum(1), minlength=length + 1) for masks in (expected, found)]
    first_masked = [np.bincount(masks.argmax(1), minlength=length) for masks in (expected, found)]
    for name, (one, other) in {
        "number masked": counts,
        "lengths of runs": [run_lengths(expected), run_lengths(found)],
        "first masked patch": first_masked,
    }.items():
        assert same_distribution(one, other) > 1e-3, name
    # Each place is masked as often: the largest of `length` differences in standard deviations.
    share = (expected.mean(0) + found.mean(0)) / 2
    deviation = np.sqrt(np.maximum(share * (1 - share), 1e-9) * 2 / DRAWS)
    assert np.abs((expected.mean(0) - found.mean(0)) / deviation).max() < 4.5
    # Neighbours at every distance are masked together as often (spacing).
    for distance in range(1, min(13, length)):
        both = [(masks[:, :-distance] & masks[:, distance:]).sum(1) for masks in (expected, found)]
        spread = np.sqrt((both[0].var() + both[1].var()) / DRAWS) + 1e-9
        assert abs(both[0].mean() - both[1].mean()) / spread < 4.5, distance


def test_a_wrong_generator_would_be_noticed() -> None:
    """The comparison above can tell masks of other spacing or lengths apart."""
    expected = one_by_one(SpanMasker(), 120, 120)
    for wrong in (SpanMasker(spacing=1), SpanMasker(cumulative_span_weights=(0.25, 0.45, 0.65, 0.8, 0.9, 1))):
        assert same_distribution(run_lengths(expected), run_lengths(at_once(wrong, 120, 120))) < 1e-3


def test_recorded_masks_of_the_original(shared_dir: Path) -> None:
    """Share of runs of each length, and number masked, over all 120 recorded masks; drawn 20 times each."""
    records = json.loads((shared_dir / "reference/models/span_masks.json").read_text())
    masks = np.load(shared_dir / "reference/models/span_masks.npz")["masks"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        names = ("ratio", "max_span_length", "cumulative_span_weights", "spacing", "num_patches")
        groups.setdefault(json.dumps([record[name] for name in names]), []).append(record)
    for key, group in groups.items():
        ratio, longest, weights, spacing, n = json.loads(key)
        expected = np.stack([masks[record["row"], :n] for record in group])
        attended = torch.tensor([record["num_text_patches_argument"] for record in group]).repeat(20)
        keys = torch.tensor([mask_key(3, 0, i) for i in range(len(attended))])
        found = draw_span_masks(SpanMasker(ratio, longest, weights, spacing), n, attended, keys).numpy()
        assert same_distribution(run_lengths(expected), run_lengths(found)) > 1e-3, key
        assert abs(expected.sum(1).mean() - found.sum(1).mean()) < 0.05 * n * ratio, key


def test_only_the_key_decides() -> None:
    masker = SpanMasker()
    keys = torch.tensor([mask_key(1, 0, i) for i in range(50)])
    attended = torch.arange(50) + 20
    state = torch.get_rng_state()
    whole = draw_span_masks(masker, 100, attended, keys)
    parts = [draw_span_masks(masker, 100, attended[i : i + 7], keys[i : i + 7]) for i in range(0, 50, 7)]
    assert torch.equal(torch.cat(parts), whole), "whatever else is in the batch"
    assert torch.equal(draw_span_masks(masker, 100, attended.flip(0), keys.flip(0)).flip(0), whole)
    assert torch.equal(torch.get_rng_state(), state)
    assert len({row.numpy().tobytes() for row in whole}) == 50
    distinct = [mask_key(seed, epoch, index) for seed in range(3) for epoch in range(3) for index in range(300)]
    assert len(set(distinct)) == len(distinct) and min(distinct) < 0 < max(distinct)


def test_same_generator_same_masks() -> None:
    first = at_once(SpanMasker(), 100, 50, 20)
    assert (first == at_once(SpanMasker(), 100, 50, 20)).all()


def test_something_within_the_attended_patches_is_masked() -> None:
    attended = torch.arange(1, 501) % 100 + 1
    masks = draw_span_masks(SpanMasker(), 100, attended, torch.arange(500))
    assert all(mask[:count].any() for mask, count in zip(masks, attended, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compares two devices: needs a GPU")
def test_the_same_masks_on_the_gpu() -> None:
    attended, keys = torch.full((64,), 500), torch.arange(64)
    on_gpu = draw_span_masks(SpanMasker(), 529, attended.cuda(), keys.cuda())
    assert on_gpu.is_cuda and torch.equal(on_gpu.cpu(), draw_span_masks(SpanMasker(), 529, attended, keys))


def test_edges() -> None:
    assert draw_span_masks(SpanMasker(), 20, torch.zeros(0, dtype=torch.int64)).shape == (0, 20)
    assert draw_span_masks(SpanMasker(), 1, torch.ones(3, dtype=torch.int64)).sum() == 0, "no span is short enough"
    with pytest.raises(ValueError, match="cannot mask 0 patches"):
        draw_span_masks(SpanMasker(), 0, torch.tensor([1]))
    with pytest.raises(ValueError, match="attended"):
        draw_span_masks(SpanMasker(), 10, torch.tensor([1, 0]))
    with pytest.raises(ValueError, match="keys of shape"):
        draw_span_masks(SpanMasker(), 10, torch.tensor([1, 2]), torch.tensor([1]))
