"""Fine-tuned models as ONNX, for use without PyTorch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from pixel_lm.models.base import PixelPreTrainedModel

__all__ = ["OUTPUTS", "check_exporter", "export_onnx"]

OUTPUTS: dict[str, tuple[str, ...]] = {
    "no task": ("last_hidden_state",),
    "dependency parsing": ("arc_logits", "rel_logits"),
    "question answering": ("start_logits", "end_logits"),
    "sequence classification": ("logits",),
    "token classification": ("logits",),
}
"""Names of the outputs of each task's graph."""


class _Graph(nn.Module):
    """A model with tensors in and tensors out."""

    def __init__(self, model: PixelPreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.outputs = OUTPUTS[model.task]

    def forward(
        self, pixel_values: torch.Tensor, attention_mask: torch.Tensor, word_starts: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        options = {} if word_starts is None else {"word_starts": word_starts, "output_all_relations": True}
        outputs = self.model(pixel_values=pixel_values, attention_mask=attention_mask, **options)
        return tuple(outputs[name] for name in self.outputs)


def export_onnx(model: PixelPreTrainedModel, path: str | Path) -> None:
    """Write a model as an ONNX graph of any batch size and any length that the model takes.

    Inputs: `pixel_values` uint8 (batch, length, patch_size²), grey patches as renderers give them; `attention_mask` int64 (batch,
    length); for parsing `word_starts` int64 (batch, words + 1). Outputs: `OUTPUTS`, in 32 bits; of the parser
    `rel_logits` (batch, words, 1 + words, num_labels), relations to every head.

    Args:
        model: with a fine-tuning head, or the encoder alone.
        path: file to write, `.onnx`.

    Raises:
        ValueError: the model is for pretraining, which draws masks.
        ImportError: the packages for it are missing.
    """
    if model.task not in OUTPUTS:
        raise ValueError(
            f"a model for {model.task} cannot be exported, only one with a fine-tuning head, or an encoder"
        )
    check_exporter()
    config = model.config
    length = min(config.max_num_patches, 12)
    inputs: dict[str, torch.Tensor] = {
        "pixel_values": torch.full((2, length, config.patch_size**2), 255, dtype=torch.uint8),
        "attention_mask": torch.ones(2, length, dtype=torch.int64),
    }
    batch_size, num_patches = torch.export.Dim("batch"), torch.export.Dim("length", min=2, max=config.max_num_patches)
    shapes = {name: {0: batch_size, 1: num_patches} for name in inputs}
    if model.task == "dependency parsing":
        inputs["word_starts"] = torch.tensor([[1, 3, 6], [1, 2, 4]])
        shapes["word_starts"] = {0: batch_size, 1: torch.export.Dim("words", min=2, max=config.max_num_patches + 1)}
    was_training = model.training
    graph = _Graph(model.eval().float())
    try:
        with _quiet():
            torch.onnx.export(
                graph,
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=shapes,
                dynamo=True,
                external_data=False,
            )
    finally:
        model.train(was_training)


def check_exporter() -> None:
    """Raise ImportError if the packages are missing that torch writes ONNX with."""
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError("exporting needs the packages onnx and onnxscript: pip install pixel-lm[onnx]") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns of its own parts."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
