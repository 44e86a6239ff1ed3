"""Pixels in, whatever form they come in: rows of patches, grey or in colour, bytes or floats, or whole images."""

from __future__ import annotations

import torch

from pixel_lm.models.config import PixelConfig

__all__ = ["num_patches", "to_patches"]


def num_patches(pixel_values: torch.Tensor, config: PixelConfig) -> int:
    """Patches in each row of an input."""
    if pixel_values.dim() == 4:
        return pixel_values.shape[-2] * pixel_values.shape[-1] // config.patch_size**2
    return pixel_values.shape[1]


def to_patches(pixel_values: torch.Tensor, patch_size: int, num_channels: int, dtype: torch.dtype) -> torch.Tensor:
    """Bring pixel values into patch rows of the given dtype, in 0…1.

    Args:
        pixel_values: one of
            (batch, length, patch_size²): grey patches, row by row;
            (batch, length, patch_size² · num_channels): patches with the channel running fastest;
            (batch, num_channels, height, width): images, as in the published code, patches taken row by row.
            uint8 values are divided by 255.

    Returns:
        (batch, length, patch_size²) if the input is grey patches, else (batch, length, patch_size² · num_channels).

    Raises:
        ValueError: the shape is none of these, or the values are integers other than bytes.
    """
    grey = patch_size * patch_size
    if pixel_values.dim() == 4:
        batch, channels, height, width = pixel_values.shape
        if channels != num_channels or height % patch_size or width % patch_size:
            raise ValueError(
                f"images of shape {tuple(pixel_values.shape)} do not fit: expected (batch, {num_channels}, height, width) with "
                f"sides that are multiples of {patch_size}"
            )
        rows, columns = height // patch_size, width // patch_size
        pixel_values = (
            # (batch, channels, rows · p, columns · p) -> (batch, channels, rows, p, columns, p)
            pixel_values.reshape(batch, channels, rows, patch_size, columns, patch_size)
            # -> (batch, rows, columns, p, p, channels) -> (batch, length, p² · channels)
            .permute(0, 2, 4, 3, 5, 1)
            .reshape(batch, rows * columns, grey * channels)
        )
    elif pixel_values.dim() != 3 or pixel_values.shape[-1] not in (grey, grey * num_channels):
        raise ValueError(
            f"pixel_values of shape {tuple(pixel_values.shape)} do not fit: expected (batch, length, {grey}) grey patches, "
            f"(batch, length, {grey * num_channels}) colour patches, or (batch, {num_channels}, height, width) images"
        )
    if pixel_values.dtype == torch.uint8:
        return pixel_values.to(dtype) / 255
    if not pixel_values.is_floating_point():
        raise ValueError(f"pixel_values are {pixel_values.dtype}: give bytes (uint8, 0 to 255) or floats in 0 to 1")
    return pixel_values.to(dtype)
