"""One vector for a whole sequence: what stands between the encoder and the classifier of sequences.

Module names are those of the published checkpoints, odd ones included.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import initialization as init

from pixel_lm.models.config import PixelConfig

__all__ = ["PixelSequencePooler"]


class PixelSequencePooler(nn.Module):
    """Patch vectors (without CLS) → one vector, in one of the modes of `PixelConfig.pooling_mode` but "cls".

    Mean and maximum are taken of linear → GELU → layer norm → dropout; attention ("pmaN") of layer norm → dropout. The linear map
    and the norm exist in every mode, as in the published checkpoints.
    """

    def __init__(self, config: PixelConfig, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.sees_padding = config.pooling_sees_padding
        self.has_layer_norm = config.pooling_layer_norm
        self.linear = nn.Linear(config.hidden_size, config.hidden_size)
        self.ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        if mode.startswith("pma"):
            self.pooling = nn.ModuleDict({"pooler": AttentionPooler(config.hidden_size, int(mode[3:]))})

    def forward(self, patches: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Pool.

        Args:
            patches: (batch, length, hidden_size).
            attention_mask: (batch, length), nonzero = attended, or None.

        Returns:
            (batch, hidden_size).
        """
        if not self.mode.startswith("pma"):
            patches = nn.functional.gelu(self.linear(patches))
        if self.has_layer_norm:
            patches = self.ln(patches)
        patches = self.dropout(patches)
        if self.mode.startswith("pma"):
            pooled: torch.Tensor = self.pooling["pooler"](patches, attention_mask, self.sees_padding)
            return pooled
        if attention_mask is None:
            return patches.mean(dim=1) if self.mode == "mean" else patches.amax(dim=1)
        attended = attention_mask.bool().unsqueeze(-1)  # (batch, length, 1)
        if self.mode == "mean":
            # Summed in 32 bits: hundreds of numbers of 16 bits lose too much.
            total = patches.float().masked_fill(~attended, 0.0).sum(dim=1)
            return (total / attended.sum(dim=1).clamp(min=1)).to(patches.dtype)
        return patches.masked_fill(~attended, torch.finfo(patches.dtype).min).amax(dim=1)


class AttentionPooler(nn.Module):
    """Pooling by multi-head attention of a learned query (Lee et al., 2019), as in the published code."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.S = nn.Parameter(torch.empty(1, 1, hidden_size))
        self.mab = nn.ModuleDict(
            {name: nn.Linear(hidden_size, hidden_size) for name in ("fc_q", "fc_k", "fc_v", "fc_o")}
        )
        self.num_heads = num_heads

    @torch.no_grad()
    def initialize(self) -> None:
        """Draw a new query."""
        init.xavier_uniform_(self.S)

    def forward(self, patches: torch.Tensor, attention_mask: torch.Tensor | None, sees_padding: bool) -> torch.Tensor:
        """Pool.

        Args:
            patches, attention_mask: as above.
            sees_padding: whether padding gets a score of 0, as published, and with it a share of the attention.

        Returns:
            (batch, hidden_size).
        """
        batch, _, width = patches.shape

        def heads(vectors: torch.Tensor) -> torch.Tensor:
            # (batch, n, width) -> (batch, heads, n, width / heads)
            return vectors.view(*vectors.shape[:2], self.num_heads, -1).transpose(1, 2)

        query = heads(self.mab["fc_q"](self.S))  # (1, heads, 1, width / heads)
        # The scale is that of the whole width, not of a head's.
        scores = (
            query @ heads(self.mab["fc_k"](patches)).transpose(2, 3)
        ).float() * width**-0.5  # (batch, heads, 1, length)
        if attention_mask is not None:
            padding = ~attention_mask.bool()[:, None, None, :]
            scores = scores.masked_fill(padding, 0.0 if sees_padding else torch.finfo(scores.dtype).min)
        probabilities = scores.softmax(dim=-1).to(patches.dtype)
        pooled = query + probabilities @ heads(self.mab["fc_v"](patches))
        pooled = pooled.transpose(1, 2).reshape(batch, width)
        return pooled + nn.functional.relu(self.mab["fc_o"](pooled))
