"""Pretraining: learn to fill in masked parts of rendered text (Rust et al., 2023, section 2.2).

From text files or data sets to a folder with `model.safetensors`, `config.json`, the renderer with its fonts,
a model card, `all_results.json`, `log_history.jsonl` and checkpoints. A run that was killed continues from its last whole checkpoint and
comes to the same weights, since strips, masks and their order depend on seed and position alone.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainingArguments

from pixel_lm.data.batch_span_masks import draw_span_masks
from pixel_lm.data.collators import Padding, PretrainingCollator
from pixel_lm.data.corpora import Corpus
from pixel_lm.data.mixtures import JoinedStrips, MixedStrips
from pixel_lm.data.prerendered import PREFIX, PrerenderedCorpus, build_prerendered
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import ScheduledStrips, ShuffledStrips, Strips, build_strips
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForPreTraining
from pixel_lm.models.flops import pretraining_flops
from pixel_lm.rendering import TextRenderer
from pixel_lm.training.arguments import FinetuneArguments, PretrainArguments, validate
from pixel_lm.training.checkpoints import RESULTS, prepare_output_dir, stored_results
from pixel_lm.training.hub import check_access, push
from pixel_lm.training.loading import check_length, dropout_settings, encoder_settings, load_model, load_renderer
from pixel_lm.training.model_card import CARD, write_model_card
from pixel_lm.training.reporting import (
    count_parameters,
    format_count,
    last_value,
    no_progress_bars,
    print_summary,
    write_json,
)
from pixel_lm.training.throughput import format_seconds
from pixel_lm.training.trainer import LOG_HISTORY, PixelTrainer, set_seed, train_or_resume, training_arguments

logger = logging.getLogger(__name__)

MakeCallback = Callable[[PixelForPreTraining, TextRenderer, ScheduledStrips], TrainerCallback]


def peak_learning_rate(arguments: PretrainArguments) -> float:
    """The base learning rate, scaled by the size of the batch.

    Raises:
        UserError: it is below the learning rate at the end.
    """
    peak = arguments.base_learning_rate * arguments.batch_size / 256
    if peak < arguments.min_learning_rate:
        raise UserError(
            f"the peak learning rate, base-learning-rate × batch-size / 256 = {peak:.3g}, is below min-learning-rate "
            f"{arguments.min_learning_rate:.3g}: raise the first or lower the last"
        )
    return peak


def schedule(arguments: PretrainArguments) -> dict[str, Any]:
    """Learning rate as transformers' settings: linear warm-up from 0, half a cosine from the peak to the floor."""
    return {
        "learning_rate": peak_learning_rate(arguments),
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr": arguments.min_learning_rate},
        "warmup_steps": math.ceil(arguments.warmup_ratio * arguments.steps),
        "max_steps": arguments.steps,
    }


def run_pretraining(arguments: PretrainArguments, callbacks: Sequence[MakeCallback] = ()) -> dict[str, Any]:
    """Pretrain a model, or continue a run that was interrupted.

    Args:
        arguments: all settings.
        callbacks: functions that make further callbacks of the Trainer from the model, its renderer and the strips.

    Returns:
        What is written to `all_results.json`: steps, losses, sizes, speed.

    Raises:
        UserError: something is missing or impossible; nothing was trained.
    """
    validate(arguments)
    results = stored_results(arguments)
    if arguments.push_to_hub and int(os.environ.get("RANK", "0")) == 0:
        check_access(arguments.push_to_hub)
        if results is not None:
            print(f"sent to {push(Path(arguments.output_dir), arguments.push_to_hub)}")
    if results is not None:
        return results
    settings = training_arguments(
        arguments,
        arguments.batch_size,
        **schedule(arguments),
        train_sampling_strategy="sequential",  # ShuffledStrips is in order of use
        save_steps=arguments.save_steps,
        eval_strategy="steps" if arguments.validation_text or arguments.validation_size else "no",
        label_names=["pixel_values"],  # so that evaluation computes the loss
        fsdp=arguments.fsdp or None,
    )
    settings.per_device_eval_batch_size = settings.per_device_train_batch_size
    if arguments.fsdp and settings.world_size == 1:
        raise UserError("fsdp divides the model among several processes, but this is one: start with torchrun")
    corpora = open_corpora(arguments, arguments.text, separate=bool(arguments.text_weights))
    validation_corpora = open_corpora(arguments, arguments.validation_text) if arguments.validation_text else None
    set_seed(arguments.seed)
    model = build_model(arguments)
    renderer = load_renderer(arguments)
    with settings.main_process_first(desc="preparing the output folder"):
        resume = prepare_output_dir(arguments)
    with settings.main_process_first(desc="cutting text into strips"):
        strips, validation = build_data(arguments, corpora, validation_corpora, renderer)
    output_dir = Path(arguments.output_dir)
    if settings.process_index == 0:
        renderer.save_pretrained(output_dir)

    trainer = PretrainingTrainer(
        model=model,
        args=settings,
        train_dataset=ShuffledStrips(strips, arguments.steps * arguments.batch_size, arguments.seed),
        eval_dataset=validation,
        data_collator=build_collator(arguments),
        callbacks=[make(model, renderer, strips) for make in callbacks],
        flops_per_sequence=pretraining_flops(model.config, arguments.max_seq_length),
    )
    if arguments.fsdp and not trainer.is_fsdp_enabled:
        raise UserError("fsdp needs a GPU for each process: leave it out on CPUs")
    train_or_resume(trainer, resume)
    if validation is not None and last_value(trainer.state.log_history, "eval_loss", trainer.state.global_step) is None:
        trainer.evaluate()
    results = collect_results(trainer, settings, strips, validation)
    weights = trainer.accelerator.get_state_dict(trainer.model)  # all processes have to ask, if it is divided
    if settings.process_index == 0:
        with no_progress_bars():
            model.save_pretrained(output_dir, state_dict=weights)
        write_json(output_dir / RESULTS, results)
        write_model_card(arguments, model.config, results)
        _print_summary(arguments, model.config, results)
        if arguments.push_to_hub:
            print(f"sent to {push(output_dir, arguments.push_to_hub)}")
    return results


def build_model(arguments: PretrainArguments) -> PixelForPreTraining:
    """The model that training starts with: from a checkpoint, or new."""
    settings = {
        **dropout_settings(arguments),
        "mask_ratio": arguments.mask_ratio,
        "norm_pix_loss": arguments.norm_pix_loss,
    }
    if arguments.model is not None:
        model = load_model(PixelForPreTraining, arguments.model, **settings)
        check_length(model.config, arguments.max_seq_length)
        return model
    patch = 16
    positions = arguments.max_positions or arguments.max_seq_length
    if positions < arguments.max_seq_length:
        raise UserError(f"max_positions {positions} is less than max_seq_length {arguments.max_seq_length}")
    config = PixelConfig(
        **encoder_settings(arguments),
        decoder_hidden_size=arguments.decoder_hidden_size,
        decoder_num_hidden_layers=arguments.decoder_num_hidden_layers,
        decoder_num_attention_heads=arguments.decoder_num_attention_heads,
        decoder_intermediate_size=arguments.decoder_intermediate_size,
        image_size=(patch, patch * positions),
        patch_size=patch,
        **settings,
    )
    return PixelForPreTraining(config)


def open_corpora(
    arguments: PretrainArguments, names: Sequence[str], separate: bool = False
) -> list[Corpus | PrerenderedCorpus]:
    """What the names stand for: texts as one corpus, or each as one of its own, and drawn strips.

    Raises:
        UserError: there is nothing of a name.
    """
    texts = [name for name in names if not name.startswith(PREFIX)]
    if not separate and len(texts) == len(names):
        return [Corpus(texts, arguments.text_field, arguments.on_bad_input)]
    corpora: list[Corpus | PrerenderedCorpus] = []
    for name in names:
        if name.startswith(PREFIX):
            corpora.append(PrerenderedCorpus(name, arguments.on_bad_input))
        elif separate:
            corpora.append(Corpus(name, arguments.text_field, arguments.on_bad_input))
    if texts and not separate:
        corpora.insert(0, Corpus(texts, arguments.text_field, arguments.on_bad_input))
    return corpora


def build_data(
    arguments: PretrainArguments,
    corpora: Sequence[Corpus | PrerenderedCorpus],
    validation_corpora: Sequence[Corpus | PrerenderedCorpus] | None,
    renderer: TextRenderer,
) -> tuple[Strips | MixedStrips, Strips | None]:
    """Strips to train on, and strips to evaluate on if that is wanted."""
    progress = sys.stderr.isatty()
    shortest = arguments.min_text_patches

    def strips_of(source: Corpus | PrerenderedCorpus) -> Strips:
        if isinstance(source, PrerenderedCorpus):
            source.check_renderer(renderer.fingerprint())
            return build_prerendered(source, arguments.max_seq_length, min_text_patches=shortest, progress=progress)
        return build_strips(source, renderer, packing=arguments.packing, min_text_patches=shortest, progress=progress)

    def joined(sources: Sequence[Corpus | PrerenderedCorpus]) -> Strips:
        parts = [strips_of(source) for source in sources]
        return parts[0] if len(parts) == 1 else JoinedStrips(parts)

    strips: Strips | MixedStrips
    if arguments.text_weights:
        strips = MixedStrips([strips_of(corpus) for corpus in corpora], arguments.text_weights)
    else:
        strips = joined(corpora)
    validation = None
    if validation_corpora is not None:
        validation = joined(validation_corpora)
    elif arguments.validation_size:
        size = arguments.validation_size
        strips, validation = strips.split_validation(size if size < 1 else int(size), arguments.seed)
    if validation is not None and len(validation) > arguments.max_eval_strips:
        count = arguments.max_eval_strips
        # Of several corpora, some of each.
        several = isinstance(validation, JoinedStrips)
        validation = validation.select(i * len(validation) // count if several else i for i in range(count))
    return strips, validation


def build_collator(arguments: PretrainArguments) -> PretrainingCollator:
    """Batches with masks."""
    masker = None
    if arguments.masking == "span":
        spacing = arguments.span_spacing
        masker = SpanMasker(
            arguments.mask_ratio,
            arguments.max_span_length,
            arguments.span_weights,
            "span" if spacing == "span" else int(spacing),
        )
    padding = Padding(length=arguments.max_seq_length if arguments.pad_to_max_length else None)
    return PretrainingCollator(masker, arguments.seed, padding, keys_only=arguments.draw_masks == "device")


class PretrainingTrainer(PixelTrainer):
    """Draws the masks of a batch where the batch is, if the data loader left that to it."""

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs = super()._prepare_inputs(inputs)
        keys: torch.Tensor | None = inputs.pop("mask_keys", None)
        if keys is not None:
            attended = inputs["attention_mask"].sum(1)
            masker, length = self.data_collator.masker, inputs["pixel_values"].shape[1]
            inputs["patch_mask"] = draw_span_masks(masker, length, attended, keys)
        return inputs


def collect_results(
    trainer: PixelTrainer, settings: TrainingArguments, strips: Strips | MixedStrips, validation: Strips | None
) -> dict[str, Any]:
    """Figures of a finished run."""
    history = trainer.state.log_history
    batch = settings.train_batch_size * settings.gradient_accumulation_steps * settings.world_size
    return {
        "steps": trainer.state.global_step,
        "train_loss": last_value(history, "loss"),
        "eval_loss": last_value(history, "eval_loss"),
        "num_parameters": count_parameters(trainer.model),
        "num_strips": len(strips.joined) if isinstance(strips, MixedStrips) else len(strips),
        "num_eval_strips": len(validation) if validation is not None else 0,
        "passes": trainer.state.global_step * batch / len(strips),
        **{f"text_{name}": value for name, value in strips.statistics.items()},
        "sequences_per_second": last_value(history, "sequences_per_second"),
        "patches_per_second": last_value(history, "patches_per_second"),
        "seconds": last_value(history, "elapsed_seconds"),
    }


def _print_summary(arguments: PretrainArguments, config: PixelConfig, results: dict[str, Any]) -> None:
    eval_loss = results["eval_loss"]
    length = config.max_num_patches
    known = results.get("text_characters")  # not of strips that were drawn before
    characters = "" if known is None else f"{format_count(known)} characters in "
    shorter = f" --max-seq-length {length}" if length < FinetuneArguments.max_seq_length else ""
    print_summary(
        "Pretraining is finished.",
        [
            (
                "model",
                f"{format_count(results['num_parameters'])} parameters; encoder {config.num_hidden_layers} layers of "
                f"{config.hidden_size}, decoder {config.decoder_num_hidden_layers} of {config.decoder_hidden_size}",
            ),
            (
                "text",
                f"{characters}{format_count(results['num_strips'])} strips "
                f"of up to {arguments.max_seq_length} patches, seen {results['passes']:.2f} times",
            ),
            (
                "training",
                f"{results['steps']} steps of {arguments.batch_size} strips, seed {arguments.seed}, peak learning rate "
                f"{peak_learning_rate(arguments):.3g}, {arguments.precision}",
            ),
            (
                "speed",
                f"{results['sequences_per_second']:.1f} strips/s, {results['patches_per_second']:.0f} patches/s, "
                f"{format_seconds(results['seconds'])} since the start",
            ),
            ("training loss", f"{results['train_loss']:.4f}"),
            ("evaluation loss", "" if eval_loss is None else f"{eval_loss:.4f} on {results['num_eval_strips']} strips"),
            ("written to", f"{arguments.output_dir}: model, renderer, {CARD}, {RESULTS}, {LOG_HISTORY}, checkpoints"),
            (
                "next",
                f"pixel-lm finetune pos --model {arguments.output_dir} --data TREEBANK --output-dir FOLDER{shorter}",
            ),
        ],
    )
