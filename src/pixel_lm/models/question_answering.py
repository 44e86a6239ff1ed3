"""`PixelForQuestionAnswering`: the first and the last patch of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import QuestionAnsweringModelOutput
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel

__all__ = ["PixelForQuestionAnswering"]


class PixelForQuestionAnswering(PixelPreTrainedModel):
    """Encoder and a linear map to two scores for every patch: does the answer start, does it end here.

    CLS stands for "no answer". It comes last: of a batch of `length` patches, position `length` is CLS.
    """

    task = "question answering"
    head_modules = ("qa_outputs",)
    encoder_class: Callable[..., Any] = PixelModel
    # Published files carry a classifier that nothing uses.
    _keys_to_ignore_on_load_unexpected = [r"^decoder\.", r"^classifier\."]  # noqa: RUF012

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        if config.num_labels != 2:
            raise ValueError(
                f"question answering has 2 scores for each patch, start and end, not num_labels={config.num_labels}"
            )
        self.vit = self.encoder_class(config)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        start_positions: torch.Tensor | None = None,
        end_positions: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> QuestionAnsweringModelOutput:
        """Score patches.

        Args:
            pixel_values, attention_mask: as in `PixelModel`.
            start_positions, end_positions: (batch,) int64, first and last patch of the answer; `length` (the padded length of the
                batch) for no answer; what is greater is ignored.

        Returns:
            `loss` (mean of the two cross-entropies) if positions are given; `start_logits`, `end_logits` (batch, length + 1),
            CLS last.
        """
        encoded = self.vit(pixel_values, attention_mask, None, output_attentions, output_hidden_states)
        hidden_states = encoded.last_hidden_state
        # (batch, 1 + length, 2), CLS first -> CLS last
        logits = self.qa_outputs(hidden_states).roll(-1, dims=1)
        start_logits, end_logits = logits[..., 0], logits[..., 1]
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = (_position_loss(start_logits, start_positions) + _position_loss(end_logits, end_positions)) / 2
        return QuestionAnsweringModelOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


def _position_loss(logits: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over positions; 0 where none counts."""
    ignored = logits.shape[1]
    positions = positions.view(-1).clamp(0, ignored)
    total = nn.functional.cross_entropy(logits.float(), positions, ignore_index=ignored, reduction="sum")
    return total / (positions != ignored).sum().clamp(min=1)
