"""Learning rates and weight decay, against formula and recorded values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import Trainer

from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForPreTraining, PixelForTokenClassification
from pixel_lm.training import FinetuneArguments, PretrainArguments
from pixel_lm.training.pretrain import peak_learning_rate, schedule
from pixel_lm.training.trainer import EpochLengthGroupedSampler, PixelTrainer, per_device_batch_size, training_arguments

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
DECODER = {
    "decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 32,
}  # fmt: skip


def learning_rates(trainer: Trainer, steps: int) -> list[float]:
    trainer.create_optimizer_and_scheduler(steps)
    rates = []
    for _ in range(steps):
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    return rates


def pretraining_trainer(tmp_path: Path, **settings: object) -> PixelTrainer:
    arguments = PretrainArguments(output_dir=str(tmp_path), cpu=True, **settings)  # type: ignore[arg-type]
    model = PixelForPreTraining(PixelConfig(**SIZE, **DECODER, image_size=(16, 16 * 16)))
    return PixelTrainer(model=model, args=training_arguments(arguments, arguments.batch_size, **schedule(arguments)))


def test_pretraining_schedule_follows_the_formula(tmp_path: Path) -> None:
    trainer = pretraining_trainer(tmp_path, steps=100, warmup_ratio=0.1, batch_size=128, base_learning_rate=2e-3)
    rates = learning_rates(trainer, 100)
    peak, floor, warmup = 1e-3, 1e-5, 10
    for k, rate in enumerate(rates):
        if k < warmup:
            expected = peak * k / warmup
        else:
            q = (k - warmup) / (100 - warmup)
            expected = max(floor, floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * q)))
        assert rate == pytest.approx(expected, rel=1e-12)
    assert rates[0] == 0 and max(rates) == rates[10] == pytest.approx(1e-3)


def test_pretraining_schedule_agrees_with_the_original(tmp_path: Path, shared_dir: Path) -> None:
    recorded = json.loads((shared_dir / "reference/models/pretraining_lr_schedule.json").read_text())
    trainer = pretraining_trainer(
        tmp_path, steps=recorded["total"], warmup_ratio=recorded["warmup"] / recorded["total"], batch_size=256,
        base_learning_rate=recorded["max_lr"], min_learning_rate=recorded["min_lr"],
    )  # fmt: skip
    rates = learning_rates(trainer, recorded["total"])
    for step, rate in recorded["step_lr"]:
        assert rates[step] == pytest.approx(rate, rel=1e-9, abs=1e-20)


def test_peak_is_scaled_by_the_batch() -> None:
    assert peak_learning_rate(PretrainArguments()) == 1.5e-4
    assert peak_learning_rate(PretrainArguments(batch_size=512)) == 3e-4
    with pytest.raises(UserError, match="below min-learning-rate"):
        peak_learning_rate(PretrainArguments(batch_size=8))


def test_warmup_is_rounded_up() -> None:
    assert schedule(PretrainArguments())["warmup_steps"] == 50_000
    assert schedule(PretrainArguments(steps=30, warmup_ratio=0.05, batch_size=256))["warmup_steps"] == 2


def test_fine_tuning_schedule_is_linear(tmp_path: Path) -> None:
    arguments = FinetuneArguments(output_dir=str(tmp_path), cpu=True)
    settings = training_arguments(
        arguments, 64, learning_rate=5e-5, lr_scheduler_type="linear", warmup_steps=10, max_steps=50
    )
    model = PixelForTokenClassification(PixelConfig(**SIZE, image_size=(16, 16 * 16), num_labels=3))
    rates = learning_rates(PixelTrainer(model=model, args=settings), 50)
    for k, rate in enumerate(rates):
        assert rate == pytest.approx(5e-5 * (k / 10 if k < 10 else (50 - k) / 40), rel=1e-12)


def decayed(trainer: Trainer) -> tuple[set[str], set[str]]:
    trainer.create_optimizer()
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    groups: dict[bool, set[str]] = {True: set(), False: set()}
    for group in trainer.optimizer.param_groups:
        groups[group["weight_decay"] > 0] |= {names[id(parameter)] for parameter in group["params"]}
    return groups[True], groups[False]


def test_weight_decay_in_pretraining(tmp_path: Path) -> None:
    with_decay, without = decayed(pretraining_trainer(tmp_path, steps=10, batch_size=256))
    assert all(name.endswith("bias") or "norm" in name for name in without)
    assert not any(name.endswith("bias") or "norm" in name for name in with_decay)
    assert {"vit.embeddings.cls_token", "decoder.mask_token"} <= with_decay
    # Position tables are fixed: no optimizer sees them.
    assert not any("pos_embed" in name or "position_embeddings" in name for name in with_decay | without)


def test_weight_decay_in_fine_tuning_includes_positions(tmp_path: Path) -> None:
    arguments = FinetuneArguments(output_dir=str(tmp_path), cpu=True, weight_decay=0.05)
    model = PixelForTokenClassification(PixelConfig(**SIZE, image_size=(16, 16 * 16), num_labels=3))
    with_decay, without = decayed(PixelTrainer(model=model, args=training_arguments(arguments, 64, max_steps=5)))
    assert {"vit.embeddings.position_embeddings", "vit.embeddings.cls_token", "classifier.weight"} <= with_decay
    assert with_decay | without == {name for name, p in model.named_parameters() if p.requires_grad}


def test_batch_is_divided() -> None:
    assert per_device_batch_size(256, 4, 8) == 8
    with pytest.raises(UserError, match=r"batch-size is 10, but must be a multiple of .* 4 × 1"):
        per_device_batch_size(10, 4, 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_half_precision_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fp16 needs a CUDA GPU"):
        training_arguments(FinetuneArguments(output_dir=str(tmp_path), precision="fp16"), 64, max_steps=1)


def test_grouping_by_length_depends_on_seed_and_epoch_alone() -> None:
    lengths = [1 + (37 * i) % 50 for i in range(400)]
    sampler = EpochLengthGroupedSampler(8, lengths, seed=3)
    first = list(sampler)
    torch.rand(10)
    assert list(sampler) == first and sorted(first) == list(range(400))
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert list(EpochLengthGroupedSampler(8, lengths, seed=4)) != first
    spread = [max(b) - min(b) for b in ([lengths[i] for i in first[k : k + 8]] for k in range(0, 400, 8))]
    assert sum(spread) / len(spread) < 10  # 45 on average without grouping
