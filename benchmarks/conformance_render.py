"""Compare our strips with recorded strips of the original renderers, pixel by pixel.

A folder of recordings holds `cases.jsonl` (inputs, call arguments, metadata, and the fonts that the original chose) and one
`.npz` for each backend, with the pixels under the case's id.
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import regex

from pixel_lm.errors import UserError
from pixel_lm.rendering import FontSource, RendererConfig, Rendering, TextRenderer
from pixel_lm.rendering.bidi import levels, visual_runs
from pixel_lm.rendering.discovery import find_font
from pixel_lm.rendering.fonts import Font
from pixel_lm.rendering.itemize import first_direction

BACKEND = "pangocairo_gray"
PYGAME = "pygame_gray"
RGB = "pangocairo_rgb"
METADATA = ("num_text_patches", "sep_patches", "word_starts", "offset_mapping")
MODES = ("text", "words", "pair")
RECORDED_CHARACTERS = 3000  # of each text, for which the fonts were recorded
MAIN_FONT = ("NotoSans-Regular.ttf", 0)
FONT_OF_CHARACTER: dict[str, tuple[str, int]] = {}  # see `learn_fonts`
CONTROLS = ("Cc", "Zl", "Zp")  # tabs and line breaks among them
_INVISIBLE = regex.compile(r"[\s\p{Default_Ignorable_Code_Point}]")


@dataclass
class Count:
    """Strips and metadata records that agree, of those compared; cases that need what we do not have."""

    identical: int = 0
    strips: int = 0
    agreeing: int = 0
    records: int = 0
    different: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        """Count what `other` counted too."""
        self.identical += other.identical
        self.strips += other.strips
        self.agreeing += other.agreeing
        self.records += other.records
        self.different += other.different

    def shown(self) -> str:
        """The first cases that differ."""
        return " ".join(self.different[:6]) + (" …" if len(self.different) > 6 else "")


def run(directory: Path, json_path: Path | None) -> int:
    """Print a table per category and the totals in the last line; write them to `json_path` too."""
    cases = [json.loads(line) for line in (directory / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    learn_fonts(cases)
    pixels = np.load(directory / f"{BACKEND}.npz")
    counts: dict[str, Count] = defaultdict(Count)
    pygame = Count()
    pygame_pixels = np.load(directory / f"{PYGAME}.npz") if (directory / f"{PYGAME}.npz").exists() else {}
    rgb_pixels = np.load(directory / f"{RGB}.npz") if (directory / f"{RGB}.npz").exists() else {}
    grey_rgb, colour = Count(), Count()
    plain, plain_rgb = Count(), Count()
    kinds: dict[str, int] = dict.fromkeys(("control characters", "missing glyphs", "colour glyphs"), 0)
    for case in cases:
        special = specials(case)
        for kind in special:
            kinds[kind] += 1
        recorded = case["renders"].get(BACKEND)
        if recorded is not None and "error" not in recorded:
            count = compare(case, recorded, pixels)
            counts[case["category"]].add(count)
            if not special:
                plain.add(count)
        recorded = case["renders"].get(PYGAME)
        if recorded is not None and "error" not in recorded and case["id"] in pygame_pixels:
            pygame.add(compare(case, recorded, pygame_pixels, "pygame"))
        recorded = case["renders"].get(RGB)
        if recorded is not None and "error" not in recorded and case["id"] in rgb_pixels:
            count = compare(case, recorded, rgb_pixels, "rgb")
            (grey_rgb if case["renders"].get("rgb_equals_gray") else colour).add(count)
            if not special:
                plain_rgb.add(count)

    print(f"{'category':24} {'identical':>12} {'metadata':>12}  different")
    for category, count in sorted(counts.items()):
        print(
            f"{category:24} {count.identical:5}/{count.strips:<6} {count.agreeing:5}/{count.records:<6}  {count.shown()}"
        )
    numbers: dict[str, float] = {}
    for mode in MODES:
        chosen = [count for category, count in counts.items() if mode_of(category) == mode]
        identical, strips, agreeing, records = totals(chosen)
        print(f"{mode}: identical {identical}/{strips} metadata {agreeing}/{records}")
        numbers |= {
            f"{mode}_identical": identical,
            f"{mode}_strips": strips,
            f"{mode}_metadata": agreeing,
            f"{mode}_records": records,
        }
    if pygame.strips:
        shown = f"   different: {' '.join(pygame.different)}" if pygame.different else ""
        print(
            f"pygame: identical {pygame.identical}/{pygame.strips} metadata {pygame.agreeing}/{pygame.records}{shown}"
        )
        numbers |= {
            "pygame_identical": pygame.identical,
            "pygame_strips": pygame.strips,
            "pygame_metadata": pygame.agreeing,
            "pygame_records": pygame.records,
        }
    for name, count in (("rgb without colour glyphs", grey_rgb), ("rgb with colour glyphs", colour)):
        if count.strips:
            print(f"{name}: identical {count.identical}/{count.strips}   different: {count.shown()}")
            key = name.replace(" ", "_")
            numbers |= {f"{key}_identical": count.identical, f"{key}_strips": count.strips}
    left_out = ", ".join(f"{number} with {kind}" for kind, number in kinds.items())
    print(f"without control characters, missing glyphs and colour glyphs (cases left out: {left_out}):")
    for name, key, count in (("grey", "plain", plain), ("rgb", "plain_rgb", plain_rgb)):
        if count.strips:
            share = count.identical / count.strips
            shown = f"   different: {' '.join(count.different)}" if count.different else ""
            print(
                f"  {name}: identical {count.identical}/{count.strips} ({share:.2%}) "
                f"metadata {count.agreeing}/{count.records}{shown}"
            )
            numbers |= {
                f"{key}_identical": count.identical,
                f"{key}_strips": count.strips,
                f"{key}_share": round(share, 5),
                f"{key}_metadata": count.agreeing,
                f"{key}_records": count.records,
            }
    identical, strips, agreeing, records = totals(counts.values())
    numbers |= {"identical": identical, "strips": strips, "metadata": agreeing, "records": records}
    if json_path:
        json_path.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(f"identical {identical}/{strips} metadata {agreeing}/{records}")
    return 0


def mode_of(category: str) -> str:
    """The call mode of a category of cases."""
    prefix = category.split(":")[0]
    return prefix if prefix in MODES else "text"


def totals(counts: Iterable[Count]) -> tuple[int, int, int, int]:
    """Sums over categories."""
    chosen = list(counts)
    return (
        sum(count.identical for count in chosen),
        sum(count.strips for count in chosen),
        sum(count.agreeing for count in chosen),
        sum(count.records for count in chosen),
    )


def specials(case: dict[str, Any]) -> set[str]:
    """What a case holds of "control characters", "missing glyphs" and "colour glyphs".

    Its text and the fonts that the original took decide, not what we draw. A glyph is missing where the font of a character lacks
    it and the character is one that shows; of fonts that are not on this machine nothing is known.
    """
    texts = texts_of(case)
    found = set()
    if any(unicodedata.category(char) in CONTROLS for text in texts for char in text):
        found.add("control characters")
    for (name, index), chars in characters_by_font(texts, case["font_runs"]).items():
        path = find_font(name)
        if path is None:
            continue
        if open_font(FontSource(path, index)).has_pictures:
            found.add("colour glyphs")
        if any(not covers((name, index), char) and not _INVISIBLE.fullmatch(char) for char in chars):
            found.add("missing glyphs")
    return found


def compare(
    case: dict[str, Any],
    recorded: dict[str, Any],
    pixels: Mapping[str, npt.NDArray[np.uint8]],
    profile: str = "pango",
) -> Count:
    """Render one case and count what agrees, also of its overflow windows."""
    count = Count()
    given = tuple(case["input"]) if case["mode"] == "pair" else case["input"]
    expected = {case["id"]: recorded}
    expected |= {f"{case['id']}.o{index}": window for index, window in enumerate(recorded["overflowing"] or [])}
    count.strips += len(expected)
    count.records += len(expected)
    try:
        renderer = (
            pygame_renderer(json.dumps(case["params"])) if profile == "pygame" else renderer_for(case, profile == "rgb")
        )
        rendering = renderer(given, legacy=True, **case["call"])
    except UserError as error:
        count.different.append(f"{case['id']}({error})")
        return count
    renderings = [rendering, *(rendering.windows or [])]
    if len(renderings) != len(expected):
        count.different.append(f"{case['id']}({len(renderings)} strips in place of {len(expected)})")
    for (name, record), result in zip(expected.items(), renderings, strict=False):
        same_pixels = np.array_equal(full_strip(result, renderer), pixels[name])
        same_metadata = metadata(result, renderer) == {key: record[key] for key in METADATA}
        count.identical += same_pixels
        count.agreeing += same_metadata
        if not (same_pixels and same_metadata):
            count.different.append(name + ("" if same_pixels else "p") + ("" if same_metadata else "m"))
    return count


def full_strip(rendering: Rendering, renderer: TextRenderer) -> npt.NDArray[np.uint8]:
    """The strip at full length, as the original gives it."""
    strip = rendering.strip()
    padding = renderer.max_seq_length * renderer.patch_size - strip.shape[1]
    return np.pad(strip, ((0, 0), (0, padding), *[(0, 0)] * (strip.ndim - 2)), constant_values=255)


def metadata(rendering: Rendering, renderer: TextRenderer) -> dict[str, Any]:
    """Metadata in the original's units: separators of PangoCairo in pixels."""
    mapping = rendering.offset_mapping
    return {
        "num_text_patches": rendering.num_text_patches,
        "sep_patches": [
            patch if renderer.config.profile == "pygame" else patch * renderer.patch_size
            for patch in rendering.sep_patches
        ],
        "word_starts": rendering.word_starts,
        "offset_mapping": None if mapping is None else [list(span) for span in mapping],
    }


def renderer_for(case: dict[str, Any], rgb: bool = False) -> TextRenderer:
    """A renderer with the fonts of the case: each font draws exactly the characters that the original drew with it."""
    params = json.dumps({**case["params"], "rgb": rgb})
    return make_renderer(params, json.dumps(case["font_runs"]), tuple(texts_of(case)))


def texts_of(case: dict[str, Any]) -> list[str]:
    """The text, words or pair of a case."""
    return [case["input"]] if case["mode"] == "text" else case["input"]


def learn_fonts(cases: Sequence[dict[str, Any]]) -> None:
    """Note which font drew each character, for cases whose list of fonts is cut off; those of complete lists count first."""
    FONT_OF_CHARACTER.clear()
    for case in sorted(cases, key=lambda case: "truncated" in case["font_runs"]):
        for font, chars in characters_by_font(texts_of(case), case["font_runs"]).items():
            for char in chars:
                FONT_OF_CHARACTER.setdefault(char, font)


@lru_cache(maxsize=8)
def pygame_renderer(params: str) -> TextRenderer:
    """A renderer as PyGame drew the recordings: the main font draws everything."""
    path = find_font(MAIN_FONT[0])
    if path is None:
        raise UserError(f"font {MAIN_FONT[0]} is not on this machine")
    return TextRenderer(path, config=RendererConfig(profile="pygame", **json.loads(params)))


@lru_cache(maxsize=64)
def make_renderer(params: str, font_runs: str, texts: tuple[str, ...]) -> TextRenderer:
    """See `renderer_for`; renderers are shared by cases with equal settings, fonts and texts."""
    characters = characters_by_font(texts, json.loads(font_runs))
    for char in sorted(set("".join(texts)).difference(*characters.values())):
        if char in FONT_OF_CHARACTER:
            characters[FONT_OF_CHARACTER[char]].add(char)
    sources = []
    for name, index in in_order(characters):
        path = find_font(name)
        if path is None:
            raise UserError(f"font {name} is not on this machine")
        own = characters.get((name, index), set())
        sources.append(FontSource(path, index, AllBut(set().union(*characters.values()) - own)))
    return TextRenderer(
        sources[0], fallback_fonts=sources[1:], config=RendererConfig(profile="pango", **json.loads(params))
    )


def in_order(characters: dict[tuple[str, int], set[str]]) -> list[tuple[str, int]]:
    """The fonts in an order of preference that explains the choice: a font that drew what another has too comes before it."""
    left = list(dict.fromkeys([MAIN_FONT, *characters]))
    ordered: list[tuple[str, int]] = []
    while left:
        chosen = next(
            (
                font
                for font in left
                if font == MAIN_FONT
                or not any(covers(font, char) for other in left if other != font for char in characters.get(other, ()))
            ),
            left[0],
        )
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


@cache
def covers(font: tuple[str, int], char: str) -> bool:
    """Whether a font of this machine has a glyph for a character."""
    name, index = font
    path = find_font(name)
    return path is not None and open_font(FontSource(path, index)).covers(char)


@cache
def open_font(source: FontSource) -> Font:
    """A font, for what it covers and whether it has pictures."""
    return Font(source, 16)


class AllBut(frozenset[str]):
    """The set of all characters except these."""

    def __contains__(self, char: object) -> bool:
        return not super().__contains__(char)


def characters_by_font(texts: Sequence[str], runs: list[Any]) -> dict[tuple[str, int], set[str]]:
    """Which characters each font drew. The runs are in visual order, text after text, so the texts are brought into it."""
    visual = ""
    for text in (text[:RECORDED_CHARACTERS] for text in texts):
        for start, end, level in visual_runs(levels(text, first_direction(text) or 0)):
            visual += text[start:end][::-1] if level % 2 else text[start:end]
    drawn: dict[tuple[str, int], set[str]] = defaultdict(set)
    position = 0
    for name, index, _, _, length in (run for run in runs if run != "truncated"):
        drawn[name, index].update(char for char in visual[position : position + length] if not char.isspace())
        position += length
    return drawn
