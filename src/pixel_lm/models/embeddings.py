"""Patches and places → the vectors that the encoder starts from."""

from __future__ import annotations

import torch
from torch import nn

from pixel_lm.models.config import PixelConfig
from pixel_lm.models.layers import gather_places
from pixel_lm.models.patches import num_patches, to_patches
from pixel_lm.models.positions import interpolated_positions

__all__ = ["PixelEmbeddings", "position_rows"]


class PixelPatchEmbeddings(nn.Module):
    """Linear projection of patches, stored as the convolution of the published checkpoints."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Conv2d(
            config.num_channels, config.hidden_size, config.patch_size, stride=config.patch_size
        )

    def forward(self, pixel_values: torch.Tensor, ids_keep: torch.Tensor | None = None) -> torch.Tensor:
        """Pixels in any form of `to_patches` -> (batch, length, hidden_size), or of the patches asked for, in their order."""
        kernel = self.projection.weight  # (hidden, channels, p, p)
        if ids_keep is not None and pixel_values.dim() == 3:  # before anything is computed of the others
            pixel_values = gather_places(pixel_values, ids_keep)
        patches = to_patches(pixel_values, kernel.shape[-1], kernel.shape[1], kernel.dtype)
        if self.config.pixel_mean != 0.0 or self.config.pixel_std != 1.0:
            patches = (patches - self.config.pixel_mean) / self.config.pixel_std
        if patches.shape[-1] == kernel.shape[-1] ** 2:
            # Equal channels: the kernels of the channels add up to one.
            weight = kernel.sum(dim=1).flatten(1)  # (hidden, p²)
        else:
            weight = kernel.permute(0, 2, 3, 1).flatten(1)  # (hidden, p² · channels), channel fastest
        if ids_keep is not None and pixel_values.dim() == 4:
            patches = gather_places(patches, ids_keep)
        return nn.functional.linear(patches, weight, self.projection.bias)


class PixelEmbeddings(nn.Module):
    """CLS token, patch embeddings and positions."""

    def __init__(self, config: PixelConfig, trainable_positions: bool, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.hidden_size))
        self.position_embeddings: torch.Tensor
        positions = torch.empty(1, config.num_patches + 1, config.hidden_size)
        if trainable_positions:
            self.position_embeddings = nn.Parameter(positions)
        else:  # a buffer: in the state dict under the same name, but nothing that an optimizer sees
            self.register_buffer("position_embeddings", positions)
        self.patch_embeddings = PixelPatchEmbeddings(config)
        self.dropout = nn.Dropout(dropout)

    def positions(self) -> torch.Tensor:
        """The position table, interpolated if the configuration says so: (1, 1 + longest sequence, hidden_size)."""
        if not self.config.interpolate_pos_encoding:
            return self.position_embeddings
        if self.config.interpolated_length is None:
            raise ValueError(
                "interpolate_pos_encoding is set, but not to how many patches: give interpolated_length, the max_seq_length that "
                "this model was trained with"
            )
        return interpolated_positions(self.position_embeddings, self.config.interpolated_length)

    def forward(self, pixel_values: torch.Tensor, ids_keep: torch.Tensor | None = None) -> torch.Tensor:
        """Embed patches, keep those asked for in their order, and put CLS in front: (batch, 1 + length, hidden_size)."""
        patches = self.patch_embeddings(pixel_values, ids_keep)
        positions = position_rows(self.positions(), num_patches(pixel_values, self.config))
        places = positions[:, 1:]
        if ids_keep is not None:
            places = gather_places(places.expand(patches.shape[0], -1, -1), ids_keep)
        patches = patches + places
        cls_token = (self.cls_token + positions[:, :1]).expand(patches.shape[0], -1, -1)
        return self.dropout(torch.cat([cls_token, patches], dim=1))


def position_rows(table: torch.Tensor, length: int) -> torch.Tensor:
    """Rows of a position table for CLS and `length` patches: any length up to the table's is exact."""
    if length >= table.shape[1]:
        raise ValueError(
            f"a sequence of {length} patches is longer than the position table, which has {table.shape[1] - 1}: shorten the "
            f"input, or call extend_positions({length}) on the model"
        )
    return table[:, : length + 1]
