"""Installing pinned fonts for this user: download or copy, verify, and put in place in one step.

A download goes to a file `.part` beside its target, is continued there after an interruption, and takes its name only when its
SHA-256 is the one of the list (`pixel_lm.download`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import filelock
import uharfbuzz as hb

from pixel_lm.download import FailedError, UnreachableError, check_address, download
from pixel_lm.errors import UserError
from pixel_lm.rendering import discovery
from pixel_lm.rendering.fonts import FontSource
from pixel_lm.rendering.pinned_fonts import PinnedFont, pinned_fonts, source_url

__all__ = ["URL_VARIABLE", "InstallReport", "install_fonts", "install_from_folder", "is_installed"]

URL_VARIABLE = "PIXEL_LM_FONT_URL"
FONT_SUFFIXES = (".ttf", ".otf", ".ttc")

Progress = Callable[[PinnedFont, int], None]
"""Called with the font and the number of its bytes that are there."""

_ATTEMPTS = 3  # fonts in a row without a connection


@dataclass
class InstallReport:
    """What came of an installation: names of files.

    Attributes:
        installed: new, or another version before.
        present: were there already.
        failed: with the reason.
        notes: remarks about files that were accepted.
    """

    installed: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def is_installed(font: PinnedFont, directory: Path | None = None) -> bool:
    """Whether this version of the font lies in the folder (None: the user's)."""
    target = (directory or discovery.user_font_dir()) / font.file
    return target.is_file() and target.stat().st_size == font.size and FontSource(target).sha256 == font.sha256


def install_fonts(
    fonts: Sequence[PinnedFont],
    directory: Path | None = None,
    *,
    base_url: str | None = None,
    progress: Progress | None = None,
) -> InstallReport:
    """Download fonts that are not there yet. After one fails, the others are still fetched.

    Args:
        fonts: entries of the list.
        directory: where to; None: the folder of this user, which `discovery` searches.
        base_url: address below which the files lie; None: `PIXEL_LM_FONT_URL`, or else the address of the list.
        progress: see `Progress`.

    Raises:
        UserError: there is no connection to the source at all, or the folder cannot be written.
    """
    directory = directory or discovery.user_font_dir()
    base_url = (base_url or os.environ.get(URL_VARIABLE) or source_url()).rstrip("/")
    check_address(base_url, "fonts")
    report = InstallReport()
    unreachable = 0  # times in a row
    with _lock(directory):
        for font in fonts:
            if unreachable == _ATTEMPTS:
                report.failed[font.file] = "not tried"
                continue
            if is_installed(font, directory):
                report.present.append(font.file)
                continue
            try:
                _download(font, directory, base_url, progress or _say_nothing)
                report.installed.append(font.file)
                unreachable = 0
            except UnreachableError as error:
                if not report.installed and not report.failed:
                    raise UserError(
                        f"cannot reach {urlsplit(base_url).netloc} to download fonts: {error}; without a network, copy the "
                        "files from elsewhere and use `pixel-lm fonts install --from FOLDER`"
                    ) from None
                report.failed[font.file] = str(error)
                unreachable += 1
            except FailedError as error:
                report.failed[font.file] = str(error)
                unreachable = 0
    discovery.rescan()
    return report


def install_from_folder(
    folder: Path, fonts: Sequence[PinnedFont] | None = None, directory: Path | None = None
) -> InstallReport:
    """Copy fonts from a folder and the folders below it.

    A file whose name is in the list, there or at the source, must be the file of the list. Others are accepted if they are
    fonts, with a note.

    Args:
        folder: where the files lie.
        fonts: take these only, and report those that are not there; None: all files of fonts.
        directory: where to; None: the folder of this user.

    Raises:
        UserError: the folder does not exist, holds no font, or the target cannot be written.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --from names a folder with font files")
    directory = directory or discovery.user_font_dir()
    listed = {name: font for font in pinned_fonts() for name in (font.file, font.original_name)}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FONT_SUFFIXES and path.is_file())
    if fonts is not None:
        files = [path for path in files if listed.get(path.name) in fonts]
    elif not files:
        raise UserError(f"{folder}: no font files ({', '.join(FONT_SUFFIXES)}) in this folder")
    report = InstallReport()
    with _lock(directory):
        for path in files:
            font = listed.get(path.name)
            name = font.file if font else path.name
            try:
                if font and is_installed(font, directory):
                    report.present.append(name)
                    continue
                if not font:
                    report.notes[name] = "not in the list, so its version could not be checked"
                _copy(path, directory / name, font)
                report.installed.append(name)
            except FailedError as error:
                report.notes.pop(name, None)
                report.failed[name] = str(error)
    done = {*report.installed, *report.present}
    report.failed = {name: reason for name, reason in report.failed.items() if name not in done}
    for font in fonts or ():
        if font.file not in done:
            report.failed.setdefault(font.file, f"neither it nor {font.original_name} is in {folder}")
    discovery.rescan()
    return report


def _say_nothing(font: PinnedFont, size: int) -> None:
    pass


def _lock(directory: Path) -> filelock.BaseFileLock:
    """Two installations at once would write into the same partial files."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lock").touch()
    except OSError as error:
        raise UserError(f"cannot write fonts to {directory}: {error.strerror or error}") from None
    return filelock.FileLock(directory / ".lock")


def _copy(path: Path, target: Path, font: PinnedFont | None) -> None:
    source = FontSource(path)
    if font and source.sha256 != font.sha256:
        raise FailedError(
            f"{path} is not version {font.version} of the list (SHA-256 {source.sha256}, expected {font.sha256}); to draw with "
            f"it all the same, name it in {discovery.FONT_PATH_VARIABLE}"
        )
    try:
        source.check()
    except UserError as error:
        raise FailedError(str(error)) from None
    if not hb.Face(hb.Blob.from_file_path(str(path))).glyph_count:
        raise FailedError(f"{path} is damaged: no glyphs in it")
    partial = target.with_name(target.name + ".part")
    shutil.copyfile(path, partial)
    os.replace(partial, target)


def _download(font: PinnedFont, directory: Path, base_url: str, progress: Progress) -> None:
    """Fetch one font, continuing what an earlier attempt left."""
    download(
        f"{base_url}/{quote(font.path, safe='/@')}",
        directory / font.file,
        # The digest in the name keeps parts of two versions apart.
        partial=directory / f"{font.file}.{font.sha256[:8]}.part",
        size=font.size,
        sha256=font.sha256,
        progress=lambda have: progress(font, have),
    )
