"""The pre-norm Transformer block that encoder and decoder share.

Module names are those of the published checkpoints, so that state dicts fit without a mapping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils.import_utils import is_tracing

from pixel_lm.models.config import PixelConfig

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

__all__ = ["BlockSizes", "PixelLayer", "gather_places", "run_layers"]

# As an attention implementation wants it: of booleans, or blocks (flex), or none.
Mask: TypeAlias = "torch.Tensor | BlockMask | None"


@dataclass(frozen=True)
class BlockSizes:
    """What a stack of blocks needs to know; encoder and decoder differ in it."""

    config: PixelConfig
    hidden_size: int
    num_heads: int
    intermediate_size: int

    @classmethod
    def of_encoder(cls, config: PixelConfig) -> BlockSizes:
        """Sizes of the encoder's blocks."""
        return cls(config, config.hidden_size, config.num_attention_heads, config.intermediate_size)

    @classmethod
    def of_decoder(cls, config: PixelConfig) -> BlockSizes:
        """Sizes of the decoder's blocks."""
        heads = config.decoder_num_attention_heads
        return cls(config, config.decoder_hidden_size, heads, config.decoder_intermediate_size)


class PixelSelfAttention(nn.Module):
    """Attention of several heads, by the implementation that the configuration names (`attn_implementation`)."""

    is_causal = False  # read by the kernels

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.config = sizes.config
        self.num_heads = sizes.num_heads
        self.dropout = sizes.config.attention_probs_dropout_prob
        bias = sizes.config.qkv_bias
        self.query = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=bias)
        self.key = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=bias)
        self.value = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=bias)

    def forward(
        self, hidden_states: torch.Tensor, mask: Mask, implementation: str, wanted: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch, _, width = hidden_states.shape

        def heads(projection: nn.Linear, inputs: torch.Tensor = hidden_states) -> torch.Tensor:
            # (batch, length, width) -> (batch, heads, length, width / heads)
            return projection(inputs).view(*inputs.shape[:2], self.num_heads, -1).transpose(1, 2)

        attend = ALL_ATTENTION_FUNCTIONS.get_interface(implementation, eager_attention)
        context, probabilities = attend(
            self,
            heads(self.query, hidden_states if wanted is None else wanted),
            heads(self.key),
            heads(self.value),
            mask,
            scaling=(width // self.num_heads) ** -0.5,
            dropout=self.dropout if self.training else 0.0,
        )
        # (batch, length, heads, width / heads) -> (batch, length, width)
        return context.reshape(batch, -1, width), probabilities


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention with explicit probabilities, in the calling convention of transformers' attention functions.

    Args:
        module: not used.
        query, key, value: (batch, heads, length, width of a head).
        attention_mask: boolean, (batch, 1, 1 or length, length), True = attended.

    Returns:
        (batch, length, heads, width of a head) and the probabilities (batch, heads, length, length).
    """
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    probabilities = nn.functional.dropout(scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype), dropout)
    return (probabilities @ value).transpose(1, 2), probabilities


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
        self.output = PixelProjection(sizes.hidden_size, sizes.hidden_size, sizes.config.hidden_dropout_prob)

    def forward(
        self, hidden_states: torch.Tensor, mask: Mask, implementation: str, wanted: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        context, probabilities = self.attention(hidden_states, mask, implementation, wanted)
        return self.output(context), probabilities


class PixelLayer(GradientCheckpointingLayer):
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        config = sizes.config
        self.attention = PixelAttention(sizes)
        self.intermediate = PixelProjection(sizes.hidden_size, sizes.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.output = PixelProjection(sizes.intermediate_size, sizes.hidden_size, config.hidden_dropout_prob)
        self.layernorm_before = nn.LayerNorm(sizes.hidden_size, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(sizes.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self, hidden_states: torch.Tensor, mask: Mask, implementation: str, places: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Apply the block; with `places` (batch, kept), only to these, though they attend to all: (batch, kept, width)."""
        normalized = self.layernorm_before(hidden_states)
        wanted = None
        if places is not None:
            hidden_states, wanted = gather_places(hidden_states, places), gather_places(normalized, places)
        attended, probabilities = self.attention(normalized, mask, implementation, wanted)
        hidden_states = hidden_states + attended
        expanded = self.activation(self.intermediate(self.layernorm_after(hidden_states)))
        return hidden_states + self.output(expanded), probabilities


def gather_places(hidden_states: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Select by index: (batch, length, width), (batch, kept) -> (batch, kept, width)."""
    return hidden_states.gather(1, places.unsqueeze(-1).expand(-1, -1, hidden_states.shape[-1]))


def attention_mask_of(
    implementation: str, config: PixelConfig, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None
) -> Mask:
    """A mask over patches in the form that an attention implementation takes.

    Args:
        implementation: eager, sdpa, or a name of transformers' attention interface.
        config: of the model.
        hidden_states: input of the first block, (batch, 1 + length, width).
        attention_mask: (batch, length), nonzero = attended, or None. The CLS token in front is always attended.

    Returns:
        None where nothing is padded, as far as that is known without waiting for an accelerator; for eager and sdpa a boolean
        mask over keys, (batch, 1, 1, 1 + length), True = attended; else what transformers makes of it.
    """
    if attention_mask is None:
        return None
    attended = attention_mask.bool()
    if attention_mask.device.type == "cpu" and not is_tracing(attention_mask) and attended.all():
        return None
    attended = nn.functional.pad(attended, (1, 0), value=True)
    if implementation in ("eager", "sdpa"):
        return attended[:, None, None, :]
    return create_bidirectional_mask(config, hidden_states, attended)


def run_layers(
    layers: nn.ModuleList,
    config: PixelConfig,
    hidden_states: torch.Tensor,
    attention_mask: torch.Tensor | None,
    output_attentions: bool = False,
    output_hidden_states: bool = False,
    places: torch.Tensor | None = None,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None, tuple[torch.Tensor, ...] | None]:
    """Apply a stack of blocks; with explicit attention probabilities if they are asked for, else as the configuration says.

    Args:
        layers: the blocks.
        config: of the model.
        hidden_states: (batch, 1 + length, width), CLS first.
        attention_mask: (batch, length), nonzero = attended, or None.
        output_attentions, output_hidden_states: what to return besides.
        places: (batch, kept) int64, places of the last output that are wanted; the last block computes no others.

    Returns:
        The last block's output (batch, 1 + length, width), or (batch, kept, width); if asked for, the input of the first block and every block's output;
        if asked for, every block's attention probabilities (batch, heads, 1 + length, 1 + length).
    """
    implementation = "eager" if output_attentions else config._attn_implementation or "eager"
    mask = attention_mask_of(implementation, config, hidden_states, attention_mask)
    states = [hidden_states]
    attentions = []
    # Kernels for masks of their own kind want as many queries as keys.
    shortened = places if implementation in ("eager", "sdpa") else None
    for number, layer in enumerate(layers, start=1):
        hidden_states, probabilities = layer(
            hidden_states, mask, implementation, shortened if number == len(layers) else None
        )
        if output_hidden_states:
            states.append(hidden_states)
        if output_attentions:
            attentions.append(probabilities)
    if places is not None and shortened is None:
        hidden_states = gather_places(hidden_states, places)
    return (
        hidden_states,
        tuple(states) if output_hidden_states else None,
        tuple(attentions) if output_attentions else None,
    )
