"""Small models and inputs."""

from __future__ import annotations

import pytest
import torch

from pixel_lm.models import PixelConfig


@pytest.fixture
def config() -> PixelConfig:
    """A tiny configuration: 36 patches, two layers, no dropout."""
    return PixelConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        image_size=[16, 16 * 36],
        decoder_hidden_size=24,
        decoder_num_attention_heads=2,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=48,
    )


@pytest.fixture
def grey() -> torch.Tensor:
    """Three rows of 20 grey patches, uint8 (3, 20, 256)."""
    return torch.randint(0, 256, (3, 20, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
