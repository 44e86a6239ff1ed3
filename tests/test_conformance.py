"""Agreement with recordings of the original, where they are at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def run(what: str, directory: Path, tmp_path: Path) -> tuple[dict[str, float], str]:
    """Run a comparison; its numbers and its last line."""
    numbers = tmp_path / "numbers.json"
    command = [sys.executable, str(BENCHMARKS / "conformance.py"), what, str(directory), "--json", str(numbers)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(numbers.read_text()), output.splitlines()[-1]


def test_models_agree(shared_dir: Path, tmp_path: Path) -> None:
    numbers, last_line = run("models", shared_dir / "reference/models", tmp_path)
    assert numbers["checks"] >= 1153 and numbers["not_run"] == 0
    assert numbers["failed"] == 0
    assert numbers["largest"] <= 1e-5
    assert last_line.startswith(f"{numbers['checks']:.0f} checks, 0 failed")


def test_strips_agree(shared_dir: Path, tmp_path: Path) -> None:
    if not Path("/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf").exists():
        pytest.skip("the fonts of the recordings are not on this machine")
    numbers, last_line = run("render", shared_dir / "reference/render", tmp_path)
    assert last_line == "identical {identical}/{strips} metadata {metadata}/{records}".format(**numbers)
    for mode in ("text", "words"):
        assert numbers[f"{mode}_identical"] >= 0.8 * numbers[f"{mode}_strips"]
    assert numbers["plain_strips"] >= 0.9 * numbers["strips"]
    for key in ("plain", "plain_rgb"):  # no control characters, missing glyphs, colour glyphs
        assert numbers[f"{key}_identical"] >= 0.98 * numbers[f"{key}_strips"]
    assert numbers["metadata"] >= 0.96 * numbers["records"]


def test_bigrams_agree(shared_dir: Path, tmp_path: Path) -> None:
    if not Path("/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf").exists():
        pytest.skip("the fonts of the recordings are not on this machine")
    numbers, last_line = run("render", shared_dir / "reference/render_bigrams", tmp_path)
    assert last_line == "identical {identical}/{strips} metadata {metadata}/{records}".format(**numbers)
    assert numbers["metadata"] >= 0.96 * numbers["records"]
    assert numbers["identical"] >= 0.86 * numbers["strips"]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "conformance.py"), "models", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "holds no recordings" in result.stderr
