"""Position tables: longer ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pixel_lm.models import PixelConfig, PixelForPreTraining, PixelForTokenClassification
from pixel_lm.models.positions import extended_positions, interpolated_positions, sincos_positions


@pytest.mark.parametrize("count", [529, 256, 200])
def test_rows_of_a_grid_are_continued(count: int) -> None:
    whole = sincos_positions(1058, 64, "grid", columns=23)
    cut = whole[:, : count + 1]
    torch.testing.assert_close(extended_positions(cut, 1058), whole)
    trained = cut + 0.1 * torch.randn(cut.shape)
    longer = extended_positions(trained, 1058)
    assert torch.equal(longer[:, : count + 1], trained)
    torch.testing.assert_close(longer[:, count + 1 :], whole[:, count + 1 :])


def test_a_line_is_continued() -> None:
    torch.testing.assert_close(
        extended_positions(sincos_positions(64, 32, "line"), 100, "line"), sincos_positions(100, 32, "line")
    )


def test_other_tables_cannot_be_continued() -> None:
    with pytest.raises(ValueError, match="not made of sines and cosines"):
        extended_positions(torch.randn(1, 101, 64), 200)


def test_only_squares_are_interpolated() -> None:
    assert interpolated_positions(sincos_positions(64, 32), 100).shape == (1, 101, 32)
    with pytest.raises(ValueError, match="not one of 200"):
        interpolated_positions(sincos_positions(200, 32), 300)


@pytest.mark.parametrize("head", [PixelForTokenClassification, PixelForPreTraining])
@pytest.mark.parametrize("method", ["sincos", "interpolate"])
def test_models_take_longer_sequences(config: PixelConfig, tmp_path: Path, head: Any, method: str) -> None:
    model = head(config).eval()
    long = torch.randint(0, 256, (2, 50, 256), dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"extend_positions\(50\)"):
        model(long)
    noise = torch.rand(2, 20)
    options = {"noise": noise} if head is PixelForPreTraining else {}
    before = model(long[:, :20], **options).logits
    model.extend_positions(50, method)
    assert model.config.max_num_patches == 50
    after = model(long[:, :20], **options).logits
    assert torch.equal(before, after) == (method == "sincos")
    logits = model(long, **({"noise": torch.rand(2, 50)} if options else {})).logits
    assert logits.shape[:2] == (2, 50)
    model.save_pretrained(tmp_path)
    loaded = head.from_pretrained(tmp_path).eval()
    assert loaded.config.max_num_patches == 50
    torch.testing.assert_close(loaded(long[:, :20], **options).logits, after)
    with pytest.raises(ValueError, match="up to 50 patches already"):
        model.extend_positions(50)
    with pytest.raises(ValueError, match="method must be"):
        model.extend_positions(60, "nearest")


def test_interpolation_trains_the_table(config: PixelConfig) -> None:
    model = PixelForTokenClassification(config)
    model.extend_positions(50, "interpolate")
    model(torch.zeros(1, 50, 256, dtype=torch.uint8)).logits.sum().backward()
    assert model.vit.embeddings.position_embeddings.shape == (1, 37, 32)
    assert model.vit.embeddings.position_embeddings.grad is not None
    with pytest.raises(ValueError, match="in the same way"):
        model.extend_positions(60)


def test_interpolation_needs_its_length(config: PixelConfig) -> None:
    config.interpolate_pos_encoding = True
    with pytest.raises(ValueError, match="give interpolated_length"):
        PixelForTokenClassification(config)(torch.zeros(1, 20, 256, dtype=torch.uint8))
