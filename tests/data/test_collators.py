"""Batches: shapes, types, padding, labels, and masks that depend on the example alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.data.collators import IGNORED_LABEL, Padding, PretrainingCollator, TaggingCollator, TaggingExample
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import StripExample


def patches(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, count]).integers(0, 256, (count, 16, 16), dtype=np.uint8)


def strip(count: int, index: int = 0, epoch: int = 0) -> StripExample:
    return StripExample(patches(count), count - 1, index, epoch)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.sampled_from([1, 8]), st.sampled_from([None, 41]))
def test_padding(lengths: list[int], multiple_of: int, max_length: int | None) -> None:
    rows = [patches(length) for length in lengths]
    batch = Padding(multiple_of=multiple_of, max_length=max_length).pad(rows)
    pixel_values, attention_mask = batch["pixel_values"], batch["attention_mask"]
    longest = max(lengths)
    expected = min(-(-longest // multiple_of) * multiple_of, max_length or 1000)
    assert pixel_values.dtype == torch.uint8 and pixel_values.shape == (len(rows), expected, 256)
    assert attention_mask.dtype == torch.int64 and attention_mask.shape == (len(rows), expected)
    for row, values, mask in zip(rows, pixel_values.numpy(), attention_mask.numpy(), strict=True):
        np.testing.assert_array_equal(values[: len(row)], row.reshape(len(row), 256))
        assert (values[len(row) :] == 255).all()
        assert mask.tolist() == [1] * len(row) + [0] * (expected - len(row))


def test_rows_of_any_memory_layout_and_with_colour() -> None:
    """Renderers draw columns first: their patches are transposed views."""
    row = np.arange(2 * 16 * 16, dtype=np.uint8).reshape(2, 16, 16)
    expected = row.transpose(0, 2, 1).reshape(2, 256)
    np.testing.assert_array_equal(Padding().pad([row.transpose(0, 2, 1)])["pixel_values"][0], expected)
    np.testing.assert_array_equal(Padding().pad([row.reshape(2, 256)])["pixel_values"][0], row.reshape(2, 256))
    colour = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Padding().pad([colour])["pixel_values"][0], colour.reshape(3, 768))


def test_fixed_length() -> None:
    assert Padding(length=50).pad([patches(3)])["pixel_values"].shape == (1, 50, 256)
    with pytest.raises(ValueError, match="51 patches does not fit into 50"):
        Padding(length=50).pad([patches(51)])
    with pytest.raises(ValueError, match="does not fit into 8"):
        Padding(max_length=8).pad([patches(9)])
    with pytest.raises(ValueError):
        Padding(multiple_of=0)


def test_only_bytes_are_patches() -> None:
    with pytest.raises(ValueError, match="must be uint8, not float64"):
        Padding().pad([np.zeros((2, 16, 16))])


def test_pretraining_batch() -> None:
    batch = PretrainingCollator(SpanMasker(), seed=1)([strip(30, 0), strip(40, 1)])
    assert set(batch) == {"pixel_values", "attention_mask", "patch_mask"}
    assert batch["patch_mask"].dtype == torch.uint8 and batch["patch_mask"].shape == (2, 40)
    assert batch["patch_mask"].sum(dim=1).tolist() == [10, 10], "a quarter of the whole length, as published"
    assert (batch["patch_mask"] * batch["attention_mask"]).sum(dim=1).min() > 0
    assert "patch_mask" not in PretrainingCollator(None, seed=1)([strip(30)])


def test_masks_depend_on_seed_epoch_and_index_only() -> None:
    def masks(seed: int, *examples: StripExample) -> list[bytes]:
        batch = PretrainingCollator(SpanMasker(), seed, Padding(length=60))(examples)
        return [mask.numpy().tobytes() for mask in batch["patch_mask"]]

    state = random.getstate()
    a, b = strip(60, index=3, epoch=1), strip(60, index=4, epoch=1)
    assert masks(7, a, b) == masks(7, a) + masks(7, b) == masks(7, b, a)[::-1]
    others = [masks(7, b), masks(8, a), masks(7, strip(60, index=3, epoch=2)), masks(7, strip(60, index=1, epoch=3))]
    assert masks(7, a) not in others
    assert random.getstate() == state, "the global generator is left alone"


def test_tagging_batch() -> None:
    first = TaggingExample(patches(5), np.array([3, -100, 7, -100, -100]))
    second = TaggingExample(patches(3), np.array([1, 2, -100]))
    batch = TaggingCollator(Padding(multiple_of=4))([first, second])
    assert set(batch) == {"pixel_values", "attention_mask", "labels"}
    assert batch["pixel_values"].shape == (2, 8, 256)
    assert batch["labels"].dtype == torch.int64
    assert batch["labels"].tolist() == [[3, -100, 7] + [-100] * 5, [1, 2] + [-100] * 6]
    assert torch.nn.CrossEntropyLoss().ignore_index == IGNORED_LABEL
    with pytest.raises(ValueError, match="2 labels for 3 patches"):
        TaggingCollator()([TaggingExample(patches(3), np.array([1, 2]))])
