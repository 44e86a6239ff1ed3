"""Characters that no font draws: naming them, and one warning for each script, with the command that fixes it."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Sequence

from fontTools import unicodedata as ucd

from pixel_lm.rendering.pinned_fonts import command_for, families_for

__all__ = ["advice", "name_of", "warn_of_missing"]

logger = logging.getLogger(__name__)

_SHOWN = 8
_warned: set[str] = set()  # scripts of which a character was reported, in this process


def warn_of_missing(chars: Iterable[str]) -> None:
    """Log a warning that names the characters and says how to get a font; once for each script and process."""
    distinct = [char for char in dict.fromkeys(chars) if ucd.script(char) not in _warned]
    if not distinct:
        return
    scripts = {ucd.script(char): None for char in distinct}
    _warned.update(scripts)
    shown = ", ".join(f"U+{ord(char):04X} {name_of(char)}" for char in distinct[:_SHOWN])
    more = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    logger.warning(
        "drawn as U+FFFD, because no font here has them: %s%s; %s. (Said once for each script: %s.)",
        *(shown, more, advice(distinct), ", ".join(ucd.script_name(script, script) for script in scripts)),
    )


def advice(chars: Iterable[str]) -> str:
    """What to do about characters that no font draws, in words."""
    chars = list(chars)
    categories = {unicodedata.category(char) for char in chars}
    command = command_for(chars)
    if command:
        rest = [char for char in dict.fromkeys(chars) if not families_for([char])]
        others = f" (no font of its list has {_codes(rest)})" if rest else ""
        return f"get fonts with `{command}`{others}"
    if categories <= {"Cc", "Cs", "Co", "Cn"}:
        return "no font can have controls, private and unassigned characters: clean the text"
    return "the list of `pixel-lm fonts install` has no font for them: name a font file that has in PIXEL_LM_FONT_PATH"


def _codes(chars: Sequence[str]) -> str:
    more = f" and {len(chars) - _SHOWN} more" if len(chars) > _SHOWN else ""
    return ", ".join(f"U+{ord(char):04X}" for char in chars[:_SHOWN]) + more


def name_of(char: str) -> str:
    """Name of a character, or what kind it is of where it has none."""
    kinds = {"Cc": "control", "Co": "private use", "Cs": "surrogate", "Cn": "unassigned"}
    return unicodedata.name(char, "") or f"({kinds.get(unicodedata.category(char), 'unnamed')})"
