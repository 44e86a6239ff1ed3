"""Compare our models with recorded outputs, losses, gradients and short trainings of the original ones.

Every comparison is a check: the largest absolute difference, divided by the scale of what was recorded. What has no
implementation here counts as not run, never as passed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers.utils.logging import disable_progress_bar

from pixel_lm.models import (
    PixelConfig,
    PixelForBiaffineParsing,
    PixelForPreTraining,
    PixelForQuestionAnswering,
    PixelForSequenceClassification,
    PixelForTokenClassification,
    PixelPreTrainedModel,
)

TOLERANCE = 1e-5
HEADS: dict[str, type[PixelPreTrainedModel]] = {
    "biaffine_parsing": PixelForBiaffineParsing,
    "question_answering": PixelForQuestionAnswering,
    "sequence_classification": PixelForSequenceClassification,
    "token_classification": PixelForTokenClassification,
}
# The softmax does not see a bias that all keys share: its gradient is rounding noise.
NOISE = "attention.attention.key.bias"
# Gradients this much smaller than the largest are zero but for rounding: such are those of biases that shift all scores alike.
ZERO = 1e-6


class Report:
    """Collects checks and prints one line for each recording."""

    def __init__(self) -> None:
        self.checks = self.failed = self.not_run = 0
        self.largest = 0.0
        self.numbers: dict[str, float] = {}

    def recording(self, name: str, differences: Mapping[str, float]) -> None:
        """Note the relative differences of one recording."""
        failed = {key: value for key, value in differences.items() if not value <= TOLERANCE}  # NaN fails
        worst = max(differences, key=lambda key: (not np.isfinite(differences[key]), differences[key]))
        self.checks += len(differences)
        self.failed += len(failed)
        self.largest = max(self.largest, *(float("inf") if value != value else value for value in differences.values()))
        self.numbers[name] = differences[worst]
        print(f"{name:68} {len(differences):4} checks  largest {differences[worst]:.1e} ({worst})")
        for key, value in failed.items():
            print(f"    FAILED {key}: {value:.3e} > {TOLERANCE:.0e}")

    def skipped(self, name: str, checks: int, reason: str) -> None:
        """Note a recording that cannot be compared."""
        self.not_run += checks
        print(f"{name:68} {checks:4} not run: {reason}")


def run(directory: Path, json_path: Path | None) -> int:
    """Compare all recordings below `directory`; the exit status is 1 if a check failed."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    torch.set_num_threads(1)
    report = Report()
    recordings = sorted(directory.glob("**/outputs*.npz"))
    if not recordings:
        raise FileNotFoundError(f"{directory} holds no recordings (outputs*.npz)")
    for path in recordings:
        name = str(path.relative_to(directory).with_suffix(""))
        recorded = dict(np.load(path))
        notes = json.loads(path.with_suffix(".json").read_text())
        checks = len([key for key in recorded if not is_input(key)])
        checks += len([name for name in notes.get("grad_norms", ()) if not name.endswith(NOISE)])
        folder = path.parent
        if folder.name == "pretraining":
            compare_pretraining(report, name, directory, folder, recorded, notes)
        elif head := next((head for head in HEADS if folder.name.startswith(head)), None):
            compare_head(report, name, directory, folder, HEADS[head], recorded, notes)
        else:
            report.skipped(name, checks, "this head is not implemented")
    for path in sorted(directory.glob("**/trajectory.json")):
        compare_trajectory(report, str(path.relative_to(directory).with_suffix("")), directory, path)
    numbers = {
        "checks": report.checks,
        "failed": report.failed,
        "not_run": report.not_run,
        "largest": report.largest,
        **report.numbers,
    }
    if json_path:
        json_path.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(f"{report.checks} checks, {report.failed} failed, {report.not_run} not run, largest {report.largest:.1e}")
    return 1 if report.failed else 0


def difference(ours: torch.Tensor, recorded: npt.NDArray[Any]) -> float:
    """Largest absolute difference relative to the largest recorded value; infinite if the shapes differ."""
    if tuple(ours.shape) != recorded.shape:
        return float("inf")
    expected = torch.from_numpy(recorded).double()
    scale = expected.abs().max().clamp(min=1e-12)
    return ((ours.detach().double() - expected).abs().max() / scale).item()


def is_input(key: str) -> bool:
    """Whether a stored array was given to the model, not computed by it."""
    return key in ("uniform_noise", "patch_mask") or key.startswith("label:")


def compare_outputs(
    report: Report,
    name: str,
    ours: Mapping[str, torch.Tensor],
    recorded: Mapping[str, npt.NDArray[Any]],
    gradient_differences: Mapping[str, float],
) -> None:
    """Compare every recorded array; one that we do not know counts as not run."""
    outputs = {key: value for key, value in recorded.items() if not is_input(key) and not key.startswith("grad:")}
    unknown = sorted(set(outputs) - set(ours))
    if unknown:
        report.skipped(name, len(unknown), f"recorded, but not known here: {', '.join(unknown)}")
    differences = {key: difference(ours[key], value) for key, value in outputs.items() if key in ours}
    report.recording(name, {**differences, **gradient_differences})


def inputs(directory: Path, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (batch, 3, 16, 16 · length) in 0…1 and attention masks (batch, length)."""
    stored = np.load(directory / f"inputs_L{length}.npz")
    images = torch.from_numpy(stored["image_uint8"]).permute(0, 3, 1, 2) / 255
    return images, torch.from_numpy(stored["attention_mask"])


def gradients(
    model: nn.Module, loss: torch.Tensor, recorded: Mapping[str, Any], notes: Mapping[str, Any]
) -> dict[str, float]:
    """Compare norms of all gradients, and those that were recorded whole"""
    model.zero_grad()
    loss.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    norms = notes.get("grad_norms", {})
    differences = {}
    largest = max(norms.values(), default=0.0)
    for name, norm in norms.items():
        if name.endswith(NOISE):
            continue
        ours = found[name].double().norm().item() if name in found else float("inf")
        scale = norm if max(ours, norm) > ZERO * largest else largest
        differences[f"grad norm {name}"] = abs(ours - norm) / scale if scale else abs(ours)
    for key, value in recorded.items():
        if key.startswith("grad:"):
            name = key.removeprefix("grad:")
            differences[f"grad {name}"] = difference(found[name], value) if name in found else float("inf")
    missing = set(found) ^ set(norms) if norms else set()
    for name in missing:  # a gradient where there should be none, or the other way round
        differences[f"grad norm {name}"] = float("inf")
    return differences


def compare_pretraining(
    report: Report, name: str, directory: Path, folder: Path, recorded: dict[str, Any], notes: dict[str, Any]
) -> None:
    """Outputs, loss and gradients of the pretraining model, with the recorded mask and noise."""
    model = PixelForPreTraining.from_pretrained(folder, norm_pix_loss="no_norm_pix" not in name).eval()
    length = recorded["mask"].shape[1]
    images, attention_mask = inputs(directory, length)
    patch_mask = torch.from_numpy(recorded["patch_mask"]) if "patch_mask" in recorded else None
    noise = torch.from_numpy(recorded["uniform_noise"])

    def forward(**options: bool) -> Any:
        return model(images, attention_mask, patch_mask, noise, **options)

    outputs = forward(output_hidden_states=True)
    ours: dict[str, torch.Tensor] = {
        "loss": outputs.loss,
        "mask": outputs.mask,
        "ids_restore": outputs.ids_restore,
        "logits": outputs.logits,
        "logits_sample1": outputs.logits[1],
        "encoder_last_hidden_state": model.vit.layernorm(outputs.hidden_states[-1]),
        **{f"encoder_hidden_state_{i}": state for i, state in enumerate(outputs.hidden_states)},
    }
    if "attention_layer0_sample0" in recorded:
        probabilities = forward(output_attentions=True).attentions[0][0]
        ours["attention_layer0_sample0"] = match_heads(probabilities, recorded["attention_layer0_sample0"])
    compare_outputs(report, name, ours, recorded, gradients(model, outputs.loss, recorded, notes))


def match_heads(probabilities: torch.Tensor, recorded: npt.NDArray[Any]) -> torch.Tensor:
    """Attention was recorded for all heads or for their mean."""
    return probabilities if probabilities.dim() == recorded.ndim else probabilities.mean(dim=0)


def compare_head(
    report: Report,
    name: str,
    directory: Path,
    folder: Path,
    model_class: type[PixelPreTrainedModel],
    recorded: dict[str, Any],
    notes: dict[str, Any],
) -> None:
    """Outputs, loss and gradients of a fine-tuning head."""
    length = recorded["encoder_last_hidden_state"].shape[1] - 1
    # The published configuration does not hold what sequence classification needs to know.
    settings: dict[str, Any] = {}
    if "pooling_mode" in notes:
        settings = {"pooling_mode": notes["pooling_mode"], "pooling_layer_norm": notes["add_layer_norm"]}
    if (folder / "config.json").exists():
        model = model_class.from_pretrained(folder, **settings).eval()
    else:  # a pretraining checkpoint was loaded into the head; the new weights were stored
        if model_class is PixelForSequenceClassification and not settings:
            settings = {"pooling_mode": "mean"}
        new = dict(np.load(folder / "newly_initialised_weights.npz"))
        labels = len(new["classifier.bias"])
        model = model_class.from_pretrained(directory / "pretraining", num_labels=labels, **settings).eval()
        parameters = dict(model.named_parameters())
        for key, value in new.items():
            parameters[key].data = torch.from_numpy(value)
        if notes["interpolate_pos_encoding"]:
            model.extend_positions(length, "interpolate")
    images, attention_mask = inputs(directory, length)
    given = {
        key.removeprefix("label:"): torch.from_numpy(value)
        for key, value in recorded.items()
        if key.startswith("label:")
    }
    options = {"output_all_relations": True} if model_class is PixelForBiaffineParsing else {}
    outputs = model(images, attention_mask, **given, **options, output_hidden_states=True)
    ours: dict[str, torch.Tensor] = {
        **{key: value for key, value in outputs.items() if isinstance(value, torch.Tensor)},
        "encoder_last_hidden_state": model.vit.layernorm(outputs.hidden_states[-1]),
        **{f"hidden_state_{i}": state for i, state in enumerate(outputs.hidden_states)},
    }
    if "attention_layer0_sample0" in recorded:
        probabilities = model(images, attention_mask, output_attentions=True).attentions[0][0]
        ours["attention_layer0_sample0"] = match_heads(probabilities, recorded["attention_layer0_sample0"])
    compare_outputs(report, name, ours, recorded, gradients(model, outputs.loss, recorded, notes))


def compare_trajectory(report: Report, name: str, directory: Path, path: Path) -> None:
    """Replay a short pretraining: losses and gradient norms, step by step."""
    trajectory = json.loads(path.read_text())
    span = np.load(path.parent / "outputs_span.npz")
    config = PixelConfig.from_pretrained(path.parent, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = PixelForPreTraining.from_pretrained(path.parent, config=config).train()
    images, attention_mask = inputs(directory, span["mask"].shape[1])
    patch_mask = torch.from_numpy(span["patch_mask"])
    decayed = set(trajectory["decay_parameters"])
    optimizer = PublishedAdamW(model, decayed, trajectory["betas"], trajectory["eps"], trajectory["weight_decay"])
    differences: dict[str, float] = {}
    for step in trajectory["steps"]:
        torch.manual_seed(step["torch_seed_before_forward"])
        loss = model(images, attention_mask, patch_mask).loss
        model.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), trajectory["max_grad_norm"])
        optimizer.step(step["lr"])
        differences[f"loss {step['step']}"] = abs(loss.item() - step["loss"]) / abs(step["loss"])
        differences[f"grad norm {step['step']}"] = (
            abs(norm.item() - step["grad_norm_before_clip"]) / step["grad_norm_before_clip"]
        )
    report.recording(name, differences)


class PublishedAdamW:
    """The AdamW of transformers 4.17, with which the published models were trained.

    It differs from torch's: eps is added before the bias correction, and decay follows the update.
    """

    def __init__(
        self, model: nn.Module, decayed: set[str], betas: list[float], eps: float, weight_decay: float
    ) -> None:
        self.parameters = dict(model.named_parameters())
        self.decayed = decayed
        self.beta1, self.beta2 = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.steps = 0
        self.first = {name: torch.zeros_like(parameter) for name, parameter in self.parameters.items()}
        self.second = {name: torch.zeros_like(parameter) for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update all parameters that have a gradient."""
        self.steps += 1
        size = learning_rate * (1 - self.beta2**self.steps) ** 0.5 / (1 - self.beta1**self.steps)
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            first = self.first[name].mul_(self.beta1).add_(parameter.grad, alpha=1 - self.beta1)
            second = self.second[name].mul_(self.beta2).addcmul_(parameter.grad, parameter.grad, value=1 - self.beta2)
            parameter.addcdiv_(first, second.sqrt().add_(self.eps), value=-size)
            if name in self.decayed:
                parameter.mul_(1 - learning_rate * self.weight_decay)
