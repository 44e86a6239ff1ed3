"""The encoder: inputs in every form, any length, padding, loading and saving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForPreTraining, AutoModelForTokenClassification

from pixel_lm.models import PixelConfig, PixelForPreTraining, PixelForTokenClassification, PixelModel
from pixel_lm.models.positions import sincos_positions


def as_images(grey: torch.Tensor) -> torch.Tensor:
    """Grey patch rows as the images of the published code, (batch, 3, 16, 16 · length) in 0…1."""
    batch, length, _ = grey.shape
    strip = grey.view(batch, length, 16, 16).transpose(1, 2).reshape(batch, 1, 16, 16 * length)
    return strip.expand(-1, 3, -1, -1) / 255


@pytest.fixture
def model(config: PixelConfig) -> PixelModel:
    torch.manual_seed(0)
    return PixelModel(config).eval()


def test_all_forms_of_input_agree(model: PixelModel, grey: torch.Tensor) -> None:
    expected = model(grey).last_hidden_state
    colour = grey.repeat_interleave(3, dim=-1)  # (3, 20, 768), channel fastest
    for form in (grey / 255, colour, colour / 255, as_images(grey)):
        torch.testing.assert_close(model(form).last_hidden_state, expected, rtol=0, atol=1e-5)


def test_colour_is_seen(model: PixelModel, grey: torch.Tensor) -> None:
    red = grey.repeat_interleave(3, dim=-1)
    red[..., 0::3] = 255
    assert not torch.allclose(model(red).last_hidden_state, model(grey).last_hidden_state, atol=1e-3)


def test_padding_changes_nothing(model: PixelModel, grey: torch.Tensor) -> None:
    padded = torch.full((3, 31, 256), 255, dtype=torch.uint8)
    padded[:, :20] = grey
    mask = torch.zeros(3, 31, dtype=torch.long)
    mask[:, :20] = 1
    torch.testing.assert_close(
        model(padded, mask).last_hidden_state[:, :21], model(grey).last_hidden_state, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("length", [1, 7, 20])
def test_lengths_use_the_first_rows_of_the_table(model: PixelModel, grey: torch.Tensor, length: int) -> None:
    part = grey[:, :length]
    table = model.embeddings.position_embeddings
    expected = model.embeddings.patch_embeddings(part) + table[:, 1 : length + 1]
    torch.testing.assert_close(model.embeddings(part)[:, 1:], expected)
    assert model(part).last_hidden_state.shape == (3, length + 1, 32)


def test_longer_than_the_table_is_an_error(model: PixelModel) -> None:
    with pytest.raises(ValueError, match="37 patches is longer than the position table, which has 36"):
        model(torch.zeros(1, 37, 256))


@pytest.mark.parametrize("shape", [(2, 5, 100), (2, 256), (2, 1, 16, 32), (2, 3, 16, 30)])
def test_shapes_that_do_not_fit(model: PixelModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        model(torch.zeros(shape))


def test_attention_probabilities_agree_with_the_fused_kernel(model: PixelModel, grey: torch.Tensor) -> None:
    mask = torch.ones(3, 20, dtype=torch.long)
    mask[1, 12:] = 0
    outputs = model(grey, mask, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(outputs.last_hidden_state, model(grey, mask).last_hidden_state, rtol=0, atol=1e-5)
    assert len(outputs.attentions) == 2
    assert len(outputs.hidden_states) == 3
    torch.testing.assert_close(outputs.attentions[0].sum(dim=-1), torch.ones(3, 4, 21))
    assert outputs.attentions[0][1, :, :, 13:].abs().max() < 1e-8


def test_fixed_positions_are_saved_but_not_trained(config: PixelConfig) -> None:
    pretraining = PixelForPreTraining(config)
    names = dict(pretraining.named_parameters())
    assert "vit.embeddings.position_embeddings" not in names
    assert {"vit.embeddings.position_embeddings", "decoder.decoder_pos_embed"} <= set(pretraining.state_dict())
    assert "vit.embeddings.position_embeddings" in dict(PixelForTokenClassification(config).named_parameters())
    config.trainable_position_embeddings = False
    assert "vit.embeddings.position_embeddings" not in dict(PixelForTokenClassification(config).named_parameters())


def test_position_code() -> None:
    table = sincos_positions(529, 768)
    assert table.shape == (1, 530, 768)
    assert table[0, 0].abs().sum() == 0
    column, row = 5, 2  # patch 2 · 23 + 5
    code = table[0, 1 + row * 23 + column]
    omega = 10000.0 ** -(torch.arange(192) / 192)
    expected = torch.cat([(column * omega).sin(), (column * omega).cos(), (row * omega).sin(), (row * omega).cos()])
    torch.testing.assert_close(code, expected, rtol=0, atol=1e-5)


def test_initialisation_is_as_published(config: PixelConfig) -> None:
    config.hidden_size, config.num_attention_heads = 128, 4
    model = PixelForPreTraining(config)
    kernel = model.vit.embeddings.patch_embeddings.projection.weight
    bound = (6 / (768 + 128)) ** 0.5
    assert kernel.abs().max() <= bound
    assert kernel.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    dense = model.get_submodule("vit.encoder.layer.0.intermediate.dense")
    assert isinstance(dense, torch.nn.Linear)
    assert dense.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert dense.bias.abs().max() == 0
    assert model.decoder.mask_token.std().item() == pytest.approx(0.02, rel=0.6)
    torch.testing.assert_close(model.vit.embeddings.position_embeddings, sincos_positions(36, 128))


def test_round_trip_and_auto_classes(config: PixelConfig, grey: torch.Tensor, tmp_path: Path) -> None:
    model = PixelForPreTraining(config).eval()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    assert type(AutoConfig.from_pretrained(tmp_path)) is PixelConfig
    loaded = AutoModelForPreTraining.from_pretrained(tmp_path)
    assert type(loaded) is PixelForPreTraining
    for (name, ours), (other, theirs) in zip(model.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(ours, theirs)
    encoder = AutoModel.from_pretrained(tmp_path)
    assert type(encoder) is PixelModel
    torch.testing.assert_close(encoder(grey).last_hidden_state, model.vit(grey).last_hidden_state)
    tagger = AutoModelForTokenClassification.from_pretrained(tmp_path, num_labels=5)
    assert type(tagger) is PixelForTokenClassification
    torch.testing.assert_close(tagger.vit(grey).last_hidden_state, model.vit(grey).last_hidden_state)


def test_pickled_checkpoints_load_too(config: PixelConfig, grey: torch.Tensor, tmp_path: Path) -> None:
    """Published checkpoints are `pytorch_model.bin` files with a configuration of transformers 4.17."""
    model = PixelForPreTraining(config).eval()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    published = {**config.to_dict(), "architectures": ["PIXELForPreTraining"], "torch_dtype": "float32"}
    published["transformers_version"] = "4.17.0"
    for added in ("trainable_position_embeddings", "dtype"):
        published.pop(added, None)
    (tmp_path / "config.json").write_text(json.dumps(published))
    loaded = PixelForPreTraining.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded.vit(grey).last_hidden_state, model.vit(grey).last_hidden_state)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"num_attention_heads": 5}, "not divisible by its number of attention heads"),
        ({"hidden_size": 18, "num_attention_heads": 2}, "not divisible by 4"),
        ({"mask_ratio": 1.5}, "mask_ratio must lie between 0 and 1"),
        ({"image_size": [16, 100]}, "not a multiple of patch_size"),
        ({"image_size": [16, 0]}, "not a multiple of patch_size"),
        ({"image_size": 1024}, "image_size must be a height and a width"),
        ({"patch_size": 0}, "patch_size must be at least 1"),
        ({"decoder_num_attention_heads": 0}, "decoder_num_attention_heads must be at least 1"),
        ({"hidden_act": "gelo"}, "unknown activation 'gelo'"),
    ],
)
def test_impossible_configurations(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelConfig(**setting)


def test_gradient_checkpointing_changes_no_gradient(config: PixelConfig, grey: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = PixelForTokenClassification(config).train()
    labels = torch.randint(0, 2, (3, 20))
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.gradient_checkpointing_enable()  # named activation_checkpointing_enable from transformers 5.20 on
        model.zero_grad()
        model(grey, labels=labels).loss.backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_base_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = PixelForPreTraining(PixelConfig())
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == 112_334_080
    assert len(model.state_dict()) == 334


def test_widths_that_lost_a_pixel_are_mended() -> None:
    """The published code stored [16, 47] for three patches."""
    assert PixelConfig(image_size=[16, 47]).num_patches == 3


def test_integers_other_than_bytes_are_refused(model: PixelModel, grey: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="give bytes"):
        model(grey.long())


def test_eager_attention_is_eager(model: PixelModel, grey: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.ones(3, 20, dtype=torch.long)
    mask[1, 12:] = 0
    expected = model(grey, mask).last_hidden_state
    model.set_attn_implementation("eager")
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", None)
    torch.testing.assert_close(model(grey, mask).last_hidden_state, expected, rtol=0, atol=1e-5)


def test_settings_of_the_configuration_are_heeded(model: PixelModel, grey: torch.Tensor) -> None:
    assert model(grey).hidden_states is None
    model.config.output_hidden_states = True
    assert len(model(grey).hidden_states) == 3
    assert isinstance(model(grey, return_dict=False), tuple)


def test_misspelt_arguments_are_errors(config: PixelConfig, grey: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="lables"):
        PixelForTokenClassification(config)(grey, lables=torch.zeros(3, 20))


def test_pixels_are_normalised_as_configured(config: PixelConfig, grey: torch.Tensor) -> None:
    torch.manual_seed(0)
    plain = PixelModel(config).eval()
    normalised = PixelModel(PixelConfig(**{**config.to_dict(), "pixel_mean": 1.0, "pixel_std": 0.25})).eval()
    normalised.load_state_dict(plain.state_dict())
    shifted = (grey / 255 - 1.0) / 0.25
    torch.testing.assert_close(normalised(grey).last_hidden_state, plain(shifted).last_hidden_state, rtol=0, atol=1e-5)
