"""The bidirectional algorithm, by hand-written cases and by the Unicode conformance tests."""

from __future__ import annotations

import lzma
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.rendering.bidi import levels, paragraph_level, visual_runs
from pixel_lm.rendering.unicode_data import BIDI_ACTIVE, BRACKET, PARAGRAPH, bidi_code

# One character of each class for BidiTest.txt, none of them a paired bracket.
REPRESENTATIVES = {
    "L": "a", "R": "\u05d0", "AL": "\u0628", "EN": "1", "ES": "+", "ET": "#", "AN": "\u0661", "CS": ",",
    "NSM": "\u0300", "BN": "\u00ad", "B": "\u2029", "S": "\t", "WS": " ", "ON": "!", "LRE": "\u202a", "RLE": "\u202b",
    "LRO": "\u202d", "RLO": "\u202e", "PDF": "\u202c", "LRI": "\u2066", "RLI": "\u2067", "FSI": "\u2068",
    "PDI": "\u2069",
}  # fmt: skip


def as_hebrew(text: str) -> str:
    """Capitals become Hebrew letters, so that a test shows what is right-to-left."""
    return "".join(chr(0x05D0 + ord(c) - ord("A")) if "A" <= c <= "Z" else c for c in text)


def visual_order(resolved: list[int]) -> list[int]:
    order: list[int] = []
    for start, end, level in visual_runs(resolved):
        order.extend(reversed(range(start, end)) if level % 2 else range(start, end))
    return order


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("", None, ""),
        ("abc", None, "000"),
        ("abc", 1, "222"),
        ("ABC", None, "111"),
        ("ABC", 0, "111"),
        ("!?", None, "00"),
        ("!?", 1, "11"),
        ("abc ABC def", None, "00001110000"),
        ("ABC abc DEF", None, "11112221111"),
        # W1: a mark follows its base
        ("A\u05b0B", None, "111"),
        ("\u0300A", 0, "01"),
        # W2: European digits after Arabic letters are Arabic numbers
        ("\u06281", 0, "12"),
        ("\u0628 a1", 0, "1000"),
        # W4: single separators inside numbers
        ("A 12.5 B", None, "11222211"),
        ("A 1..5 B", None, "11211211"),
        ("\u0661,\u0662", 0, "222"),
        ("\u0661+\u0662", 0, "212"),
        # W5, W6, W7: terminators, separators, numbers in left-to-right text
        ("A 5%", None, "1122"),
        ("A %%5", None, "11222"),
        ("A %", None, "111"),
        ("a 5% B", 0, "000001"),
        # N0: brackets
        ("a (B) c", 0, "0001000"),
        ("A (b) C", 1, "1112111"),
        ("A (b) C", 0, "1000001"),
        ("A (B c) d", 0, "100100000"),
        ("a (b C) D", 1, "211211111"),
        ("A (\u0331B)\u0331 c", 1, "111111112"),
        ("A\u2329b\u3009 c", 1, "112112"),
        # N1, N2: neutrals
        ("A ! B", 0, "11111"),
        ("A ! b", 0, "10000"),
        ("1 A", 0, "001"),
        ("A 1", 0, "112"),
        # L1: blanks at the end and before tabs
        ("ABC   ", 0, "111000"),
        ("abc   ", 1, "222111"),
        ("A \tB", 0, "1001"),
        ("abc \u00ad", 1, "22211"),
        # explicit embeddings, overrides and isolates; controls take the level before them
        ("a\u202bb\u202cc", 0, "00220"),
        ("a\u202eb\u202cc", 0, "00110"),
        ("A\u202da\u202cB", 1, "11221"),
        ("a\u2067b\u2069C", 0, "00201"),
        ("a\u2068B\u2069c", 0, "00100"),
        ("a\u2068b\u2069C", 1, "21211"),
        ("\u2068A\u2069b", None, "0100"),
        # an isolate does not part what is around it
        ("A\u2066b\u2069!C", 0, "112111"),
        # paragraphs have their own levels
        ("A\n1 a\nB", None, "1100001"),
        ("A\r\nb", None, "1110"),
    ],
)
def test_levels(text: str, base: int | None, expected: str) -> None:
    assert "".join(str(level) for level in levels(as_hebrew(text), base)) == expected


def test_depth_is_limited_to_125() -> None:
    controls = "\u202b\u202a" * 100
    assert levels(controls + "a")[-1] == 126
    assert levels(controls + "\u05d0")[-1] == 125
    assert levels("\u202e" * 200 + "a")[-1] == 125
    assert levels(controls + "a" + "\u202c" * 200 + "b", 0)[-1] == 0
    assert levels("\u2067" * 200 + "\u05d0" + "\u2069" * 200 + "b", 0)[-1] == 0


def test_brackets_deeper_than_63_are_no_pairs() -> None:
    for depth, level in ((63, 0), (64, 1)):
        text = as_hebrew("a" + "(" * depth + "B" + ")" * depth + "C")
        # Pairs look back to the "a"; single brackets stand between two Hebrew letters.
        assert levels(text, 0)[-2] == level


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("123 ,.", 0),
        ("12 a", 0),
        ("12 A a", 1),
        ("\u2067A\u2069a", 0),
        ("\u2067A", 0),
        ("\u2069A", 1),
        ("!\nA", 0),
        ("\u202bA", 1),
        ("\u200fa", 1),
    ],
)
def test_paragraph_level(text: str, expected: int) -> None:
    assert paragraph_level(as_hebrew(text)) == expected


def test_base_level_must_be_0_or_1() -> None:
    with pytest.raises(ValueError, match="base_level"):
        levels("a", 2)


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        ([], []),
        ([0, 0], [(0, 2, 0)]),
        ([1, 1], [(0, 2, 1)]),
        ([0, 1, 1, 0], [(0, 1, 0), (1, 3, 1), (3, 4, 0)]),
        ([1, 2, 2, 1], [(3, 4, 1), (1, 3, 2), (0, 1, 1)]),
        ([2, 1], [(1, 2, 1), (0, 1, 2)]),
        ([0, 1, 2, 3, 2, 1, 0], [(0, 1, 0), (5, 6, 1), (2, 3, 2), (3, 4, 3), (4, 5, 2), (1, 2, 1), (6, 7, 0)]),
        ([2, 0, 2], [(0, 1, 2), (1, 2, 0), (2, 3, 2)]),
    ],
)
def test_visual_runs(resolved: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert visual_runs(resolved) == expected


@given(st.text(st.sampled_from("".join(REPRESENTATIVES.values()) + "()[]"), max_size=40), st.sampled_from([None, 0, 1]))
def test_any_text_has_one_level_per_character_and_a_full_order(text: str, base: int | None) -> None:
    resolved = levels(text, base)
    assert len(resolved) == len(text)
    assert all(0 <= level <= 126 for level in resolved)
    assert sorted(visual_order(resolved)) == list(range(len(text)))
    # paragraphs do not influence each other
    parts = [match.group() for match in PARAGRAPH.finditer(text)]
    assert "".join(parts) == text
    assert resolved == [level for part in parts for level in levels(part, base)]


def test_patterns_agree_with_the_classes_of_all_code_points() -> None:
    for codepoint in range(0x110000):
        character = chr(codepoint)
        code = bidi_code(codepoint)
        if code in "RADlropfijkq":
            assert BIDI_ACTIVE.match(character), hex(codepoint)
        assert (code == "B") == (len(PARAGRAPH.findall(character + "a")) == 2), hex(codepoint)
        if BRACKET.match(character) and unicodedata.bidirectional(character):
            assert code == "O" and unicodedata.mirrored(character), hex(codepoint)


def test_unassigned_code_points_take_the_class_of_their_block() -> None:
    assert bidi_code(0x05FF) == "R"
    assert bidi_code(0x1ECFF) == "R"
    assert bidi_code(0x20CF) == "T"
    assert bidi_code(0xFFFF) == "b"
    assert bidi_code(0x0378) == "L"


def _lines(path: Path) -> Iterator[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            stripped = line.split("#")[0].strip()
            if stripped:
                yield stripped


def _agrees(text: str, base: int | None, expected: list[int | None], order: list[int]) -> bool:
    """Compare levels and order; None stands for a character that the algorithm gives no level."""
    resolved = levels(text, base)
    kept = [index for index, level in enumerate(expected) if level is not None]
    return (
        len(resolved) == len(expected)
        and all(resolved[index] == expected[index] for index in kept)
        and [index for index in visual_order(resolved) if expected[index] is not None] == order
    )


def _parse_levels(field: str) -> list[int | None]:
    return [None if level == "x" else int(level) for level in field.split()]


def test_bidi_test(shared_dir: Path) -> None:
    expected: list[int | None] = []
    order: list[int] = []
    failures: list[str] = []
    cases = 0
    for line in _lines(shared_dir / "data/unicode/BidiTest.part0.txt.xz"):
        if line.startswith("@Levels:"):
            expected = _parse_levels(line.removeprefix("@Levels:"))
        elif line.startswith("@Reorder:"):
            order = [int(index) for index in line.removeprefix("@Reorder:").split()]
        else:
            classes, directions = line.split(";")
            text = "".join(REPRESENTATIVES[name] for name in classes.split())
            for bit, base in ((1, None), (2, 0), (4, 1)):
                if int(directions, 16) & bit:
                    cases += 1
                    if not _agrees(text, base, expected, order):
                        failures.append(f"{classes} base {base}")
    assert cases > 100_000
    assert failures == []


def test_bidi_character_test(shared_dir: Path) -> None:
    failures: list[str] = []
    cases = 0
    for line in _lines(shared_dir / "data/unicode/BidiCharacterTest.part0.txt.xz"):
        codepoints, direction, paragraph, resolved, order = line.split(";")
        text = "".join(chr(int(codepoint, 16)) for codepoint in codepoints.split())
        if any(not unicodedata.bidirectional(character) for character in text):  # newer than the running Python
            continue
        cases += 1
        base = {"0": 0, "1": 1, "2": None}[direction]
        if not _agrees(text, base, _parse_levels(resolved), [int(index) for index in order.split()]) or (
            base is None and paragraph_level(text) != int(paragraph)
        ):
            failures.append(line)
    assert cases > 40_000
    assert failures == []
