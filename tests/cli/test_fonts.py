"""`pixel-lm fonts`: what it prints and its exit status."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pixel_lm.rendering import missing, pinned_fonts
from tests.fonts_server import FontServer, dejavu, font_server, pin

Command = Callable[..., int]
Fails = Callable[..., str]
SANS, SERIF = dejavu("DejaVuSans.ttf"), dejavu("DejaVuSerif.ttf")
FIRST = pin(SANS.read_bytes(), "Noto Sans", "NotoSans-Regular.ttf", ((0x20, 0x52F),))
SECOND = pin(SERIF.read_bytes(), "Noto Serif Odd", "NotoSerifOdd-Regular.ttf")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without fonts; where they will be installed."""
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path / "home" / "pixel-lm" / "fonts"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FontServer]:
    """A list of two fonts and the server that has them."""
    monkeypatch.setattr(pinned_fonts, "_list", lambda: ("http://127.0.0.1:9", "OFL-1.1", (FIRST, SECOND)))
    with font_server() as server:
        monkeypatch.setenv("PIXEL_LM_FONT_URL", server.url)
        server.add(FIRST, SANS.read_bytes())
        server.add(SECOND, SERIF.read_bytes())
        yield server


# -- list, which, check ------------------------------------------------------------------------------------------------


def test_list(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fonts", "list", "--json", "--font", SANS) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["path"] == str(SANS) and row["main"] is True and row["index"] == 0 and row["origin"] == "matplotlib"
    assert row["sha256"] == FIRST.sha256 and row["characters"] > 5000 and row["version"].startswith("2.3")
    assert command("fonts", "list", "--font", SANS) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["font", "version", "SHA-256", "characters", "from", "folder"]
    assert line.split() == ["main", SANS.name, row["version"], FIRST.sha256[:12], f"{row['characters']:,}", "matplotlib", str(SANS.parent)]  # fmt: skip


def test_list_of_all_fonts_names_the_main_one_first(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fonts", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["main"] for row in rows] == [True] + [False] * (len(rows) - 1)


def test_which(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fonts", "which", "ж", "U+0061", "--font", SANS) == 0
    out = capsys.readouterr().out
    assert "ж  U+0436 CYRILLIC SMALL LETTER ZHE, script Cyrillic (Cyrl)\n" in out
    assert "a  U+0061 LATIN SMALL LETTER A, script Latin (Latn)\n" in out
    assert out.count(f"    {SANS}, index 0\n") == 2
    assert command("fonts", "which", "aไ中", "--font", SANS) == 1
    out = capsys.readouterr().out
    assert (
        "THAI CHARACTER SARA AI MAIMALAI" in out
        and "no font draws it: get fonts with `pixel-lm fonts install thai`" in out
    )
    assert out.endswith("2 of 3 characters are missing: get fonts with `pixel-lm fonts install thai sc`\n")


def test_which_refuses(fails: Fails) -> None:
    assert "U+110000 is no character" in fails("fonts", "which", "U+110000")
    assert "CHAR is empty" in fails("fonts", "which", "")
    assert "use `pixel-lm fonts check`" in fails("fonts", "which", "a" * 101)
    assert "required: ACTION" in fails("fonts")
    assert "invalid choice: 'lst'" in fails("fonts", "lst")


def test_check_of_a_text(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fonts", "check", "plain text", "--font", SANS) == 0
    assert capsys.readouterr().out.startswith("the text: 10 characters, 9 different ones; 100 % can be drawn\n")
    assert command("fonts", "check", "abc ไทย ไ", "--font", SANS) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "the text: 9 characters, 7 different ones; 55.56 % can be drawn"
    assert out[1].split() == ["script", "distinct", "total", "covered", "missing"]
    assert next(line for line in out if line.startswith("Thai")).split(maxsplit=5) == [
        "Thai", "3", "4", "0.00", "%", "ไ U+0E44 ×2, ท U+0E17 ×1, ย U+0E22 ×1",
    ]  # fmt: skip
    assert out[-1] == "get fonts with `pixel-lm fonts install thai`"


def test_check_of_files(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt.gz").write_bytes(gzip.compress("жар ไ\n".encode()))
    (tmp_path / "lines.jsonl").write_text('{"text": "ok ไ"}\n', encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("x\nไ".encode())))
    for source, total in ((tmp_path / "text.txt.gz", 6), (tmp_path / "lines.jsonl", 4), (tmp_path, 9), ("-", 3)):
        assert command("fonts", "check", source, "--font", SANS) == 1
        name = "standard input" if source == "-" else source
        assert capsys.readouterr().out.startswith(f"{name}: {total} characters, ")
    assert command("fonts", "check", "nowhere.txt", "--text", "--font", SANS) == 0


def test_check_refuses(fails: Fails, tmp_path: Path) -> None:
    assert fails("fonts", "check", "nowhere.txt").startswith("nowhere.txt: no such file (with --text")
    (tmp_path / "latin1.txt").write_bytes(b"fine\nna\xefve\n")
    assert "latin1.txt, line 2: not UTF-8 text" in fails("fonts", "check", tmp_path / "latin1.txt", "--font", SANS)
    (tmp_path / "empty").write_text("")
    assert "there is no text in it" in fails("fonts", "check", tmp_path / "empty", "--font", SANS)


def test_rendering_warns_in_one_line(
    command: Command, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "_warned", set())
    assert command("render", "ไทย ไทย", "--font", SANS, "-o", tmp_path / "strip.png") == 0
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "U+0E44 THAI CHARACTER" in err and "`pixel-lm fonts install thai`" in err


# -- install -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_install(command: Command, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert command("fonts", "install") == 0
    out = capsys.readouterr().out.splitlines()
    size = (FIRST.size + SECOND.size) / 1e6
    assert out[0] == f"2 fonts; {size:.1f} MB to download into {home} (licence OFL-1.1)"
    assert out[1:] == [f"installed {FIRST.file}", f"installed {SECOND.file}", "2 installed, 0 were there, 0 failed"]
    assert command("fonts", "list", "--json") == 0
    rows = {Path(row["path"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert rows[SECOND.file]["origin"] == "installed" and rows[SECOND.file]["sha256"] == SECOND.sha256
    assert command("fonts", "install", "--all") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("2 fonts, 2 of them are there already; 0.0 MB to download")
    assert out[1:] == ["0 installed, 2 were there, 0 failed"]


@pytest.mark.usefixtures("server")
def test_list_of_what_can_be_installed(command: Command, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert command("fonts", "install", "odd") == 0
    capsys.readouterr()
    assert command("fonts", "install", "--list") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [("name", "installed"), ("noto-sans", "no"), ("odd", "yes")]
    assert [path.name for path in home.glob("*.ttf")] == [SECOND.file]


def test_install_goes_on_after_a_failure(
    command: Command, capfd: pytest.CaptureFixture[str], home: Path, server: FontServer
) -> None:
    del server.files[f"/{FIRST.path}"]
    assert command("fonts", "install") == 2
    out, err = capfd.readouterr()
    assert out.endswith("1 installed, 0 were there, 1 failed\n")
    assert err.startswith(f"pixel-lm: error: not installed: {FIRST.file}: {server.url}/") and err.count("\n") == 1
    assert "HTTP 404" in err and (home / SECOND.file).exists()


@pytest.mark.usefixtures("home")
def test_install_without_a_network(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXEL_LM_FONT_URL", "http://127.0.0.1:1")
    line = fails("fonts", "install", "thai")
    assert line.startswith("cannot reach 127.0.0.1:1 to download fonts: ") and "--from FOLDER" in line


@pytest.mark.usefixtures("server")
def test_install_from_a_folder(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / FIRST.file).write_bytes(SANS.read_bytes())
    (folder / "Mine.ttf").write_bytes(SERIF.read_bytes())
    assert command("fonts", "install", "--from", folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"from {folder} into {home}",
        "installed Mine.ttf (not in the list, so its version could not be checked)",
        f"installed {FIRST.file}",
        "2 installed, 0 were there, 0 failed",
    ]


@pytest.mark.usefixtures("home")
def test_install_refuses(fails: Fails, tmp_path: Path) -> None:
    assert "no font 'klingon' in the list" in fails("fonts", "install", "klingon")
    assert "families or --all, not both" in fails("fonts", "install", "thai", "--all")
    assert "--from and --base-url exclude" in fails("fonts", "install", "--from", tmp_path, "--base-url", "http://x")
    assert "no such folder" in fails("fonts", "install", "--from", tmp_path / "nowhere")
    assert "must begin with https://" in fails("fonts", "install", "--base-url", "ftp://x")
