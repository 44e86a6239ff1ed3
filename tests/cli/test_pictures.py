"""The verbs that draw: render and reconstruct."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from pixel_lm.cli.main import main
from pixel_lm.models import PixelConfig, PixelForPreTraining
from pixel_lm.rendering import TextRenderer


def test_render_writes_a_readable_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "strip.png"
    assert main(["render", "Some text", "-o", str(picture), "--scale", "3", "--grid", "--patches-per-row", "3"]) == 0
    assert "patches" in capsys.readouterr().out
    assert Image.open(picture).width == 3 * 16 * 3


def test_render_goes_on_in_further_strips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("many words " * 50, encoding="utf-8")
    command = ["render", "--file", str(tmp_path / "text.txt"), "-o", str(tmp_path / "x.png"), "--max-seq-length", "20"]
    assert main(command) == 0
    assert "strips" in capsys.readouterr().out


def test_render_shows_pairs_in_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["render", "Who?", "--pair", "many words " * 20, "-o", str(tmp_path / "x.png"), "--max-seq-length", "20"]
    patches = []
    for stride in ("0", "6"):
        assert main([*command, "--stride", stride]) == 0
        patches.append(int(capsys.readouterr().out.split(" strips, ")[1].split(" patches")[0]))
    assert patches[1] > patches[0] > 20
    assert main([*command, "--stride", "30"]) == 2
    assert "stride must lie between" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["render"], "nothing to render"),
        (["render", "a", "--file", "b"], "not both"),
        (["render", "--file", "no-such-file"], "cannot read no-such-file"),
        (["render", "a", "--font", "no.ttf"], "font file no.ttf does not exist"),
        (["render", "a", "--words", "--pair", "b"], "exclude each other"),
        (["render", "a", "--scale", "0"], "scale must be at least 1"),
        (["render", "a", "-o", "no-such-folder/x.png"], "cannot write no-such-folder/x.png"),
        (["reconstruct", "no-such-model", "a", "--mask-ratio", "2"], "must lie between 0 and 1"),
    ],
)
def test_mistakes_give_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("pixel-lm: error: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_reconstruct(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    decoder = {f"decoder_{name}": size for name, size in sizes.items()}
    model = PixelForPreTraining(PixelConfig(image_size=[16, 16 * 64], **sizes, **decoder))
    model.save_pretrained(tmp_path / "model")
    TextRenderer(max_seq_length=64).save_pretrained(tmp_path / "model")
    picture = tmp_path / "picture.png"
    command = ["reconstruct", str(tmp_path / "model"), "a text to fill in", "-o", str(picture), "--mask-ratio", "0.5"]
    assert main(command) == 0
    assert "patches masked, loss" in capsys.readouterr().out
    assert Image.open(picture).height > 100
