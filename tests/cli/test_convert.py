"""`pixel-lm convert` and `pixel-lm export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch

from pixel_lm.models import (
    MODEL_OF_TASK,
    PixelConfig,
    PixelForPreTraining,
    PixelForSequenceClassification,
    PixelForTokenClassification,
    PixelPreTrainedModel,
)
from pixel_lm.models.export import OUTPUTS
from pixel_lm.rendering import TextRenderer

Run = Callable[..., int]


def config() -> PixelConfig:
    return PixelConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=[16, 16 * 64],
        decoder_hidden_size=32,
        decoder_num_attention_heads=2,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=32,
        num_labels=2,
    )


def published(folder: Path, model: PixelPreTrainedModel) -> Path:
    """A folder as on the hub: pickled weights, configurations as the original wrote them, and the font."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    folder.mkdir()
    extra = {} if model.task != "question answering" else {"classifier.weight": torch.ones(2, 32)}
    torch.save({**model.state_dict(), **extra}, folder / "pytorch_model.bin")
    values = json.loads(model.config.to_json_string())
    for name in ("pooling_mode", "pooling_layer_norm", "pooling_sees_padding"):
        values.pop(name)
    (folder / "config.json").write_text(json.dumps({**values, "model_type": "pixel"}))
    TextRenderer(profile="pango", max_seq_length=64).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("task", sorted(MODEL_OF_TASK))
def test_every_kind_is_converted(task: str, tmp_path: Path, command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    source = published(tmp_path / "old", MODEL_OF_TASK[task](config()))
    options = ("--pooling-mode", "max") if task == "sequence classification" else ()
    assert command("convert", source, tmp_path / "new", *options) == 0
    assert "same outputs" in capsys.readouterr().out
    assert (tmp_path / "new" / "model.safetensors").exists() and not list(tmp_path.glob(".*"))
    new = MODEL_OF_TASK[task].from_pretrained(tmp_path / "new")
    old = torch.load(source / "pytorch_model.bin", weights_only=True)
    for name, tensor in new.state_dict().items():
        assert torch.equal(tensor, old[name])
    strip = TextRenderer.from_pretrained(tmp_path / "new")("text").patches
    assert np.array_equal(strip, TextRenderer.from_pretrained(source)("text").patches)
    if task == "sequence classification":
        assert new.config.pooling_mode == "max"


def test_what_cannot_be_converted(tmp_path: Path, fails: Callable[..., str]) -> None:
    source = published(tmp_path / "old", PixelForSequenceClassification(config()))
    assert 'pooling_mode="mean"' in fails("convert", source, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert "not empty" in fails("convert", source, source, "--pooling-mode", "mean")
    assert "nowhere" in fails("convert", tmp_path / "nowhere", tmp_path / "new")
    (source / "text_renderer_config.json").unlink()
    assert "text_renderer_config.json" in fails("convert", source, tmp_path / "new", "--pooling-mode", "mean")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("task", sorted(OUTPUTS))
def test_onnx_gives_the_same(task: str, tmp_path: Path, command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    head = PixelForPreTraining if task == "no task" else MODEL_OF_TASK[task]
    source = published(tmp_path / "model", head(config()))
    options = ("--pooling-mode", "mean") if task == "sequence classification" else ()
    assert command("export", source, tmp_path / "onnx", *options) == 0, capsys.readouterr().err
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    settings: dict[str, Any] = {"pooling_mode": "mean"} if options else {}
    model = MODEL_OF_TASK[task].from_pretrained(source, **settings).eval()
    renderer = TextRenderer.from_pretrained(tmp_path / "onnx")
    for texts in (["One text of some length, drawn and read"], ["two", "of other lengths", "in one batch"]):
        batch = renderer.batch(texts, return_tensors="pt")
        more: dict[str, bool] = {}
        if task == "dependency parsing":
            batch["word_starts"] = torch.tensor([[0, 1, 2, -100]] * len(texts))
            more["output_all_relations"] = True
        got = session.run(None, {name: value.numpy() for name, value in batch.items()})
        with torch.inference_mode():
            wanted = model(**batch, **more)
        for name, value in zip(OUTPUTS[task], got, strict=True):
            assert np.abs(value - wanted[name].numpy()).max() < 1e-4


def test_onnx_without_its_packages(tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    source = published(tmp_path / "model", PixelForTokenClassification(config()))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "pip install pixel-lm[onnx]" in fails("export", source, tmp_path / "onnx")
