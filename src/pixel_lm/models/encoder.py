"""`PixelModel`: the encoder that pretraining and fine-tuning share."""

from __future__ import annotations

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.embeddings import PixelEmbeddings
from pixel_lm.models.layers import BlockSizes, PixelLayer, run_layers

__all__ = ["PixelModel"]


class PixelPooler(nn.Module):
    """Dense layer and tanh on the CLS vector."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dense(hidden_states[:, 0]))


class PixelEncoder(nn.Module):
    """The stack of blocks; a module of its own for the sake of the published key names."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        sizes = BlockSizes.of_encoder(config)
        self.layer = nn.ModuleList(PixelLayer(sizes) for _ in range(config.num_hidden_layers))


class PixelModel(PixelPreTrainedModel):
    """The encoder: patches in, one vector for CLS and each patch out.

    Args:
        config: sizes.
        add_pooling_layer: also give the pooled CLS vector (needed by some heads only).
        pretraining: no dropout after the embeddings and a fixed position table, as in published pretraining. Fine-tuning
            drops out and trains the table.
    """

    def __init__(self, config: PixelConfig, add_pooling_layer: bool = False, pretraining: bool = False) -> None:
        super().__init__(config)
        self.embeddings = PixelEmbeddings(
            config,
            trainable_positions=config.trainable_position_embeddings and not pretraining,
            dropout=0.0 if pretraining else config.hidden_dropout_prob,
        )
        self.encoder = PixelEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooler = PixelPooler(config) if add_pooling_layer else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The patch projection."""
        return self.embeddings.patch_embeddings

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        ids_keep: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Encode a batch.

        Args:
            pixel_values: patches or images, see `to_patches`. Any length up to that of the position table.
            attention_mask: (batch, length), 1 = attended, 0 = padding; None: all attended.
            ids_keep: (batch, kept) int64, encode only these patches, in this order (masked pretraining).
            output_attentions: also return attention probabilities (computed without the fused kernel); None: as the
                configuration says.
            output_hidden_states: also return the embeddings and every block's output, before the final norm; None: as the
                configuration says.

        Returns:
            `last_hidden_state` (batch, 1 + length, hidden_size) after the final norm, CLS first; `pooler_output`
            (batch, hidden_size) or None; `hidden_states`, `attentions` if asked for.

        Raises:
            ValueError: the input is longer than the position table, or of a shape that does not fit.
        """
        embedded = self.embeddings(pixel_values, ids_keep)
        if attention_mask is not None and ids_keep is not None:
            attention_mask = attention_mask.gather(1, ids_keep)
        hidden_states, states, attentions = run_layers(
            self.encoder.layer,
            self.config,
            embedded,
            attention_mask,
            self.config.output_attentions if output_attentions is None else output_attentions,
            self.config.output_hidden_states if output_hidden_states is None else output_hidden_states,
        )
        hidden_states = self.layernorm(hidden_states)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.pooler(hidden_states) if self.pooler is not None else None,
            hidden_states=states,
            attentions=attentions,
        )
