"""Where fonts are found when nobody names one.

Search order: `PIXEL_LM_FONT_PATH` (files or folders), fonts that were installed for this user (`user_font_dir`), the font
folders of the system, and at last a font that came with a pip dependency, so that everything runs after `pip install`.
Which of the found fonts draws what is decided by file names alone, in a fixed order.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
from functools import lru_cache
from pathlib import Path

from pixel_lm.errors import UserError
from pixel_lm.rendering.fonts import FontSource

__all__ = ["default_fonts", "find_font", "font_origin", "rescan", "user_font_dir"]

logger = logging.getLogger(__name__)

FONT_PATH_VARIABLE = "PIXEL_LM_FONT_PATH"

_MAIN_FONTS = ("GoNotoCurrent.ttf", "NotoSans-Regular.ttf", "NotoSans-Regular.otf", "DejaVuSans.ttf")
# Scripts in daily use come first, so that a character that several fonts hold is drawn by its own script's font.
_FIRST_SCRIPTS = (
    "Arabic Hebrew Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar "
    "Georgian Armenian Ethiopic Khmer Cherokee Coptic Syriac Thaana"
).split()
# Before the scripts that are rarely met, whose fonts have some of the punctuation of Chinese and Japanese, too.
_CJK = (
    "NotoSansCJK-Regular",
    "NotoSansCJKjp-Regular",
    "NotoSansJP-Regular",
    "NotoSansSC-Regular",
    "NotoSansKR-Regular",
)
_LAST = (
    "DejaVuSans",
    "NotoSansSymbols-Regular",
    "NotoSansSymbols2-Regular",
    "NotoColorEmoji",  # drawn first where text asks for emoji
)
_NOTO = re.compile(r"Noto(Sans|Serif)([A-Z][A-Za-z0-9]*)?-Regular")
# Other cuts of Latin, and letter forms that do not fit a strip: never a fallback.
_SKIPPED = {"Display", "Mono", "UI", "NastaliqUrdu", "KufiArabic"}


def user_font_dir() -> Path:
    """Folder for fonts installed for this user; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "pixel-lm" / "fonts"


def _system_font_dirs() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"]
    if sys.platform == "darwin":
        return [Path.home() / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    return [
        Path.home() / ".fonts",
        Path.home() / ".local/share/fonts",
        Path("/usr/local/share/fonts"),
        Path("/usr/share/fonts"),
    ]


def _pip_font_dirs() -> list[Path]:
    """matplotlib carries DejaVu Sans; found without importing it."""
    spec = importlib.util.find_spec("matplotlib")
    return [Path(place) / "mpl-data/fonts/ttf" for place in (spec.submodule_search_locations or [])] if spec else []


def _places() -> list[tuple[str, Path]]:
    """What is searched, in order: where a font comes from, in words, and the file or folder."""
    places = [Path(place) for place in os.environ.get(FONT_PATH_VARIABLE, "").split(os.pathsep) if place]
    for place in places:
        if not place.exists():
            raise UserError(f"{FONT_PATH_VARIABLE} names {place}, which does not exist")
    return [
        *((FONT_PATH_VARIABLE, place) for place in places),
        ("installed", user_font_dir()),
        *(("system", place) for place in _system_font_dirs()),
        *(("matplotlib", place) for place in _pip_font_dirs()),
    ]


def _search_path() -> list[Path]:
    return [place for _, place in _places()]


def font_origin(path: Path) -> str:
    """Where a font file comes from: the name of the variable, "installed", "system", "matplotlib", or "named" otherwise."""
    return next((origin for origin, place in _places() if path.is_relative_to(place)), "named")


def _font_files(search_path: list[Path]) -> dict[str, Path]:
    """Font files by name; the first place on the search path that holds a name wins."""
    return _scan(tuple(search_path))


@lru_cache(maxsize=8)
def _scan(search_path: tuple[Path, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in search_path:
        files = [place] if place.is_file() else sorted(place.rglob("*")) if place.is_dir() else []
        for file in files:
            if file.suffix.lower() in (".ttf", ".otf", ".ttc"):
                found.setdefault(file.name, file)
    return found


def rescan() -> None:
    """Look at the folders again when a font is next sought: for when fonts were added or removed."""
    _scan.cache_clear()


def find_font(file_name: str) -> Path | None:
    """A font file of this name on the search path, or None."""
    return _font_files(_search_path()).get(file_name)


def default_fonts() -> tuple[FontSource, list[FontSource]]:
    """The main font and its ordered fallbacks when nothing is asked for.

    Raises:
        UserError: not a single font was found.
    """
    files = _font_files(_search_path())
    main = next((files[name] for name in _MAIN_FONTS if name in files), None)
    if main is None:
        raise UserError(
            f"no font found: install Noto fonts with `pixel-lm fonts install`, or name font files in {FONT_PATH_VARIABLE}"
        )
    fallbacks = [FontSource(path) for path in [*_fallback_order(files), *_chosen_by_hand(files)] if path != main]
    if main.name == "DejaVuSans.ttf":
        _warn_once(
            f"drawing with {main.name}: no Noto fonts found. Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and Georgian work; "
            "Indic, Thai, Chinese, Japanese, Korean, Ethiopic and other scripts are missing. "
            "Get them with `pixel-lm fonts install`"
        )
    return FontSource(main), fallbacks


@lru_cache(maxsize=1)
def _warn_once(message: str) -> None:
    logger.warning(message)


def _chosen_by_hand(files: dict[str, Path]) -> list[Path]:
    """Fonts that are not of Noto, but that somebody installed for this program or named one by one: the last to be asked."""
    named = {place for origin, place in _places() if origin == FONT_PATH_VARIABLE}
    other = [path for name, path in files.items() if "Noto" not in name and name not in _MAIN_FONTS]
    return [path for path in other if path in named or path.is_relative_to(user_font_dir())]


def _fallback_order(files: dict[str, Path]) -> list[Path]:
    sans: dict[str, Path] = {}
    serif: dict[str, Path] = {}
    for name, path in files.items():
        match = _NOTO.fullmatch(Path(name).stem)
        if match and match[2] and match[2] not in _SKIPPED and not match[2].endswith("UI"):
            (sans if match[1] == "Sans" else serif).setdefault(match[2], path)
    scripts = {**serif, **sans}
    cjk, last = (
        [path for stem in stems for name, path in files.items() if Path(name).stem == stem] for stems in (_CJK, _LAST)
    )
    first = [scripts.pop(script) for script in _FIRST_SCRIPTS if script in scripts]
    rest = [path for _, path in sorted(scripts.items()) if path not in cjk and path not in last]
    return [*first, *cjk, *rest, *last]
