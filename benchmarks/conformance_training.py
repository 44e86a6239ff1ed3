"""Replay recorded trainings of the original: same start, same batches, same optimiser, compared step by step and at the end.

A recording is a folder with `settings.json`, `trajectory.json`, the inputs as the model was fed with them, and what came out of
the evaluation. Losses must agree within 1e-4 and gradient norms within 1e-3 of the recorded value, at every step; so must
parameters and scores at the end, within 1e-3 of their scale, and predictions and metrics as they are.

We compute in double precision. Training blows rounding up, in the longest recording a thousandfold (the original, run again with two
threads, leaves its own losses by 1.3e-4); so only the rounding of the recorded run is left.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from conformance_answers import compare_answers
from conformance_models import PublishedAdamW
from torch import nn
from transformers.utils.logging import disable_progress_bar

from pixel_lm.models import (
    PixelForBiaffineParsing,
    PixelForPreTraining,
    PixelForQuestionAnswering,
    PixelForSequenceClassification,
    PixelForTokenClassification,
    PixelPreTrainedModel,
)
from pixel_lm.tasks.metrics.classification import f1, label_accuracy, matthews_correlation, pearson, spearman
from pixel_lm.tasks.metrics.spans import span_scores

LOSS, NORM, SCORES, METRIC = 1e-4, 1e-3, 1e-3, 1e-6
MODELS: dict[str, type[PixelPreTrainedModel]] = {
    "PIXELForBiaffineParsing": PixelForBiaffineParsing,
    "PIXELForPreTraining": PixelForPreTraining,
    "PIXELForQuestionAnswering": PixelForQuestionAnswering,
    "PIXELForSequenceClassification": PixelForSequenceClassification,
    "PIXELForTokenClassification": PixelForTokenClassification,
}
# The softmax does not see a bias that all keys or all positions share; gradients this much smaller than the largest are zero but for rounding, too.
# Adam blows that noise up, so what becomes of these parameters says nothing.
UNSEEN = ("attention.attention.key.bias", "qa_outputs.bias")
ZERO = 1e-5

Arrays = Mapping[str, npt.NDArray[Any]]


class Recording:
    """A folder, its inputs, and the checks that were made on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = self.json("settings.json")
        self.patches = np.load(folder / "patches.npz")["patches"]
        self.checks: list[tuple[str, float, float]] = []  # what, relative difference, tolerance
        self.not_run: list[str] = []

    def json(self, name: str) -> Any:
        """A stored JSON file."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Stored arrays, in order of the examples."""
        return dict(np.load(self.folder / name))

    def compare(self, what: str, ours: float, recorded: float, tolerance: float) -> None:
        """Note the difference of two numbers, relative to the recorded one."""
        self.checks.append((what, abs(ours - recorded) / (abs(recorded) or 1.0), tolerance))

    def compare_arrays(self, what: str, ours: npt.NDArray[Any], recorded: npt.NDArray[Any], tolerance: float) -> None:
        """Note the largest difference of two arrays, relative to the largest recorded value."""
        if ours.shape != recorded.shape:
            self.checks.append((f"{what}: shape {ours.shape}, recorded {recorded.shape}", float("inf"), tolerance))
            return
        scale = float(np.abs(recorded).max()) or 1.0
        self.checks.append((what, float(np.abs(ours.astype(float) - recorded).max()) / scale, tolerance))

    def same(self, what: str, ours: npt.NDArray[Any], recorded: npt.NDArray[Any]) -> None:
        """Note the share of predictions that are others."""
        share = float(np.mean(ours != recorded)) if ours.shape == recorded.shape else float("inf")
        self.checks.append((what, share, 0.0))


def run(directory: Path, json_path: Path | None) -> int:
    """Replay all recordings below `directory`; the exit status is 1 if a check failed."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    torch.set_num_threads(1)
    folders = sorted(
        path.parent for path in directory.glob("**/trajectory.json") if (path.parent / "settings.json").exists()
    )
    if not folders:
        raise FileNotFoundError(f"{directory} holds no recorded trainings (settings.json with trajectory.json)")
    checks = failed = not_run = 0
    largest = 0.0
    numbers: dict[str, float] = {}
    for folder in folders:
        began = time.perf_counter()
        recording = Recording(folder)
        replay(recording, directory)
        bad = [(what, value, limit) for what, value, limit in recording.checks if not value <= limit]  # NaN fails
        worst = max(recording.checks, key=lambda check: (check[1] != check[1], check[1]))
        name = str(folder.relative_to(directory)) if folder != directory else folder.name
        print(
            f"{name:28} {len(recording.checks):5} checks, {len(bad)} failed, {len(recording.not_run)} not run, largest "
            f"{worst[1]:.1e} ({worst[0]}), {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        for what, value, limit in bad:
            print(f"    FAILED {what}: {value:.3e} > {limit:.0e}")
        for what in recording.not_run:
            print(f"    not run: {what}")
        checks += len(recording.checks)
        failed += len(bad)
        not_run += len(recording.not_run)
        largest = max(largest, float("inf") if worst[1] != worst[1] else worst[1])
        numbers[name] = worst[1]
    if json_path:
        totals = {"checks": checks, "failed": failed, "not_run": not_run, "largest": largest, **numbers}
        json_path.write_text(json.dumps(totals, indent=2) + "\n", encoding="utf-8")
    print(f"{checks} checks, {failed} failed, {not_run} not run, largest {largest:.1e}")
    return 1 if failed else 0


def replay(recording: Recording, directory: Path) -> None:
    """Train as recorded, then evaluate."""
    settings = recording.settings
    model_class = MODELS.get(settings["model_class"])
    if model_class is None:
        recording.not_run.append(f"no model of the kind {settings['model_class']}")
        return
    options = pooling(settings) if model_class is PixelForSequenceClassification else {}
    if model_class is PixelForPreTraining:
        options = {"mask_ratio": settings["mask_ratio"], "norm_pix_loss": settings["norm_pix_loss"]}
    model: PixelPreTrainedModel = model_class.from_pretrained(recording.folder / "initial", **options).double()
    train(recording, model)
    compare_parameters(recording, model)
    EVALUATIONS[model_class](recording, model.eval(), directory)


def pooling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How a recorded sequence classifier pools, wherever the settings say it."""
    found: dict[str, Any] = {}

    def search(values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, Mapping):
                search(value)
            elif key in ("pooling_mode", "pooling") and isinstance(value, str):
                found["pooling_mode"] = value.lower()
            elif "layer_norm" in key and isinstance(value, bool):
                found["pooling_layer_norm"] = value

    search(settings)
    return found


def batch_of(recording: Recording, arrays: Arrays, indices: npt.NDArray[Any]) -> dict[str, torch.Tensor]:
    """Inputs of some examples: white behind the patches of each, as long as the recorded grid."""
    length = int(arrays["grid_length"])
    pixel_values = np.full((len(indices), length, 256), 255, np.uint8)
    for row, index in enumerate(indices):
        begin, end = arrays["row_splits"][index : index + 2]
        pixel_values[row, : end - begin] = recording.patches[arrays["patch_index"][begin:end]].reshape(-1, 256)
    mask = np.arange(length) < arrays["attended"][indices, None]
    return {"pixel_values": torch.from_numpy(pixel_values), "attention_mask": torch.from_numpy(mask.astype(np.int64))}


LABELS = ("labels", "start_positions", "end_positions", "word_starts", "arc_labels", "rel_labels")


def labels_of(arrays: Arrays, indices: npt.NDArray[Any]) -> dict[str, torch.Tensor]:
    """Whatever labels were recorded, for some examples."""
    labels = {}
    for name in LABELS:
        if name in arrays:
            values = torch.from_numpy(arrays[name][indices])
            labels[name] = values.double() if values.is_floating_point() else values.long()
    return labels


def masks_of(masks: Arrays, rows: npt.NDArray[Any]) -> dict[str, torch.Tensor]:
    """Span masks and noise of some examples, in order of use."""
    names = {"patch_mask": "patch_mask", "uniform_noise": "noise"}
    return {ours: torch.from_numpy(masks[theirs][rows]) for theirs, ours in names.items() if theirs in masks}


def train(recording: Recording, model: PixelPreTrainedModel) -> None:
    """All recorded steps: loss before, and norm of the gradient, of each."""
    trajectory = recording.json("trajectory.json")
    arrays = recording.arrays("train_inputs.npz")
    masks = recording.arrays("train_masks.npz") if (recording.folder / "train_masks.npz").exists() else {}
    parameters = {entry["name"]: entry for entry in recording.json("parameters.json")}
    options = recording.settings["training"]
    optimizer = PublishedAdamW(
        model,
        {name for name, entry in parameters.items() if entry["weight_decay"]},
        [options["adam_beta1"], options["adam_beta2"]],
        options["adam_epsilon"],
        options["weight_decay"],
    )
    model.train()  # all dropout is 0
    used = 0
    for step, indices in enumerate(trajectory["indices"]):
        rows = np.array(indices)
        batch = {**batch_of(recording, arrays, rows), **labels_of(arrays, rows)}
        if masks:
            batch |= masks_of(masks, np.arange(used, used + len(rows)))
            used += len(rows)
        loss = model(**batch).loss
        model.zero_grad()
        loss.backward()
        if step < 3:
            compare_gradients(recording, model, parameters, step)
        norm = nn.utils.clip_grad_norm_(model.parameters(), options["max_grad_norm"])
        optimizer.step(trajectory["learning_rate"][step])
        recording.compare(f"loss {step}", loss.item(), trajectory["loss"][step], LOSS)
        recording.compare(f"gradient norm {step}", norm.item(), trajectory["grad_norm_before_clipping"][step], NORM)


def seen(parameters: Mapping[str, Mapping[str, Any]], step: str = "first") -> dict[str, float]:
    """Parameters whose gradient is more than rounding noise, and its recorded norm."""
    norms = {name: entry[f"{step}_step_gradient_norm"] or 0.0 for name, entry in parameters.items()}
    largest = max(norms.values())
    return {name: norm for name, norm in norms.items() if norm > ZERO * largest and not name.endswith(UNSEEN)}


def compare_gradients(
    recording: Recording, model: nn.Module, parameters: Mapping[str, Mapping[str, Any]], step: int
) -> None:
    """Norm of each parameter's gradient."""
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    for name, norm in seen(parameters, ("first", "second", "third")[step]).items():
        gradient = ours.get(name)
        value = float("inf") if gradient is None else gradient.double().norm().item()
        recording.compare(f"gradient norm {step} of {name}", value, norm, NORM)


def compare_parameters(recording: Recording, model: nn.Module) -> None:
    """What was stored of the trained model."""
    ours = model.state_dict()
    trained = seen({entry["name"]: entry for entry in recording.json("parameters.json")}, "third")
    for name, value in recording.arrays("final_parameters.npz").items():
        if name in trained:
            recording.compare_arrays(f"final {name}", ours[name].numpy(), value, SCORES)


def evaluate(
    recording: Recording, model: PixelPreTrainedModel, **options: Any
) -> tuple[list[Any], npt.NDArray[np.float64], Arrays]:
    """Outputs and losses of batches of 8, in order, and the inputs."""
    arrays = recording.arrays("eval_inputs.npz")
    masks = recording.arrays("eval_masks.npz") if (recording.folder / "eval_masks.npz").exists() else {}
    outputs, losses = [], []
    size = recording.settings["training"]["per_device_eval_batch_size"]
    count = len(arrays["attended"])
    for begin in range(0, count, size):
        rows = np.arange(begin, min(begin + size, count))
        batch = {**batch_of(recording, arrays, rows), **labels_of(arrays, rows)}
        if masks:
            batch |= masks_of(masks, rows)
        with torch.inference_mode():
            output = model(**batch, **options)
        outputs.append(output)
        if output.loss is not None:
            losses.append(output.loss.item())
    return outputs, np.array(losses), arrays


def compare_loss(
    recording: Recording, losses: npt.NDArray[np.float64], metrics: Mapping[str, float], count: int
) -> None:
    """The reported loss weights every batch as a full one and cuts to the number of examples."""
    size = recording.settings["training"]["per_device_eval_batch_size"]
    if "loss" in metrics:
        recording.compare("evaluation loss", float(np.repeat(losses, size)[:count].mean()), metrics["loss"], LOSS)


def evaluate_tagging(recording: Recording, model: PixelPreTrainedModel, directory: Path) -> None:
    """Scores and predictions at labelled patches; accuracy, or that of entities."""
    outputs, losses, arrays = evaluate(recording, model)
    recorded = recording.arrays("eval_outputs.npz")
    metrics = recording.json("eval.json")["metrics"]
    logits = torch.cat([output.logits for output in outputs]).numpy()
    logits = logits[recorded["example"], recorded["position"]]
    recording.compare_arrays("evaluation logits", logits, recorded["logits"], SCORES)
    predictions = logits.argmax(axis=-1)
    recording.same("predictions", predictions, recorded["prediction"])
    compare_loss(recording, losses, metrics, len(arrays["attended"]))
    accuracy = float(np.mean(predictions == recorded["label"]))
    scores = {"accuracy": accuracy, "accuracy_score": accuracy}
    if "f1" in metrics:
        names = recording.settings["labels"]

        def sentences(tags: npt.NDArray[Any]) -> list[list[str]]:
            return [
                [names[tag] for tag in tags[recorded["example"] == example]]
                for example in range(len(arrays["attended"]))
            ]

        scores |= span_scores(sentences(predictions), sentences(recorded["label"]))
    compare_metrics(recording, scores, metrics)


def evaluate_pretraining(recording: Recording, model: PixelPreTrainedModel, directory: Path) -> None:
    """Loss on fixed masks."""
    _, losses, arrays = evaluate(recording, model)
    recorded = recording.json("eval.json")
    recording.compare_arrays("evaluation loss of batches", losses, np.array(recorded["batch_loss"]), LOSS)
    compare_loss(recording, losses, recorded["metrics"], len(arrays["attended"]))


def evaluate_classification(recording: Recording, model: PixelPreTrainedModel, directory: Path) -> None:
    """Scores, predictions, and whichever metrics were recorded."""
    outputs, losses, arrays = evaluate(recording, model)
    recorded = recording.arrays("eval_outputs.npz")
    logits = torch.cat([output.logits for output in outputs]).numpy()
    recording.compare_arrays("evaluation logits", logits, recorded["logits"], SCORES)
    metrics = recording.json("eval.json")["metrics"]
    compare_loss(recording, losses, metrics, len(arrays["attended"]))
    regression = logits.shape[1] == 1
    predictions = logits[:, 0] if regression else logits.argmax(axis=-1)
    if not regression:
        recording.same("predictions", predictions, recorded["logits"].argmax(axis=-1))
    scores = classification_scores(predictions, arrays["labels"])
    compare_metrics(recording, scores, metrics)


def classification_scores(predictions: npt.NDArray[Any], labels: npt.NDArray[Any]) -> dict[str, float]:
    """All that the original reports of any classification task, under its names."""
    if predictions.dtype.kind == "f":
        scores = {"pearson": pearson(predictions, labels), "spearmanr": spearman(predictions, labels)}
        return {
            **scores,
            "mse": float(np.mean((predictions - labels) ** 2)),
            "combined_score": sum(scores.values()) / 2,
        }
    scores = {"accuracy": label_accuracy(predictions, labels)}
    if set(np.unique(labels)) <= {0, 1}:
        scores |= {"f1": f1(predictions, labels), "matthews_correlation": matthews_correlation(predictions, labels)}
        scores["combined_score"] = (scores["accuracy"] + scores["f1"]) / 2
    return scores


def compare_metrics(recording: Recording, ours: Mapping[str, float], recorded: Mapping[str, Any]) -> None:
    """Metrics by name; those that are not ours are not run."""
    for name, value in recorded.items():
        if name == "loss" or not isinstance(value, int | float):
            continue
        if name.lower() in ours:
            recording.compare(name, ours[name.lower()], value, METRIC if value < 1 else METRIC * 100)
        else:
            recording.not_run.append(f"metric {name}")


def evaluate_parsing(recording: Recording, model: PixelPreTrainedModel, directory: Path) -> None:
    """Scores of heads and relations, predictions, UAS and LAS."""
    outputs, losses, arrays = evaluate(recording, model)  # relations are scored at the true heads
    recorded = recording.arrays("eval_outputs.npz")
    metrics = recording.json("eval.json")["metrics"]
    compare_loss(recording, losses, metrics, len(arrays["attended"]))
    arcs = torch.cat([output.arc_logits for output in outputs]).numpy()  # (sentences, words, 1 + words)
    relations = torch.cat([output.rel_logits for output in outputs]).numpy()  # (sentences, words, labels)
    at = recorded["example"].astype(int), recorded["word"].astype(int)
    recording.compare_arrays("relation logits at the true head", relations[at], recorded["relation_logits"], SCORES)
    heads = arcs[at].argmax(axis=-1)
    recording.same("heads", heads, recorded["head_prediction"])
    recording.same("relations", relations[at].argmax(axis=-1), recorded["relation_prediction"])
    recording.compare_arrays(
        "arc logits at the true head",
        arcs[(*at, recorded["head"].astype(int))],
        recorded["arc_logits_at_gold_head"],
        SCORES,
    )
    recording.compare_arrays(
        "arc logits at the predicted head",
        arcs[(*at, recorded["head_prediction"].astype(int))],
        recorded["arc_logits_at_prediction"],
        SCORES,
    )
    counts = recorded["num_words_first_20"].astype(int)
    first = np.concatenate([arcs[i, :n, : n + 1].ravel() for i, n in enumerate(counts)])
    recording.compare_arrays(
        "arc logits of the first sentences", first, recorded["arc_logits_first_20"].ravel(), SCORES
    )
    right = heads == recorded["head"]
    both = right & (relations[at].argmax(axis=-1) == recorded["relation"])
    scale = 100.0 if max(value for value in metrics.values() if isinstance(value, int | float)) > 1 else 1.0
    scores = {"uas": scale * float(right.mean()), "las": scale * float(both.mean())}
    compare_metrics(recording, scores, metrics)


def evaluate_answers(recording: Recording, model: PixelPreTrainedModel, directory: Path) -> None:
    """Scores of first and last patches, then answers where the texts are at hand."""
    outputs, _, _ = evaluate(recording, model)
    recorded = recording.arrays("eval_outputs.npz")
    logits = {}
    for name in ("start_logits", "end_logits"):
        logits[name] = torch.cat([output[name] for output in outputs]).float().numpy()

        def centred(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return values - values.mean(axis=1, keepdims=True)

        recording.compare_arrays(f"evaluation {name}", centred(logits[name]), centred(recorded[name]), SCORES)
        recording.same(f"highest of {name}", logits[name].argmax(axis=1), recorded[name].argmax(axis=1))
    compare_answers(recording, logits, directory)


EVALUATIONS: dict[type[PixelPreTrainedModel], Callable[[Recording, PixelPreTrainedModel, Path], None]] = {
    PixelForBiaffineParsing: evaluate_parsing,
    PixelForPreTraining: evaluate_pretraining,
    PixelForQuestionAnswering: evaluate_answers,
    PixelForSequenceClassification: evaluate_classification,
    PixelForTokenClassification: evaluate_tagging,
}
