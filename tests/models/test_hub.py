"""Published names, served from folders in the layout of the hub's cache; one of them of full size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForPreTraining, AutoModelForTokenClassification, AutoProcessor

from pixel_lm.models import PixelConfig, PixelForPreTraining, PixelForTokenClassification, PixelPreTrainedModel
from pixel_lm.rendering import TextRenderer

NAME = "Team-PIXEL/pixel-base"
PUBLISHED = {
    "architectures": ["PIXELForPreTraining"],
    "attention_probs_dropout_prob": 0.1,
    "decoder_hidden_size": 512,
    "decoder_intermediate_size": 2048,
    "decoder_num_attention_heads": 16,
    "decoder_num_hidden_layers": 8,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "image_size": [16, 8464],
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "mask_ratio": 0.25,
    "norm_pix_loss": True,
    "num_attention_heads": 12,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 16,
    "qkv_bias": True,
    "torch_dtype": "float32",
    "transformers_version": "4.17.0",
}


def publish(
    cache: Path, name: str, revisions: dict[str, tuple[PixelPreTrainedModel, dict[str, Any]]], branches: dict[str, str]
) -> None:
    """Put revisions of a repository into a cache of the hub, as the original saved them."""
    repository = cache / f"models--{name.replace('/', '--')}"
    for commit, (model, config) in revisions.items():
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "config.json").write_text(json.dumps(config))
        TextRenderer(profile="pango").save_pretrained(folder)
        for new in folder.glob("fallback_fonts"):  # the original saved its font alone
            for font in new.iterdir():
                font.unlink()
            new.rmdir()
        values = json.loads((folder / "text_renderer_config.json").read_text())
        old = {
            key: values[key] for key in ("font_file", "font_size", "max_seq_length", "pixels_per_patch", "rgb", "dpi")
        }
        (folder / "text_renderer_config.json").write_text(
            json.dumps({**old, "background_color": "white", "font_color": "black", "pad_size": 3,
                        "text_renderer_type": "PyGameTextRenderer"})
        )  # fmt: skip
    (repository / "refs").mkdir()
    for branch, commit in branches.items():
        (repository / "refs" / branch).write_text(commit)


def test_base_size(tmp_path: Path) -> None:
    """449 471 589 bytes were published; ours are as many to within the pickle's overhead."""
    torch.manual_seed(0)
    model = PixelForPreTraining(PixelConfig()).eval()
    publish(
        tmp_path,
        NAME,
        {"b3ea0f4" + "0" * 33: (model, {**PUBLISHED, "model_type": "vit_mae"})},
        {"main": "b3ea0f4" + "0" * 33},
    )
    weights = next(tmp_path.glob("*/snapshots/*/pytorch_model.bin"))
    assert abs(weights.stat().st_size - 449_471_589) < 100_000
    hub: dict[str, Any] = {"cache_dir": tmp_path, "local_files_only": True}
    loaded = PixelForPreTraining.from_pretrained(NAME, **hub).eval()
    renderer = TextRenderer.from_pretrained(NAME, **hub)
    assert renderer.config.profile == "pygame"
    batch = renderer.batch(["a line of text"], return_tensors="pt")
    noise = torch.rand(batch["attention_mask"].shape)
    assert torch.equal(loaded(**batch, noise=noise).logits, model(**batch, noise=noise).logits)
    tagger = PixelForTokenClassification.from_pretrained(NAME, num_labels=17, **hub).eval()
    assert tagger(**batch).logits.shape[-1] == 17


def test_revisions_and_branches(tmp_path: Path) -> None:
    config = PixelConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[16, 1024],
        decoder_hidden_size=16,
        decoder_num_attention_heads=2,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=16,
    )
    models = [PixelForPreTraining(config), PixelForPreTraining(config)]
    fields = {**config.to_dict(), "model_type": "pixel"}
    commits = ["59d4c08" + "0" * 33, "b3ea0f4" + "0" * 33]
    publish(
        tmp_path,
        NAME,
        {commit: (model, fields) for commit, model in zip(commits, models, strict=True)},
        {"main": commits[1], "seed2": commits[0]},
    )
    hub: dict[str, Any] = {"cache_dir": tmp_path, "local_files_only": True}
    key = "vit.encoder.layer.0.output.dense.weight"
    for revision, model in ((None, models[1]), ("seed2", models[0]), (commits[0], models[0])):
        options: dict[str, Any] = {} if revision is None else {"revision": revision}
        for loader in (PixelForPreTraining, AutoModelForPreTraining, AutoModelForTokenClassification):
            loaded = loader.from_pretrained(NAME, **options, **hub)
            assert torch.equal(loaded.state_dict()[key], model.state_dict()[key])
    assert isinstance(AutoProcessor.from_pretrained(NAME, revision="seed2", **hub), TextRenderer)
    with pytest.raises(OSError, match=r"pixel-base \(revision seed9\): no model"):
        PixelForPreTraining.from_pretrained(NAME, revision="seed9", **hub)
