"""Operations of pretraining, counted from the sizes of a model."""

from __future__ import annotations

from pixel_lm.models.config import PixelConfig

__all__ = ["pretraining_flops"]


def pretraining_flops(config: PixelConfig, num_patches: int) -> float:
    """Operations (multiplications and additions) of one strip, forward and backward, as they are done in training.

    Matrix products alone; the backward pass counts twice the forward pass. In training, the encoder sees visible patches, and the
    decoder's last block and the prediction work for masked ones (see `PixelForPreTraining.forward`).

    Args:
        config: sizes.
        num_patches: length of the strip, padding included.
    """
    visible = int(num_patches * (1 - config.mask_ratio))
    masked = num_patches - visible
    width, inner = config.hidden_size, config.intermediate_size
    forward = 2.0 * visible * config.patch_size**2 * width
    forward += config.num_hidden_layers * _block(visible + 1, visible + 1, width, inner)
    forward += 2.0 * (visible + 1) * width * config.decoder_hidden_size
    width, inner, layers = (
        config.decoder_hidden_size,
        config.decoder_intermediate_size,
        config.decoder_num_hidden_layers,
    )
    forward += (layers - 1) * _block(num_patches + 1, num_patches + 1, width, inner)
    forward += _block(masked, num_patches + 1, width, inner)
    forward += 2.0 * masked * width * config.patch_size**2 * config.num_channels
    return 3 * forward


def _block(queries: int, keys: int, width: int, inner: int) -> float:
    """A Transformer block for `queries` places that attend to `keys` places."""
    projections = 2.0 * (queries * 2 * width * width + keys * 2 * width * width)
    return projections + 4.0 * queries * keys * width + 2.0 * queries * 2 * width * inner
