"""Which font draws what: the fonts of a renderer, single characters, and how much of a text is covered, by script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import uharfbuzz as hb
from fontTools import unicodedata as ucd

from pixel_lm.rendering.discovery import font_origin
from pixel_lm.rendering.fonts import FontSource
from pixel_lm.rendering.missing import name_of
from pixel_lm.rendering.renderer import TextRenderer

__all__ = ["CharacterInfo", "FontInfo", "ScriptCoverage", "coverage", "describe_character", "describe_font"]


@dataclass(frozen=True)
class FontInfo:
    """A font of a renderer.

    Attributes:
        source: file, face index, SHA-256.
        origin: where it comes from (see `discovery.font_origin`).
        version: as its name table states it, else the revision in its header.
        num_characters: how many characters it can draw.
    """

    source: FontSource
    origin: str
    version: str
    num_characters: int


@dataclass(frozen=True)
class CharacterInfo:
    """A character: its name, the ISO 15924 code and the name of its script, and the font that draws it (None: none does)."""

    char: str
    name: str
    script: str
    script_name: str
    font: FontSource | None


@dataclass
class ScriptCoverage:
    """How much of the characters of one script in a text can be drawn.

    Attributes:
        script, script_name: ISO 15924 code and name; "Zyyy" are characters that many scripts share.
        distinct, total: how many different characters there are, and how many in all.
        missing: characters that no font draws, with their counts.
    """

    script: str
    script_name: str
    distinct: int = 0
    total: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def covered(self) -> float:
        """Share of the characters that can be drawn, each counted as often as it occurs, 0 to 1."""
        return 1 - self.missing.total() / self.total if self.total else 1.0


def describe_font(source: FontSource) -> FontInfo:
    """What a font file says of itself."""
    from fontTools.ttLib import TTFont, TTLibError

    characters = len(hb.Face(hb.Blob.from_file_path(str(source.path)), source.index).unicodes)
    if source.characters is not None:
        characters = len(source.characters)
    try:
        with TTFont(source.path, fontNumber=source.index, lazy=True) as font:
            version = font["name"].getDebugName(5) if "name" in font else None
            version = version.split(";")[0].removeprefix("Version ") if version else f"{font['head'].fontRevision:.3f}"
    except (TTLibError, KeyError):
        version = "?"
    return FontInfo(source, font_origin(source.path), version, characters)


def describe_character(renderer: TextRenderer, char: str) -> CharacterInfo:
    """Name, script and font of one character."""
    script = ucd.script(char)
    return CharacterInfo(char, name_of(char), script, ucd.script_name(script, script), renderer.font_of(char))


def coverage(renderer: TextRenderer, texts: Iterable[str]) -> list[ScriptCoverage]:
    """How much of some texts the fonts of a renderer can draw: one entry for each script, the most frequent first.

    Line breaks and tabs count as spaces, as everywhere in rendering. Lone surrogates count as missing.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    scripts: dict[str, ScriptCoverage] = {}
    for char, count in counts.items():
        script = ucd.script(char)
        entry = scripts.setdefault(script, ScriptCoverage(script, ucd.script_name(script, script)))
        entry.distinct += 1
        entry.total += count
        if "\ud800" <= char <= "\udfff" or renderer.font_of(char) is None:
            entry.missing[char] = count
    return sorted(scripts.values(), key=lambda entry: (-entry.total, entry.script))
