"""Heads for sequences, questions and trees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pixel_lm.models import (
    PixelConfig,
    PixelForBiaffineParsing,
    PixelForQuestionAnswering,
    PixelForSequenceClassification,
)
from pixel_lm.models.biaffine_parsing import merge_patches


@pytest.fixture
def mask() -> torch.Tensor:
    """Attention mask for `grey`: 20, 13 and 1 patches attended."""
    return (torch.arange(20) < torch.tensor([[20], [13], [1]])).long()


def classifier(config: PixelConfig, **settings: object) -> PixelForSequenceClassification:
    torch.manual_seed(0)
    for name, value in settings.items():
        setattr(config, name, value)
    return PixelForSequenceClassification(config).eval()


@pytest.mark.parametrize("mode", ["cls", "mean", "max", "pma1", "pma4"])
def test_padding_changes_no_score(config: PixelConfig, grey: torch.Tensor, mask: torch.Tensor, mode: str) -> None:
    model = classifier(config, num_labels=3, pooling_mode=mode)
    logits = model(grey, mask).logits
    assert logits.shape == (3, 3)
    for row, count in enumerate((20, 13, 1)):
        alone = model(grey[row : row + 1, :count]).logits
        torch.testing.assert_close(logits[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_published_attention_pooling_sees_padding(config: PixelConfig, grey: torch.Tensor, mask: torch.Tensor) -> None:
    model = classifier(config, num_labels=3, pooling_mode="pma4", pooling_sees_padding=True)
    difference = model(grey, mask).logits[1] - model(grey[1:2, :13]).logits[0]
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("mode", ["mean", "max", "pma2"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_pooling_in_half_precision(
    config: PixelConfig, grey: torch.Tensor, mask: torch.Tensor, mode: str, dtype: torch.dtype
) -> None:
    model = classifier(config, num_labels=3, pooling_mode=mode)
    exact = model(grey, mask).logits
    half = model.to(dtype)(grey, mask).logits
    assert half.dtype == dtype
    torch.testing.assert_close(half.float(), exact, atol=0.02, rtol=0.1)


def test_layer_norm_is_optional(config: PixelConfig, grey: torch.Tensor) -> None:
    model = classifier(config, num_labels=2, pooling_layer_norm=False)
    assert model.pooler is not None
    nn.init.constant_(model.pooler.ln.weight, float("nan"))
    assert model(grey).logits.isfinite().all()


@pytest.mark.parametrize(
    ("num_labels", "problem_type", "labels", "expected"),
    [
        (3, None, torch.tensor([0, 2, 1]), nn.functional.cross_entropy),
        (1, None, torch.tensor([0.5, 2.0, -1.0]), lambda x, y: nn.functional.mse_loss(x[:, 0], y)),
        (3, None, torch.eye(3), nn.functional.binary_cross_entropy_with_logits),
        (3, "multi_label_classification", torch.eye(3).long(), None),
        (3, "regression", torch.eye(3), nn.functional.mse_loss),
    ],
)
def test_loss_of_each_problem(
    config: PixelConfig,
    grey: torch.Tensor,
    num_labels: int,
    problem_type: str | None,
    labels: torch.Tensor,
    expected: Any,
) -> None:
    model = classifier(config, num_labels=num_labels, problem_type=problem_type)
    outputs = model(grey, labels=labels)
    if expected is None:
        expected = nn.functional.binary_cross_entropy_with_logits
        labels = labels.float()
    torch.testing.assert_close(outputs.loss, expected(outputs.logits, labels))
    assert model.config.problem_type == problem_type  # the first batch decides nothing for the others


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"pooling_mode": "median"}, "pooling_mode must be cls, mean, max or pma1"),
        ({"pooling_mode": "pma5"}, "32 is not divisible by 5"),
    ],
)
def test_impossible_poolings(setting: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelConfig(hidden_size=32, num_attention_heads=4, **setting)


def test_unknown_problem_type(config: PixelConfig) -> None:
    config.problem_type = "ranking"
    with pytest.raises(ValueError, match="problem_type must be one of regression"):
        PixelForSequenceClassification(config)


def test_questions_have_cls_last(config: PixelConfig, grey: torch.Tensor) -> None:
    model = PixelForQuestionAnswering(config).eval()
    outputs = model(grey, start_positions=torch.tensor([3, 20, 50]), end_positions=torch.tensor([5, 20, 50]))
    assert outputs.start_logits.shape == outputs.end_logits.shape == (3, 21)
    hidden = model.vit(grey).last_hidden_state
    torch.testing.assert_close(outputs.start_logits[:, 20], model.qa_outputs(hidden[:, 0])[:, 0])
    torch.testing.assert_close(outputs.end_logits[:, 4], model.qa_outputs(hidden[:, 5])[:, 1])
    start, end = outputs.start_logits.log_softmax(-1), outputs.end_logits.log_softmax(-1)
    # the third question is ignored: its positions lie beyond CLS
    torch.testing.assert_close(outputs.loss, -(start[0, 3] + start[1, 20] + end[0, 5] + end[1, 20]) / 4)
    config.num_labels = 3
    with pytest.raises(ValueError, match="2 scores for each patch"):
        PixelForQuestionAnswering(config)


WORD_STARTS = torch.tensor([[1, 4, 4, 9, -100], [0, 2, 5, 7, 20], [2, 3, -100, -100, -100]])
HEADS = torch.tensor([[2, 0, 2, -100], [0, 1, 1, 3], [0, -100, -100, -100]])
RELATIONS = torch.tensor([[1, 0, 2, -100], [0, 3, 4, 1], [0, -100, -100, -100]])


def parser(config: PixelConfig) -> PixelForBiaffineParsing:
    torch.manual_seed(0)
    config.num_labels = 5
    model = PixelForBiaffineParsing(config).eval()
    assert not model.biaffine_arcs.weight.any() and not model.biaffine_rels.weight.any()
    nn.init.normal_(model.biaffine_arcs.weight)
    nn.init.normal_(model.biaffine_rels.weight)
    return model


def test_words_are_means_of_patches() -> None:
    patches = torch.randn(3, 20, 8)
    words = merge_patches(patches, WORD_STARTS)
    assert words.shape == (3, 4, 8)
    torch.testing.assert_close(words[0, 0], patches[0, 1:4].mean(0))
    torch.testing.assert_close(words[0, 1], patches[0, 4])  # the next word begins in the same patch
    torch.testing.assert_close(words[1, 3], patches[1, 7:].mean(0))
    assert not words[0, 3].any() and not words[2, 1:].any()


def test_parser(config: PixelConfig, grey: torch.Tensor) -> None:
    model = parser(config)
    outputs = model(grey, word_starts=WORD_STARTS, arc_labels=HEADS, rel_labels=RELATIONS, output_all_relations=True)
    assert outputs.arc_logits.shape == (3, 4, 5) and outputs.rel_logits.shape == (3, 4, 5, 5)
    arcs, relations = outputs.arc_logits.log_softmax(-1), outputs.rel_logits.log_softmax(-1)
    counted = [(b, w) for b in range(3) for w in range(4) if HEADS[b, w] >= 0]
    expected = -sum(arcs[b, w, HEADS[b, w]] + relations[b, w, HEADS[b, w], RELATIONS[b, w]] for b, w in counted) / len(
        counted
    )
    torch.testing.assert_close(outputs.loss, expected)
    # relations to the heads alone are the same numbers, and so is the loss
    short = model(grey, word_starts=WORD_STARTS, arc_labels=HEADS, rel_labels=RELATIONS)
    torch.testing.assert_close(short.loss, outputs.loss)
    best = model(grey, word_starts=WORD_STARTS)
    chosen = outputs.arc_logits.argmax(-1)
    wanted = torch.stack([outputs.rel_logits[b, w, chosen[b, w]] for b in range(3) for w in range(4)]).view(3, 4, 5)
    torch.testing.assert_close(best.rel_logits, wanted)
    given = model(grey, word_starts=WORD_STARTS, heads=HEADS)
    torch.testing.assert_close(given.rel_logits[1, 3], outputs.rel_logits[1, 3, 3])


def test_parser_takes_single_sentences_and_spare_columns(config: PixelConfig, grey: torch.Tensor) -> None:
    model = parser(config)
    batch = model(grey, word_starts=WORD_STARTS)
    wide = model(grey, word_starts=nn.functional.pad(WORD_STARTS, (0, 3), value=-100))
    torch.testing.assert_close(wide.arc_logits[:, :4, :5], batch.arc_logits)
    one = model(grey[2:], word_starts=WORD_STARTS[2:, :2])
    assert one.arc_logits.shape == (1, 1, 2)
    torch.testing.assert_close(one.arc_logits, batch.arc_logits[2:, :1, :2])
    with pytest.raises(ValueError, match="word_starts"):
        model(grey)


def test_no_labels_are_no_nan(config: PixelConfig, grey: torch.Tensor) -> None:
    ignored = torch.full((3, 4), -100)
    model = parser(config)
    assert model(grey, word_starts=WORD_STARTS, arc_labels=ignored, rel_labels=ignored).loss == 0
    config.num_labels = 2
    beyond = torch.full((3,), 99)
    assert PixelForQuestionAnswering(config)(grey, start_positions=beyond, end_positions=beyond).loss == 0
