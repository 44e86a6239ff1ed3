"""Encoders of text models (BERT, RoBERTa, XLM-R, CANINE …) under the heads of pixel models, for comparison.

The encoder is that of transformers' `AutoModel`, whatever `AutoTokenizer` makes its input; everything above it is what pixel models
have. So a difference in scores is one between encoders.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.biaffine_parsing import PixelForBiaffineParsing
from pixel_lm.models.config import check_pooling_mode
from pixel_lm.models.encoder import PixelPooler
from pixel_lm.models.question_answering import PixelForQuestionAnswering
from pixel_lm.models.sequence_classification import PixelForSequenceClassification
from pixel_lm.models.token_classification import PixelForTokenClassification

__all__ = ["TEXT_MODELS", "TextEncoder", "TextModelConfig", "text_model"]


class TextModelConfig(PreTrainedConfig):
    """Settings of a text model with one of our heads.

    Attributes:
        encoder: the configuration of the encoder, as transformers writes it.
        cls_token_id, pad_token_id, sep_token_id: of the tokenizer.
        hidden_dropout_prob: of the head; the encoder has its own.
        pooling_mode, pooling_layer_norm, pooling_sees_padding: as in `PixelConfig`; "cls" is the default here, as is usual.
        layer_norm_eps, initializer_range, linear_initializer: of the head.
    """

    model_type = "pixel_lm_text"

    encoder: dict[str, Any] | None = None
    cls_token_id: int = 0
    sep_token_id: int = 0
    pad_token_id: int = 0
    hidden_dropout_prob: float = 0.1
    pooling_mode: str | None = "cls"
    pooling_layer_norm: bool = True
    pooling_sees_padding: bool = False
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    linear_initializer: str = "normal"

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        if self.pooling_mode is not None and self.encoder is not None:
            check_pooling_mode(self.pooling_mode, self.hidden_size)

    @property
    def encoder_config(self) -> PreTrainedConfig:
        """The configuration of the encoder."""
        fields = dict(self.encoder or {})
        config: PreTrainedConfig = AutoConfig.for_model(fields.pop("model_type", "bert"), **fields)
        return config

    @property
    def hidden_size(self) -> int:
        """Width of the encoder's output."""
        size: int = self.encoder_config.hidden_size
        return size

    @property
    def max_num_patches(self) -> int:
        """The longest sequence that the encoder takes, the class token not counted."""
        config = self.encoder_config
        length: int = getattr(config, "max_position_embeddings", 1 << 20)
        # RoBERTa's positions begin behind the number of the padding token. One for the class token, one for a second separator.
        begin = config.pad_token_id + 1 if "roberta" in config.model_type and config.pad_token_id is not None else 0
        return length - begin - 2


class TextEncoder(nn.Module):
    """Tokens in, one vector for the class token and each token out, as `PixelModel` does it with patches."""

    def __init__(self, config: TextModelConfig, add_pooling_layer: bool = False) -> None:
        super().__init__()
        self.config = config
        self.model = AutoModel.from_config(config.encoder_config)
        self.take_pooler(add_pooling_layer)

    def take_pooler(self, add_pooling_layer: bool) -> None:
        """Keep the encoder's own pooler of the class token, or make one, or drop it where it is not used."""
        own = getattr(self.model, "pooler", None) is not None
        self.pooler = PixelPooler(self.config) if add_pooling_layer and not own else None
        if own and not add_pooling_layer:
            self.model.pooler = None
        self.has_segments = (
            getattr(self.model.config, "type_vocab_size", 0) > 1
            and "token_type_ids" in inspect.signature(self.model.forward).parameters
        )

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        ids_keep: None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Encode a batch.

        Args:
            input_ids: (batch, length) int64, without the class token.
            attention_mask: (batch, length), 1 = attended, 0 = padding.
            ids_keep: always None; patches can be left out, tokens not.
            output_attentions, output_hidden_states: as in `PixelModel`.

        Returns:
            `last_hidden_state` (batch, 1 + length, hidden_size), `pooler_output` (batch, hidden_size) or None.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        ids = input_ids.masked_fill(attention_mask == 0, self.config.pad_token_id)
        inputs = {
            "input_ids": nn.functional.pad(ids, (1, 0), value=self.config.cls_token_id),
            "attention_mask": nn.functional.pad(attention_mask, (1, 0), value=1),
        }
        if self.has_segments:
            separators = (input_ids == self.config.sep_token_id).long()
            second = (separators.cumsum(1) - separators).clamp(max=1) * attention_mask
            inputs["token_type_ids"] = nn.functional.pad(second, (1, 0), value=0)
        encoded = self.model(
            **inputs, output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True
        )
        pooled = getattr(encoded, "pooler_output", None)
        if self.pooler is not None:
            pooled = self.pooler(encoded.last_hidden_state)
        return BaseModelOutputWithPooling(
            last_hidden_state=encoded.last_hidden_state,
            pooler_output=pooled,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


class TextPreTrainedModel(PixelPreTrainedModel):
    """What text models with our heads have in common: they are loaded as any model of transformers is."""

    config_class = TextModelConfig
    config: TextModelConfig
    main_input_name = "input_ids"
    input_modalities = "text"
    encoder_class = TextEncoder
    _no_split_modules: list[str] = []  # noqa: RUF012
    _supports_sdpa = True

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """See `transformers.PreTrainedModel.from_pretrained`."""
        return super(PixelPreTrainedModel, cls).from_pretrained(*args, **kwargs)

    def get_input_embeddings(self) -> nn.Module:
        """Those of the encoder."""
        module: nn.Module = self.vit.model.get_input_embeddings()
        return module


class TextForTokenClassification(TextPreTrainedModel, PixelForTokenClassification):
    """A label for every token."""

    def forward(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """See `PixelForTokenClassification.forward`."""
        return super().forward(input_ids, *args, **kwargs)


class TextForSequenceClassification(TextPreTrainedModel, PixelForSequenceClassification):
    """A label or number for a text or pair."""

    def forward(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """See `PixelForSequenceClassification.forward`."""
        return super().forward(input_ids, *args, **kwargs)


class TextForQuestionAnswering(TextPreTrainedModel, PixelForQuestionAnswering):
    """First and last token of an answer."""

    def forward(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """See `PixelForQuestionAnswering.forward`."""
        return super().forward(input_ids, *args, **kwargs)


class TextForBiaffineParsing(TextPreTrainedModel, PixelForBiaffineParsing):
    """Head and relation of each word."""

    def forward(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """See `PixelForBiaffineParsing.forward`."""
        return super().forward(input_ids, *args, **kwargs)


TEXT_MODELS: dict[type[PixelPreTrainedModel], type[TextPreTrainedModel]] = {
    PixelForTokenClassification: TextForTokenClassification,
    PixelForSequenceClassification: TextForSequenceClassification,
    PixelForQuestionAnswering: TextForQuestionAnswering,
    PixelForBiaffineParsing: TextForBiaffineParsing,
}
"""The text model that does what a pixel model does."""


def text_model(cls: type[PixelPreTrainedModel], config: TextModelConfig, name_or_path: str) -> TextPreTrainedModel:
    """The head of a pixel model, new, on the encoder of a text model in a folder or on the hub."""
    model = TEXT_MODELS[cls](config)
    encoder: TextEncoder = model.vit
    loaded = AutoModel.from_pretrained(name_or_path, config=config.encoder_config, dtype=torch.float32)
    uses_pooler = encoder.pooler is not None or getattr(encoder.model, "pooler", None) is not None
    encoder.model = loaded
    encoder.take_pooler(uses_pooler)
    return model


AutoConfig.register(TextModelConfig.model_type, TextModelConfig)
