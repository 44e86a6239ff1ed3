"""The strategy "mono": one line in a fixed-pitch font, two characters to a patch.

Lotz et al. (2023) name a strategy of this kind, but neither its font nor its rules were published. This is a definition of our
own, and no published checkpoint is claimed to agree with it: the font size is set so that two advances make one patch, and the
line begins at the strip's edge, so that characters 2i and 2i + 1 lie in patch i. Characters of a fallback font keep their own
widths; after one, the rest of the line is shifted.
"""

from __future__ import annotations

import dataclasses

import uharfbuzz as hb

from pixel_lm.errors import UserError
from pixel_lm.rendering.config import RendererConfig
from pixel_lm.rendering.discovery import find_font
from pixel_lm.rendering.fonts import FontSource

__all__ = ["fixed_pitch_font", "mono_config", "relative_advance"]

# In every Linux distribution, and carried by matplotlib.
_FONT = "DejaVuSansMono.ttf"
_PRINTABLE = range(0x20, 0x7F)


def fixed_pitch_font() -> FontSource:
    """The font of "mono" when nobody names one; `UserError` if it is not on this machine."""
    path = find_font(_FONT)
    if path is None:
        raise UserError(
            f"strategy mono needs a fixed-pitch font and {_FONT} was not found: pass one as font, or install it "
            "(pip install matplotlib, or Debian: apt-get install fonts-dejavu-core)"
        )
    return FontSource(path)


def relative_advance(source: FontSource) -> float:
    """Advance of a font's printable ASCII characters in em; `UserError` if they are not all of the same width."""
    source.check()
    face = hb.Face(hb.Blob.from_file_path(str(source.path)), source.index)
    font = hb.Font(face)  # in font units
    glyphs = [font.get_nominal_glyph(codepoint) for codepoint in _PRINTABLE]
    advances = {font.get_glyph_h_advance(glyph) if glyph is not None else None for glyph in glyphs}
    advance = advances.pop()
    if advances or not advance:
        raise UserError(
            f"strategy mono needs a fixed-pitch font, and {source.path.name} is none: its letters differ in width"
        )
    return float(advance / face.upem)


def mono_config(config: RendererConfig, source: FontSource) -> RendererConfig:
    """The configuration with the font size at which two characters of this font fill a patch."""
    pixel_size = config.pixels_per_patch / 2 / relative_advance(source)
    return dataclasses.replace(config, font_size=pixel_size * 72 / config.dpi)
