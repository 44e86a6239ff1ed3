"""What a pretraining would be, and where its time goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pixel_lm.models import PixelConfig, PixelForPreTraining
from pixel_lm.models.flops import pretraining_flops
from pixel_lm.training.arguments import PretrainArguments
from pixel_lm.training.dry_run import dry_run, probe
from pixel_lm.training.throughput import Throughput


def test_operations_are_those_that_torch_counts() -> None:
    config = PixelConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, image_size=[16, 16 * 100],
        decoder_hidden_size=32, decoder_num_hidden_layers=2, decoder_num_attention_heads=4, decoder_intermediate_size=64,
        attn_implementation="eager",
    )  # fmt: skip
    model = PixelForPreTraining(config).train()
    with FlopCounterMode(display=False) as counter:
        model(torch.randint(0, 256, (2, 100, 256), dtype=torch.uint8)).loss.backward()
    # Of the patch projection there is no gradient for the pixels: a third of it is not done.
    assert counter.get_total_flops() == pytest.approx(2 * pretraining_flops(config, 100), rel=0.05)


def test_base_size_costs_less_than_computing_all() -> None:
    """318 GFLOP were derived for the published way, where the decoder predicts every patch in three channels."""
    assert 0.9 * 318e9 < pretraining_flops(PixelConfig(), 529) < 318e9


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: Literal["fp32", "fp16"]
) -> None:
    (tmp_path / "text.txt").write_text("some text\n", encoding="utf-8")
    arguments = PretrainArguments(
        text=(str(tmp_path / "text.txt"),), output_dir=str(tmp_path / "run"), steps=100, batch_size=8, max_seq_length=20,
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, decoder_hidden_size=16,
        decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32, base_learning_rate=0.1,
        cpu=True, precision=precision,
    )  # fmt: skip
    figures = dry_run(arguments)
    shown = capsys.readouterr().out
    assert figures["seconds"] == pytest.approx(800 / figures["sequences_per_second"])
    assert figures["state_bytes"] == 16 * figures["parameters"]
    assert "100 steps of 8 strips of 20 patches" in shown and "about" in shown
    assert ("timed in fp32" in shown) == (precision == "fp16"), (
        "float16 on a CPU takes minutes for a step of a large model"
    )
    assert not (tmp_path / "run").exists()


def test_large_models_are_not_tried_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixel_lm.training.dry_run.PATIENCE", 0.0)
    config = PixelConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=[16, 16 * 20],
        decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32,
    )  # fmt: skip
    model, seen = PixelForPreTraining(config), []
    model.register_forward_hook(lambda module, inputs, outputs: seen.append(len(inputs[0])))
    speed, _ = probe(model, PretrainArguments(max_seq_length=20), torch.device("cpu"), rows=8)
    assert seen == [1] and speed > 0


def test_throughput_says_how_long_training_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    throughput = Throughput(flops_per_sequence=1e9)
    throughput.count({"pixel_values": torch.zeros(4, 10, 256)})
    throughput.wait(0.5)
    now[0] += 2.0
    figures = throughput.figures(1, 10, 1)
    assert figures["data_wait"] == 0.25 and figures["sequences_per_second"] == 2.0
    now[0] += 1.0
    assert throughput.figures(2, 10, 1)["data_wait"] == 0.0


def test_trace_and_pictures(tmp_path: Path) -> None:
    from pixel_lm.cli.main import main

    (tmp_path / "text.txt").write_text("\n".join(f"line {i} of some text" for i in range(200)), encoding="utf-8")
    words = (
        "pretrain --cpu --steps 12 --batch-size 4 --max-seq-length 20 --hidden-size 32 --num-hidden-layers 1 "
        "--num-attention-heads 2 --intermediate-size 64 --decoder-hidden-size 16 --decoder-num-hidden-layers 1 "
        "--decoder-num-attention-heads 2 --decoder-intermediate-size 32 --base-learning-rate 0.1 --picture-steps 8"
    ).split()
    words += [
        "--text",
        str(tmp_path / "text.txt"),
        "--output-dir",
        str(tmp_path / "run"),
        "--profile",
        str(tmp_path / "trace"),
    ]
    assert main(words) == 0
    pictures = sorted(path.name for path in (tmp_path / "run" / "reconstructions").iterdir())
    assert pictures == ["step-000000.png", "step-000008.png", "step-000012.png"]
    assert json.loads((tmp_path / "trace" / "trace.json").read_text())["traceEvents"]
    assert "aten::" in (tmp_path / "trace" / "operations.txt").read_text()
