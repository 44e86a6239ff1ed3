"""Text → patches: shaping with HarfBuzz, rasterising with FreeType, nothing from the system.

TextRenderer   configuration + fonts; call it with a string, a pair or a list of words
Rendering      the result: patches of natural length and what they show
"""

from pixel_lm.rendering.config import RendererConfig
from pixel_lm.rendering.fonts import FontSource
from pixel_lm.rendering.renderer import RenderInput, TextRenderer
from pixel_lm.rendering.result import Rendering, pad_patches, patches_to_image

__all__ = [
    "FontSource",
    "RenderInput",
    "RendererConfig",
    "Rendering",
    "TextRenderer",
    "pad_patches",
    "patches_to_image",
]
