"""Loading checkpoints: what fits, what does not, and what is said about it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoModelForSequenceClassification

from pixel_lm.models import (
    PixelConfig,
    PixelForBiaffineParsing,
    PixelForPreTraining,
    PixelForQuestionAnswering,
    PixelForSequenceClassification,
    PixelForTokenClassification,
    PixelModel,
    PixelPreTrainedModel,
)
from pixel_lm.models.checkpoints import stored_shapes, task_of

HEADS = [
    PixelForPreTraining,
    PixelForTokenClassification,
    PixelForSequenceClassification,
    PixelForQuestionAnswering,
    PixelForBiaffineParsing,
    PixelModel,
]


def save_as_published(model: PixelPreTrainedModel, folder: Path, extra: dict[str, Any] | None = None) -> Path:
    """Write a folder as the original wrote it: pickled weights, a configuration without our fields."""
    folder.mkdir()
    torch.save({**model.state_dict(), **(extra or {})}, folder / "pytorch_model.bin")
    config = json.loads(model.config.to_json_string())
    for name in (
        "pooling_mode",
        "pooling_layer_norm",
        "pooling_sees_padding",
        "position_code",
        "pixel_mean",
        "pixel_std",
    ):
        config.pop(name, None)
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "pixel", "transformers_version": "4.17.0"}))
    return folder


@pytest.mark.parametrize("head", HEADS)
def test_every_head_comes_back(
    config: PixelConfig, grey: torch.Tensor, tmp_path: Path, head: type[PixelPreTrainedModel]
) -> None:
    config.pooling_mode = "pma4"
    model = head(config)
    model.save_pretrained(tmp_path / "new")
    assert (tmp_path / "new" / "model.safetensors").exists()
    shapes = stored_shapes(tmp_path / "new")
    assert shapes is not None and task_of(shapes) == head.task
    loaded, info = head.from_pretrained(tmp_path / "new", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert loaded.config.pooling_mode == "pma4" and not loaded.config.pooling_sees_padding
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name


@pytest.mark.parametrize("head", HEADS)
def test_early_configurations_say_vit_mae(
    config: PixelConfig, tmp_path: Path, head: type[PixelPreTrainedModel]
) -> None:
    folder = save_as_published(head(config), tmp_path / "early")
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "model_type": "vit_mae", "finetuning_task": "sst2"}))
    loaded = head.from_pretrained(folder)
    assert loaded.config.model_type == "pixel"
    loaded.save_pretrained(tmp_path / "now")
    assert AutoConfig.from_pretrained(tmp_path / "now").model_type == "pixel"


@pytest.mark.parametrize(
    ("head", "unused"),
    [
        (PixelForQuestionAnswering, {"classifier.weight": torch.ones(2, 32), "classifier.bias": torch.ones(2)}),
        (PixelForBiaffineParsing, {"classifier.weight": torch.ones(2, 32), "classifier.bias": torch.ones(2)}),
    ],
)
def test_published_files_carry_unused_weights(
    config: PixelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture, head: type[PixelPreTrainedModel], unused: Any
) -> None:
    folder = save_as_published(head(config), tmp_path / "old", unused)
    with caplog.at_level(logging.WARNING):
        head.from_pretrained(folder)
    assert not caplog.records


def test_pooling_of_old_files(config: PixelConfig, grey: torch.Tensor, tmp_path: Path) -> None:
    def old(mode: str, **notes: str) -> Path:
        config.pooling_mode = mode
        folder = save_as_published(PixelForSequenceClassification(config), tmp_path / f"{mode}{len(notes)}")
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, **notes}))
        return folder

    extra = {f"pooler.linear.{name}": value for name, value in torch.nn.Linear(32, 32).state_dict().items()}
    config.pooling_mode = "cls"
    cls_model = PixelForSequenceClassification(config)
    loaded = PixelForSequenceClassification.from_pretrained(save_as_published(cls_model, tmp_path / "cls", extra))
    assert loaded.config.pooling_mode == "cls"
    torch.testing.assert_close(loaded.eval()(grey).logits, cls_model.eval()(grey).logits)

    assert (
        PixelForSequenceClassification.from_pretrained(old("mean", finetuning_task="rte")).config.pooling_mode == "mean"
    )
    with pytest.raises(ValueError, match='pooling_mode="mean"'):
        PixelForSequenceClassification.from_pretrained(old("max"))
    maximum = PixelForSequenceClassification.from_pretrained(tmp_path / "max0", pooling_mode="max")
    assert maximum.pooler.mode == "max"
    auto = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "max0", pooling_mode="max", pooling_layer_norm=False
    )
    assert auto.pooler.mode == "max" and not auto.pooler.has_layer_norm
    with pytest.raises(ValueError, match="how many heads"):
        PixelForSequenceClassification.from_pretrained(old("pma4"))
    attention = PixelForSequenceClassification.from_pretrained(tmp_path / "pma40", pooling_mode="pma4")
    assert attention.config.pooling_sees_padding
    attention.save_pretrained(tmp_path / "saved")
    again = PixelForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert again.config.pooling_mode == "pma4" and again.config.pooling_sees_padding


def test_a_new_head_upon_a_pretrained_encoder(
    config: PixelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pretrained = PixelForPreTraining(config)
    pretrained.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING):
        model = AutoModelForQuestionAnswering.from_pretrained(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path} has no weights for qa_outputs.bias, qa_outputs.weight: these begin anew, train them before use."
    ]
    assert torch.equal(model.vit.layernorm.weight, pretrained.vit.layernorm.weight)
    assert PixelForSequenceClassification.from_pretrained(tmp_path).config.pooling_mode == "mean"


@pytest.mark.parametrize("num_labels", [7, 9])  # 7: the classifier would fit, and yet it is for something else
def test_the_head_of_another_task_is_not_taken(
    config: PixelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture, num_labels: int
) -> None:
    config.num_labels = 7
    other = PixelForSequenceClassification(config)
    torch.nn.init.constant_(other.classifier.weight, 3.0)
    other.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING):
        model, info = PixelForTokenClassification.from_pretrained(
            tmp_path, num_labels=num_labels, output_loading_info=True
        )
    assert "holds a model for sequence classification" in caplog.text
    assert {"classifier.weight", "classifier.bias"} <= info["missing_keys"]
    assert model.classifier.weight.shape == (num_labels, 32) and not (model.classifier.weight == 3.0).any()
    assert 0.01 < model.classifier.weight.std() < 0.03
    inner = "encoder.layer.0.output.dense.weight"
    assert torch.equal(model.vit.state_dict()[inner], other.vit.state_dict()[inner])


def test_what_does_not_fit_is_explained(config: PixelConfig, tmp_path: Path) -> None:
    config.num_labels = 7
    PixelForTokenClassification(config).save_pretrained(tmp_path / "tagger")
    with pytest.raises(ValueError, match="is for 7 labels, not 9: give num_labels=7"):
        PixelForTokenClassification.from_pretrained(tmp_path / "tagger", num_labels=9)
    assert PixelForTokenClassification.from_pretrained(
        tmp_path / "tagger", num_labels=9, ignore_mismatched_sizes=True
    ).classifier.weight.shape == (9, 32)
    with pytest.raises(ValueError, match="has positions for 36 patches"):
        PixelForTokenClassification.from_pretrained(tmp_path / "tagger", image_size=[16, 16 * 64])
    with pytest.raises(ValueError, match=r"vit\.encoder\.layer\.0\.intermediate\.dense\.weight has shape \(64, 32\)"):
        PixelForTokenClassification.from_pretrained(tmp_path / "tagger", intermediate_size=96)
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="is a model of type bert, not a pixel model"):
        PixelModel.from_pretrained(tmp_path / "bert")
    with pytest.raises(OSError, match="nowhere: no model"):
        PixelModel.from_pretrained(tmp_path / "nowhere")


def test_sharded_files(config: PixelConfig, grey: torch.Tensor, tmp_path: Path) -> None:
    model = PixelForTokenClassification(config).eval()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    shapes = stored_shapes(tmp_path)
    assert shapes == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert torch.equal(PixelForTokenClassification.from_pretrained(tmp_path).eval()(grey).logits, model(grey).logits)
