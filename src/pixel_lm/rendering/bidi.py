"""The Unicode Bidirectional Algorithm (UAX #9): embedding levels and visual order.

The whole algorithm: paragraphs and base level (P1-P3), explicit embeddings, overrides and isolates (X1-X10), weak types
(W1-W7), paired brackets and neutrals (N0-N2), implicit levels (I1-I2), line ends (L1) and reordering (L2). Two ideas
keep it fast without compiled code:

* Text without right-to-left characters, Arabic numbers and directional formatting needs no levels but 0 when the base
  level is 0; a single regular expression decides that.
* Otherwise the classes of the characters form a byte string with one letter per character
  (:mod:`pixel_lm.rendering.unicode_data`), and rules act on it through regular expressions. Only explicit
  formatting characters lead to a loop over characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pixel_lm.rendering.unicode_data import (
    BIDI_ACTIVE,
    BRACKET,
    CLOSING_BRACKETS,
    OPENING_BRACKETS,
    PARAGRAPH,
    bidi_codes,
)

MAX_DEPTH = 125
_MAX_BRACKET_DEPTH = 63  # BD16

_EXPLICIT = re.compile(rb"[ijkqlropf]")
_REMOVED = re.compile(rb"[blropf]")  # X9
_REMOVED_CODES = frozenset(b"blropf")
_STRONG_OR_ISOLATE = re.compile(rb"[LRAijk]")
_SEPARATED_BLANKS = re.compile(rb"[wijkqblropfsB]+")  # L1: white space and separators, plus what X9 removes

# Classes as a sequence of rules sees them: separators and white space are neutral, isolate controls are neutral but
# known to W1.
_SEQUENCE_CODES = bytes.maketrans(b"Bswijkq", b"OOOIIII")

_MARKS = re.compile(rb"M+")
_AFTER_ARABIC = re.compile(rb"A[^LRA]*E")
_SEPARATOR_IN_NUMBER = re.compile(rb"(?<=E)[SC](?=E)")
_SEPARATOR_IN_ARABIC_NUMBER = re.compile(rb"(?<=D)C(?=D)")
_TERMINATORS = re.compile(rb"T+")
_AFTER_LEFT = re.compile(rb"L[^LR]*E")
_NEUTRALS = re.compile(rb"[OI]+")
_WEAK_LEFTOVERS = bytes.maketrans(b"STC", b"OOO")
_NUMBERS_AS_RIGHT = bytes.maketrans(b"ED", b"RR")

_L, _R = b"LR"


def paragraph_level(text: str) -> int:
    """Base level of the first paragraph of a text: 1 if its first strong character is right-to-left, else 0.

    Characters between an isolate initiator and its matching end are passed over (UAX #9, P2 and P3).
    """
    match = PARAGRAPH.match(text)
    if match is None or BIDI_ACTIVE.search(text, 0, match.end()) is None:
        return 0
    codes = bidi_codes(match.group())
    return _first_strong_level(codes, 0, len(codes), _matching_isolates(codes))


def levels(text: str, base_level: int | None = None) -> list[int]:
    """Resolved embedding level of each character, the text taken as one line per paragraph.

    Args:
        text: any string; paragraph separators belong to the paragraph that they end.
        base_level: 0 (left-to-right), 1 (right-to-left), or None: first strong character of each paragraph.

    Returns:
        One level for each character. Explicit embedding controls and boundary neutrals, to which the algorithm assigns
        no level, take that of the preceding character, so they never break a run.
    """
    if base_level not in (None, 0, 1):
        raise ValueError(f"base_level must be 0, 1 or None, got {base_level!r}")
    if base_level != 1 and (text.isascii() or BIDI_ACTIVE.search(text) is None):
        return [0] * len(text)
    result: list[int] = []
    for match in PARAGRAPH.finditer(text):
        result.extend(_paragraph_levels(match.group(), base_level))
    return result


def visual_runs(levels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Runs of equal level in visual order from left to right (UAX #9, L2).

    Args:
        levels: embedding levels of the characters of one line.

    Returns:
        Triples (start, end, level). The characters of a run with an odd level are to be shown from the last to the
        first.
    """
    runs: list[tuple[int, int, int]] = []
    start = 0
    for position in range(1, len(levels) + 1):
        if position == len(levels) or levels[position] != levels[start]:
            runs.append((start, position, levels[start]))
            start = position
    if not runs:
        return runs
    highest = max(level for _, _, level in runs)
    lowest_odd = min((level for _, _, level in runs if level % 2), default=highest + 1)
    for threshold in range(highest, lowest_odd - 1, -1):
        begin = None
        for index in range(len(runs) + 1):
            if index < len(runs) and runs[index][2] >= threshold:
                begin = index if begin is None else begin
            elif begin is not None:
                runs[begin:index] = runs[begin:index][::-1]
                begin = None
    return runs


def _paragraph_levels(text: str, base_level: int | None) -> bytearray:
    """Levels of one paragraph, its separator included."""
    codes = bidi_codes(text)
    explicit = _EXPLICIT.search(codes) is not None
    isolates = _matching_isolates(codes) if explicit else {}
    base = _first_strong_level(codes, 0, len(codes), isolates) if base_level is None else base_level
    if explicit:
        result = _explicit_paragraph(text, codes, base, isolates)
    elif b"b" in codes:
        kept = [index for index, code in enumerate(codes) if code != ord("b")]
        result = bytearray([base]) * len(codes)
        _resolve(text, codes, kept, base, "LR"[base], "LR"[base], result)
    else:
        result = bytearray(_resolve_sequence(text, codes, base, "LR"[base], "LR"[base]))

    # L1: separators, and white space before them or at the end of the line, fall back to the base level.
    for match in _SEPARATED_BLANKS.finditer(codes):
        start, end = match.span()
        if end < len(codes):
            end = 1 + max(codes.rfind(b"s", start, end), codes.rfind(b"B", start, end))
        if end > start:
            result[start:end] = bytes([base]) * (end - start)
    for match in _REMOVED.finditer(codes):
        index = match.start()
        result[index] = result[index - 1] if index else base
    return result


def _first_strong_level(codes: bytes, start: int, end: int, isolates: dict[int, int]) -> int:
    """P2 and P3 between two positions; ``isolates`` gives the end of each isolate, which is passed over."""
    while match := _STRONG_OR_ISOLATE.search(codes, start, end):
        if match.group() in b"LRA":
            return 0 if match.group() == b"L" else 1
        start = isolates.get(match.start(), end) + 1
    return 0


def _matching_isolates(codes: bytes) -> dict[int, int]:
    """Position of each isolate initiator that has a matching PDI, to the position of that PDI (BD9)."""
    matches: dict[int, int] = {}
    stack: list[int] = []
    for index, code in enumerate(codes):
        if code in b"ijk":
            stack.append(index)
        elif code == ord("q") and stack:
            matches[stack.pop()] = index
    return matches


def _explicit_paragraph(text: str, codes: bytes, base: int, isolates: dict[int, int]) -> bytearray:
    """Levels of a paragraph that has explicit formatting characters (X1-X10, then the rules for each sequence)."""
    embedding, overridden = _explicit_levels(codes, base, isolates)
    kept = [index for index, code in enumerate(codes) if code not in _REMOVED_CODES]
    result = bytearray([base]) * len(codes)
    for sequence in _isolating_run_sequences(codes, embedding, kept, isolates):  # X10
        first, last = sequence[0], sequence[-1]
        level = embedding[kept[first]]
        before = embedding[kept[first - 1]] if first else base
        ends_paragraph = last + 1 == len(kept) or codes[kept[last]] in b"ijk"
        after = base if ends_paragraph else embedding[kept[last + 1]]
        positions = [kept[rank] for rank in sequence]
        _resolve(text, overridden, positions, level, "LR"[max(level, before) % 2], "LR"[max(level, after) % 2], result)
    return result


def _isolating_run_sequences(
    codes: bytes, embedding: bytearray, kept: list[int], isolates: dict[int, int]
) -> list[list[int]]:
    """Isolating run sequences (BD13), as indices into ``kept``, the positions that X9 does not remove.

    A level run that ends with an isolate initiator goes on with the run that starts with the matching PDI.
    """
    initiators = {end: start for start, end in isolates.items()}  # PDI to its initiator
    sequences: list[list[int]] = []
    unfinished: dict[int, list[int]] = {}  # position of the initiator at its end, to the sequence
    start = 0
    for end in range(1, len(kept) + 1):
        if end < len(kept) and embedding[kept[end]] == embedding[kept[start]]:
            continue
        sequence = unfinished.pop(initiators.get(kept[start], -1), None)
        if sequence is None:
            sequence = []
            sequences.append(sequence)
        sequence.extend(range(start, end))
        if codes[kept[end - 1]] in b"ijk":
            unfinished[kept[end - 1]] = sequence
        start = end
    return sequences


def _explicit_levels(codes: bytes, base: int, isolates: dict[int, int]) -> tuple[bytearray, bytearray]:
    """Explicit embedding levels and the classes after overrides (X1-X8)."""
    embedding = bytearray([base]) * len(codes)
    overridden = bytearray(codes)
    stack: list[tuple[int, int | None, bool]] = [(base, None, False)]  # level, override, entered by an isolate
    overflow_isolates = overflow_embeddings = valid_isolates = 0
    for index, code in enumerate(codes):
        level, override, _ = stack[-1]
        if code in b"lrop":  # X2-X5
            new_level = (level + 1) | 1 if code in b"rp" else (level + 2) & ~1
            if new_level <= MAX_DEPTH and not overflow_isolates and not overflow_embeddings:
                stack.append((new_level, {ord("o"): _L, ord("p"): _R}.get(code), False))
            elif not overflow_isolates:
                overflow_embeddings += 1
        elif code in b"ijk":  # X5a-X5c
            embedding[index] = level
            if override is not None:
                overridden[index] = override
            if code == ord("k"):
                content_end = isolates.get(index, len(codes))
                rightwards = _first_strong_level(codes, index + 1, content_end, isolates) == 1
            else:
                rightwards = code == ord("j")
            new_level = (level + 1) | 1 if rightwards else (level + 2) & ~1
            if new_level <= MAX_DEPTH and not overflow_isolates and not overflow_embeddings:
                valid_isolates += 1
                stack.append((new_level, None, True))
            else:
                overflow_isolates += 1
        elif code == ord("q"):  # X6a
            if overflow_isolates:
                overflow_isolates -= 1
            elif valid_isolates:
                overflow_embeddings = 0
                while not stack[-1][2]:
                    stack.pop()
                stack.pop()
                valid_isolates -= 1
            level, override, _ = stack[-1]
            embedding[index] = level
            if override is not None:
                overridden[index] = override
        elif code == ord("f"):  # X7
            if overflow_isolates:
                pass
            elif overflow_embeddings:
                overflow_embeddings -= 1
            elif not stack[-1][2] and len(stack) > 1:
                stack.pop()
        elif code == ord("B"):  # X8
            embedding[index] = base
        elif code != ord("b"):  # X6
            embedding[index] = level
            if override is not None:
                overridden[index] = override
    return embedding, overridden


def _resolve(
    text: str, codes: bytes | bytearray, positions: list[int], level: int, sos: str, eos: str, result: bytearray
) -> None:
    """Resolve the sequence that some positions of a paragraph form; write the levels to ``result``."""
    sequence_text = "".join([text[index] for index in positions])
    sequence_codes = bytes([codes[index] for index in positions])
    resolved = _resolve_sequence(sequence_text, sequence_codes, level, sos, eos)
    for index, value in zip(positions, resolved, strict=True):
        result[index] = value


def _resolve_sequence(text: str, codes: bytes, level: int, sos: str, eos: str) -> bytes:
    """Rules W1-W7, N0-N2, I1-I2 on an isolating run sequence.

    Args:
        text: characters of the sequence, without those that X9 removes.
        codes: their class codes after overrides.
        level: embedding level of the sequence.
        sos: direction before the sequence, "L" or "R".
        eos: direction after it.

    Returns:
        One level for each character.
    """
    # sos and eos stand at both ends like characters, so every look to the left or right finds something.
    types = (sos + codes.translate(_SEQUENCE_CODES).decode() + eos).encode()
    original = types

    if b"M" in types:  # W1: marks take the class of their base
        types = _MARKS.sub(lambda m: _class_before(m).replace(b"I", b"O") * len(m.group()), types)
    if b"A" in types:
        if b"E" in types:  # W2: European numbers after Arabic letters
            types = _AFTER_ARABIC.sub(lambda m: m.group().replace(b"E", b"D"), types)
        types = types.replace(b"A", b"R")  # W3
    if b"E" in types:  # W4: a single separator between two numbers
        types = _SEPARATOR_IN_NUMBER.sub(b"E", types)
    if b"D" in types:
        types = _SEPARATOR_IN_ARABIC_NUMBER.sub(b"D", types)
    if b"T" in types:  # W5: terminators beside European numbers
        types = _TERMINATORS.sub(_resolve_terminators, types)
    types = types.translate(_WEAK_LEFTOVERS)  # W6
    if b"E" in types:  # W7: European numbers in left-to-right context
        types = _AFTER_LEFT.sub(lambda m: m.group().replace(b"E", b"L"), types)

    direction = b"LR"[level % 2 : level % 2 + 1]
    if BRACKET.search(text):
        types = _resolve_brackets(text, original, types, direction)
    types = _NEUTRALS.sub(lambda m: _neutral_direction(m, direction) * len(m.group()), types)  # N1, N2
    return types[1:-1].translate(_IMPLICIT_LEVELS[level])  # I1, I2


def _class_before(match: re.Match[bytes]) -> bytes:
    """The class of the character before a match."""
    return match.string[match.start() - 1 : match.start()]


def _resolve_terminators(match: re.Match[bytes]) -> bytes:
    """W5: European terminators next to a European number become part of it."""
    if _class_before(match) == b"E" or match.string.startswith(b"E", match.end()):
        return b"E" * len(match.group())
    return match.group()


def _neutral_direction(match: re.Match[bytes], direction: bytes) -> bytes:
    """N1 and N2: neutrals take the direction of both their sides, else that of the embedding."""
    before = _class_before(match).translate(_NUMBERS_AS_RIGHT)
    after = match.string[match.end() : match.end() + 1].translate(_NUMBERS_AS_RIGHT)
    return before if before == after else direction


def _resolve_brackets(text: str, original: bytes, types: bytes, direction: bytes) -> bytes:
    """N0: both brackets of a pair take the direction of what they enclose, or of what stands before them.

    Args:
        text: characters of the sequence; ``original`` and ``types`` have one more class at each end.
        original: classes before W1, which tell the marks that follow a bracket.
        types: classes after W7.
        direction: class of the embedding direction.

    Returns:
        The classes with those of the brackets resolved.
    """
    opposite = b"R" if direction == b"L" else b"L"
    resolved = bytearray(types)
    strong = bytearray(types.translate(_NUMBERS_AS_RIGHT))
    for opening, closing in _bracket_pairs(text, types):
        if strong.find(direction, opening, closing) >= 0:
            chosen = direction
        elif strong.find(opposite, opening, closing) >= 0:
            context = max(strong.rfind(direction, 0, opening), strong.rfind(opposite, 0, opening))
            chosen = bytes(strong[context : context + 1])
        else:
            continue
        for index in (opening, closing):
            end = index + 1
            while original.startswith(b"M", end):
                end += 1
            resolved[index:end] = strong[index:end] = chosen * (end - index)
    return bytes(resolved)


def _bracket_pairs(text: str, types: bytes) -> list[tuple[int, int]]:
    """Bracket pairs (BD16) in the order of the opening brackets, as indices into ``types``."""
    pairs: list[tuple[int, int]] = []
    stack: list[tuple[str, int]] = []  # canonical closing bracket that is waited for, index of the opening one
    for match in BRACKET.finditer(text):
        index = match.start() + 1
        if types[index] != ord("O"):  # overridden
            continue
        character = match.group()
        if character in OPENING_BRACKETS:
            if len(stack) == _MAX_BRACKET_DEPTH:
                break
            stack.append((OPENING_BRACKETS[character], index))
            continue
        closing = CLOSING_BRACKETS[character]
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth][0] == closing:
                pairs.append((stack[depth][1], index))
                del stack[depth:]
                break
    return sorted(pairs)


def _implicit_levels(level: int) -> bytes:
    """Table from class code to resolved level in an embedding of a level (I1, I2)."""
    left, right, number = (level, level + 1, level + 2) if level % 2 == 0 else (level + 1, level, level + 1)
    return bytes.maketrans(b"LRED", bytes([left, right, number, number]))


_IMPLICIT_LEVELS = [_implicit_levels(level) for level in range(MAX_DEPTH + 1)]
