"""The Python examples of the guides run as they stand; names on the hub stand for a folder here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pixel_lm import PixelConfig, PixelForPreTraining, TextRenderer

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDES = ("models.md", "checkpoints.md")


def examples() -> list[tuple[str, str]]:
    found = []
    for guide in GUIDES:
        for part in (DOCS / guide).read_text(encoding="utf-8").split("```")[1::2]:
            language, _, code = part.partition("\n")
            if language == "python":
                found.append((guide, code))
    return found


@pytest.mark.parametrize(("guide", "code"), examples())
def test_python_examples_run(guide: str, code: str, tmp_path: Path) -> None:
    if "Team-PIXEL" in code:
        config = PixelConfig(num_hidden_layers=1, decoder_num_hidden_layers=1)
        PixelForPreTraining(config).save_pretrained(tmp_path)
        TextRenderer().save_pretrained(tmp_path)
        code = code.replace("Team-PIXEL/pixel-base", str(tmp_path))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
