"""How much ink falls off the strip, by script, under the profiles `pango` (published) and `fit` (for new models).

    python benchmarks/ink_outside.py TEXTS.jsonl[.xz] [--characters 2000] [--json FILE]

TEXTS holds one JSON object a line with "script" (ISO 15924) and "text", for instance the Universal Declaration of Human Rights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

from pixel_lm.data.files import read_lines
from pixel_lm.rendering import TextRenderer


def main() -> int:
    """Print a table: script, texts, share of characters with a font, ink outside in per cent for each profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--characters", type=int, default=2000, help="of each text that are drawn (default: 2000)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    texts: dict[str, list[str]] = defaultdict(list)
    for _, line in read_lines(args.texts):
        record = json.loads(line)
        if record.get("script") and record["text"]:
            texts[record["script"]].append(" ".join(record["text"].split())[: args.characters])
    renderers = {name: TextRenderer(profile=name) for name in ("pango", "fit")}
    numbers: dict[str, float] = {}
    print(f"{'script':8} {'texts':>6} {'covered':>8} {'pango':>8} {'fit':>8}   ink outside the strip, %")
    for script, of_script in sorted(texts.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        letters = [char for text in of_script for char in text if not char.isspace()]
        drawable = renderers["pango"]._typesetter.font_of
        covered = sum(drawable(char) is not None for char in letters) / len(letters)
        shares = []
        for name, renderer in renderers.items():
            lost, total = map(sum, zip(*map(renderer._typesetter.lost_ink, of_script), strict=True))
            shares.append(100 * lost / total if total else 0.0)
            numbers[f"{name}_{script}"] = shares[-1]
        print(f"{script:8} {len(of_script):6} {covered:8.1%} {shares[0]:8.2f} {shares[1]:8.2f}")
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
