"""The renderer's configuration and its file, `text_renderer_config.json`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_lm.errors import UserError
from pixel_lm.rendering.profiles import get_profile

__all__ = ["CONFIG_NAME", "STRATEGIES", "RendererConfig"]

STRATEGIES = ("continuous", "words", "bigrams", "mono")
BIGRAM_UNITS = ("codepoint", "grapheme")

CONFIG_NAME = "text_renderer_config.json"


@dataclass(frozen=True)
class RendererConfig:
    """Settings that decide what a strip looks like, apart from the fonts.

    The first five are those of the published files (Rust et al., 2023, appendix); unknown fields in a file are kept out.

    Attributes:
        font_size: in points.
        dpi: dots per inch; the em is `font_size · dpi / 72` pixels.
        pixels_per_patch: side of a patch and height of the strip, in pixels.
        max_seq_length: number of patches of a strip, the final separator included.
        rgb: three colour channels; grey otherwise.
        font_color, background_color: of text and separators, and of paper, in RGB; names or "#rrggbb".
        strategy: how a single text is cut before it is drawn (Lotz et al., 2023): "continuous" draws it as one line; "words"
            starts every word on a new patch, as lists of words always do, so that a word looks the same wherever it stands;
            "bigrams" puts at most two characters of a word into each patch; "mono" is "continuous" with a fixed-pitch font of
            which two characters fill a patch (it sets `font_size`).
        bigram_unit: what "bigrams" takes for a character: "codepoint", as the published checkpoints have it, or "grapheme".
        profile: the rules for placing and drawing text (`pixel_lm.rendering.profiles`): "fit" for new models; published ones
            were pretrained with "pygame" and most of them fine-tuned with "pango", which a file without this field means
            unless it names PyGame.
    """

    font_size: float = 8
    dpi: float = 120
    pixels_per_patch: int = 16
    max_seq_length: int = 529
    rgb: bool = False
    font_color: str = "black"
    background_color: str = "white"
    strategy: str = "continuous"
    bigram_unit: str = "codepoint"
    profile: str = "fit"

    def __post_init__(self) -> None:
        if self.max_seq_length < 2:
            raise UserError(
                f"max_seq_length must be at least 2 (a patch of text and a separator), not {self.max_seq_length}"
            )
        if self.pixels_per_patch < 4:
            raise UserError(f"pixels_per_patch must be at least 4, not {self.pixels_per_patch}")
        if not 1 <= self.pixel_size <= 1000:
            raise UserError(
                f"font_size {self.font_size} at dpi {self.dpi} gives {self.pixel_size:g} pixels; use 1 to 1000"
            )
        for name, usual in (("font_color", "black"), ("background_color", "white")):
            if self.color(name) != self.color_of(usual) and not self.rgb:
                raise UserError(f"{name} {getattr(self, name)!r} needs rgb=True: grey strips are black on white")
        if self.strategy not in STRATEGIES:
            raise UserError(f"unknown rendering strategy {self.strategy!r}; there are: {', '.join(STRATEGIES)}")
        if self.bigram_unit not in BIGRAM_UNITS:
            raise UserError(f"unknown bigram_unit {self.bigram_unit!r}; there are: {', '.join(BIGRAM_UNITS)}")
        if self.strategy == "mono" and self.pixels_per_patch % 2:
            raise UserError(
                f"strategy mono puts two characters into a patch: pixels_per_patch must be even, not {self.pixels_per_patch}"
            )
        get_profile(self.profile)
        if self.profile == "pygame" and self.strategy in ("bigrams", "mono"):
            raise UserError(f"strategy {self.strategy} needs profile pango or fit: PyGame has no such strips")

    def color(self, name: str) -> tuple[int, int, int]:
        """Red, green and blue of the setting `font_color` or `background_color`, 0 to 255."""
        try:
            return self.color_of(getattr(self, name))
        except ValueError:
            raise UserError(f'{name} {getattr(self, name)!r} is no colour: give a name or "#rrggbb"') from None

    @staticmethod
    def color_of(text: str) -> tuple[int, int, int]:
        """Red, green and blue of a colour's name; `ValueError` if there is none."""
        from PIL import ImageColor

        return ImageColor.getrgb(text)[:3]

    @property
    def pixel_size(self) -> float:
        """Size of the em in pixels."""
        return self.font_size * self.dpi / 72

    @classmethod
    def from_dict(cls, values: dict[str, Any], origin: str) -> RendererConfig:
        """Take the known fields of a configuration file named `origin`; `UserError` if one has a wrong type."""
        known: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in values:
                value = values[field.name]
                wanted = type(field.default)
                numeric = isinstance(value, int | float) and not isinstance(value, bool)
                if not (numeric if wanted in (int, float) and field.name != "rgb" else isinstance(value, wanted)):
                    raise UserError(f"{origin}: {field.name} must be {wanted.__name__}, not {value!r}")
                known[field.name] = value
        if "profile" not in known:  # as in published files
            known["profile"] = "pygame" if values.get("text_renderer_type") == "PyGameTextRenderer" else "pango"
        return cls(**known)


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object in a configuration file; `UserError` if it is missing or malformed."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; a renderer's folder holds a {CONFIG_NAME} and its font") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold a JSON object")
    return values
