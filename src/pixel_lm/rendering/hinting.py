"""A substitution table (GSUB) that makes FreeType's auto-hinter with HarfBuzz decide as it does without.

FreeType wheels are built with HarfBuzz, the FreeType of Linux distributions, which drew the published strips, is not. Two things
differ. With HarfBuzz the auto-hinter looks at GSUB to find the script of each glyph; this table knows the default script alone.
And it measures the heights of a script at sample clusters, of which it leaves out those of several characters without HarfBuzz
(they occur for Kannada, Malayalam and Sinhala, among others); this table turns every glyph that stands beside another one into
glyph 0, which the auto-hinter skips.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["isolating_gsub"]

# Glyphs of one substitution subtable: offsets in it have 16 bits.
_STEP = 1 << 14


def isolating_gsub(num_glyphs: int) -> bytes:
    """The table for a font of this many glyphs (OpenType specification, chapter GSUB)."""
    every = _coverage(0, num_glyphs - 1)
    # Chained contexts, format 3: one glyph before (or after) the glyph at which lookup 2 is applied. Coverages at byte 18.
    followed = struct.pack(">9H", *(3, 0, 1, 18, 1, 18, 1, 0, 2)) + every
    preceded = struct.pack(">9H", *(3, 1, 18, 1, 18, 0, 1, 0, 2)) + every
    lookups = [_lookup(6, [followed]), _lookup(6, [preceded]), _to_glyph_0(num_glyphs)]
    # One script, DFLT, whose default language system has the one feature; the feature has lookups 0 and 1.
    scripts = struct.pack(">H4s7H", 1, b"DFLT", 8, *(4, 0), *(0, 0xFFFF, 1, 0))
    features = struct.pack(">H4s5H", 1, b"ccmp", 8, *(0, 2, 0, 1))
    header = struct.pack(">I3H", 0x00010000, 10, 10 + len(scripts), 10 + len(scripts) + len(features))
    return header + scripts + features + _with_offsets(struct.pack(">H", len(lookups)), lookups)


def _coverage(first: int, last: int) -> bytes:
    return struct.pack(">5H", 2, 1, first, last, 0)


def _lookup(kind: int, subtables: Sequence[bytes]) -> bytes:
    return _with_offsets(struct.pack(">3H", kind, 0, len(subtables)), subtables)


def _with_offsets(head: bytes, parts: Sequence[bytes]) -> bytes:
    """A head, the 16-bit offsets of parts, and the parts."""
    offsets = []
    position = len(head) + 2 * len(parts)
    for part in parts:
        offsets.append(position)
        position += len(part)
    return head + struct.pack(f">{len(offsets)}H", *offsets) + b"".join(parts)


def _to_glyph_0(num_glyphs: int) -> bytes:
    """A lookup that replaces any glyph by glyph 0: single substitutions behind extensions, which have 32-bit offsets."""
    substitutions = []
    for first in range(0, num_glyphs, _STEP):
        count = min(_STEP, num_glyphs - first)
        head = struct.pack(">3H", 2, 6 + 2 * count, count)
        substitutions.append(head + bytes(2 * count) + _coverage(first, first + count - 1))
    extensions = []
    position = 8 * len(substitutions)
    for index, substitution in enumerate(substitutions):
        extensions.append(struct.pack(">HHI", 1, 1, position - 8 * index))
        position += len(substitution)
    return _lookup(7, extensions) + b"".join(substitutions)
