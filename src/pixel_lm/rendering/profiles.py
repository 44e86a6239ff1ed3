"""Rendering profiles: the measured rules of a rendering backend, as data.

A profile is not a renderer of its own; one pipeline draws for all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pixel_lm.errors import UserError

__all__ = ["PROFILES", "Profile", "get_profile"]


@dataclass(frozen=True)
class Profile:
    """Where text lies on a strip, in pixels.

    Attributes:
        name: how configurations refer to the profile.
        indent: blank columns before a text, and after it before the patch boundary is sought.
        raise_by: how far above the centre of the strip the middle of the line lies.
        fit: whether the baseline stays where the main font has it, and other fonts are fitted into the strip.
    """

    name: str
    indent: int
    raise_by: int
    fit: bool = False

    def baseline(self, ascent: float, descent: float, height: int) -> float:
        """Distance of the baseline from the top of a strip of `height` rows; half pixels occur.

        The line box (ascent + descent, in whole pixels) is centred and then raised.
        """
        return height / 2 - math.ceil(ascent + descent) / 2 - self.raise_by + ascent


PROFILES = {
    # PangoCairo as the published fine-tuning experiments used it (Rust et al., 2023, section 3.1).
    "pango": Profile(name="pango", indent=2, raise_by=2),
    # PyGame as the published pretraining used it (`pygame_typesetting`).
    "pygame": Profile(name="pygame", indent=2, raise_by=0),
    # Ours, for models trained from now on: the main font as in `pango`, every other script on the same baseline and whole.
    "fit": Profile(name="fit", indent=2, raise_by=2, fit=True),
}


def get_profile(name: str) -> Profile:
    """The profile with this name; `UserError` if there is none."""
    if name not in PROFILES:
        raise UserError(f"unknown rendering profile {name!r}; there are: {', '.join(sorted(PROFILES))}")
    return PROFILES[name]
