"""Which glyphs of a font can change glyphs of other clusters, or be changed by them, in ordinary text.

A glyph that takes no part in any substitution or positioning of more than one glyph, marks on their bases aside, looks the same
wherever its cluster stands. In the fonts of scripts that are written without spaces this holds for most characters; their clusters
can then be drawn one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont, TTLibError

__all__ = ["interacting_glyphs"]

# Features that a shaper applies only when it is asked to, or in vertical text; all others count.
_ON_REQUEST = frozenset(
    "aalt afrc c2pc c2sc case cpct cpsp dlig dnom expt falt frac fwid halt hist hkna hlig hngl hojo hwid ital jp04 jp78 jp83 jp90 "
    "lnum mgrk nalt nlck numr onum ordn ornm palt pcap pkna pnum pwid qwid ruby salt sinf smcp smpl subs sups swsh titl tnam tnum "
    "trad twid unic valt vapk vchw vert vhal vkna vkrn vpal vrt2 vrtr zero".split()
)
# Marks are set on the base of their own cluster.
_WITHIN_CLUSTER = ("SinglePos", "MarkBasePos", "MarkLigPos", "MarkMarkPos")
_COVERAGES = "Coverage BacktrackCoverage InputCoverage LookAheadCoverage".split()
_CLASSES = ("ClassDef", "ClassDef2", "BacktrackClassDef", "InputClassDef", "LookAheadClassDef")


def interacting_glyphs(path: Path, index: int) -> frozenset[int] | None:
    """Numbers of the glyphs that take part in something with glyphs of other clusters.

    None for a font whose tables cannot be read or hold something unknown: then all of them may.
    """
    try:
        names: set[str] = set()
        becomes: list[tuple[str, list[str]]] = []
        with TTFont(path, fontNumber=index, lazy=True) as font:
            number_of = font.getReverseGlyphMap()
            for tag in ("GSUB", "GPOS"):
                if tag in font and not _collect(font[tag].table, names, becomes):
                    return None
        known = -1
        while len(names) > known:  # what turns into such a glyph is one, too
            known = len(names)
            names.update(glyph for glyph, results in becomes if not names.isdisjoint(results))
        return frozenset(number_of[name] for name in names if name in number_of)
    except (TTLibError, AttributeError, KeyError, ValueError, AssertionError):
        return None


def _collect(table: Any, names: set[str], becomes: list[tuple[str, list[str]]]) -> bool:
    """Add the names of glyphs in lookups of several glyphs, and what single glyphs turn into; whether all was understood."""
    if table.FeatureList is None or table.LookupList is None:
        return True
    lookups: set[int] = set()
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag not in _ON_REQUEST and not record.FeatureTag.startswith(("ss", "cv")):
            lookups.update(record.Feature.LookupListIndex)
    return all(
        _add(subtable, names, becomes) for index in lookups for subtable in table.LookupList.Lookup[index].SubTable
    )


def _add(subtable: Any, names: set[str], becomes: list[tuple[str, list[str]]]) -> bool:
    subtable = getattr(subtable, "ExtSubTable", subtable)
    kind = type(subtable).__name__
    if kind in _WITHIN_CLUSTER:
        return True
    if kind in ("SingleSubst", "MultipleSubst"):
        becomes += [(glyph, [to] if isinstance(to, str) else list(to)) for glyph, to in subtable.mapping.items()]
        return True
    if kind == "AlternateSubst":
        becomes += [(glyph, list(to)) for glyph, to in subtable.alternates.items()]
        return True
    if kind == "LigatureSubst":
        for first, ligatures in subtable.ligatures.items():
            names.add(first)
            for ligature in ligatures:
                names.update(ligature.Component)
        return True
    if kind not in ("PairPos", "CursivePos") and (
        not kind.startswith(("Context", "ChainContext")) or subtable.Format == 1
    ):
        return False  # rules by glyph sequences do not occur in fonts of today
    for attribute in _COVERAGES:
        coverages = getattr(subtable, attribute, None)
        for coverage in coverages if isinstance(coverages, Iterable) else [coverages]:
            if coverage is not None:
                names.update(coverage.glyphs)
    for attribute in _CLASSES:
        classes = getattr(subtable, attribute, None)
        if classes is not None:
            names.update(classes.classDefs)
    for pairs in getattr(subtable, "PairSet", None) or ():
        names.update(record.SecondGlyph for record in pairs.PairValueRecord)
    return True
