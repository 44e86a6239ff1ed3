"""What typesetting asks of scripts and characters: where spaces part words, and which characters go with their neighbours."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pixel_lm.rendering.itemize import is_attached

__all__ = [
    "CLUSTERED",
    "FEATURES",
    "IDEOGRAPHIC",
    "JOINING",
    "UNSPACED",
    "direction_fits",
    "follows_font",
    "starts_token",
]

# Lines that begin with one of these align their fonts on the ideographic baseline.
IDEOGRAPHIC = frozenset({"Hani", "Hang", "Hira", "Kana", "Bopo", "Tang", "Nshu", "Kits"})
# Scripts written without spaces whose characters hardly ever change their neighbours: there, a token is one character.
UNSPACED = frozenset({"Hani", "Hira", "Kana", "Bopo", "Yiii"})
CLUSTERED = frozenset({"Thai", "Laoo"})  # … and those whose clusters have marks
# Scripts whose letters take their form by their neighbours, also those that another font or direction draws.
JOINING = frozenset("Adlm Arab Chrs Mand Mani Mong Nkoo Ougr Phag Phlp Rohg Sogd Syrc".split())
# HarfBuzz does not apply contextual alternates to Hangul in the versions that drew the published strips; later ones do.
FEATURES = {"Hang": {"calt": False}}


@lru_cache(maxsize=1 << 16)
def follows_font(char: str) -> bool:
    """Whether a character never chooses a font but takes that of its neighbour: spaces, controls, format characters,
    variation selectors (the rule of Pango's itemiser)."""
    category = unicodedata.category(char)
    return (
        category in ("Cc", "Cf", "Cs", "Zl", "Zp")
        or (category == "Zs" and char != "\u1680")
        or _is_variation_selector(char)
    )


def _is_variation_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


@lru_cache(maxsize=1 << 16)
def starts_token(char: str) -> bool:
    """Whether a token may begin with this character: shaping it must not depend on what stands before."""
    return unicodedata.category(char)[0] not in "CZ" and not is_attached(char) and not _is_variation_selector(char)


@lru_cache(maxsize=1 << 16)
def direction_fits(char: str, rtl: bool) -> bool:
    """Whether a character leaves a line without any of the other direction in one piece."""
    kind = unicodedata.bidirectional(char)
    return (
        kind in ("R", "AL", "ON", "NSM", "WS", "CS", "ES", "ET")
        if rtl
        else kind in ("L", "EN", "ES", "ET", "CS", "ON", "NSM", "WS")
    )
