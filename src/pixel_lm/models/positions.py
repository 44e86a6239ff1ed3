"""Fixed position codes, sines and cosines: of a square grid laid over the sequence (He et al., 2022), or of the place in it."""

from __future__ import annotations

import math

import torch

__all__ = ["POSITION_CODES", "extended_positions", "interpolated_positions", "sincos_positions"]

POSITION_CODES = ("grid", "line")


def sincos_positions(num_patches: int, width: int, code: str = "grid", columns: int | None = None) -> torch.Tensor:
    """Position table for `num_patches` patches, row 0 (CLS) zero: float32 (1, num_patches + 1, width).

    `grid`, as published: patch i lies in column i mod g and row i div g of a grid of g columns, ⌊√num_patches⌋ unless `columns` says otherwise. The first half
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
    grid = columns or math.isqrt(num_patches)
    patch = torch.arange(num_patches, dtype=torch.float64)
    omega = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    column = torch.outer(patch % grid, omega)  # (num_patches, width / 4)
    row = torch.outer(patch // grid, omega)
    table = torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], dim=1)  # (num_patches, width)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table]).float().unsqueeze(0)


def extended_positions(table: torch.Tensor, num_patches: int, code: str = "grid") -> torch.Tensor:
    """A longer position table: its own rows, trained or not, and after them rows by the formula.

    Of a grid, further rows of patches are coded below those that there are; the number of its columns is found by comparing the
    table with the formula, since tables of fine-tuned models were often cut to fewer patches.

    Args:
        table: (1, n + 1, width), CLS first.
        num_patches: wanted, more than n.
        code: of `sincos_positions`.

    Returns:
        (1, num_patches + 1, width), of the table's dtype.

    Raises:
        ValueError: the table resembles no sines and cosines any more.
    """
    count, width = table.shape[1] - 1, table.shape[2]
    columns = _columns_of_grid(table) if code == "grid" else None
    longer = sincos_positions(num_patches, width, code, columns).to(table)
    return torch.cat([table, longer[:, count + 1 :]], dim=1)


def _columns_of_grid(table: torch.Tensor) -> int:
    count, width = table.shape[1] - 1, table.shape[2]
    rows = table.detach().float().cpu()

    def deviation(columns: int) -> float:
        return (sincos_positions(count, width, "grid", columns) - rows)[:, 1:].abs().mean().item()

    # A table that was cut to n rows comes from a grid of at least √n columns, and hardly one of more than 1024 · √n patches.
    columns = min(range(max(math.isqrt(count), 1), 32 * (math.isqrt(count) + 1)), key=deviation)
    # Unrelated values deviate by about 0.6, the mean absolute value of sines and cosines.
    if deviation(columns) > 0.3:
        raise ValueError(
            f"this position table of {count} patches is not made of sines and cosines, so no rows can be added to it: "
            'extend positions by "interpolate"'
        )
    return columns


def interpolated_positions(table: torch.Tensor, num_patches: int) -> torch.Tensor:
    """Positions for longer strips as the published code made them: differentiable, (1, num_patches + 1, width).

    The rows of the table are laid out as a square, which is resized bicubically to one row of `num_patches`. So the rows of the
    square are averaged away: what comes out has little to do with the places in the strip that the model learnt.

    Args:
        table: (1, n + 1, width), CLS first; n must be a square.
        num_patches: wanted.

    Raises:
        ValueError: n is no square.
    """
    count, width = table.shape[1] - 1, table.shape[2]
    side = math.isqrt(count)
    if side * side != count:
        raise ValueError(f"only a position table of a square number of patches can be interpolated, not one of {count}")
    square = table[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)  # (1, width, rows, columns)
    # The published code adds 0.1 to the wanted size, and it scales by the quotients.
    scale = ((1 + 0.1) / side, (num_patches + 0.1) / side)
    strip = torch.nn.functional.interpolate(square, scale_factor=scale, mode="bicubic", align_corners=False)
    # (1, width, 1, num_patches) -> (1, num_patches, width)
    return torch.cat([table[:, :1], strip.permute(0, 2, 3, 1).reshape(1, -1, width)], dim=1)
