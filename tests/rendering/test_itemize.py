"""Items against hand-written cases, recordings of Pango, and Unicode data."""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest
import regex
from fontTools import unicodedata as ucd
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.rendering import itemize
from pixel_lm.rendering.bidi import levels, visual_runs
from pixel_lm.rendering.itemize import Item, cluster_starts, emoji_runs, items, script_runs
from pixel_lm.rendering.unicode_data import BIDI_ACTIVE, PAIRED_PUNCTUATION

HEBREW = "\u05e9\u05dc\u05d5\u05dd"  # four letters
ARABIC = "\u0643\u062a\u0627\u0628"  # four letters
MIXED = (
    "a1 !\u00e9()<>\u201c\u201d\u0301\u05d0\u0628\u0661\u03b1\u4e00\u3042\u3001\u0915\u094d\n\r\u2029\u200d"
    "\u2067\u2069\u202e\u202c"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("abc", [(0, 3, "Latn")]),
        ("12 !?", [(0, 5, "Zyyy")]),
        ("\u0301", [(0, 1, "Zyyy")]),
        ("\U0001f600\U0001f603", [(0, 2, "Zyyy")]),
        ("\u0378", [(0, 1, "Zyyy")]),  # unassigned
        ("12 \u03b1 \u03b2.", [(0, 7, "Grek")]),
        ("12 abc", [(0, 6, "Latn")]),
        ("\u2102 x", [(0, 3, "Latn")]),
        ("\u207f", [(0, 1, "Latn")]),
        # common characters and marks stay with what precedes them
        ("abc, \u0434\u0435.", [(0, 5, "Latn"), (5, 8, "Cyrl")]),
        ("\u0434\u0301 a\u0301", [(0, 3, "Cyrl"), (3, 5, "Latn")]),
        ("\u30ab\u30bf\u3068\u6f22\u3002", [(0, 2, "Kana"), (2, 3, "Hira"), (3, 5, "Hani")]),
        # closing punctuation returns to the script of the opening one
        ("a (\u0434) b", [(0, 3, "Latn"), (3, 4, "Cyrl"), (4, 7, "Latn")]),
        ("a (\u0434)", [(0, 3, "Latn"), (3, 4, "Cyrl"), (4, 5, "Latn")]),
        ("a \u201c\u0434\u201d", [(0, 3, "Latn"), (3, 4, "Cyrl"), (4, 5, "Latn")]),
        ("a \u0434)", [(0, 2, "Latn"), (2, 4, "Cyrl")]),
        ("a (\u0434]", [(0, 3, "Latn"), (3, 5, "Cyrl")]),
        ("a (\u0434[\u03b1)", [(0, 3, "Latn"), (3, 5, "Cyrl"), (5, 6, "Grek"), (6, 7, "Latn")]),
        # opening punctuation at the start takes the script that comes first
        ("(\u0434) a", [(0, 4, "Cyrl"), (4, 5, "Latn")]),
        ("((\u0434) a) \u0435", [(0, 5, "Cyrl"), (5, 6, "Latn"), (6, 9, "Cyrl")]),
        ("() \u0434", [(0, 4, "Cyrl")]),
        (") \u0434", [(0, 3, "Cyrl")]),
        # deeper than the stack of 128: it starts again
        ("a" + "(" * 128 + "\u0434" + ")" * 128, [(0, 129, "Latn"), (129, 130, "Cyrl"), (130, 258, "Latn")]),
        ("a" + "(" * 129 + "\u0434" + ")" * 2, [(0, 130, "Latn"), (130, 131, "Cyrl"), (131, 133, "Latn")]),
        ("a" + "(" * 129 + "\u0434)\u03b1)", [
            (0, 130, "Latn"), (130, 131, "Cyrl"), (131, 132, "Latn"), (132, 134, "Grek"),
        ]),
    ],
)  # fmt: skip
def test_script_runs(text: str, expected: list[tuple[int, int, str]]) -> None:
    assert script_runs(text) == expected


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("", None, []),
        ("abc 1", None, [(0, 5, 0, "Latn")]),
        ("abc 1", 1, [(0, 5, 2, "Latn")]),
        ("abc!", 1, [(0, 3, 2, "Latn"), (3, 4, 1, "Latn")]),
        (f"{HEBREW} 12", None, [(0, 5, 1, "Hebr"), (5, 7, 2, "Hebr")]),
        (f"a {HEBREW} {ARABIC}", None, [(0, 2, 0, "Latn"), (2, 7, 1, "Hebr"), (7, 11, 1, "Arab")]),
        # the automatic direction: controls count as strong, isolates are not passed over
        ("\u202eab", None, [(0, 1, 1, "Latn"), (1, 3, 3, "Latn")]),
        (f"\u2067{HEBREW}\u2069!", None, [(0, 1, 1, "Hebr"), (1, 5, 3, "Hebr"), (5, 7, 1, "Hebr")]),
        # paragraphs: own direction, own scripts; neutral ones follow the one before them
        ("ab\n1", None, [(0, 3, 0, "Latn"), (3, 4, 0, "Zyyy")]),
        (f"{HEBREW}\n!\u2029a", None, [(0, 5, 1, "Hebr"), (5, 7, 1, "Zyyy"), (7, 8, 0, "Latn")]),
        (f"!\r\n{HEBREW}", None, [(0, 3, 1, "Zyyy"), (3, 7, 1, "Hebr")]),
        (f"{HEBREW}\r!", 0, [(0, 4, 1, "Hebr"), (4, 5, 0, "Hebr"), (5, 6, 0, "Zyyy")]),
        # a line separator ends no paragraph
        ("ab\u20281", None, [(0, 4, 0, "Latn")]),
    ],
)
def test_items(text: str, base: int | None, expected: list[tuple[int, int, int, str]]) -> None:
    assert items(text, base) == [Item(*item) for item in expected]


@given(st.text(st.sampled_from(MIXED), max_size=40), st.sampled_from([None, 0, 1]))
def test_items_cover_the_text_and_hold_at_most_one_script(text: str, base: int | None) -> None:
    position = 0
    for item in items(text, base):
        assert item.start == position < item.end
        position = item.end
        scripts = {ucd.script(character) for character in text[item.start : item.end]} - {"Zyyy", "Zinh", "Zzzz"}
        assert scripts <= {item.script}
    assert position == len(text)
    if base is not None and "\u2029" not in text and "\n" not in text and "\r" not in text:
        assert [item.level for item in items(text, base) for _ in range(item.start, item.end)] == levels(text, base)


def test_plain_text_is_decided_as_by_the_script_of_each_character() -> None:
    for codepoint in range(0x110000):
        character = chr(codepoint)
        if itemize._PLAIN.fullmatch(character):
            script = ucd.script(character)
            assert script in ("Latn", "Zyyy", "Zinh", "Zzzz"), hex(codepoint)
            assert script_runs(character) == [(0, 1, "Latn" if script == "Latn" else "Zyyy")], hex(codepoint)
            assert not BIDI_ACTIVE.match(character), hex(codepoint)
            assert character not in "\n\r\u2029"


def test_no_emoji_is_overlooked() -> None:
    for codepoint in range(0x110000):
        if itemize._EMOJI.match(chr(codepoint)):
            assert emoji_runs(chr(codepoint)) == [(0, 1)], hex(codepoint)


def test_paired_punctuation_is_of_script_common() -> None:
    assert len(PAIRED_PUNCTUATION) == 55
    assert all(ucd.script(character) == "Zyyy" for pair in PAIRED_PUNCTUATION.items() for character in pair)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain 1#", []),
        ("caf\u00e9 \u2713 \u2192", []),
        ("a\U0001f600b", [(1, 2)]),
        ("\U0001f600\U0001f603 \U0001f604", [(0, 2), (3, 4)]),
        ("\u2600 \u2600\ufe0f \u2600\ufe0e", [(2, 4)]),
        ("\U0001f600\ufe0e", []),
        ("1\ufe0f\u20e3 1\u20e3", [(0, 3)]),
        ("\U0001f44d\U0001f3fd", [(0, 2)]),
        ("\u261d", [(0, 1)]),  # a modifier base
        ("\U0001f3fd", []),  # a lone modifier
        ("\U0001f1e9\U0001f1f0\U0001f1ef", [(0, 2)]),  # a flag and half a flag
        ("\U0001f3f3\ufe0f\u200d\U0001f308", [(0, 4)]),
        ("\U0001f469\u200d\u2764\ufe0f\u200d\U0001f469", [(0, 6)]),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", [(0, 4)]),
    ],
)
def test_emoji_runs(text: str, expected: list[tuple[int, int]]) -> None:
    assert emoji_runs(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("abc", [0, 1, 2]),
        ("e\u0301\r\nx", [0, 2, 4]),
        ("\u1112\u1161\u11ab", [0]),
        ("\U0001f469\u200d\U0001f469a", [0, 3]),
    ],
)
def test_cluster_starts(text: str, expected: list[int]) -> None:
    assert cluster_starts(text) == expected


def test_emoji_of_the_unicode_list(shared_dir: Path) -> None:
    sequences = 0
    with lzma.open(shared_dir / "data/unicode/emoji-test.txt.xz", "rt", encoding="utf-8") as file:
        for line in file:
            codepoints, _, status = line.split("#")[0].strip().partition(";")
            if status.strip() == "fully-qualified":
                text = "".join(chr(int(codepoint, 16)) for codepoint in codepoints.split())
                assert emoji_runs(text) == [(0, len(text))], codepoints
                sequences += 1
    assert sequences > 3000


def test_grapheme_break_test(shared_dir: Path) -> None:
    cases = 0
    for line in (shared_dir / "data/unicode/GraphemeBreakTest.txt").read_text(encoding="utf-8").split("\n"):
        tokens = line.split("#")[0].split()
        if not tokens:
            continue
        text, breaks = "", []
        for token in tokens:
            if token == "\u00f7":
                breaks.append(len(text))
            elif token != "\u00d7":
                text += chr(int(token, 16))
        # These data are of Unicode 15; U+2701 has since lost the property that joins it through U+200D.
        if "\u2701" in text and not regex.match(r"\p{Extended_Pictographic}", "\u2701"):
            continue
        assert cluster_starts(text) == breaks[:-1], line
        cases += 1
    assert cases >= 600


# Recordings: [font file, face index, script, level, number of characters] for each run, in visual order, neighbouring
# equal runs merged; the word "truncated" at the end if there were more.

LINE = re.compile("[^\n\r\u2028\u2029]*(?:\r\n|[\n\r\u2028\u2029])|[^\n\r\u2028\u2029]+")


def pango_name(script: str) -> str:
    if script == "Zyyy":
        return "common"
    if script == "Egyp":
        return "mandaic"  # how the recording names a number that Pango's own enumeration of scripts does not have
    return str(ucd.script_name(script)).lower().replace(" ", "_")


def laid_out(text: str) -> list[tuple[str, int, int]]:
    """Script, level and length of the runs of a text in the order in which Pango has them in its lines."""
    text = text.split("\0")[0]
    all_items = items(text)
    result: list[tuple[str, int, int]] = []
    for line in LINE.finditer(text):
        start, end = line.start(), line.start() + len(line.group().rstrip("\n\r\u2029"))
        pieces = [
            (pango_name(item.script), item.level, min(item.end, end) - max(item.start, start))
            for item in all_items
            if item.start < end and item.end > start
        ]
        for first, last, level in visual_runs([piece[1] for piece in pieces]):
            result.extend(reversed(pieces[first:last]) if level % 2 else pieces[first:last])
    return result


def merged(runs: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    result: list[tuple[str, int, int]] = []
    for script, level, length in runs:
        if result and result[-1][:2] == (script, level):
            length += result.pop()[2]
        result.append((script, level, length))
    return result


@pytest.fixture(scope="module")
def recordings(shared_dir: Path) -> list[dict[str, Any]]:
    lines = (shared_dir / "reference/render/cases.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_scripts_and_levels_agree_with_pango(recordings: list[dict[str, Any]]) -> None:
    different = []
    for case in recordings:
        texts = [case["input"]] if case["mode"] == "text" else case["input"]
        if case["mode"] != "words":
            texts = [text.replace("\n", " ")[:3000] for text in texts]
        ours = merged([run for text in texts for run in laid_out(text)])
        truncated = case["font_runs"][-1:] == ["truncated"]
        theirs = merged([(run[2], run[3], run[4]) for run in case["font_runs"] if run != "truncated"])
        if truncated and theirs:
            ours = ours[: len(theirs)]
            script, level, length = ours[-1]
            ours[-1] = (script, level, min(length, theirs[-1][2]))
        if ours != theirs:
            different.append((case["id"], ours, theirs))
    assert len(recordings) > 300
    assert different == []


def test_emoji_runs_are_what_pango_shows_in_an_emoji_font(recordings: list[dict[str, Any]]) -> None:
    compared = 0
    for case in recordings:
        text = case["input"]
        if case["mode"] != "text" or "\0" in text or "truncated" in case["font_runs"]:
            continue
        if any(run[3] for run in case["font_runs"]) or not any("Emoji" in run[0] for run in case["font_runs"]):
            continue
        shown = [run[0] == "NotoColorEmoji.ttf" for run in case["font_runs"] for _ in range(run[4])]
        ours = [any(start <= index < end for start, end in emoji_runs(text)) for index in range(len(text))]
        assert ours == shown, case["id"]
        compared += 1
    assert compared >= 8
