"""`pixel-lm fonts`: which fonts there are, what they draw, and getting those that are missing.

Exit status of `check` and `which`: 0 if every character can be drawn, 1 if some cannot, 2 for mistakes as everywhere.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pixel_lm.cli._shared import print_table
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.rendering import TextRenderer
    from pixel_lm.rendering.font_install import InstallReport
    from pixel_lm.rendering.pinned_fonts import PinnedFont

_LONGEST_TEXT = 100  # of `which`
_EXAMPLES = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb and what it can do."""
    parser = subparsers.add_parser(
        "fonts",
        help="list fonts, install more, see what they can draw",
        description="Which fonts there are, which of them draws what, and getting those that are missing.",
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the fonts in the order in which they are asked for a character")
    listing.add_argument("--json", action="store_true", help="print a JSON list")
    listing.set_defaults(func=run_list)

    which = actions.add_parser(
        "which",
        help="which font draws a character",
        description="Name, script and font of characters. Exit status 1 if no font draws one of them.",
    )
    which.add_argument("chars", nargs="+", metavar="CHAR", help="a character, its code (U+0E44), or a short text")
    which.set_defaults(func=run_which)

    check = actions.add_parser(
        "check",
        help="how much of a text the fonts can draw",
        description="Coverage of a text by script, and examples of what is missing. Exit status 0: all characters can be drawn; "
        "1: some cannot; 2: a mistake, for instance a file that does not exist.",
    )
    check.add_argument(
        "text",
        metavar="TEXT|FILE",
        help='a text; a file of text, .jsonl or .parquet, also compressed; a folder of them; "-" reads standard input',
    )
    check.add_argument(
        "--text", dest="is_text", action="store_true", help="the argument is a text, whatever it looks like"
    )
    check.set_defaults(func=run_check)
    for action in (listing, which, check):
        action.add_argument(
            "--renderer", metavar="DIR|NAME", help="fonts of a saved renderer (folder, or name on the hub)"
        )
        action.add_argument("--font", type=Path, metavar="FILE", help="this font, and no other")

    install = actions.add_parser(
        "install",
        help="download Noto fonts into the folder of this user",
        description="Install fonts of the Noto project, pinned by version and checksum. Without a name: a set for all scripts "
        "in wide use. Interrupted downloads go on where they ended.",
    )
    install.add_argument(
        "families", nargs="*", metavar="FAMILY", help='a family ("Noto Sans Thai", thai) or a script (Deva)'
    )
    install.add_argument("--all", action="store_true", help="all fonts of the list")
    install.add_argument("--list", action="store_true", help="show the list and install nothing")
    install.add_argument(
        "--from", dest="folder", type=Path, metavar="FOLDER", help="copy from a folder instead of downloading"
    )
    install.add_argument(
        "--base-url",
        metavar="URL",
        help="download from a copy of the source (default: PIXEL_LM_FONT_URL, or the npm CDN)",
    )
    install.set_defaults(func=run_install)
    for action in (listing, which, check, install):
        action.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _renderer(args: argparse.Namespace) -> TextRenderer:
    from pixel_lm.rendering import TextRenderer

    if args.renderer:
        return TextRenderer.from_pretrained(args.renderer, font=args.font)
    return TextRenderer(args.font)


# -- list --------------------------------------------------------------------------------------------------------------


def run_list(args: argparse.Namespace) -> int:
    """Print the fonts of a renderer."""
    from pixel_lm.rendering.coverage import describe_font

    infos = [describe_font(source) for source in _renderer(args).font_sources]
    if args.json:
        rows = [
            {
                "path": str(info.source.path),
                "index": info.source.index,
                "main": number == 0,
                "origin": info.origin,
                "version": info.version,
                "sha256": info.source.sha256,
                "characters": info.num_characters,
            }
            for number, info in enumerate(infos)
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    table = [("", "font", "version", "SHA-256", "characters", "from", "folder")]
    for number, info in enumerate(infos):
        path, index = info.source.path, info.source.index
        name = f"{path.name}:{index}" if index else path.name
        mark = "main" if number == 0 else str(number)
        digest = info.source.sha256[:12]
        table.append((mark, name, info.version, digest, f"{info.num_characters:,}", info.origin, str(path.parent)))
    print_table(table, right=(0, 4))
    return 0


# -- which -------------------------------------------------------------------------------------------------------------


def run_which(args: argparse.Namespace) -> int:
    """Print which font draws each character."""
    from pixel_lm.rendering.coverage import describe_character
    from pixel_lm.rendering.missing import advice

    chars = list(dict.fromkeys(char for word in args.chars for char in _characters(word)))
    renderer = _renderer(args)
    missing = []
    for char in chars:
        info = describe_character(renderer, char)
        shown = f"{char}  " if char.isprintable() else ""
        print(f"{shown}U+{ord(char):04X} {info.name}, script {info.script_name} ({info.script})")
        if info.font is None:
            missing.append(char)
            print(f"    no font draws it: {advice([char])}")
        else:
            print(f"    {info.font.path}, index {info.font.index}")
    if len(missing) > 1:
        print(f"{len(missing)} of {len(chars)} characters are missing: {advice(missing)}")
    return 1 if missing else 0


def _characters(word: str) -> str:
    """The characters that an argument of `which` names."""
    code = re.fullmatch(r"[Uu]\+([0-9A-Fa-f]{1,6})", word)
    if code:
        if int(code[1], 16) > 0x10FFFF:
            raise UserError(f"{word} is no character: the last one is U+10FFFF")
        return chr(int(code[1], 16))
    if not word:
        raise UserError("CHAR is empty: give a character, its code (U+0E44) or a short text")
    if len(word) > _LONGEST_TEXT:
        raise UserError(f"a text of {len(word)} characters is long for `which`: use `pixel-lm fonts check`")
    return word


# -- check -------------------------------------------------------------------------------------------------------------


def run_check(args: argparse.Namespace) -> int:
    """Print the coverage of a text by script."""
    from pixel_lm.rendering.coverage import coverage
    from pixel_lm.rendering.missing import advice

    name, texts = _texts(args.text, args.is_text)
    scripts = coverage(_renderer(args), texts)
    total = sum(entry.total for entry in scripts)
    if not total:
        raise UserError(f"{name}: there is no text in it")
    missing = {char: count for entry in scripts for char, count in entry.missing.items()}
    lacking = sum(missing.values())
    print(
        f"{name}: {total:,} characters, {sum(entry.distinct for entry in scripts):,} different ones; "
        f"{_percent(1 - lacking / total, lacking == 0)} can be drawn"
    )
    table = [("script", "distinct", "total", "covered", "missing")]
    for entry in scripts:
        examples = [f"{_show(char)} ×{count:,}" for char, count in entry.missing.most_common(_EXAMPLES)]
        if len(entry.missing) > _EXAMPLES:
            examples.append(f"and {len(entry.missing) - _EXAMPLES} more")
        covered = _percent(entry.covered, not entry.missing)
        table.append((entry.script_name, f"{entry.distinct:,}", f"{entry.total:,}", covered, ", ".join(examples)))
    print_table(table, right=(1, 2, 3))
    if missing:
        print(advice(missing))
    return 1 if missing else 0


def _texts(argument: str, is_text: bool) -> tuple[str, Iterable[str]]:
    """What to check, in words, and its pieces."""
    from pixel_lm.data.corpora import TEXT_SUFFIXES, Corpus
    from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines, strip_compression

    if is_text:
        return "the text", [argument]
    if argument == "-":
        return "standard input", _standard_input()
    path = Path(argument).expanduser()
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long for a name, or with a character that no name can have
        exists = False
    if not exists:
        looks_like_a_file = argument.endswith((*TEXT_SUFFIXES, *COMPRESSION_SUFFIXES)) or argument.startswith(
            ("/", "./", "../")
        )
        if looks_like_a_file and not any(map(str.isspace, argument)):
            raise UserError(f"{argument}: no such file (with --text it is taken as a text)")
        return "the text", [argument]
    if path.is_dir() or strip_compression(path.name).endswith((".jsonl", ".parquet")):
        return argument, (paragraph.text for paragraph in Corpus(path).paragraphs())
    return argument, (line for _, line in read_lines(path))


def _standard_input() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"standard input, line {number}: not UTF-8 text") from None


def _percent(share: float, all_of_it: bool) -> str:
    """A percentage; 100 only if nothing is missing."""
    return "100 %" if all_of_it else f"{min(100 * share, 99.99):.2f} %"


def _show(char: str) -> str:
    code = f"U+{ord(char):04X}"
    return f"{char} {code}" if char.isprintable() else code


# -- install -----------------------------------------------------------------------------------------------------------


def run_install(args: argparse.Namespace) -> int:
    """Download or copy fonts; UserError at the end if some could not be had."""
    from pixel_lm.rendering.discovery import default_fonts, user_font_dir
    from pixel_lm.rendering.font_install import install_from_folder, is_installed
    from pixel_lm.rendering.pinned_fonts import licence, pinned_fonts, select

    if args.all and args.families:
        raise UserError("give families or --all, not both")
    if args.folder and args.base_url:
        raise UserError("--from and --base-url exclude each other")
    chosen = list(pinned_fonts()) if args.all else select(args.families)
    if args.list:
        _print_list(chosen if args.families else list(pinned_fonts()))
        return 0
    target = user_font_dir()
    if args.folder:
        named = chosen if args.families or args.all else None
        report = install_from_folder(args.folder, named)
        print(f"from {args.folder} into {target}")
    else:
        wanted = [font for font in chosen if not is_installed(font)]
        there = f", {len(chosen) - len(wanted)} of them are there already" if len(wanted) < len(chosen) else ""
        size = sum(font.size for font in wanted)
        plan = f"{len(chosen)} fonts{there}; {size / 1e6:.1f} MB to download into {target} (licence {licence()})"
        report = _download(chosen, size, plan, args.base_url)
    if report.notes:
        main, fallbacks = default_fonts()
        used = {source.path.name for source in (main, *fallbacks)}
    for name in report.installed:
        note = f" ({report.notes[name]})" if name in report.notes else ""
        print(
            f"installed {name}{note}"
            + ("; drawn with only where it is named, as with --font" if note and name not in used else "")
        )
    print(f"{len(report.installed)} installed, {len(report.present)} were there, {len(report.failed)} failed")
    if report.failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(report.failed.items())[:_EXAMPLES])
        if len(report.failed) > _EXAMPLES:
            reasons += f"; and {len(report.failed) - _EXAMPLES} more"
        raise UserError(f"not installed: {reasons}. The same command tries again, and keeps what is there")
    return 0


def _download(fonts: list[PinnedFont], size: int, plan: str, base_url: str | None) -> InstallReport:
    """Download with a bar. The plan is shown when the source has answered, so that without a network a single line says so."""
    from tqdm import tqdm

    from pixel_lm.rendering.font_install import install_fonts

    arrived: dict[str, int] = {}
    if not size:
        print(plan)
    with tqdm(total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:

        def progress(font: PinnedFont, have: int) -> None:
            if not arrived:
                bar.write(plan, file=sys.stdout)
                sys.stdout.flush()
            arrived[font.file] = have
            bar.set_description(font.family, refresh=False)
            bar.update(sum(arrived.values()) - bar.n)

        return install_fonts(fonts, base_url=base_url, progress=progress)


def _print_list(fonts: list[PinnedFont]) -> None:
    from pixel_lm.rendering.font_install import is_installed

    table = [("name", "family", "scripts", "version", "kB", "default", "installed")]
    for font in fonts:
        default, there = ("yes" if value else "no" for value in (font.default, is_installed(font)))
        scripts = " ".join(font.scripts)
        table.append((font.short_name, font.family, scripts, font.version, f"{font.size / 1000:,.0f}", default, there))
    print_table(table, right=(4,))
