"""Compiled, in half precision, with any attention, with checkpointed activations: the same results."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pixel_lm.models import MODEL_OF_TASK, PixelConfig, PixelPreTrainedModel

TASKS = sorted(MODEL_OF_TASK)
POOLINGS = ["cls", "mean", "max", "pma4"]
CASES: list[tuple[str, str | None]] = [(task, None) for task in TASKS if task != "sequence classification"]
CASES += [("sequence classification", mode) for mode in POOLINGS]


def make(task: str, pooling: str | None, config: PixelConfig) -> tuple[PixelPreTrainedModel, dict[str, Any]]:
    """A model with weights of some size, and a padded batch with labels."""
    config.num_labels = 2
    config.pooling_mode = pooling
    torch.manual_seed(0)
    model = MODEL_OF_TASK[task](config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    batch: dict[str, Any] = {
        "pixel_values": torch.randint(0, 256, (3, 20, 256), dtype=torch.uint8),
        "attention_mask": (torch.arange(20) < torch.tensor([[20], [13], [5]])).long(),
    }
    labels = torch.tensor([1, 0, 1])
    if task == "pretraining":
        batch |= {"noise": torch.rand(3, 20), "masked_only": False}
    elif task == "question answering":
        batch |= {"start_positions": labels, "end_positions": labels + 3}
    elif task == "sequence classification":
        batch["labels"] = labels
    elif task == "token classification":
        batch["labels"] = torch.randint(0, 2, (3, 20))
    elif task == "dependency parsing":
        starts = torch.tensor([[0, 2, 3, 5, 9], [1, 2, 2, 4, -100], [0, 1, 3, -100, -100]])
        heads = torch.tensor([[2, 0, 2, 3], [0, 1, 1, -100], [2, 0, -100, -100]])
        batch |= {"word_starts": starts, "arc_labels": heads, "rel_labels": heads.clamp(max=1)}
    return model, batch


def tensors(outputs: Any) -> dict[str, torch.Tensor]:
    return {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize(("task", "pooling"), CASES)
def test_no_graph_breaks(task: str, pooling: str | None, config: PixelConfig) -> None:
    model, batch = make(task, pooling, config)
    expected = tensors(model.eval()(**batch))
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    for name, value in tensors(compiled(**batch)).items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize(("task", "pooling"), CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(task: str, pooling: str | None, dtype: torch.dtype, config: PixelConfig) -> None:
    model, batch = make(task, pooling, config)
    expected = tensors(model.eval()(**batch))
    loss = model.to(dtype)(**{key: v.to(dtype) if key == "noise" else v for key, v in batch.items()})
    for name, value in tensors(loss).items():
        assert value.isfinite().all()
        if task != "pretraining":  # rounded noise masks other patches
            torch.testing.assert_close(value.float(), expected[name].float(), atol=0.1, rtol=0.1)
    if loss.get("loss") is not None:
        loss.loss.backward()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(("task", "pooling"), CASES)
def test_autocast(task: str, pooling: str | None, config: PixelConfig) -> None:
    model, batch = make(task, pooling, config)
    expected = tensors(model.eval()(**batch))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = tensors(model(**batch))
    for name, value in outputs.items():
        torch.testing.assert_close(value.float(), expected[name].float(), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("attention", ["eager", "flex_attention"])
@pytest.mark.parametrize(("task", "pooling"), CASES)
def test_attention_implementations_agree(
    task: str, pooling: str | None, attention: str, config: PixelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.hidden_size, config.decoder_hidden_size = 64, 32  # flex attention wants heads of 16
    model, batch = make(task, pooling, config)
    expected = tensors(model.eval()(**batch))
    model.set_attn_implementation(attention)
    if attention == "flex_attention":  # compiled by transformers, which takes half a minute; the same without
        from torch.nn.attention.flex_attention import flex_attention
        from transformers.integrations import flex_attention as integration

        monkeypatch.setattr(integration, "compile_friendly_flex_attention", _plain(flex_attention))
    with torch.no_grad():
        outputs = tensors(model(**batch))
    for name, value in outputs.items():
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-4)


def _plain(function: Any) -> Any:
    def call(query: Any, key: Any, value: Any, training: bool = False, **options: Any) -> Any:
        return function(query, key, value, **options)

    return call


@pytest.mark.parametrize(("task", "pooling"), CASES)
def test_gradient_checkpointing(task: str, pooling: str | None, config: PixelConfig) -> None:
    model, batch = make(task, pooling, config)
    if task == "no task":
        return
    found = []
    for enabled in (False, True):
        if enabled:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train().zero_grad()
        model(**batch).loss.backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient)


@pytest.mark.parametrize(("task", "pooling"), CASES)
def test_attentions_and_hidden_states(task: str, pooling: str | None, config: PixelConfig) -> None:
    model, batch = make(task, pooling, config)
    outputs = model.eval()(**batch, output_attentions=True, output_hidden_states=True)
    length = 16 if task == "pretraining" else 21
    assert [state.shape[1] for state in outputs.hidden_states] == [length] * 3
    assert [tuple(map_.shape) for map_ in outputs.attentions] == [(3, 4, length, length)] * 2
    for map_ in outputs.attentions:
        torch.testing.assert_close(map_.sum(-1), torch.ones_like(map_.sum(-1)))
