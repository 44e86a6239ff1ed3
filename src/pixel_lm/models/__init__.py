"""Patches → scores: a Vision Transformer encoder, a decoder for pretraining, and heads.

Importing this package registers the models with transformers' Auto classes under the model type `pixel`. transformers has no Auto
class for dependency parsing: `PixelForBiaffineParsing` is loaded by its own name.
"""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.biaffine_parsing import PixelForBiaffineParsing, PixelParserOutput
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel
from pixel_lm.models.pretraining import PixelForPreTraining, PixelForPreTrainingOutput, denormalize_patches
from pixel_lm.models.question_answering import PixelForQuestionAnswering
from pixel_lm.models.sequence_classification import PixelForSequenceClassification
from pixel_lm.models.token_classification import PixelForTokenClassification

__all__ = [
    "MODEL_OF_TASK",
    "PixelConfig",
    "PixelForBiaffineParsing",
    "PixelForPreTraining",
    "PixelForPreTrainingOutput",
    "PixelForQuestionAnswering",
    "PixelForSequenceClassification",
    "PixelForTokenClassification",
    "PixelModel",
    "PixelParserOutput",
    "PixelPreTrainedModel",
    "denormalize_patches",
]

MODEL_OF_TASK: dict[str, type[PixelPreTrainedModel]] = {
    model.task: model
    for model in (
        PixelModel,
        PixelForBiaffineParsing,
        PixelForPreTraining,
        PixelForQuestionAnswering,
        PixelForSequenceClassification,
        PixelForTokenClassification,
    )
}
"""Which model a checkpoint holds, by the task that `checkpoints.task_of` tells from its tensors."""

AutoConfig.register(PixelConfig.model_type, PixelConfig)
AutoModel.register(PixelConfig, PixelModel)
AutoModelForPreTraining.register(PixelConfig, PixelForPreTraining)
AutoModelForTokenClassification.register(PixelConfig, PixelForTokenClassification)
AutoModelForSequenceClassification.register(PixelConfig, PixelForSequenceClassification)
AutoModelForQuestionAnswering.register(PixelConfig, PixelForQuestionAnswering)
