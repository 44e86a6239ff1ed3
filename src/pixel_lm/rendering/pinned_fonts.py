"""The list of fonts that can be installed, `noto_fonts.yaml`, and what to look up in it.

Each entry is one file of one version, told by its SHA-256, so that two machines that install it draw the same pixels.
"""

from __future__ import annotations

import difflib
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

from fontTools import unicodedata as ucd

from pixel_lm.errors import UserError

__all__ = ["PinnedFont", "command_for", "families_for", "licence", "pinned_fonts", "select", "source_url"]

_LIST = "noto_fonts.yaml"


@dataclass(frozen=True)
class PinnedFont:
    """A font file that can be installed.

    Attributes:
        family: name of the family, "Noto Sans Thai".
        scripts: ISO 15924 codes of the scripts that it is made for; "Zsym" symbols, "Zmth" mathematics.
        file: name under which it is installed.
        version: as the font itself states it.
        size: in bytes.
        sha256: of the file, hexadecimal.
        path: of the original file at the source.
        default: whether it is installed when nothing is named.
        ranges: first and last code points of the characters for which this family is the one to install, ascending.
    """

    family: str
    scripts: tuple[str, ...]
    file: str
    version: str
    size: int
    sha256: str
    path: str
    default: bool
    ranges: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def short_name(self) -> str:
        """The name for the command line: `thai`, `symbols-2`, and `noto-sans` for the main font."""
        return re.sub(r"^Noto (Sans |Serif )?(?!Sans$)", "", self.family).lower().replace(" ", "-")

    @property
    def original_name(self) -> str:
        """Name of the file at the source."""
        return self.path.rpartition("/")[2]

    def covers(self, char: str) -> bool:
        """Whether this is the family to install for a character."""
        index = bisect_right(self.ranges, (ord(char), 0x110000)) - 1
        return index >= 0 and ord(char) <= self.ranges[index][1]


@lru_cache(maxsize=1)
def _list() -> tuple[str, str, tuple[PinnedFont, ...]]:
    import yaml

    values = yaml.safe_load(resources.files("pixel_lm.rendering").joinpath(_LIST).read_text(encoding="utf-8"))
    fonts = []
    for entry in values["fonts"]:
        pairs = [part.partition("-") for part in entry.pop("characters").split()]
        ranges = tuple((int(first, 16), int(last or first, 16)) for first, _, last in pairs)
        fonts.append(PinnedFont(**{**entry, "scripts": tuple(entry["scripts"])}, ranges=ranges))
    return values["base_url"], values["licence"], tuple(fonts)


def pinned_fonts() -> tuple[PinnedFont, ...]:
    """All fonts of the list; the main font comes first."""
    return _list()[2]


def source_url() -> str:
    """Address below which the files lie."""
    return _list()[0]


def licence() -> str:
    """SPDX name of the licence of the fonts."""
    return _list()[1]


def select(names: Sequence[str]) -> list[PinnedFont]:
    """Fonts by family ("Noto Sans Thai", "thai"), file name, or script ("Thai", "Devanagari", "Hani"); no name: the default set.

    Raises:
        UserError: a name fits nothing; near names are suggested.
    """
    fonts = pinned_fonts()
    if not names:
        return [font for font in fonts if font.default]
    chosen: list[PinnedFont] = []
    for name in names:
        key = _key(name)
        found = [font for font in fonts if key in map(_key, (font.family, font.short_name, font.file))]
        found = found or [
            font for font in fonts if key in {_key(word) for code in font.scripts for word in _words(code)}
        ]
        if not found:
            known = [font.short_name for font in fonts]
            near = difflib.get_close_matches(name.lower(), known, n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UserError(f"no font {name!r} in the list; {hint}`pixel-lm fonts install --list` shows all")
        chosen += [font for font in found if font not in chosen]
    return chosen


def families_for(chars: Iterable[str]) -> list[PinnedFont]:
    """Fonts of the list that together draw these characters, as far as the list can, in the order of the list."""
    distinct = set(chars)
    return [font for font in pinned_fonts() if any(map(font.covers, distinct))]


def command_for(chars: Iterable[str]) -> str | None:
    """The command that installs fonts for these characters; None if no font of the list has any of them."""
    fonts = families_for(chars)
    return shlex.join(["pixel-lm", "fonts", "install", *(font.short_name for font in fonts)]) if fonts else None


def _key(name: str) -> str:
    return re.sub(r"[\s_-]|\.ttf$", "", name.lower())


def _words(code: str) -> list[str]:
    """A script's code and name."""
    return [code, {"Zsym": "symbols", "Zmth": "mathematics"}.get(code) or ucd.script_name(code, code)]
