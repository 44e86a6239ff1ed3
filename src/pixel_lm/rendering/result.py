"""The result of rendering: patches, and what each of them shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Rendering", "pad_patches", "patches_to_image"]


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """A rendered text.

    Attributes:
        patches: uint8 (num_patches, patch_size, patch_size), in colour with a last axis of 3; 0 = ink, 255 = paper; of natural length: all patches of the text
            and the final separator, no padding. Rows of pixels come first inside a patch. May be a view that is not
            contiguous.
        num_text_patches: index of the final separator, that is the number of patches before it (a separator in the middle
            of a pair is counted).
        sep_patches: patch indices of the separators.
        word_starts: for word lists, the patch where each rendered word begins, and the index of the final separator; so
            `len(word_starts) - 1` words were rendered, perhaps fewer than were given.
        unknown_glyphs: characters that no font could draw (they appear as U+FFFD), as often as they occur.
        offset_mapping: on request, int64 (num_patches, 2): the characters (start, end) that each patch shows, see
            `offsets.patch_spans`; (0, 0) for separators. Of words, places in the word; of pairs, places in the text that
            `sequence_ids` names. (With `legacy=True`: a list as long as `max_seq_length`, as the original gives it.)
        sequence_ids: with an offset mapping: 0 or 1 for patches of the first or second text, None for separators; for lists
            of words the index of the word.
        windows: on request, for pairs whose second text does not fit: one rendering for each further window.
    """

    patches: npt.NDArray[np.uint8]
    num_text_patches: int
    sep_patches: list[int]
    word_starts: list[int] | None = None
    unknown_glyphs: str = ""
    offset_mapping: npt.NDArray[np.int64] | list[tuple[int, int]] | None = None
    sequence_ids: list[int | None] | None = None
    windows: list[Rendering] | None = None

    def __len__(self) -> int:
        """Number of patches, the final separator included."""
        return len(self.patches)

    def replace(self, **changes: Any) -> Rendering:
        """The same rendering with other values for some fields."""
        return dataclasses.replace(self, **changes)

    @property
    def attention_mask(self) -> npt.NDArray[np.int64]:
        """Ones, int64 (num_patches,): every patch of a rendering is attended, padding is not part of it."""
        return np.ones(len(self.patches), np.int64)

    def strip(self) -> npt.NDArray[np.uint8]:
        """The patches side by side: uint8 (patch_size, num_patches · patch_size), in colour with a last axis of 3."""
        num_patches, height, width, *channels = self.patches.shape
        # (num_patches, height, width, …) -> (height, num_patches, width, …) -> (height, num_patches · width, …)
        return self.patches.swapaxes(0, 1).reshape(height, num_patches * width, *channels)

    def image(self, patches_per_row: int | None = None, *, grid: bool = False, scale: int = 1) -> Image:
        """A picture of the strip.

        Args:
            patches_per_row: wrap the strip into rows of this many patches (None: one row).
            grid: draw the borders of the patches; needs `scale` of at least 2 to be readable.
            scale: enlarge every pixel to a square of this side.
        """
        return patches_to_image(self.patches, patches_per_row, grid=grid, scale=scale)

    def _repr_png_(self) -> bytes:
        """Lets notebooks show the strip, wrapped and enlarged."""
        import io

        buffer = io.BytesIO()
        self.image(40, grid=True, scale=2).save(buffer, format="PNG")
        return buffer.getvalue()


def patches_to_image(
    patches: npt.NDArray[np.uint8], patches_per_row: int | None = None, *, grid: bool = False, scale: int = 1
) -> Image:
    """Lay patches out as a picture, wrapped into rows so that a person can read it.

    Args:
        patches: uint8 (num_patches, patch_size, patch_size), or with a last axis of 3.
        patches_per_row, grid, scale: as in `Rendering.image`.
    """
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    if patches_per_row is not None and patches_per_row < 1:
        raise UserError(f"patches_per_row must be at least 1, not {patches_per_row}")
    if scale < 1:
        raise UserError(f"scale must be at least 1, not {scale}")
    num_patches, side, _, *channels = patches.shape
    columns = max(1, min(patches_per_row or num_patches, num_patches))
    rows = -(-num_patches // columns)
    gap = side // 4 if rows > 1 else 0  # a little air between wrapped rows
    canvas = np.full((rows * (side + gap) - gap, columns * side, *channels), 255, np.uint8)
    for row in range(rows):
        part = patches[row * columns : (row + 1) * columns]
        top = row * (side + gap)
        # (n, side, side, …) -> (side, n, side, …) -> (side, n · side, …)
        canvas[top : top + side, : len(part) * side] = part.swapaxes(0, 1).reshape(side, -1, *channels)
    image = PillowImage.fromarray(canvas)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), PillowImage.Resampling.NEAREST)
    if grid:
        image = image.convert("RGB")
        draw = ImageDraw.Draw(image)
        for index in range(num_patches):
            x, y = index % columns * side * scale, index // columns * (side + gap) * scale
            draw.rectangle((x, y, x + side * scale - 1, y + side * scale - 1), outline=(120, 170, 255))
    return image


def pad_patches(
    renderings: Sequence[Rendering], *, length: int | None = None, multiple_of: int = 1
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Batch renderings of different lengths, padded with paper to the longest.

    Args:
        renderings: at least one, all of the same patch size.
        length: pad to this many patches instead of the longest rendering's.
        multiple_of: round the length up to a multiple of this.

    Returns:
        `pixel_values`, uint8 (batch, length, patch_size²), pixels of a patch row by row, in colour three values for each;
        `attention_mask`, int64
        (batch, length).

    Raises:
        UserError: there is nothing to batch, or a rendering is longer than `length`.
    """
    if not renderings:
        raise UserError("cannot make a batch of nothing")
    longest = max(map(len, renderings))
    if length is not None and longest > length:
        raise UserError(f"a rendering has {longest} patches, more than the {length} asked for")
    padded = -(-(length or longest) // multiple_of) * multiple_of
    shape = renderings[0].patches.shape[1:]
    pixel_values = np.full((len(renderings), padded, *shape), 255, np.uint8)
    attention_mask = np.zeros((len(renderings), padded), np.int64)
    for row, rendering in enumerate(renderings):
        pixel_values[row, : len(rendering)] = rendering.patches
        attention_mask[row, : len(rendering)] = 1
    # (batch, length, side, side, …) -> (batch, length, side² · channels)
    return pixel_values.reshape(len(renderings), padded, -1), attention_mask
