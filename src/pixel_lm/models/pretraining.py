"""`PixelForPreTraining`: reconstruct masked patches (Rust et al., 2023, section 2; He et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.embeddings import position_rows
from pixel_lm.models.encoder import PixelModel
from pixel_lm.models.layers import BlockSizes, PixelLayer, gather_places, run_layers
from pixel_lm.models.patches import num_patches, to_patches
from pixel_lm.models.positions import interpolated_positions, sincos_positions

__all__ = ["PixelForPreTraining", "PixelForPreTrainingOutput", "denormalize_patches", "draw_mask"]


@dataclass
class PixelForPreTrainingOutput(ModelOutput):
    """What pretraining returns.

    Attributes:
        loss: mean squared error over masked and attended patches; 0 if there is none.
        logits: predicted patches (batch, length, patch_size² · num_channels), channel fastest; normalised per patch if the
            configuration says `norm_pix_loss`. None if only masked patches were predicted, as in training.
        mask: (batch, length), 1 = masked, 0 = seen by the encoder.
        attention_mask: the mask over patches that was used.
        ids_restore: (batch, length), where each patch stands in the shuffled order.
        hidden_states, attentions: of the encoder, if asked for.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    attention_mask: torch.Tensor | None = None
    ids_restore: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


class PixelDecoder(nn.Module):
    """A small Transformer that sees all positions and predicts the pixels of each patch."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.decoder_hidden_size
        sizes = BlockSizes.of_decoder(config)
        self.decoder_embed = nn.Linear(config.hidden_size, width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        self.decoder_pos_embed: torch.Tensor
        self.register_buffer("decoder_pos_embed", torch.empty(1, config.num_patches + 1, width))
        self.decoder_layers = nn.ModuleList(PixelLayer(sizes) for _ in range(config.decoder_num_hidden_layers))
        self.decoder_norm = nn.LayerNorm(width)  # eps 1e-5, as published, unlike all the others
        self.decoder_pred = nn.Linear(width, config.patch_size**2 * config.num_channels)

    def positions(self) -> torch.Tensor:
        """The position table, interpolated if the configuration says so."""
        if self.config.interpolate_pos_encoding and self.config.interpolated_length is not None:
            return interpolated_positions(self.decoder_pos_embed, self.config.interpolated_length)
        return self.decoder_pos_embed

    def forward(
        self,
        encoded: torch.Tensor,
        ids_restore: torch.Tensor,
        attention_mask: torch.Tensor | None,
        ids_wanted: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict patches.

        Args:
            encoded: encoder output for CLS and the visible patches (batch, 1 + kept, hidden_size), in shuffled order.
            ids_restore: (batch, length).
            attention_mask: (batch, length) or None.
            ids_wanted: (batch, wanted), predict these only; None: all.

        Returns:
            (batch, length or wanted, patch_size² · num_channels).
        """
        visible = self.decoder_embed(encoded)
        batch, length = ids_restore.shape
        masked = self.mask_token.to(visible.dtype).expand(batch, length + 1 - visible.shape[1], -1)
        # shuffled order: visible patches, then mask tokens -> original order
        patches = gather_places(torch.cat([visible[:, 1:], masked], dim=1), ids_restore)
        hidden_states = torch.cat([visible[:, :1], patches], dim=1) + position_rows(self.positions(), length)
        places = None if ids_wanted is None else ids_wanted + 1  # CLS comes first
        hidden_states, _, _ = run_layers(self.decoder_layers, self.config, hidden_states, attention_mask, places=places)
        predicted: torch.Tensor = self.decoder_pred(self.decoder_norm(hidden_states))
        return predicted[:, 1:] if ids_wanted is None else predicted


class PixelForPreTraining(PixelPreTrainedModel):
    """Encoder on the visible patches, decoder on all, loss on the masked ones."""

    task = "pretraining"

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        self.vit = PixelModel(config, pretraining=True)
        self.decoder = PixelDecoder(config)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, PixelDecoder):
            init.normal_(module.mask_token, std=self.config.initializer_range)
            config = module.config
            table = sincos_positions(config.num_patches, config.decoder_hidden_size, config.position_code)
            init.copy_(module.decoder_pos_embed, table)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        patch_mask: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_loss: bool = True,
        masked_only: bool | None = None,
    ) -> PixelForPreTrainingOutput:
        """Mask, encode, decode, compare.

        Args:
            pixel_values: patches or images, see `to_patches`.
            attention_mask: (batch, length), 1 = attended; None: all.
            patch_mask: (batch, length), 1 = to be masked (span masking); None: patches are masked at random. The number of
                masked patches is fixed by `mask_ratio`: if the mask asks for fewer, others are masked at random too.
            noise: (batch, length) in 0…1, decides what is masked at random; None: drawn here.
            return_loss: always computed; the argument tells transformers' Trainer that evaluation has a loss.
            masked_only: compute nothing that the loss does not need: the decoder's last block and the prediction of masked
                patches alone; then `logits` is None. The loss is the same. None: in training.
        """
        length = num_patches(pixel_values, self.config)
        if noise is None:
            noise = torch.rand(pixel_values.shape[0], length, device=pixel_values.device)
        mask, ids_keep, ids_masked, ids_restore = draw_mask(noise, self.config.mask_ratio, attention_mask, patch_mask)
        encoded = self.vit(pixel_values, attention_mask, ids_keep, output_attentions, output_hidden_states)
        weight = mask if attention_mask is None else mask * attention_mask
        ids_wanted = ids_masked if (self.training if masked_only is None else masked_only) else None
        logits = self.decoder(encoded.last_hidden_state, ids_restore, attention_mask, ids_wanted)
        return PixelForPreTrainingOutput(
            loss=self._loss(pixel_values, logits, weight, ids_wanted),
            logits=logits if ids_wanted is None else None,
            mask=mask,
            attention_mask=attention_mask,
            ids_restore=ids_restore,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )

    def _loss(
        self, pixel_values: torch.Tensor, logits: torch.Tensor, weight: torch.Tensor, ids: torch.Tensor | None
    ) -> torch.Tensor:
        """Squared error averaged inside each patch, then over the patches where `weight` is 1.

        `ids` (batch, predicted) says which patches were predicted; None: all.
        """
        config = self.config
        if ids is not None:
            weight = weight.gather(1, ids)
            if pixel_values.dim() == 3:
                pixel_values = gather_places(pixel_values, ids)
        target = to_patches(pixel_values, config.patch_size, config.num_channels, torch.float32)
        if ids is not None and pixel_values.dim() == 4:
            target = gather_places(target, ids)
        if target.shape[-1] != logits.shape[-1]:
            # grey: the channels are equal; (batch, length, p²) -> (batch, length, p², 1), compared with every channel
            target = target.unsqueeze(-1)
            logits = logits.view(*logits.shape[:-1], -1, config.num_channels)
        if config.norm_pix_loss:
            mean, std = patch_statistics(target, config)
            target = (target - mean) / std
        error = (logits.float() - target).square().flatten(2).mean(dim=-1)  # (batch, length)
        # Where nothing is masked or attended the loss is 0, not NaN.
        return (error * weight).sum() / weight.sum().clamp(min=1)


def patch_statistics(target: torch.Tensor, config: PixelConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each patch, over all its pixels and channels.

    The variance is the unbiased one over patch_size² · num_channels values, as published; for grey patches every value counts
    `num_channels` times. 1e-6 is added, so that blank patches become 0.
    """
    dims = tuple(range(2, target.dim()))
    mean = target.mean(dim=dims, keepdim=True)
    squares = (target - mean).square().mean(dim=dims, keepdim=True)
    values = config.patch_size**2 * config.num_channels
    return mean, (squares * values / (values - 1) + 1e-6).sqrt()


def denormalize_patches(logits: torch.Tensor, pixel_values: torch.Tensor, config: PixelConfig) -> torch.Tensor:
    """Predictions as pixel values in about 0…1, (batch, length, patch_size² · num_channels).

    With `norm_pix_loss` the model predicts each patch relative to its own mean and deviation; these are taken from the true
    patch, so the picture shows the shape that was predicted in the contrast of the original.
    """
    if not config.norm_pix_loss:
        return logits
    mean, std = patch_statistics(
        to_patches(pixel_values, config.patch_size, config.num_channels, torch.float32), config
    )
    return logits * std + mean


def draw_mask(
    noise: torch.Tensor, mask_ratio: float, attention_mask: torch.Tensor | None, patch_mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Choose which patches are masked: a fixed number, int(length · (1 − mask_ratio)) stay visible.

    Args:
        noise: (batch, length) in 0…1; patches with the smallest noise stay visible, in the order of their noise.
        attention_mask: (batch, length) or None; at least one attended patch is masked at random.
        patch_mask: (batch, length) or None; 1 = masked before all others.

    Returns:
        mask (batch, length) of 0 and 1; ids_keep (batch, kept); ids_masked (batch, length − kept); ids_restore (batch, length).
    """
    length = noise.shape[1]
    if patch_mask is not None:
        noise = patch_mask + noise / 100
    else:
        attended = noise if attention_mask is None else noise * attention_mask
        noise = noise.scatter(1, attended.argmax(dim=1, keepdim=True), 100.0)
    kept = int(length * (1 - mask_ratio))
    ids_shuffle = noise.argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (ids_restore >= kept).to(torch.float32)
    return mask, ids_shuffle[:, :kept], ids_shuffle[:, kept:], ids_restore
