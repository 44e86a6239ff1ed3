"""`PixelModel`: the encoder that pretraining and fine-tuning share."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.config import PixelConfig
from pixel_lm.models.layers import BlockSizes, PixelLayer, attention_bias, run_layers
from pixel_lm.models.patches import to_patches
from pixel_lm.models.positions import sincos_positions

__all__ = ["PixelModel", "PixelPreTrainedModel"]


class PixelPatchEmbeddings(nn.Module):
    """Linear projection of patches, stored as the convolution of the published checkpoints."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Conv2d(
            config.num_channels, config.hidden_size, config.patch_size, stride=config.patch_size
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Pixels in any form of `to_patches` -> (batch, length, hidden_size)."""
        kernel = self.projection.weight  # (hidden, channels, p, p)
        patches = to_patches(pixel_values, kernel.shape[-1], kernel.shape[1], kernel.dtype)
        if self.config.pixel_mean != 0.0 or self.config.pixel_std != 1.0:
            patches = (patches - self.config.pixel_mean) / self.config.pixel_std
        if patches.shape[-1] == kernel.shape[-1] ** 2:
            # Equal channels: the kernels of the channels add up to one.
            weight = kernel.sum(dim=1).flatten(1)  # (hidden, p²)
        else:
            weight = kernel.permute(0, 2, 3, 1).flatten(1)  # (hidden, p² · channels), channel fastest
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

    def forward(self, pixel_values: torch.Tensor, ids_keep: torch.Tensor | None = None) -> torch.Tensor:
        """Embed patches, keep those asked for in their order, and put CLS in front: (batch, 1 + length, hidden_size)."""
        patches = self.patch_embeddings(pixel_values)
        length = patches.shape[1]
        positions = position_rows(self.position_embeddings, length)
        patches = patches + positions[:, 1:]
        if ids_keep is not None:
            patches = gather_patches(patches, ids_keep)
        cls_token = (self.cls_token + positions[:, :1]).expand(len(patches), -1, -1)
        return self.dropout(torch.cat([cls_token, patches], dim=1))


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
        sizes = BlockSizes(
            hidden_size=config.hidden_size,
            num_heads=config.num_attention_heads,
            intermediate_size=config.intermediate_size,
            hidden_act=config.hidden_act,
            hidden_dropout=config.hidden_dropout_prob,
            attention_dropout=config.attention_probs_dropout_prob,
            layer_norm_eps=config.layer_norm_eps,
            qkv_bias=config.qkv_bias,
        )
        self.layer = nn.ModuleList(PixelLayer(sizes) for _ in range(config.num_hidden_layers))


class PixelPreTrainedModel(PreTrainedModel):
    """What all pixel models have in common: configuration, initialisation, loading and saving."""

    config_class = PixelConfig
    config: PixelConfig
    base_model_prefix = "vit"
    main_input_name = "pixel_values"
    input_modalities = "image"
    supports_gradient_checkpointing = True
    _no_split_modules = ["PixelEmbeddings", "PixelLayer"]  # noqa: RUF012, the base class declares it so
    _supports_sdpa = True
    # A pretraining checkpoint brings its decoder along; heads do without it.
    _keys_to_ignore_on_load_unexpected = [r"^decoder\."]  # noqa: RUF012

    @property
    def explicit_attention(self) -> bool:
        """Whether attention probabilities are computed one by one (`attn_implementation="eager"`)."""
        return self.config._attn_implementation == "eager"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Linear layers as the configuration says and biases 0; positions by formula; the patch projection as the published run really began:
        Xavier-uniform over the flattened kernel, with PyTorch's own bias."""
        if isinstance(module, nn.Conv2d) and module.bias is not None:  # the patch projection
            fan_in = module.weight[0].numel()
            bound = (6 / (fan_in + module.weight.shape[0])) ** 0.5
            init.uniform_(module.weight, -bound, bound)
            init.uniform_(module.bias, -(fan_in**-0.5), fan_in**-0.5)
            return
        super()._init_weights(module)
        if isinstance(module, nn.Linear) and self.config.linear_initializer == "xavier":
            init.xavier_uniform_(module.weight)
        if isinstance(module, PixelEmbeddings):
            init.normal_(module.cls_token, std=self.config.initializer_range)
            config = module.config
            table = sincos_positions(config.num_patches, config.hidden_size, config.position_code)
            init.copy_(module.position_embeddings, table)


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
            embedded,
            attention_bias(attention_mask),
            self.config.output_attentions if output_attentions is None else output_attentions,
            self.config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            explicit=self.explicit_attention,
        )
        hidden_states = self.layernorm(hidden_states)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.pooler(hidden_states) if self.pooler is not None else None,
            hidden_states=states,
            attentions=attentions,
        )


def position_rows(table: torch.Tensor, length: int) -> torch.Tensor:
    """Rows of a position table for CLS and `length` patches: any length up to the table's is exact."""
    if length >= table.shape[1]:
        raise ValueError(
            f"a sequence of {length} patches is longer than the position table, which has {table.shape[1] - 1}"
        )
    return table[:, : length + 1]


def gather_patches(patches: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Select patches by index: (batch, length, width), (batch, kept) -> (batch, kept, width)."""
    return patches.gather(1, ids.unsqueeze(-1).expand(-1, -1, patches.shape[-1]))
