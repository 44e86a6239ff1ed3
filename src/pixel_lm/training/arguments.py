"""The settings of the two jobs, each explained once.

`PretrainArguments` and `FinetuneArguments` are frozen dataclasses. The explanation of a setting lives in its field's
metadata, and from it come the command line and the checks on recipes (`options.py`) and the record that a run leaves in its folder
(`to_dict`). Defaults are the settings of the published model (Rust et al., ICLR 2023), so that a recipe
holds only what differs.

This module imports nothing heavy: the command line reads it to print its help.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pixel_lm.errors import UserError
from pixel_lm.training.options import setting, shown


@dataclass(frozen=True, kw_only=True)
class OutputArguments:
    """output and log"""

    output_dir: str = setting(
        "", "folder for the model, the renderer, metrics and checkpoints (required)", metavar="FOLDER"
    )
    overwrite: bool = setting(
        False,
        "start anew in output-dir; without it, a run that was interrupted there continues from its last checkpoint",
    )
    logging_steps: int = setting(100, "steps between two lines of the log")
    eval_steps: int = setting(500, "steps between two evaluations")
    keep_checkpoints: int = setting(2, "newest checkpoints to keep; older ones are deleted")
    report_to: tuple[str, ...] = setting((), "experiment trackers, such as tensorboard or wandb", metavar="TRACKER")


@dataclass(frozen=True, kw_only=True)
class ComputationArguments:
    """computation"""

    precision: Literal["fp32", "bf16", "fp16"] = setting(
        "fp32", "number format of the computation; bf16 needs a recent GPU, fp16 any CUDA GPU"
    )
    torch_compile: bool = setting(False, "compile the model with torch.compile")
    cpu: bool = setting(False, "compute on the CPU even if there is a GPU")
    num_workers: int = setting(0, "processes that render text; 0 renders in the main process")


@dataclass(frozen=True, kw_only=True)
class OptimisationArguments:
    """optimisation"""

    seed: int = setting(42, "seed of every random choice: weights, order of the data, masks, dropout")
    gradient_accumulation_steps: int = setting(1, "parts that a batch is computed in, to save memory")
    weight_decay: float = setting(0.0, "decay of all weights except biases and layer norms")
    max_grad_norm: float = setting(1.0, "gradients are scaled down to this norm when they exceed it")
    dropout: float = setting(0.1, "dropout on hidden states and attention probabilities")


@dataclass(frozen=True, kw_only=True)
class RenderingArguments:
    """rendering"""

    renderer: str | None = setting(
        None, "folder or hub name of a saved renderer; by default that of --model, else a new one", metavar="FOLDER"
    )
    font: str | None = setting(None, "font file of a new renderer; by default one that is installed", metavar="FILE")
    max_seq_length: int = setting(529, "patches per strip")
    strategy: Literal["continuous", "words", "bigrams", "mono"] | None = setting(
        None,
        "draw running text in one line, each word from a new patch on, two characters to a patch, or in a monospaced font; by "
        "default as the renderer does",
    )


@dataclass(frozen=True, kw_only=True)
class EncoderArguments:
    """size of a new encoder, unless a checkpoint gives it"""

    hidden_size: int = setting(768, "width of the encoder")
    num_hidden_layers: int = setting(12, "number of encoder layers")
    num_attention_heads: int = setting(12, "attention heads per encoder layer")
    intermediate_size: int = setting(3072, "width of the encoder's feed-forward layers")
    pixel_mean: float = setting(0.0, "value of pixels (ink 0, paper 1) that a new model takes as 0")
    pixel_std: float = setting(1.0, "values of pixels are divided by this in a new model")
    position_code: Literal["grid", "line"] = setting(
        "grid", "fixed positions of a new model: on a square grid, as published, or in the line of patches"
    )
    linear_initializer: Literal["normal", "xavier"] = setting(
        "normal", "new linear weights: normal of standard deviation 0.02, as published, or Xavier-uniform"
    )


@dataclass(frozen=True, kw_only=True)
class DecoderArguments:
    """size of a new decoder, unless a checkpoint gives it"""

    decoder_hidden_size: int = setting(512, "width of the decoder")
    decoder_num_hidden_layers: int = setting(8, "number of decoder layers")
    decoder_num_attention_heads: int = setting(16, "attention heads per decoder layer")
    decoder_intermediate_size: int = setting(2048, "width of the decoder's feed-forward layers")


@dataclass(frozen=True, kw_only=True)
class TextArguments:
    """text"""

    text: tuple[str, ...] = setting(
        (),
        "what to train on: .txt, .jsonl or .parquet files (also .gz, .bz2, .xz, .zst), folders of them, patterns, or data "
        "sets of the `datasets` library as NAME[:CONFIG[:SPLIT]], addresses such as s3://bucket/folder, or drawn strips as "
        "prerendered:SOURCE",
        metavar="SOURCE",
    )
    text_weights: tuple[float, ...] = setting(
        (),
        "how often each --text is drawn from, in proportion to the others, in their order; by default all text is read once "
        "per epoch",
    )
    on_bad_input: Literal["stop", "skip"] = setting(
        "stop", "stop at lines, rows and files of text that cannot be read, or leave them out and count them"
    )
    text_field: str | None = setting(
        None, "field of .jsonl, .parquet and data sets with the text, if not text or sentences", metavar="NAME"
    )
    validation_text: tuple[str, ...] = setting((), "what to evaluate on, as for --text", metavar="SOURCE")
    validation_size: float = setting(
        0.0, "strips of the training text to set aside for evaluation: a number, or below 1 a part; 0 for none"
    )
    max_eval_strips: int = setting(1000, "strips that are evaluated on at most")
    packing: Literal["full", "document"] = setting(
        "full", "where strips end: where they are full, or also at the end of each document"
    )
    min_text_patches: int = setting(0, "leave out strips with fewer patches of text")
    pad_to_max_length: bool = setting(False, "pad all batches to max-seq-length, not to their longest strip")


@dataclass(frozen=True, kw_only=True)
class MaskingArguments:
    """masking"""

    masking: Literal["span", "random"] = setting("span", "mask runs of neighbouring patches, or single ones at random")
    mask_ratio: float = setting(0.25, "part of the patches that is masked")
    max_span_length: int = setting(6, "longest masked span in patches")
    span_weights: tuple[float, ...] = setting(
        (0.2, 0.4, 0.6, 0.8, 0.9, 1.0), "cumulative probabilities of the span lengths 1, 2, … max-span-length"
    )
    span_spacing: str = setting(
        "span",
        "free patches on both sides of a new span: a number, or `span` for as many as the span is long",
        metavar="span|INTEGER",
    )
    draw_masks: Literal["workers", "device"] = setting(
        "workers",
        "draw masks of spans one by one while data are loaded, as published, or a batch at a time on the device",
    )
    norm_pix_loss: bool = setting(True, "predict patches normalised to zero mean and unit variance")


@dataclass(frozen=True, kw_only=True)
class JobArguments(OutputArguments, ComputationArguments, OptimisationArguments, EncoderArguments, RenderingArguments):
    """What both jobs share."""

    model: str | None = setting(None, "folder or hub name of a model to start from", metavar="FOLDER")
    steps: int = setting(0, "number of updates")
    batch_size: int = setting(0, "sequences per update, over all devices and accumulation steps")


@dataclass(frozen=True, kw_only=True)
class PretrainArguments(JobArguments, MaskingArguments, DecoderArguments, TextArguments):
    """Settings of `pixel-lm pretrain`. The defaults are those of the published base model."""

    model: str | None = setting(None, "checkpoint to start from, in place of random weights", metavar="FOLDER")
    steps: int = setting(1_000_000, "number of updates")
    batch_size: int = setting(256, "strips per update, over all devices and accumulation steps")
    max_positions: int | None = setting(
        None, "patches that the position tables of a new model have room for; by default max-seq-length"
    )
    base_learning_rate: float = setting(1.5e-4, "peak learning rate for a batch of 256; scaled by batch-size / 256")
    min_learning_rate: float = setting(1e-5, "learning rate at the end of the cosine")
    warmup_ratio: float = setting(0.05, "part of the steps in which the learning rate rises from 0 to its peak")
    weight_decay: float = setting(0.05, "decay of all weights except biases and layer norms")
    logging_steps: int = setting(1000, "steps between two lines of the log")
    eval_steps: int = setting(5000, "steps between two evaluations")
    save_steps: int = setting(10_000, "steps between two checkpoints")
    picture_steps: int = setting(0, "steps between two pictures of a reconstruction in output-dir; 0 for none")
    push_to_hub: str | None = setting(
        None,
        "send the model to this repository of the Hugging Face hub when it is trained; a new one is private",
        metavar="NAME",
    )
    fsdp: bool = setting(
        False,
        "divide weights, gradients and moments among the GPUs (FSDP2), for models that are too large for one of them",
    )


MOST_SEEDS = 100
"""More runs in one command are taken for a mistake."""


@dataclass(frozen=True, kw_only=True)
class AnnotatedDataArguments:
    """data"""

    data: str | None = setting(
        None,
        "folder with the files of the splits (of a treebank *-ud-{train,dev,test}.conllu), or its name below --data-dir; the name of a "
        "data set of `pixel-lm data list`; or hub:NAME[:CONFIG] of the `datasets` library",
        metavar="FOLDER|NAME",
    )
    data_dir: str = setting(".", "folder that data given by name are looked for in", metavar="FOLDER")
    train_file: str | None = setting(None, "training file, if not the one in --data", metavar="FILE")
    validation_file: str | None = setting(
        None, "file that the best checkpoint is chosen on, if not the one in --data", metavar="FILE"
    )
    test_file: str | None = setting(None, "test file, if not the one in --data", metavar="FILE")
    max_train_examples: int | None = setting(None, "use only the first examples of the training file")
    max_eval_examples: int | None = setting(None, "use only the first examples of the validation and the test file")


@dataclass(frozen=True, kw_only=True)
class TaskArguments:
    """task"""

    labels_file: str | None = setting(
        None, "ner, classification: file with one label per line, in the order of the model's numbers", metavar="FILE"
    )
    glue_task: str | None = setting(None, "glue: which task, such as cola", metavar="NAME")
    language: str | None = setting(
        None, "nli: of files with several languages, the one that is wanted, or all", metavar="CODE"
    )
    text_columns: tuple[str, ...] = setting(("text",), "classification: one column of texts or two", metavar="COLUMN")
    label_column: str = setting("label", "classification: column of labels", metavar="COLUMN")
    regression: bool = setting(False, "classification: labels are numbers to be predicted as such")
    decoding: Literal["greedy", "tree"] = setting(
        "greedy", "parsing: the best head of each word, as published, or the best tree"
    )
    stride: int = setting(160, "qa: patches of the text that a window repeats from the one before")
    question_max_length: int | None = setting(128, "qa: patches that the question may take")
    answer_rule: Literal["squad", "tydiqa", "korquad", "jaquad"] = setting(
        "squad", "qa: how answers are compared; tydiqa also scores each language"
    )
    n_best: int = setting(20, "qa: candidates per question")
    max_answer_patches: int = setting(30, "qa: longest answer in patches")
    null_threshold: float = setting(0.0, "qa: how much better `no answer` must score than the best answer")


@dataclass(frozen=True, kw_only=True)
class FinetuneArguments(JobArguments, TaskArguments, AnnotatedDataArguments):
    """Settings of `pixel-lm finetune`. The defaults are those of the published part-of-speech models."""

    task: str = setting("pos", "what the model learns", positional=True)
    recipe: str | None = setting(None, "name of the recipe; tables of results are arranged by it", positional=True)
    model: str | None = setting(
        None, "folder or hub name of a pretrained model; its renderer is used too", metavar="FOLDER"
    )
    pooling_mode: str | None = setting(
        None, "glue, nli, classification: cls, mean, max or pmaN; by default the model's, or mean", metavar="MODE"
    )
    published_scores: Mapping[str, float] | None = setting(
        None,
        "scores in percent to compare with, by their names in the results; shown beside them and not used otherwise",
    )
    from_scratch: bool = setting(
        False, "start from random weights: in the shape of --model if given, else of the sizes above"
    )
    max_seq_length: int = setting(256, "patches per example; words that do not fit are cut off and counted")
    steps: int = setting(15_000, "largest number of updates")
    batch_size: int = setting(64, "examples per update, over all devices and accumulation steps")
    eval_batch_size: int = setting(64, "examples per batch in evaluation, on each device")
    learning_rate: float = setting(5e-5, "peak learning rate; decays linearly to 0")
    warmup_steps: int = setting(100, "updates in which the learning rate rises from 0 to its peak")
    early_stopping_patience: int = setting(
        5, "stop after this many evaluations without improvement; 0 trains to the end"
    )
    seeds: tuple[int, ...] = setting(
        (),
        "train several times, and report mean and standard deviation: one number says how often, from --seed upwards; several are the "
        "seeds themselves",
    )
    keep_checkpoints: int = setting(1, "newest checkpoints to keep, besides the best one")
    save_predictions: bool = setting(False, "also write the validation and test files as the model tags them")


def to_dict(arguments: JobArguments) -> dict[str, Any]:
    """The settings as plain values (tuples as lists), as they are written to YAML or JSON."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(arguments).items()
    }


def validate(arguments: JobArguments) -> None:
    """Check what can be checked without touching data or model. Raises UserError that names the setting."""

    def fail(name: str, problem: str) -> typing.NoReturn:
        raise UserError(f"{name.replace('_', '-')} is {shown(getattr(arguments, name))}, {problem}")

    if not arguments.output_dir:
        raise UserError("no output folder: give --output-dir FOLDER")
    positive = [
        "steps", "batch_size", "gradient_accumulation_steps", "logging_steps", "eval_steps", "keep_checkpoints",
        "max_seq_length", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    ]  # fmt: skip
    if isinstance(arguments, PretrainArguments):
        positive += [
            "save_steps", "max_eval_strips", "max_span_length", "decoder_hidden_size", "decoder_num_hidden_layers",
            "decoder_num_attention_heads", "decoder_intermediate_size", "base_learning_rate",
        ]  # fmt: skip
    elif isinstance(arguments, FinetuneArguments):
        positive += ["eval_batch_size", "learning_rate", "n_best", "max_answer_patches"]
    not_negative = ["num_workers", "weight_decay", "max_grad_norm"]
    if isinstance(arguments, PretrainArguments):
        not_negative += ["min_learning_rate", "min_text_patches", "picture_steps"]
    elif isinstance(arguments, FinetuneArguments):
        not_negative += ["warmup_steps", "early_stopping_patience", "stride"]
        positive += [
            name for name in ("max_train_examples", "max_eval_examples") if getattr(arguments, name) is not None
        ]
        if len(arguments.seeds) == 1 and not 1 <= arguments.seeds[0] <= MOST_SEEDS:
            fail(
                "seeds",
                f"but a single number says how often to train, 1 to {MOST_SEEDS} times: a seed is given by --seed",
            )
    for name in positive:
        if getattr(arguments, name) <= 0:
            fail(name, "but must be greater than 0")
    for name in not_negative:
        if getattr(arguments, name) < 0:
            fail(name, "but must not be negative")
    if not 0 <= arguments.dropout < 1:
        fail("dropout", "but must be at least 0 and less than 1")
    heads = [("hidden_size", "num_attention_heads")]
    if isinstance(arguments, PretrainArguments):
        heads.append(("decoder_hidden_size", "decoder_num_attention_heads"))
        if not 0 < arguments.mask_ratio < 1:
            fail("mask_ratio", "but must lie between 0 and 1")
        if not 0 <= arguments.warmup_ratio < 1:
            fail("warmup_ratio", "but must be at least 0 and less than 1")
        weights = arguments.span_weights
        if len(weights) != arguments.max_span_length or sorted(weights) != list(weights) or weights[-1:] != (1.0,):
            fail(
                "span_weights",
                f"but must be {arguments.max_span_length} ascending numbers (max-span-length), the last of them 1",
            )
        if arguments.validation_size < 0 or (arguments.validation_size > 1 and arguments.validation_size % 1):
            fail("validation_size", "but must be a number of strips, or a part below 1")
        if arguments.text_weights:
            if len(arguments.text_weights) != len(arguments.text):
                fail("text_weights", f"but there are {len(arguments.text)} --text: give one number for each")
            if not all(0 < weight < float("inf") for weight in arguments.text_weights):
                fail("text_weights", "but each must be greater than 0")
        if arguments.span_spacing != "span" and not arguments.span_spacing.isdecimal():
            fail("span_spacing", "but must be `span` or a whole number")
    for width, count in heads:
        if getattr(arguments, width) % getattr(arguments, count):
            fail(width, f"but must be a multiple of {count.replace('_', '-')} ({getattr(arguments, count)})")
        if getattr(arguments, width) % 4:
            fail(width, "but must be a multiple of 4")  # two axes of the position table, each with sine and cosine
