"""Masking, reconstruction and the loss."""

from __future__ import annotations

import pytest
import torch

from pixel_lm.models import PixelConfig, PixelForPreTraining, denormalize_patches
from pixel_lm.models.pretraining import draw_mask


@pytest.fixture
def model(config: PixelConfig) -> PixelForPreTraining:
    torch.manual_seed(0)
    return PixelForPreTraining(config).eval()


def test_random_mask_has_a_fixed_size_and_order() -> None:
    noise = torch.rand(4, 20)
    attention_mask = torch.ones(4, 20, dtype=torch.long)
    attention_mask[0, 3:] = 0
    mask, ids_keep, ids_masked, ids_restore = draw_mask(noise, 0.25, attention_mask, None)
    assert mask.sum(dim=1).tolist() == [5] * 4
    assert ids_keep.shape == (4, 15)
    assert (mask[0] * attention_mask[0]).sum() >= 1, "an attended patch is always masked"
    kept_noise = noise.gather(1, ids_keep)
    assert (kept_noise.diff(dim=1) >= 0).all(), "visible patches come in the order of their noise"
    shuffled = torch.arange(20).expand(4, -1).gather(1, ids_restore.argsort(dim=1))
    assert torch.equal(shuffled[:, :15], ids_keep)
    assert torch.equal(shuffled[:, 15:], ids_masked)


def test_given_mask_comes_first() -> None:
    patch_mask = torch.zeros(2, 20)
    patch_mask[0, 5:8] = 1  # fewer than five: others are added
    patch_mask[1, 2:12] = 1  # more: some stay visible
    mask, _, _, _ = draw_mask(torch.rand(2, 20), 0.25, None, patch_mask)
    assert mask.sum(dim=1).tolist() == [5, 5]
    assert mask[0, 5:8].sum() == 3
    assert (mask[1] * (1 - patch_mask[1])).sum() == 0


def test_grey_and_colour_give_the_same_loss(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    noise = torch.rand(3, 20)
    patch_mask = (torch.rand(3, 20) < 0.25).float()
    for norm_pix_loss in (True, False):
        model.config.norm_pix_loss = norm_pix_loss
        losses = [model(x, None, patch_mask, noise).loss for x in (grey, grey.repeat_interleave(3, dim=-1))]
        torch.testing.assert_close(*losses)


def test_loss_is_the_mean_over_masked_and_attended_patches(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    attention_mask = torch.ones(3, 20, dtype=torch.long)
    attention_mask[2, 10:] = 0
    outputs = model(grey, attention_mask, noise=torch.rand(3, 20))
    target = (grey / 255).repeat_interleave(3, dim=-1)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    error = (outputs.logits - target).square().mean(dim=-1)
    weight = outputs.mask * attention_mask
    torch.testing.assert_close(outputs.loss, (error * weight).sum() / weight.sum())


def test_masked_patches_are_not_seen(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    noise = torch.rand(3, 20)
    mask = model(grey, noise=noise).mask
    changed = torch.where(mask.bool()[..., None], 255 - grey, grey)
    torch.testing.assert_close(model(changed, noise=noise).logits, model(grey, noise=noise).logits)


def test_nothing_to_reconstruct_is_no_nan(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    outputs = model(grey, torch.zeros(3, 20, dtype=torch.long))
    assert outputs.loss == 0
    blank = torch.full((2, 20, 256), 255, dtype=torch.uint8)
    assert torch.isfinite(model(blank).loss)


def test_predictions_are_brought_back_to_pixels(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    target = (grey / 255).repeat_interleave(3, dim=-1)
    normalised = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(denormalize_patches(normalised, grey.repeat_interleave(3, dim=-1), model.config), target)


def test_it_learns(config: PixelConfig, grey: torch.Tensor) -> None:
    """A few steps on one batch lower the loss by a good part."""
    torch.manual_seed(0)
    model = PixelForPreTraining(config).train()
    patterns = grey[:1, :4].repeat(3, 5, 1)  # four patches over and over
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        loss = model(patterns).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_no_graph_breaks(model: PixelForPreTraining, grey: torch.Tensor) -> None:
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    noise = torch.rand(3, 20)
    mask = torch.ones(3, 20, dtype=torch.long)
    torch.testing.assert_close(compiled(grey, mask, noise=noise).loss, model(grey, mask, noise=noise).loss)


def test_golden_loss(config: PixelConfig) -> None:
    """Guards every step of the computation; agreement with the original itself is checked on recordings."""
    model = PixelForPreTraining(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) / 5 - 0.1)
    pixels = torch.randint(0, 256, (2, 20, 256), dtype=torch.uint8, generator=generator)
    attention_mask = (torch.arange(20) < torch.tensor([[20], [13]])).long()
    loss = model(pixels, attention_mask, noise=torch.rand(2, 20, generator=generator)).loss
    assert loss.item() == pytest.approx(1.0006403923034668, rel=1e-5)


@pytest.mark.parametrize("as_images", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_masked_patches_alone_give_the_same_loss(
    config: PixelConfig, grey: torch.Tensor, as_images: bool, masked: bool
) -> None:
    """… and the same gradients, without whatever else the decoder would predict."""
    model = PixelForPreTraining(config).eval()
    pixels = grey
    if as_images:
        strips = grey.view(3, 20, 16, 16).permute(0, 2, 1, 3).reshape(3, 1, 16, 320)
        pixels = strips.expand(-1, 3, -1, -1) / 255
    attention_mask = (torch.arange(20) < torch.tensor([[20], [13], [5]])).long() if masked else None
    noise = torch.rand(3, 20, generator=torch.Generator().manual_seed(0))
    found = []
    for masked_only in (False, True):
        outputs = model(pixels, attention_mask, noise=noise, masked_only=masked_only)
        assert (outputs.logits is None) == masked_only
        model.zero_grad()
        outputs.loss.backward()
        found.append(
            (outputs.loss, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        )
    torch.testing.assert_close(found[1][0], found[0][0])
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, atol=1e-6, rtol=1e-4)
    assert model.train()(pixels, attention_mask, noise=noise).logits is None
