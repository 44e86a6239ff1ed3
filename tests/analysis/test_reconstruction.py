"""Filling in masked text."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from pixel_lm.analysis.reconstruction import reconstruct, reconstruct_patches
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForPreTraining
from pixel_lm.rendering import TextRenderer

TEXT = "a text that is long enough to mask some of it"


@pytest.fixture(scope="module")
def model() -> PixelForPreTraining:
    torch.manual_seed(0)
    return PixelForPreTraining(
        PixelConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=[16, 16 * 40],
            decoder_hidden_size=32,
            decoder_num_attention_heads=2,
            decoder_num_hidden_layers=1,
            decoder_intermediate_size=64,
        )
    ).train()


def test_only_masked_patches_are_replaced(model: PixelForPreTraining) -> None:
    renderer = TextRenderer()
    result = reconstruct(model, renderer, TEXT)
    assert np.array_equal(result.original, renderer(TEXT).patches)
    assert result.mask.sum() == len(result.mask) - int(len(result.mask) * 0.75)
    assert np.array_equal(result.completed[~result.mask], result.original[~result.mask])
    assert np.array_equal(result.completed[result.mask], result.predicted[result.mask])
    assert (result.masked[result.mask] == result.masked[result.mask].flat[0]).all()
    assert 0.9 < result.loss / result.baseline_loss < 2, "an untrained model knows as little as a blank guess"
    assert model.training, "the model's mode is left as it was"


def test_strips_that_cannot_be_written_to(model: PixelForPreTraining) -> None:
    patches = TextRenderer()(TEXT).patches.copy()
    patches.flags.writeable = False  # as those that a data set on disk gives
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = reconstruct_patches(model, patches)
    finally:
        torch.set_warn_always(always)
    assert np.array_equal(result.original, patches)


def test_the_seed_decides(model: PixelForPreTraining) -> None:
    renderer = TextRenderer()
    first, again, other = (reconstruct(model, renderer, TEXT, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.completed, again.completed)
    assert not np.array_equal(first.mask, other.mask)


def test_brightness_comes_from_the_original(model: PixelForPreTraining) -> None:
    result = reconstruct(model, TextRenderer(), TEXT)
    for index in np.flatnonzero(result.mask):
        if (result.original[index] == 255).all():
            assert (result.predicted[index] >= 254).all()


def test_long_texts_are_cut_to_the_model_and_short_ones_refused(model: PixelForPreTraining) -> None:
    assert len(reconstruct(model, TextRenderer(), TEXT * 20).original) <= 40
    with pytest.raises(UserError, match="too short"):
        reconstruct(model, TextRenderer(), "a")


def test_picture_has_three_blocks(model: PixelForPreTraining) -> None:
    picture = reconstruct(model, TextRenderer(), TEXT).image(patches_per_row=10, scale=2)
    assert picture.width == 10 * 16 * 2 + 16
    assert picture.height > 3 * 16 * 2
