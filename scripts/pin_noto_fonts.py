"""Write `src/pixel_lm/rendering/noto_fonts.yaml`: the fonts that `pixel-lm fonts install` fetches, with their digests.

    npm install --ignore-scripts @expo-google-fonts/noto-sans @expo-google-fonts/noto-sans-thai …
    python scripts/pin_noto_fonts.py node_modules/@expo-google-fonts > src/pixel_lm/rendering/noto_fonts.yaml

Run it again to move to newer fonts; every other version of a font draws other pixels, so that is a change to announce.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fontTools import unicodedata as ucd
from fontTools.ttLib import TTFont

MAIN = "Noto Sans"
CJK = ["Noto Sans JP", "Noto Sans SC", "Noto Sans KR"]
SYMBOLS = ["Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math"]
NASTALIQ = "Noto Nastaliq Urdu"
# Characters whose family is not simply the first that has them.
PREFERRED = {"Hira": "Noto Sans JP", "Kana": "Noto Sans JP", "Hang": "Noto Sans KR", "Hani": "Noto Sans SC", "Bopo": "Noto Sans SC", "Deva": "Noto Sans Devanagari"}  # fmt: skip
CJK_BLOCKS = [(0x3000, 0x303F), (0x3200, 0x33FF), (0xFF00, 0xFFEF)]
NOT_DEFAULT = {NASTALIQ}  # its slanted lines do not fit the height of a strip
NO_SCRIPT = {"Zyyy", "Zinh", "Zzzz"}
# Where counting characters does not tell.
SCRIPTS = {
    "Noto Sans JP": ["Hira", "Kana", "Hani"], "Noto Sans SC": ["Hani", "Bopo"], "Noto Sans KR": ["Hang", "Hani"],
    "Noto Sans Tamil": ["Taml"], NASTALIQ: ["Arab"], "Noto Sans Math": ["Zmth"], "Noto Sans Symbols": ["Zsym"],
    "Noto Sans Symbols 2": ["Zsym", "Brai"],
}  # fmt: skip

HEADER = """\
# Static fonts of the Noto project as Google Fonts releases them, pinned. Made by scripts/pin_noto_fonts.py.
# path        of the original file below base_url: npm package, version, file
# characters  for which this family is the one to install (each character stands at one family only), hexadecimal
licence: OFL-1.1
base_url: https://cdn.jsdelivr.net/npm
fonts:
"""


def read(package: Path) -> dict[str, Any]:
    """What one npm package holds."""
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    (file,) = package.rglob("*_400Regular.ttf")  # in a folder 400Regular, before version 0.3 of the packages beside it
    font = TTFont(file)
    assert "fvar" not in font, f"{file} is a variable font"
    names = font["name"]
    assert "Open Font License" in names.getDebugName(13), f"{file}: {names.getDebugName(13)}"
    data = file.read_bytes()
    return {
        "family": names.getDebugName(1),
        "file": file.name.replace("_400Regular", "-Regular"),
        "version": re.match(r"Version ([\d.]+)", names.getDebugName(5))[1],  # type: ignore[index]
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "path": f"{about['name']}@{about['version']}/{file.relative_to(package).as_posix()}",
        "all": {chr(code) for code in font.getBestCmap()},
    }


def ranges(characters: set[str]) -> str:
    """`0041-005A 0061` for a set of characters."""
    found: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return " ".join(f"{first:04X}" if first == last else f"{first:04X}-{last:04X}" for first, last in found)


def choose(char: str, holders: list[str]) -> str:
    """The family to install for a character, of those that hold it."""
    script = ucd.script(char)
    symbols_first = [family for family in SYMBOLS if script in NO_SCRIPT and ord(char) >= 0x2000]
    wanted = [PREFERRED.get(script, MAIN), MAIN, *symbols_first]
    if any(first <= ord(char) <= last for first, last in CJK_BLOCKS):
        wanted = CJK
    return next((family for family in wanted if family in holders), holders[0])


def main(folder: Path) -> None:
    """Print the list."""
    fonts = {font["family"]: font for font in map(read, sorted(folder.iterdir()))}
    order = [MAIN, *sorted(fonts.keys() - {MAIN, *CJK, *SYMBOLS, NASTALIQ}), *CJK, *SYMBOLS, NASTALIQ]
    counts = {family: Counter(ucd.script(char) for char in fonts[family]["all"]) for family in order}
    most = {script: max(count[script] for count in counts.values()) for count in counts.values() for script in count}
    characters = sorted(set().union(*(font["all"] for font in fonts.values())))
    owner = {char: choose(char, [family for family in order if char in fonts[family]["all"]]) for char in characters}
    print(HEADER, end="")
    for family in order:
        font = fonts[family]
        scripts = [s for s, n in counts[family].most_common() if s not in NO_SCRIPT and 2 * n >= most[s]]
        own = ranges(
            {char for char, name in owner.items() if name == family and ucd.category(char) not in ("Cc", "Co")}
        )
        print(f"  - family: {family}")
        print(f"    scripts: [{', '.join(SCRIPTS.get(family, scripts))}]")
        for key in ("file", "version", "size", "sha256", "path"):
            print(f"    {key}: {json.dumps(font[key])}")
        print(f"    default: {str(family not in NOT_DEFAULT).lower()}")
        print(f'    characters: "{own}"')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
