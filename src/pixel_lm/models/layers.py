"""The pre-norm Transformer block that encoder and decoder share.

Module names are those of the published checkpoints, so that state dicts fit without a mapping.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer

__all__ = ["BlockSizes", "PixelLayer", "attention_bias", "run_layers"]


@dataclass(frozen=True)
class BlockSizes:
    """What a stack of blocks needs to know; encoder and decoder differ in it."""

    hidden_size: int
    num_heads: int
    intermediate_size: int
    hidden_act: str
    hidden_dropout: float
    attention_dropout: float
    layer_norm_eps: float
    qkv_bias: bool


class PixelSelfAttention(nn.Module):
    """Scaled dot-product attention of several heads: by the fused kernel, or with explicit probabilities."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.num_heads = sizes.num_heads
        self.dropout = sizes.attention_dropout
        self.query = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=sizes.qkv_bias)
        self.key = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=sizes.qkv_bias)
        self.value = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=sizes.qkv_bias)

    def forward(
        self, hidden_states: torch.Tensor, mask: torch.Tensor | None, explicit: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch, length, width = hidden_states.shape

        def heads(projection: nn.Linear) -> torch.Tensor:
            # (batch, length, width) -> (batch, heads, length, width / heads)
            return projection(hidden_states).view(batch, length, self.num_heads, -1).transpose(1, 2)

        query, key, value = heads(self.query), heads(self.key), heads(self.value)
        dropout = self.dropout if self.training else 0.0
        probabilities = None
        if explicit:
            scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5  # (batch, heads, length, length)
            if mask is not None:
                scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            probabilities = nn.functional.dropout(scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype), dropout)
            context = probabilities @ value
        else:
            context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        # (batch, heads, length, width / heads) -> (batch, length, width)
        return context.transpose(1, 2).reshape(batch, length, width), probabilities


class PixelProjection(nn.Module):
    """A linear map followed by dropout; the residual is added outside."""

    def __init__(self, width_in: int, width_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.dense(hidden_states))


class PixelAttention(nn.Module):
    """Self-attention and its output projection."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.attention = PixelSelfAttention(sizes)
        self.output = PixelProjection(sizes.hidden_size, sizes.hidden_size, sizes.hidden_dropout)

    def forward(
        self, hidden_states: torch.Tensor, mask: torch.Tensor | None, explicit: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        context, probabilities = self.attention(hidden_states, mask, explicit)
        return self.output(context), probabilities


class PixelLayer(GradientCheckpointingLayer):
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.attention = PixelAttention(sizes)
        self.intermediate = PixelProjection(sizes.hidden_size, sizes.intermediate_size)
        self.activation = ACT2FN[sizes.hidden_act]
        self.output = PixelProjection(sizes.intermediate_size, sizes.hidden_size, sizes.hidden_dropout)
        self.layernorm_before = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(
        self, hidden_states: torch.Tensor, mask: torch.Tensor | None = None, explicit: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        attended, probabilities = self.attention(self.layernorm_before(hidden_states), mask, explicit)
        hidden_states = hidden_states + attended
        expanded = self.activation(self.intermediate(self.layernorm_after(hidden_states)))
        return hidden_states + self.output(expanded), probabilities


def attention_bias(attention_mask: torch.Tensor | None) -> torch.Tensor | None:
    """Boolean mask over keys, (batch, 1, 1, 1 + length), True = attended, from a mask over patches (batch, length).

    The CLS token in front is always attended.
    """
    if attention_mask is None:
        return None
    return nn.functional.pad(attention_mask.bool(), (1, 0), value=True)[:, None, None, :]


def run_layers(
    layers: nn.ModuleList,
    hidden_states: torch.Tensor,
    mask: torch.Tensor | None,
    output_attentions: bool = False,
    output_hidden_states: bool = False,
    explicit: bool = False,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None, tuple[torch.Tensor, ...] | None]:
    """Apply a stack of blocks, with explicit attention probabilities if `explicit` or if they are asked for.

    Returns:
        The last block's output (batch, length, width); if asked for, the input of the first block and every block's output;
        if asked for, every block's attention probabilities (batch, heads, length, length).
    """
    states = [hidden_states]
    attentions = []
    for layer in layers:
        hidden_states, probabilities = layer(hidden_states, mask, explicit or output_attentions)
        if output_hidden_states:
            states.append(hidden_states)
        if output_attentions:
            attentions.append(probabilities)
    return (
        hidden_states,
        tuple(states) if output_hidden_states else None,
        tuple(attentions) if output_attentions else None,
    )
