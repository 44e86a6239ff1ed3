"""Language models that read pixels: text is rendered to an image, and the image is what the model sees.

    TextRenderer, Rendering        text → patches                  pixel_lm.rendering
    PixelConfig, PixelModel, …     patches → hidden states, scores  pixel_lm.models

Names are loaded when they are first used: `import pixel_lm` costs nothing, and rendering never loads torch. The Auto classes of
transformers know the models, and `AutoProcessor` the renderer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pixel_lm._auto_classes import register_when_imported

if TYPE_CHECKING:
    from pixel_lm.models import (
        PixelConfig,
        PixelForBiaffineParsing,
        PixelForPreTraining,
        PixelForQuestionAnswering,
        PixelForSequenceClassification,
        PixelForTokenClassification,
        PixelModel,
    )
    from pixel_lm.rendering import Rendering, TextRenderer

    __version__: str

__all__ = [
    "PixelConfig",
    "PixelForBiaffineParsing",
    "PixelForPreTraining",
    "PixelForQuestionAnswering",
    "PixelForSequenceClassification",
    "PixelForTokenClassification",
    "PixelModel",
    "Rendering",
    "TextRenderer",
    "__version__",
]

_HOMES = {
    "PixelConfig": "models",
    "PixelForBiaffineParsing": "models",
    "PixelForPreTraining": "models",
    "PixelForQuestionAnswering": "models",
    "PixelForSequenceClassification": "models",
    "PixelForTokenClassification": "models",
    "PixelModel": "models",
    "Rendering": "rendering",
    "TextRenderer": "rendering",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("pixel-lm")
    elif name in _HOMES:
        value = getattr(import_module(f"pixel_lm.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # next time found without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_when_imported()
