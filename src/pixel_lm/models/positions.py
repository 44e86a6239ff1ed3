"""The fixed position code: sines and cosines of a square grid laid over the sequence (He et al., 2022)."""

from __future__ import annotations

import math

import torch

__all__ = ["sincos_positions"]


def sincos_positions(num_patches: int, width: int) -> torch.Tensor:
    """Position table for `num_patches` patches, row 0 (CLS) zero: float32 (1, num_patches + 1, width).

    Patch i lies in column i mod g and row i div g of a grid of g = ⌊√num_patches⌋ columns. The first half of a row of the table
    codes the column, the second half the row, each as sines and then cosines of width/4 frequencies. Nothing else in the
    model knows about the grid: text is a strip.
    """
    grid = math.isqrt(num_patches)
    patch = torch.arange(num_patches, dtype=torch.float64)
    omega = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    column = torch.outer(patch % grid, omega)  # (num_patches, width / 4)
    row = torch.outer(patch // grid, omega)
    code = torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], dim=1)  # (num_patches, width)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), code]).float().unsqueeze(0)
