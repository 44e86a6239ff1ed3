"""Installing fonts: what arrives is what the list says, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from fontTools import unicodedata as ucd

from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer, discovery, missing, pinned_fonts
from pixel_lm.rendering.coverage import coverage, describe_character, describe_font
from pixel_lm.rendering.font_install import install_fonts, install_from_folder, is_installed
from pixel_lm.rendering.fonts import FontSource
from tests.fonts_server import FontServer, dejavu, font_server, pin

SANS, SERIF = dejavu("DejaVuSans.ttf"), dejavu("DejaVuSerif.ttf")
FIRST = pin(SANS.read_bytes(), "Noto Sans", "NotoSans-Regular.ttf")
SECOND = pin(SERIF.read_bytes(), "Noto Serif Odd", "NotoSerifOdd-Regular.ttf")


@pytest.fixture
def server() -> Iterator[FontServer]:
    """A server that has both fonts."""
    with font_server() as server:
        server.add(FIRST, SANS.read_bytes())
        server.add(SECOND, SERIF.read_bytes())
        yield server


# -- downloads ---------------------------------------------------------------------------------------------------------


def test_download(server: FontServer, tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    report = install_fonts(
        [FIRST, SECOND], tmp_path, base_url=server.url, progress=lambda f, n: seen.append((f.file, n))
    )
    assert report.installed == [FIRST.file, SECOND.file] and not report.failed and not report.present
    assert (tmp_path / FIRST.file).read_bytes() == SANS.read_bytes()
    assert is_installed(FIRST, tmp_path) and is_installed(SECOND, tmp_path)
    assert (FIRST.file, FIRST.size) in seen and seen[-1] == (SECOND.file, SECOND.size)
    assert not list(tmp_path.glob("*.part"))
    again = install_fonts([FIRST, SECOND], tmp_path, base_url=server.url)
    assert again.present == [FIRST.file, SECOND.file] and len(server.requests) == 2


def test_the_address_can_come_from_the_environment(
    server: FontServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_LM_FONT_URL", server.url + "/")
    assert install_fonts([FIRST], tmp_path).installed == [FIRST.file]
    with pytest.raises(UserError, match=r"file:///etc is not an address of fonts: it must begin with https://"):
        install_fonts([FIRST], tmp_path, base_url="file:///etc")


def test_another_version_is_replaced(server: FontServer, tmp_path: Path) -> None:
    (tmp_path / FIRST.file).write_bytes(SANS.read_bytes()[:-1] + b"x")
    assert not is_installed(FIRST, tmp_path)
    assert install_fonts([FIRST], tmp_path, base_url=server.url).installed == [FIRST.file]
    assert is_installed(FIRST, tmp_path)


def test_a_broken_download_is_continued(server: FontServer, tmp_path: Path) -> None:
    server.faults[f"/{FIRST.path}"] = [100_000, 200_000]
    assert install_fonts([FIRST], tmp_path, base_url=server.url).installed == [FIRST.file]
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=300000-"]


def test_what_an_earlier_run_left_is_continued(server: FontServer, tmp_path: Path) -> None:
    server.faults[f"/{FIRST.path}"] = [50_000, 0, 0]
    report = install_fonts([FIRST], tmp_path, base_url=server.url)
    assert "broke off after 50000 of" in report.failed[FIRST.file]
    (partial,) = tmp_path.glob("*.part")
    assert partial.stat().st_size == 50_000
    assert install_fonts([FIRST], tmp_path, base_url=server.url).installed == [FIRST.file]
    assert server.requests[-1][1] == "bytes=50000-" and not partial.exists()


def test_servers_that_cannot_continue_send_all(server: FontServer, tmp_path: Path) -> None:
    server.ranges = False
    server.faults[f"/{FIRST.path}"] = [100_000]
    assert install_fonts([FIRST], tmp_path, base_url=server.url).installed == [FIRST.file]


def test_a_wrong_part_is_thrown_away(server: FontServer, tmp_path: Path) -> None:
    (tmp_path / f"{FIRST.file}.{FIRST.sha256[:8]}.part").write_bytes(b"x" * 1000)
    assert install_fonts([FIRST], tmp_path, base_url=server.url).installed == [FIRST.file]
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-", None]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x" + SANS.read_bytes()[1:], "is not the file of the list"),
        (SANS.read_bytes() + b"x", "is not the file of the list"),
        (SANS.read_bytes()[:-1], "broke off after"),
    ],
    ids=["changed", "longer", "shorter"],
)
def test_wrong_contents_never_get_the_name_and_the_others_go_on(
    server: FontServer, tmp_path: Path, data: bytes, message: str
) -> None:
    server.add(FIRST, data)
    report = install_fonts([FIRST, SECOND], tmp_path, base_url=server.url)
    assert report.installed == [SECOND.file]
    assert message in report.failed[FIRST.file]
    assert not (tmp_path / FIRST.file).exists()


def test_a_missing_file_does_not_stop_the_others(server: FontServer, tmp_path: Path) -> None:
    del server.files[f"/{FIRST.path}"]
    report = install_fonts([FIRST, SECOND], tmp_path, base_url=server.url)
    assert report.installed == [SECOND.file]
    assert report.failed == {FIRST.file: f"{server.url}/{FIRST.path}: HTTP 404 Not Found"}


def test_no_connection(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            UserError, match=rf"cannot reach {address} to download fonts: .*`pixel-lm fonts install --from"
        ):
            install_fonts([FIRST, SECOND], tmp_path, base_url=f"http://{address}")


def test_a_file_where_the_folder_should_be(server: FontServer, tmp_path: Path) -> None:
    (tmp_path / "fonts").write_text("")
    with pytest.raises(UserError, match="cannot write fonts to"):
        install_fonts([FIRST], tmp_path / "fonts", base_url=server.url)


# -- from a folder -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list holds fonts that are there after pip."""
    monkeypatch.setattr(pinned_fonts, "_list", lambda: ("http://127.0.0.1:9", "OFL-1.1", (FIRST, SECOND)))


@pytest.mark.usefixtures("small_list")
def test_from_a_folder_under_either_name(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deeper").mkdir(parents=True)
    (source / FIRST.file).write_bytes(SANS.read_bytes())
    (source / "deeper" / SECOND.original_name).write_bytes(SERIF.read_bytes())
    (source / "Other.ttf").write_bytes(SERIF.read_bytes())
    (source / "readme.txt").write_text("no font")
    report = install_from_folder(source, None, target)
    assert sorted(report.installed) == [FIRST.file, SECOND.file, "Other.ttf"] and not report.failed
    assert list(report.notes) == ["Other.ttf"] and "could not be checked" in report.notes["Other.ttf"]
    assert is_installed(FIRST, target) and is_installed(SECOND, target)
    assert sorted(install_from_folder(source, [FIRST], target).present) == [FIRST.file]


@pytest.mark.usefixtures("small_list")
def test_from_a_folder_what_is_wrong_stays_out(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / FIRST.file).write_bytes(SERIF.read_bytes())
    (source / "Text.ttf").write_text("no font")
    report = install_from_folder(source, None, target)
    assert not report.installed and not report.notes and not list(target.glob("*.ttf"))
    assert (
        f"is not version 2.37 of the list (SHA-256 {SECOND.sha256}, expected {FIRST.sha256})"
        in report.failed[FIRST.file]
    )
    assert "is not a TrueType or OpenType font" in report.failed["Text.ttf"]
    assert (
        "neither it nor NotoSerifOdd_400Regular.ttf is in"
        in install_from_folder(source, [SECOND], target).failed[SECOND.file]
    )
    with pytest.raises(UserError, match="no such folder"):
        install_from_folder(tmp_path / "nowhere", None, target)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no font files \(\.ttf, \.otf, \.ttc\) in this folder"):
        install_from_folder(tmp_path / "empty", None, target)


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_is_sound() -> None:
    fonts = pinned_fonts.pinned_fonts()
    assert fonts[0].family == "Noto Sans" and fonts[0].default
    for of in ("family", "short_name", "file", "sha256", "path"):
        values = [getattr(font, of) for font in fonts]
        assert len(set(values)) == len(values), of
    for font in fonts:
        assert re.fullmatch(r"[0-9a-f]{64}", font.sha256) and font.size > 10_000
        assert re.fullmatch(r"Noto[A-Za-z0-9]+-Regular\.ttf", font.file)
        assert re.fullmatch(r"@[\w-]+/[\w-]+@\d+\.\d+\.\d+/[\w/]+\.ttf", font.path)
        assert all(first <= last for first, last in font.ranges) and list(font.ranges) == sorted(font.ranges)
        assert {ucd.script_name(code, "?") for code in font.scripts if code not in ("Zsym", "Zmth")} & {"?"} == set()
        assert pinned_fonts.select([font.family]) == [font] == pinned_fonts.select([font.short_name])
    assert pinned_fonts.source_url().startswith("https://") and pinned_fonts.licence() == "OFL-1.1"


def test_each_character_stands_at_one_font() -> None:
    ranges = sorted(pair for font in pinned_fonts.pinned_fonts() for pair in font.ranges)
    assert all(last < first for (_, last), (first, _) in pairwise(ranges))


@pytest.mark.parametrize(
    ("chars", "command"),
    [
        ("ไทย", "thai"),
        ("तमिल தமிழ்", "noto-sans devanagari tamil"),
        ("ひらカタ", "jp"),
        ("汉语", "sc"),
        ("한국어", "kr"),
        ("∑☃⠿", "symbols-2 math"),
        ("བོད", "tibetan"),
        ("abc", "noto-sans"),
        ("\ue000\U0001f600", None),
    ],
)
def test_command_that_fixes(chars: str, command: str | None) -> None:
    assert pinned_fonts.command_for(chars) == (command and f"pixel-lm fonts install {command}")


def test_choosing_by_family_and_script() -> None:
    def files(*names: str) -> list[str]:
        return [font.short_name for font in pinned_fonts.select(names)]

    assert files("Hani") == files("Han") == ["jp", "sc", "kr"]
    assert files("NotoSansThai-Regular.ttf", "THAI", "noto sans thai") == ["thai"]
    assert files("Greek") == ["noto-sans"]
    assert set(files()) == {font.short_name for font in pinned_fonts.pinned_fonts()} - {"nastaliq-urdu"}
    with pytest.raises(UserError, match=r"no font 'tibetian' in the list; did you mean tibetan\? "):
        pinned_fonts.select(["tibetian"])


# -- finding and describing --------------------------------------------------------------------------------------------


def test_fonts_of_other_names_are_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    (tmp_path / "Named.ttf").write_bytes(SERIF.read_bytes())
    (tmp_path / "Folder").mkdir()
    (tmp_path / "Folder" / "NotNamed.ttf").write_bytes(SERIF.read_bytes())
    monkeypatch.setenv("PIXEL_LM_FONT_PATH", os.pathsep.join([str(tmp_path / "Named.ttf"), str(tmp_path / "Folder")]))
    names = [source.path.name for source in discovery.default_fonts()[1]]
    assert names[-1] == "Named.ttf" and "NotNamed.ttf" not in names
    assert discovery.font_origin(tmp_path / "Named.ttf") == "PIXEL_LM_FONT_PATH"
    assert discovery.font_origin(SANS) == "matplotlib"
    assert discovery.font_origin(tmp_path / "else.ttf") == "named"


def test_description_of_a_font() -> None:
    info = describe_font(FontSource(SANS))
    assert info.version.startswith("2.3") and info.num_characters > 5000
    assert info.source.sha256 == hashlib.sha256(SANS.read_bytes()).hexdigest()


def test_coverage_agrees_with_what_is_drawn() -> None:
    renderer = TextRenderer(SANS, fallback_fonts=[])
    text = "Latin, кириллица, ไทยไทย\t中\x01 \u200d\ue000 e\u0301\ufe0f"
    by_script = {entry.script: entry for entry in coverage(renderer, [text[:9], text[9:]])}
    missing_here = sum((entry.missing for entry in by_script.values()), start=by_script["Latn"].missing.copy())
    assert sorted(missing_here.elements()) == sorted(renderer(text).unknown_glyphs)
    assert sum(entry.total for entry in by_script.values()) == len(text)
    assert by_script["Thai"].distinct == 3 and by_script["Thai"].total == 6 and by_script["Thai"].covered == 0
    assert by_script["Cyrl"].covered == 1
    assert describe_character(renderer, "ไ").font is None
    assert describe_character(renderer, "ж").font == FontSource(SANS)
    assert describe_character(renderer, "\x01").name == "(control)"


def test_one_warning_for_each_script(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "_warned", set())
    renderer = TextRenderer(SANS, fallback_fonts=[])
    renderer("plain")
    assert not caplog.records
    renderer("ไทย ก")
    renderer("ข")
    (record,) = caplog.records
    message = record.getMessage()
    assert "U+0E44 THAI CHARACTER SARA AI MAIMALAI" in message and "`pixel-lm fonts install thai`" in message
    renderer("中ไ")
    assert len(caplog.records) == 2 and "THAI" not in caplog.records[1].getMessage()
