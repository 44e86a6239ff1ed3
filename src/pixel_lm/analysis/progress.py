"""Pictures of what a model makes of one strip while it is pretrained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pixel_lm.analysis.reconstruction import reconstruct_patches
from pixel_lm.models import PixelForPreTraining

__all__ = ["ReconstructionPictures"]


class ReconstructionPictures(TrainerCallback):
    """Draws the reconstruction of one strip, with the same patches masked, every `steps` steps and at the begin and the end.

    Writes `reconstructions/step-000000.png` … in the output folder. Training is not touched: random numbers are pictures' own.

    Args:
        model: what is trained.
        patches: uint8 (num_patches, patch_size, patch_size[, 3]), the strip.
        steps: between two pictures.
        max_span_length: longest masked span in patches, as in training.
    """

    def __init__(
        self, model: PixelForPreTraining, patches: npt.NDArray[np.uint8], steps: int, max_span_length: int = 6
    ) -> None:
        self.model = model
        self.patches = patches
        self.steps = steps
        self.max_span_length = max_span_length

    def draw(self, args: TrainingArguments, state: TrainerState) -> None:
        """Write the picture of this step."""
        # Of a model that is divided among processes (FSDP), all of them have to compute.
        divided = any(hasattr(parameter, "to_local") for parameter in self.model.parameters())
        if not state.is_world_process_zero and not divided:
            return
        picture = reconstruct_patches(self.model, self.patches, max_span_length=self.max_span_length).image()
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / "reconstructions"
        folder.mkdir(exist_ok=True)
        picture.save(folder / f"step-{state.global_step:06d}.png")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The model as it begins."""
        if state.global_step == 0:
            self.draw(args, state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Whenever one is due."""
        if state.global_step % self.steps == 0 or state.global_step == state.max_steps:
            self.draw(args, state)
