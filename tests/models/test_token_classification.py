"""The tagging head."""

from __future__ import annotations

import torch

from pixel_lm.models import PixelConfig, PixelForTokenClassification


def test_logits_and_loss(config: PixelConfig, grey: torch.Tensor) -> None:
    config.num_labels = 5
    model = PixelForTokenClassification(config).eval()
    labels = torch.full((3, 20), -100)
    labels[0, 3], labels[2, 0] = 4, 1
    outputs = model(grey, labels=labels)
    assert outputs.logits.shape == (3, 20, 5)
    probabilities = outputs.logits.log_softmax(dim=-1)
    torch.testing.assert_close(outputs.loss, -(probabilities[0, 3, 4] + probabilities[2, 0, 1]) / 2)
    assert model(grey).loss is None


def test_dropout_acts_in_training_only(config: PixelConfig, grey: torch.Tensor) -> None:
    config.hidden_dropout_prob = 0.5
    model = PixelForTokenClassification(config)
    model.eval()
    assert torch.equal(model(grey).logits, model(grey).logits)
    model.train()
    assert not torch.equal(model(grey).logits, model(grey).logits)


def test_no_label_is_no_nan(config: PixelConfig, grey: torch.Tensor) -> None:
    assert PixelForTokenClassification(config)(grey, labels=torch.full((3, 20), -100)).loss == 0
