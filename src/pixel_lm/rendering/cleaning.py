"""What is drawn of a text: line breaks and tabs as spaces, and nothing that is no text."""

from __future__ import annotations

import re

from pixel_lm.errors import UserError

__all__ = ["LINE_BREAKS", "checked", "clean", "words_of"]

# Tabs among them.
LINE_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_NOT_PLAIN = re.compile(f"[{LINE_BREAKS}\ud800-\udfff]")
_TO_SPACE = str.maketrans(LINE_BREAKS, " " * len(LINE_BREAKS))


def clean(text: str) -> str:
    """Line breaks and tabs become spaces, one for one. Raises `UserError` for a lone surrogate."""
    if text.isprintable() or _NOT_PLAIN.search(text) is None:
        return text
    text = text.translate(_TO_SPACE)
    for index, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            raise UserError(
                f"character {index} of the text is a lone surrogate (U+{ord(char):04X}): the text was decoded wrongly"
            )
    return text


def checked(text: str) -> str:
    """As `clean`; also raises `UserError` for what is no string."""
    if not isinstance(text, str):
        raise UserError(f"cannot render {type(text).__name__} {text!r:.60}: pairs and word lists hold strings")
    return clean(text)


def words_of(text: str) -> list[str]:
    """The words of a text, which are not empty."""
    return [word for word in clean(text).split(" ") if word]
