"""`PixelForTokenClassification`: a label for every patch (tagging)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import TokenClassifierOutput
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel

__all__ = ["PixelForTokenClassification"]


class PixelForTokenClassification(PixelPreTrainedModel):
    """Encoder, dropout, and a linear classifier on every patch vector."""

    task = "token classification"
    head_modules = ("classifier",)
    encoder_class: Callable[..., Any] = PixelModel
    label_weight = "classifier.weight"

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        self.vit = self.encoder_class(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, len(config.id2label or ()))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> TokenClassifierOutput:
        """Classify patches.

        Args:
            pixel_values, attention_mask: as in `PixelModel`.
            labels: (batch, length) int64, −100 where there is no label.

        Returns:
            `loss` (mean cross-entropy over labelled patches) if labels are given; `logits` (batch, length, num_labels).
        """
        encoded = self.vit(pixel_values, attention_mask, None, output_attentions, output_hidden_states)
        logits = self.classifier(self.dropout(encoded.last_hidden_state[:, 1:]))
        loss = None
        if labels is not None:
            # Summed and divided by hand: a batch without any label has loss 0, not NaN.
            total = nn.functional.cross_entropy(
                logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="sum"
            )
            loss = total / (labels != -100).sum().clamp(min=1)
        return TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=encoded.hidden_states, attentions=encoded.attentions
        )
