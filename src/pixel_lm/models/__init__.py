"""Patches → scores: a Vision Transformer encoder, a decoder for pretraining, and heads.

Importing this package registers the models with transformers' Auto classes under the model type `pixel`.
"""

from transformers import AutoConfig, AutoModel, AutoModelForPreTraining, AutoModelForTokenClassification

from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel, PixelPreTrainedModel
from pixel_lm.models.pretraining import PixelForPreTraining, PixelForPreTrainingOutput, denormalize_patches
from pixel_lm.models.token_classification import PixelForTokenClassification

__all__ = [
    "PixelConfig",
    "PixelForPreTraining",
    "PixelForPreTrainingOutput",
    "PixelForTokenClassification",
    "PixelModel",
    "PixelPreTrainedModel",
    "denormalize_patches",
]

AutoConfig.register(PixelConfig.model_type, PixelConfig)
AutoModel.register(PixelConfig, PixelModel)
AutoModelForPreTraining.register(PixelConfig, PixelForPreTraining)
AutoModelForTokenClassification.register(PixelConfig, PixelForTokenClassification)
