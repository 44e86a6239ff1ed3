"""`PixelForSequenceClassification`: a label, several labels or a number for a whole text or pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.checkpoints import Shapes, infer_pooling
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel
from pixel_lm.models.pooling import AttentionPooler, PixelSequencePooler

__all__ = ["PixelForSequenceClassification"]

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


class PixelForSequenceClassification(PixelPreTrainedModel):
    """Encoder, one vector for the sequence, and a linear classifier.

    `config.pooling_mode` says how the vector is made ("mean" if it is None): "cls" takes the encoder's pooled CLS vector, the
    others pool the patches (`PixelSequencePooler`).
    """

    task = "sequence classification"
    head_modules = ("classifier",)
    encoder_class: Callable[..., Any] = PixelModel
    label_weight = "classifier.weight"
    # Published files of "cls" models carry a pooler of patches too.
    _keys_to_ignore_on_load_unexpected = [r"^decoder\.", r"^pooler\."]  # noqa: RUF012

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        if config.problem_type is not None and config.problem_type not in PROBLEM_TYPES:
            raise ValueError(f"problem_type must be one of {', '.join(PROBLEM_TYPES)}, not {config.problem_type!r}")
        config.pooling_mode = config.pooling_mode or "mean"
        self.num_labels = config.num_labels
        by_cls = config.pooling_mode == "cls"
        self.vit = self.encoder_class(config, add_pooling_layer=by_cls)
        self.pooler = None if by_cls else PixelSequencePooler(config, config.pooling_mode)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @classmethod
    def _complete_config(
        cls, config: PixelConfig, name: str, shapes: Shapes, stored: Mapping[str, Any], held: str
    ) -> None:
        if held != cls.task or stored.get("pooling_mode") is not None:
            return
        if config.pooling_mode is None:
            config.pooling_mode = infer_pooling(name, shapes, stored.get("finetuning_task"))
        if config.pooling_mode.startswith("pma"):
            config.pooling_sees_padding = True  # as all models do that do not say how they pool

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, AttentionPooler):
            module.initialize()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> SequenceClassifierOutput:
        """Classify sequences.

        Args:
            pixel_values, attention_mask: as in `PixelModel`.
            labels: (batch,) int64 classes; (batch,) floats for regression; (batch, num_labels) of 0 and 1 for several labels. The
                kind of problem is the configuration's `problem_type`; without one, a single label means regression, integers
                classes, anything else several labels.

        Returns:
            `loss` if labels are given (cross-entropy, squared error, or binary cross-entropy); `logits` (batch, num_labels).
        """
        encoded = self.vit(pixel_values, attention_mask, None, output_attentions, output_hidden_states)
        if self.pooler is None:
            pooled = encoded.pooler_output
        else:
            pooled = self.pooler(encoded.last_hidden_state[:, 1:], attention_mask)
        logits = self.classifier(pooled)
        return SequenceClassifierOutput(
            loss=None if labels is None else self._loss(logits.float(), labels),
            logits=logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        problem = self.config.problem_type
        if problem is None:
            if self.num_labels == 1:
                problem = "regression"
            else:
                problem = "multi_label_classification" if labels.is_floating_point() else "single_label_classification"
        if problem == "regression":
            return nn.functional.mse_loss(logits.view(labels.shape), labels.float())
        if problem == "single_label_classification":
            return nn.functional.cross_entropy(logits, labels)
        return nn.functional.binary_cross_entropy_with_logits(logits, labels.float())
