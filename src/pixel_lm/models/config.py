"""Configuration of all pixel models."""

from __future__ import annotations

import re
from typing import Any

from transformers import PreTrainedConfig
from transformers.activations import ACT2FN

from pixel_lm.models.positions import POSITION_CODES

__all__ = ["PixelConfig"]

SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "patch_size",
    "num_channels",
    "decoder_num_attention_heads",
    "decoder_hidden_size",
    "decoder_num_hidden_layers",
    "decoder_intermediate_size",
)


class PixelConfig(PreTrainedConfig):
    """Sizes and settings of a pixel model; the defaults are those of the published base model (Rust et al., 2023, table 6).

    Attributes:
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size: of the encoder.
        hidden_act: activation inside the feed-forward blocks (exact GELU).
        hidden_dropout_prob: dropout after each block, and in fine-tuning after the embeddings and before the classifier.
        attention_probs_dropout_prob: dropout on attention probabilities.
        initializer_range: standard deviation of new linear weights.
        layer_norm_eps: of all layer norms but the decoder's last, which keeps PyTorch's 1e-5 as published.
        image_size: height and width of the longest strip in pixels; decides the length of the position tables.
        patch_size: side of a patch in pixels.
        num_channels: colour channels of the checkpoint's patch projection; grey input is folded into one.
        qkv_bias: whether query, key and value projections have a bias.
        decoder_num_attention_heads, decoder_hidden_size, decoder_num_hidden_layers, decoder_intermediate_size: of the
            decoder, used in pretraining only.
        mask_ratio: share of the patches that pretraining masks.
        norm_pix_loss: normalise each target patch by its mean and variance.
        pixel_mean, pixel_std: pixel values (0 ink … 1 paper) enter the model as (value − mean) / std. Published models take
            them as they are. Paper as 0 (mean 1, std 1/3) makes small models learn much sooner: else the constant paper
            outweighs the strokes in every patch embedding.
        position_code: fixed position tables code the place on a square "grid", as published, or in the "line" of patches, which
            lets small models find neighbouring patches much sooner (see `positions`).
        linear_initializer: new linear weights are "normal" with `initializer_range`, as published, or "xavier" uniform (He et
            al., 2022), which suits narrow models better.
        trainable_position_embeddings: whether fine-tuning trains the position table, as published. Pretraining never does.
        interpolate_pos_encoding, interpolated_length: whether positions are interpolated, and to how many patches, as
            `extend_positions` does it in its "interpolate" way.
        pooling_mode: how sequence classification makes one vector of all patches: "cls", "mean", "max", or "pmaN", multi-head
            attention of one learned query with N heads. None: as a loaded checkpoint tells, "mean" for new heads.
        pooling_layer_norm: whether that head has a layer norm.
        pooling_sees_padding: whether "pmaN" attends to padding too, as published: then scores depend on the padded length.
    """

    model_type = "pixel"

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    image_size: list[int] | tuple[int, int] = (16, 8464)
    patch_size: int = 16
    num_channels: int = 3
    qkv_bias: bool = True
    decoder_num_attention_heads: int = 16
    decoder_hidden_size: int = 512
    decoder_num_hidden_layers: int = 8
    decoder_intermediate_size: int = 2048
    mask_ratio: float = 0.25
    norm_pix_loss: bool = True
    pixel_mean: float = 0.0
    pixel_std: float = 1.0
    position_code: str = "grid"
    linear_initializer: str = "normal"
    trainable_position_embeddings: bool = True
    interpolate_pos_encoding: bool = False
    interpolated_length: int | None = None
    pooling_mode: str | None = None
    pooling_layer_norm: bool = True
    pooling_sees_padding: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        if not isinstance(self.image_size, (list, tuple)) or len(self.image_size) != 2:
            raise ValueError(f"image_size must be a height and a width, not {self.image_size!r}")
        for name in SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        # For some lengths (3, 6, 12 …) the published code stored a width that is one pixel short.
        self.image_size = [side + (side % self.patch_size == self.patch_size - 1) for side in map(int, self.image_size)]
        if self.hidden_act not in ACT2FN:
            raise ValueError(f"unknown activation {self.hidden_act!r}")
        for name, size, heads in (
            ("hidden_size", self.hidden_size, self.num_attention_heads),
            ("decoder_hidden_size", self.decoder_hidden_size, self.decoder_num_attention_heads),
        ):
            if size % heads:
                raise ValueError(f"{name} {size} is not divisible by its number of attention heads, {heads}")
            if size % 4:
                raise ValueError(f"{name} {size} is not divisible by 4, which the position tables need")
        for name, known in (("position_code", POSITION_CODES), ("linear_initializer", ("normal", "xavier"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, not {getattr(self, name)!r}")
        if self.pixel_std <= 0:
            raise ValueError(f"pixel_std must be greater than 0, not {self.pixel_std}")
        if self.pooling_mode is not None:
            check_pooling_mode(self.pooling_mode, self.hidden_size)
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"mask_ratio must lie between 0 and 1, not {self.mask_ratio}")
        height, width = self.image_size
        if min(height, width) < 1 or height % self.patch_size or width % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")

    @property
    def num_patches(self) -> int:
        """Number of patches that the position tables hold, CLS excluded."""
        return (self.image_size[0] // self.patch_size) * (self.image_size[1] // self.patch_size)

    @property
    def max_num_patches(self) -> int:
        """The longest sequence of patches that the model takes."""
        return (self.interpolated_length or self.num_patches) if self.interpolate_pos_encoding else self.num_patches


def check_pooling_mode(mode: str, hidden_size: int) -> None:
    """Raise ValueError for a pooling mode that does not exist or does not fit the width."""
    heads = re.fullmatch(r"pma([1-9]\d*)", mode)
    if heads is None and mode not in ("cls", "mean", "max"):
        raise ValueError(f"pooling_mode must be cls, mean, max or pma1, pma2 …, not {mode!r}")
    if heads is not None and hidden_size % int(heads[1]):
        raise ValueError(
            f"pooling_mode {mode!r} does not fit: hidden_size {hidden_size} is not divisible by {heads[1]}"
        )
