"""The replay of recorded trainings, on small recordings of every kind that are made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixel_lm.models import MODEL_OF_TASK, PixelConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import conformance_training
from conformance_models import PublishedAdamW

LENGTH, STEPS, COUNT, LABELS = 12, 4, 16, 3
CLASSES = {
    "dependency parsing": "PIXELForBiaffineParsing",
    "pretraining": "PIXELForPreTraining",
    "question answering": "PIXELForQuestionAnswering",
    "sequence classification": "PIXELForSequenceClassification",
    "token classification": "PIXELForTokenClassification",
}


def labels_for(task: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if task == "token classification":
        return {"labels": rng.integers(0, LABELS, (COUNT, LENGTH), dtype=np.int16)}
    if task == "sequence classification":
        return {"labels": rng.integers(0, LABELS, COUNT, dtype=np.int16)}
    if task == "question answering":
        return {
            name: rng.integers(0, LENGTH + 1, COUNT, dtype=np.int16) for name in ("start_positions", "end_positions")
        }
    if task == "pretraining":
        return {}
    starts = np.full((COUNT, LENGTH + 1), -100, np.int16)
    starts[:, :5] = [0, 2, 3, 3, 6]
    heads, relations = (np.full((COUNT, LENGTH), -100, np.int16) for _ in range(2))
    heads[:, :4], relations[:, :4] = rng.integers(0, 5, (COUNT, 4)), rng.integers(0, LABELS, (COUNT, 4))
    return {"word_starts": starts, "arc_labels": heads, "rel_labels": relations}


def save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def record(folder: Path, task: str) -> None:
    """Train a model with a loop of its own, and write what the original's recordings hold."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    config = PixelConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[16, 16 * LENGTH],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        decoder_hidden_size=16,
        decoder_num_attention_heads=2,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=16,
        num_labels=2 if task == "question answering" else LABELS,
    )
    model = MODEL_OF_TASK[task](config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder / "initial")
    patches = rng.integers(0, 256, (30, 16, 16), dtype=np.uint8)
    counts = rng.integers(6, LENGTH + 1, COUNT)
    index = rng.integers(0, 30, counts.sum(), dtype=np.uint16)
    splits = np.concatenate([[0], counts.cumsum()]).astype(np.int32)
    labels = labels_for(task, rng)
    inputs = {
        "patch_index": index,
        "row_splits": splits,
        "attended": counts.astype(np.int16),
        "grid_length": np.int16(LENGTH),
    }
    masks: dict[str, np.ndarray] = {}
    if task == "pretraining":
        noise = rng.random((COUNT, LENGTH), dtype=np.float32)
        masks = {"patch_mask": (noise > 0.8).astype(np.uint8), "uniform_noise": noise}
    pixels = np.full((COUNT, LENGTH, 256), 255, np.uint8)
    for row, count in enumerate(counts):
        pixels[row, :count] = patches[index[splits[row] : splits[row] + count]].reshape(-1, 256)

    def forward(rows: slice) -> Any:
        given = {name: torch.from_numpy(values[rows]).long() for name, values in labels.items()}
        if masks:
            given = {
                "patch_mask": torch.from_numpy(masks["patch_mask"][rows]),
                "noise": torch.from_numpy(masks["uniform_noise"][rows]),
            }
        attended = torch.arange(LENGTH) < torch.from_numpy(counts[rows])[:, None]
        return model(torch.from_numpy(pixels[rows]), attended.long(), **given)

    training = {
        "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "weight_decay": 0.05, "max_grad_norm": 1.0,
        "per_device_eval_batch_size": 8,
    }  # fmt: skip
    decayed = {name for name, parameter in model.named_parameters() if parameter.dim() > 1}
    optimizer = PublishedAdamW(model, decayed, [0.9, 0.999], 1e-8, 0.05)
    trajectory: dict[str, list[Any]] = {
        name: [] for name in ("indices", "learning_rate", "loss", "grad_norm_before_clipping")
    }
    gradients: dict[str, list[float | None]] = {name: [] for name, _ in model.named_parameters()}
    for step in range(STEPS):
        rows = slice(4 * step, 4 * step + 4)
        loss = forward(rows).loss
        model.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            gradients[name].append(None if parameter.grad is None else parameter.grad.norm().item())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(1e-3)
        entries = (list(range(rows.start, rows.stop)), 1e-3, loss.item(), norm.item())
        for column, entry in zip(trajectory.values(), entries, strict=True):
            column.append(entry)
    with torch.no_grad():
        batches = [forward(slice(begin, begin + 8)) for begin in (0, 8)]
    losses = [batch.loss.item() for batch in batches]

    def output(name: str) -> np.ndarray:
        return np.concatenate([batch[name].numpy() for batch in batches])

    metrics: dict[str, float] = {"loss": float(np.mean(losses))}
    outputs: dict[str, np.ndarray] = {}
    if task == "token classification":
        example, position = np.divmod(np.arange(COUNT * LENGTH), LENGTH)
        logits = output("logits").reshape(-1, LABELS)
        gold = labels["labels"].reshape(-1)
        outputs = {
            "example": example,
            "position": position,
            "label": gold,
            "prediction": logits.argmax(-1),
            "logits": logits,
        }
        metrics["accuracy"] = float(np.mean(logits.argmax(-1) == gold))
    elif task == "sequence classification":
        outputs = {"logits": output("logits")}
        metrics["accuracy"] = float(np.mean(outputs["logits"].argmax(-1) == labels["labels"]))
    elif task == "question answering":
        outputs = {name: output(name) for name in ("start_logits", "end_logits")}
        metrics = {"exact_match": 100.0, "f1": 100.0}  # of texts of one word, see `record_questions`
    elif task == "dependency parsing":
        example, word = np.divmod(np.arange(COUNT * 4), 4)
        arcs, relations = output("arc_logits"), output("rel_logits")[example, word]
        head, relation = labels["arc_labels"][example, word], labels["rel_labels"][example, word]
        chosen = arcs[example, word].argmax(-1)
        outputs = {
            "example": example, "word": word, "head": head, "head_prediction": chosen, "relation": relation,
            "relation_prediction": relations.argmax(-1), "relation_logits": relations,
            "arc_logits_at_gold_head": arcs[example, word, head], "arc_logits_at_prediction": arcs[example, word, chosen],
            "num_words_first_20": np.full(COUNT, 4), "arc_logits_first_20": arcs[:, :4, :5].ravel(),
        }  # fmt: skip
        right = chosen == head
        metrics |= {
            "uas": 100 * float(right.mean()),
            "las": 100 * float((right & (relations.argmax(-1) == relation)).mean()),
        }
    settings: dict[str, Any] = {
        "model_class": CLASSES[task],
        "training": training,
        "mask_ratio": 0.25,
        "norm_pix_loss": True,
    }
    if task == "sequence classification":
        settings["head"] = {"pooling_mode": "mean", "add_layer_norm": True}
    parameters = [
        {"name": name, "weight_decay": 0.05 if name in decayed else 0.0}
        | {f"{order}_step_gradient_norm": norms[step] for step, order in enumerate(("first", "second", "third"))}
        for name, norms in gradients.items()
    ]
    save(folder / "patches.npz", {"patches": patches})
    evaluation: dict[str, Any] = {"metrics": metrics, "batch_loss": losses}
    if task == "question answering":
        inputs |= record_questions(folder, settings, evaluation)
    for split in ("train", "eval"):
        save(folder / f"{split}_inputs.npz", {**inputs, **labels})
        if masks:
            save(folder / f"{split}_masks.npz", masks)
    save(folder / "eval_outputs.npz", outputs)
    save(folder / "final_parameters.npz", {name: value.numpy() for name, value in model.state_dict().items()})
    for name, value in {
        "settings": settings, "trajectory": trajectory, "parameters": parameters,
        "eval": evaluation,
    }.items():  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(value))


def record_questions(folder: Path, settings: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, np.ndarray]:
    """Questions whose text is a word on the fourth patch, so that the answer does not depend on scores."""
    names = [f"q{number}" for number in range(COUNT)]
    qas = [{"id": name, "question": "?", "answers": [{"text": "word", "answer_start": 0}]} for name in names]
    (folder / "data").mkdir()
    squad = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "word", "qas": qas}]}]}
    (folder / "data" / "qa.json").write_text(json.dumps(squad))
    (folder / "questions.json").write_text(json.dumps(names))
    settings["data"] = {"file": "qa.json"}
    settings["post_processing"] = {
        "n_best_size": 20, "max_answer_length": 30, "version_2_with_negative": False, "rtl": False,
    }  # fmt: skip
    evaluation["predictions"] = [{"id": name, "prediction": "word"} for name in names]
    evaluation["n_best"] = {"q0": [{"text": "word", "probability": 1.0}]}
    spans = np.full((COUNT, LENGTH, 2), -9, np.int16)
    spans[:, 3] = 0, 4
    return {"question": np.arange(COUNT, dtype=np.int16), "offset_mapping": spans}


@pytest.mark.parametrize("task", sorted(CLASSES))
def test_every_kind_is_replayed(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_LM_SHARED", str(tmp_path))
    threads = torch.get_num_threads()
    record(tmp_path, task)
    try:
        assert conformance_training.run(tmp_path, tmp_path / "numbers.json") == 0, capsys.readouterr().out
        numbers = json.loads((tmp_path / "numbers.json").read_text())
        assert numbers["checks"] > 2 * STEPS + 20 and numbers["failed"] == 0 and numbers["not_run"] == 0
        assert (
            capsys.readouterr()
            .out.splitlines()[-1]
            .startswith(f"{numbers['checks']} checks, 0 failed, 0 not run, largest")
        )
        trajectory = json.loads((tmp_path / "trajectory.json").read_text())
        trajectory["loss"][2] *= 1.001
        (tmp_path / "trajectory.json").write_text(json.dumps(trajectory))
        assert conformance_training.run(tmp_path, None) == 1
        assert "FAILED loss 2: " in capsys.readouterr().out
    finally:
        torch.set_num_threads(threads)
