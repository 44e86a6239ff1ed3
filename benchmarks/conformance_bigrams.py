"""Compare bigrams with recorded strips of the original, pixel by pixel, with all metadata and windows.

The folder is as for `conformance_render`, with the pixels in `bigrams_gray.npz`; fonts were recorded character by character.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from conformance_render import MAIN_FONT, MODES, AllBut, Count, full_strip, mode_of, totals

from pixel_lm.errors import UserError
from pixel_lm.rendering import FontSource, RendererConfig, Rendering, TextRenderer
from pixel_lm.rendering.discovery import find_font
from pixel_lm.rendering.legacy_bigrams import LegacyBigramRendering, WordMap

BACKEND = "bigrams_gray"
METADATA = ("num_text_patches", "sep_patches", "word_starts", "offset_mapping", "sequence_ids", "word_patch_map")
_ENTRY = ("start_patch_index", "word_len", "sentence_len_ltr", "sentence_len_rtl")


def run(directory: Path, json_path: Path | None) -> int:
    """Print a table per category and the totals in the last line; write them to `json_path` too."""
    cases = [json.loads(line) for line in (directory / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    pixels = np.load(directory / f"{BACKEND}.npz")
    counts: dict[str, Count] = defaultdict(Count)
    errors = 0
    for case in cases:
        recorded = case["renders"][BACKEND]
        if "error" in recorded:
            errors += 1
            continue
        compare(case, recorded, pixels, counts[case["category"]])

    print(f"{'category':24} {'identical':>12} {'metadata':>12}  different")
    for category, count in sorted(counts.items()):
        shown = " ".join(count.different[:6]) + (" …" if len(count.different) > 6 else "")
        print(f"{category:24} {count.identical:5}/{count.strips:<6} {count.agreeing:5}/{count.records:<6}  {shown}")
    numbers: dict[str, float] = {"errors_of_the_original": errors}
    for mode in MODES:
        identical, strips, agreeing, records = totals(
            count for category, count in counts.items() if mode_of(category) == mode
        )
        numbers |= {
            f"{mode}_identical": identical,
            f"{mode}_strips": strips,
            f"{mode}_metadata": agreeing,
            f"{mode}_records": records,
        }
    identical, strips, agreeing, records = totals(counts.values())
    numbers |= {"identical": identical, "strips": strips, "metadata": agreeing, "records": records}
    if json_path:
        json_path.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(f"not compared: {errors} cases in which the original fails")
    print(f"identical {identical}/{strips} metadata {agreeing}/{records}")
    return 0


def compare(case: dict[str, Any], recorded: dict[str, Any], pixels: Any, count: Count) -> None:
    """Render one case and note what agrees, windows included; one strip and one record for each image."""
    given = tuple(case["input"]) if case["mode"] == "pair" else case["input"]
    expected = {case["id"]: recorded}
    expected |= {f"{case['id']}.o{index}": window for index, window in enumerate(recorded["overflowing"] or [])}
    count.strips += len(expected)
    count.records += len(expected)
    try:
        renderer = renderer_for(case)
        rendering = renderer(given, legacy=True, **case["call"])
    except UserError as error:
        count.different.append(f"{case['id']}({error})")
        return
    renderings = [rendering, *(rendering.windows or [])]
    same_windows = len(renderings) == len(expected) and (rendering.windows is None) == (recorded["overflowing"] is None)
    for (name, record), result in zip(expected.items(), renderings, strict=False):
        same_pixels = np.array_equal(full_strip(result, renderer), pixels[name])
        unit = renderer.patch_size if result is not rendering else 1  # separators of windows were recorded in pixels
        same_metadata = same_windows and metadata(result, unit) == {key: record[key] for key in METADATA}
        count.identical += same_pixels
        count.agreeing += same_metadata
        if not (same_pixels and same_metadata):
            count.different.append(name + ("" if same_pixels else "p") + ("" if same_metadata else "m"))


def metadata(rendering: Rendering, unit: int) -> dict[str, Any]:
    """Metadata in the form of the recordings; separators multiplied by `unit`."""
    assert isinstance(rendering, LegacyBigramRendering)
    return {
        "num_text_patches": rendering.num_text_patches,
        "sep_patches": [patch * unit for patch in rendering.sep_patches],
        "word_starts": rendering.word_starts,
        "offset_mapping": rendering.offset_mapping,
        "sequence_ids": rendering.sequence_ids,
        "word_patch_map": recorded_map(rendering.word_patch_map),
    }


def recorded_map(word_map: WordMap) -> WordMap:
    """A word map as the recordings have it, with a row of numbers for each word."""
    if "word_order_on_canvas" not in word_map:
        return {name: recorded_map(part) for name, part in word_map.items()}
    rest = dict(word_map)
    entries = rest.pop("word_order_on_canvas")
    rest["words"] = [[index, *(entry[key] for key in _ENTRY)] for index, entry in entries.items()]
    return rest


def renderer_for(case: dict[str, Any]) -> TextRenderer:
    """A renderer with the fonts of the case: each font draws exactly the characters that the original drew with it."""
    texts = [case["input"]] if case["mode"] == "text" else case["input"]
    drawn = "".join(texts) if case["mode"] == "words" else "".join("".join(texts).split())
    return make_renderer(json.dumps(case["params"]), json.dumps(case["font_runs"]), drawn.replace("\n", ""))


@lru_cache(maxsize=64)
def make_renderer(params: str, font_runs: str, drawn: str) -> TextRenderer:
    """See `renderer_for`; renderers are shared by cases with equal settings, fonts and characters."""
    characters: dict[tuple[str, int], set[str]] = defaultdict(set)
    position = 0
    for name, index, _, _, length in (run for run in json.loads(font_runs) if run != "truncated"):
        characters[name, index].update(char for char in drawn[position : position + length] if not char.isspace())
        position += length
    sources = []
    for name, index in dict.fromkeys([MAIN_FONT, *characters]):
        path = find_font(name)
        if path is None:
            raise UserError(f"font {name} is not on this machine")
        own = characters.get((name, index), set())
        sources.append(FontSource(path, index, AllBut(set().union(*characters.values()) - own)))
    config = RendererConfig(strategy="bigrams", profile="pango", **json.loads(params))
    return TextRenderer(sources[0], fallback_fonts=sources[1:], config=config)
