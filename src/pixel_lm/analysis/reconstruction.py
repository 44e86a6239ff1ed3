"""What a pretrained model makes of masked text: original, masked and reconstructed strip."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from pixel_lm.errors import UserError
from pixel_lm.models import PixelForPreTraining, denormalize_patches
from pixel_lm.rendering import TextRenderer, patches_to_image

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Reconstruction", "reconstruct", "reconstruct_patches"]

GREY = 160
"""Value of the squares that stand for masked patches."""


@dataclass(frozen=True)
class Reconstruction:
    """A text as the model sees and completes it.

    Attributes:
        original: uint8 (num_patches, patch_size, patch_size).
        mask: bool (num_patches,), True where the model saw nothing.
        predicted: uint8, like `original`: every patch as the decoder draws it. Where the model was trained on normalised
            patches, it predicts shape only; brightness and contrast are then those of the *true* patch.
        loss: mean squared error over the masked patches, as in training.
        baseline_loss: the same for a prediction that knows nothing (a uniform patch).
    """

    original: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.uint8]
    loss: float
    baseline_loss: float

    @property
    def masked(self) -> npt.NDArray[np.uint8]:
        """The strip with grey squares at masked patches."""
        return np.where(self.mask[:, None, None], np.uint8(GREY), self.original)

    @property
    def completed(self) -> npt.NDArray[np.uint8]:
        """The strip with predictions at masked patches."""
        return np.where(self.mask[:, None, None], self.predicted, self.original)

    def image(self, patches_per_row: int = 40, scale: int = 2) -> Image:
        """Three blocks one below the other, labelled: original, masked, reconstruction."""
        from PIL import Image as PillowImage
        from PIL import ImageDraw, ImageFont

        blocks = [
            ("original", patches_to_image(self.original, patches_per_row, scale=scale)),
            ("masked", patches_to_image(self.masked, patches_per_row, scale=scale)),
            ("reconstruction", patches_to_image(self.completed, patches_per_row, scale=scale)),
        ]
        margin, heading = 8, 20
        width = max(block.width for _, block in blocks) + 2 * margin
        height = sum(block.height + heading + margin for _, block in blocks) + margin
        picture = PillowImage.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(size=13)
        top = margin
        for name, block in blocks:
            draw.text((margin, top), name, fill=(70, 80, 90), font=font)
            picture.paste(block, (margin, top + heading))
            top += heading + block.height + margin
        return picture


def reconstruct(
    model: PixelForPreTraining,
    renderer: TextRenderer,
    text: str,
    *,
    max_span_length: int = 6,
    seed: int = 0,
) -> Reconstruction:
    """Mask spans of a text and let the model fill them in.

    Args:
        model: a pretraining model; its `mask_ratio` decides how much is masked.
        renderer: its renderer.
        text: what fits into one strip; the rest is left out.
        max_span_length: longest masked span in patches; lengths are drawn uniformly.
        seed: decides the spans.

    Raises:
        UserError: the text is too short to mask anything, or the model is for another size of patch.
    """
    config = model.config
    if renderer.patch_size != config.patch_size:
        raise UserError(
            f"the renderer draws patches of {renderer.patch_size} pixels, the model takes {config.patch_size}"
        )
    if renderer.max_seq_length > config.max_num_patches:
        renderer = renderer.with_max_seq_length(config.max_num_patches)
    pieces = renderer.split(text)
    patches = np.ascontiguousarray(renderer(pieces[0] if pieces else "").patches)
    return reconstruct_patches(model, patches, max_span_length=max_span_length, seed=seed)


@torch.no_grad()
def reconstruct_patches(
    model: PixelForPreTraining, patches: npt.NDArray[np.uint8], *, max_span_length: int = 6, seed: int = 0
) -> Reconstruction:
    """The same for a strip that is drawn already.

    Args:
        model: as above.
        patches: uint8 (num_patches, patch_size, patch_size), or with a last axis of three colours, which are shown in grey.
        max_span_length: as above.
        seed: as above.

    Raises:
        UserError: the strip is too short to mask anything.
    """
    config = model.config
    length = len(patches)
    kept = int(length * (1 - config.mask_ratio))
    if length < 4 or kept == length:
        raise UserError(f"a text of {length - 1} patches is too short to mask part of it")
    # (length, p, p[, 3]) -> (1, length, p² [· 3])
    pixel_values = torch.tensor(patches).reshape(1, length, -1).to(model.device)
    patch_mask = torch.from_numpy(_spans(length, length - kept, max_span_length, random.Random(seed))).to(model.device)
    noise = torch.rand(1, length, generator=torch.Generator().manual_seed(seed)).to(model.device)
    was_training = model.training
    model.eval()
    outputs = model(pixel_values, patch_mask=patch_mask[None], noise=noise)
    model.train(was_training)
    if patches.ndim == 4:
        true = pixel_values
        patches = patches.mean(-1).round().astype(np.uint8)
    else:
        true = pixel_values.repeat_interleave(config.num_channels, -1)
    colour = denormalize_patches(outputs.logits.float(), true, config)
    # (1, length, p² · channels) -> (length, p, p), the mean of the channels
    predicted = colour.view(length, config.patch_size, config.patch_size, config.num_channels).mean(-1)
    mask = outputs.mask[0].bool().cpu().numpy()
    return Reconstruction(
        original=patches,
        mask=mask,
        predicted=(predicted.clamp(0, 1) * 255).round().byte().cpu().numpy(),
        loss=outputs.loss.item(),
        baseline_loss=_baseline_loss(patches[mask], config.norm_pix_loss),
    )


def _spans(length: int, count: int, longest: int, rng: random.Random) -> npt.NDArray[np.float32]:
    """Mask `count` of `length` patches in spans; the last patch, the separator, stays visible."""
    mask = np.zeros(length, np.float32)
    while mask.sum() < min(count, length - 1):
        span = min(rng.randint(1, longest), count - int(mask.sum()))
        start = rng.randint(0, length - 1 - span)
        mask[start : start + span] = 1
    return mask


def _baseline_loss(patches: npt.NDArray[np.uint8], normalised: bool) -> float:
    """Loss of predicting 0 for normalised patches, or the mean of each patch."""
    values = patches.reshape(len(patches), -1) / 255
    variance = values.var(axis=1)
    return float((variance / (variance + 1e-6)).mean() if normalised else variance.mean())
