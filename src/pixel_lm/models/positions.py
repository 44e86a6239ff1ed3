"""Fixed position codes, sines and cosines: of a square grid laid over the sequence (He et al., 2022), or of the place in it."""

from __future__ import annotations

import math

import torch

__all__ = ["POSITION_CODES", "sincos_positions"]

POSITION_CODES = ("grid", "line")


def sincos_positions(num_patches: int, width: int, code: str = "grid") -> torch.Tensor:
    """Position table for `num_patches` patches, row 0 (CLS) zero: float32 (1, num_patches + 1, width).

    `grid`, as published: patch i lies in column i mod g and row i div g of a grid of g = ⌊√num_patches⌋ columns. The first half
    of a row of the table codes the column, the second half the row, each as sines and then cosines of width/4 frequencies.
    Nothing else in the model knows about the grid: text is a strip.

    `line`, for new models: sines and cosines of i itself, of width/2 frequencies from 1 down to 1/1000 (Vaswani et al., 2017). The
    next patch is the same rotation away everywhere, and the code does not depend on the length of the table.
    """
    if code == "line":
        place = torch.arange(num_patches, dtype=torch.float64)
        frequencies = 1000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width / 2))
        angle = torch.outer(place, frequencies)  # (num_patches, width / 2)
        table = torch.cat([angle.sin(), angle.cos()], dim=1)
        return torch.cat([torch.zeros(1, width, dtype=torch.float64), table]).float().unsqueeze(0)
    grid = math.isqrt(num_patches)
    patch = torch.arange(num_patches, dtype=torch.float64)
    omega = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    column = torch.outer(patch % grid, omega)  # (num_patches, width / 4)
    row = torch.outer(patch // grid, omega)
    table = torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], dim=1)  # (num_patches, width)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table]).float().unsqueeze(0)
