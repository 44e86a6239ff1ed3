"""Fine-tuning: train a pretrained model for a task (Rust et al., 2023, section 3).

Evaluates every `eval_steps`, keeps the checkpoint with the best validation score, stops early, and scores the best one on
validation and test data, beside a baseline. With several seeds, once for each, and mean and deviation over them. Writes the
model, its renderer, `{train,eval,test,all}_results.json`, `log_history.jsonl` and, on request, tagged files.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, EvalPrediction, TrainerCallback

from pixel_lm.data.collators import TaggingCollator
from pixel_lm.data.conllu import Sentence, Split
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForTokenClassification
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import get_task
from pixel_lm.tasks.baselines import MostFrequentTag
from pixel_lm.tasks.metrics import accuracy, mean_and_deviation, tagging_scores
from pixel_lm.tasks.tagging import TaggingDataset, TaggingTask, tag
from pixel_lm.training.arguments import FinetuneArguments, validate
from pixel_lm.training.checkpoints import RESULTS, prepare_output_dir, stored_results
from pixel_lm.training.loading import (
    check_length,
    dropout_settings,
    encoder_settings,
    load_config,
    load_model,
    load_renderer,
)
from pixel_lm.training.reporting import (
    count_parameters,
    format_count,
    last_value,
    no_progress_bars,
    print_summary,
    write_json,
)
from pixel_lm.training.throughput import format_seconds
from pixel_lm.training.trainer import PixelTrainer, set_seed, train_or_resume, training_arguments

logger = logging.getLogger(__name__)

SPLITS: dict[Split, str] = {"train": "train_file", "dev": "validation_file", "test": "test_file"}


def find_data(data: str | None, data_dir: str) -> Path | None:
    """The folder of a treebank that is given as a path or by its name below `data_dir`.

    Raises:
        UserError: there is no such folder.
    """
    if data is None:
        return None
    for folder in (Path(data), Path(data_dir) / data):
        if folder.is_dir():
            return folder
    raise UserError(
        f"no folder {data}, neither here nor in {Path(data_dir).resolve()}: give the folder that holds it as --data-dir"
        + (
            f", or get it with git clone https://github.com/UniversalDependencies/{data}"
            if data.startswith("UD_")
            else ""
        )
    )


def data_files(arguments: FinetuneArguments, task: TaggingTask) -> dict[Split, Path]:
    """The files of the splits. The test file may be missing, the others may not.

    Raises:
        UserError: a file or folder does not exist, or none is given.
    """
    folder = find_data(arguments.data, arguments.data_dir)
    files: dict[Split, Path] = {}
    for split, setting in SPLITS.items():
        given = getattr(arguments, setting)
        if given is not None:
            files[split] = Path(given)
        elif folder is not None:
            try:
                files[split] = task.find_file(folder, split)
            except UserError:
                if split != "test":
                    raise
        elif split != "test":
            raise UserError(f"no {split} data: give --data FOLDER or --{setting.replace('_', '-')} FILE")
        if split in files and not files[split].is_file():
            raise UserError(f"{files[split]}: no such file")
    return files


def run_finetuning(arguments: FinetuneArguments) -> dict[str, Any]:
    """Fine-tune a model, or continue a run that was interrupted.

    Args:
        arguments: all settings.

    Returns:
        What is written to `all_results.json`: scores of validation and test data, of the baseline, sizes, speed. With several
        seeds `mean` and `std` of each score, and `runs` with the results of each seed.

    Raises:
        UserError: something is missing or impossible; nothing was trained.
    """
    validate(arguments)
    seeds = list(dict.fromkeys(arguments.seeds)) or [arguments.seed]
    if len(seeds) == 1:
        return _run_seed(dataclasses.replace(arguments, seed=seeds[0], seeds=()))
    output_dir = Path(arguments.output_dir)
    runs = [
        _run_seed(dataclasses.replace(arguments, seed=seed, seeds=(), output_dir=str(output_dir / f"seed-{seed}")))
        for seed in seeds
    ]
    scores = [key for key in runs[0] if key.startswith(("eval_", "test_")) and isinstance(runs[0][key], float)]
    statistics = {key: mean_and_deviation([run[key] for run in runs]) for key in scores}
    results = {
        "mean": {key: mean for key, (mean, _) in statistics.items()},
        "std": {key: deviation for key, (_, deviation) in statistics.items()},
        "runs": runs,
    }
    write_json(output_dir / RESULTS, results)
    metric = get_task(arguments.task).metric
    print_summary(
        f"Fine-tuning with {len(seeds)} seeds is finished.",
        [
            (f"{split} {metric}", f"{100 * mean:.2f} ± {100 * deviation:.2f}")
            for split in ("eval", "test")
            if f"{split}_{metric}" in statistics
            for mean, deviation in [statistics[f"{split}_{metric}"]]
        ]
        + [("written to", str(output_dir))],
    )
    return results


def _run_seed(arguments: FinetuneArguments) -> dict[str, Any]:
    task = get_task(arguments.task)
    if (results := stored_results(arguments)) is not None:
        return results
    settings = training_arguments(
        arguments,
        arguments.batch_size,
        learning_rate=arguments.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=arguments.warmup_steps,
        max_steps=arguments.steps,
        per_device_eval_batch_size=arguments.eval_batch_size,
        eval_strategy="steps",
        save_steps=arguments.eval_steps,
        save_total_limit=arguments.keep_checkpoints + 1,  # the Trainer counts the best one
        load_best_model_at_end=True,
        metric_for_best_model=task.metric,
        greater_is_better=True,
        label_names=["labels"],
    )
    files = data_files(arguments, task)
    limits = {
        "train": arguments.max_train_examples,
        "dev": arguments.max_eval_examples,
        "test": arguments.max_eval_examples,
    }
    sentences = {split: task.read(path)[: limits[split]] for split, path in files.items()}
    set_seed(arguments.seed)
    model = build_model(arguments, task)
    renderer = load_renderer(arguments)
    datasets = {split: TaggingDataset(task, part, renderer, model.config.label2id) for split, part in sentences.items()}
    with settings.main_process_first(desc="preparing the output folder"):
        resume = prepare_output_dir(arguments)
    output_dir = Path(arguments.output_dir)
    if settings.process_index == 0:
        renderer.save_pretrained(output_dir)

    callbacks: list[TrainerCallback] = []
    if arguments.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(arguments.early_stopping_patience))
    trainer = PixelTrainer(
        model=model,
        args=settings,
        train_dataset=datasets["train"],
        eval_dataset=datasets["dev"],
        data_collator=TaggingCollator(),
        compute_metrics=scorer(datasets["dev"]),
        preprocess_logits_for_metrics=best_labels,
        callbacks=callbacks,
    )
    train_or_resume(trainer, resume)
    results = collect_results(trainer, task, sentences, datasets)
    if settings.process_index == 0:
        with no_progress_bars():
            model.save_pretrained(output_dir)
        for prefix in ("train", "eval", "test"):
            part = {key: value for key, value in results.items() if key.startswith(f"{prefix}_")}
            if part:
                write_json(output_dir / f"{prefix}_results.json", part)
        write_json(output_dir / RESULTS, results)
        if arguments.save_predictions:
            write_predictions(output_dir, task, model, renderer, sentences, arguments.eval_batch_size)
        _print_summary(arguments, files, results)
    return results


def build_model(arguments: FinetuneArguments, task: TaggingTask) -> PixelForTokenClassification:
    """The model that training starts with. Tags keep the numbers that they have in a model for the same tags.

    Raises:
        UserError: no model is given, it cannot be loaded, or it is too short for the sequences.
    """
    if arguments.model is None:
        if not arguments.from_scratch:
            raise UserError("no model: give --model FOLDER, or --from-scratch to start from random weights")
        config = PixelConfig(
            **encoder_settings(arguments), patch_size=16, image_size=(16, 16 * arguments.max_seq_length)
        )
    else:
        config = load_config(arguments.model)
    check_length(config, arguments.max_seq_length)
    labels: Sequence[str] = task.labels
    if config.id2label and set(config.id2label.values()) == set(labels):
        labels = [config.id2label[index] for index in range(len(labels))]
    settings: dict[str, Any] = {
        **dropout_settings(arguments),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }
    if arguments.model is None or arguments.from_scratch:
        for name, value in settings.items():
            setattr(config, name, value)
        return PixelForTokenClassification(config)
    return load_model(PixelForTokenClassification, arguments.model, **settings)


def best_labels(logits: Any, labels: torch.Tensor) -> torch.Tensor:
    """Index of the best label at each patch, so that the Trainer need not keep all logits."""
    scores: torch.Tensor = logits[0] if isinstance(logits, tuple) else logits
    return scores.argmax(-1)


def scorer(dataset: TaggingDataset) -> Callable[[EvalPrediction], dict[str, float]]:
    """Scores of predictions on a data set, as the Trainer wants them."""
    return lambda p: tagging_scores(p.predictions, p.label_ids, dataset.num_words)


def collect_results(
    trainer: PixelTrainer,
    task: TaggingTask,
    sentences: dict[Split, list[Sentence]],
    datasets: dict[Split, TaggingDataset],
) -> dict[str, Any]:
    """Scores of the model and of the baseline on validation and test data, and figures of the run."""
    history = list(trainer.state.log_history)
    results: dict[str, Any] = {}
    baseline = MostFrequentTag((s.forms, task.read_tags(s)) for s in sentences["train"])
    for split, prefix in (("dev", "eval"), ("test", "test")):
        if split not in datasets:
            continue
        trainer.compute_metrics = scorer(datasets[split])
        metrics = trainer.predict(datasets[split], metric_key_prefix=prefix).metrics or {}
        speed = ("_runtime", "_per_second", "_preparation_time")
        results.update({key: value for key, value in metrics.items() if not key.endswith(speed)})
        gold = [task.read_tags(sentence) for sentence in sentences[split]]
        results[f"{prefix}_baseline_accuracy"] = accuracy([baseline(s.forms) for s in sentences[split]], gold)
        results[f"{prefix}_sentences"] = len(gold)
        results[f"{prefix}_words"] = datasets[split].num_words
    train = datasets["train"]
    labelled = sum(int((train[i].labels >= 0).sum()) for i in range(len(train)))
    return results | {
        "train_sentences": len(train),
        "train_words": train.num_words,
        "train_coverage": labelled / train.num_words,
        "train_loss": last_value(history, "loss"),
        "train_steps": trainer.state.global_step,
        "train_best_step": trainer.state.best_global_step,
        "train_seed": trainer.args.seed,
        "train_sequences_per_second": last_value(history, "sequences_per_second"),
        "train_seconds": last_value(history, "elapsed_seconds"),
        "num_parameters": count_parameters(trainer.model),
    }


def write_predictions(
    output_dir: Path,
    task: TaggingTask,
    model: PixelForTokenClassification,
    renderer: TextRenderer,
    sentences: dict[Split, list[Sentence]],
    batch_size: int,
) -> None:
    """Write the validation and test data as the model tags them, every word of them."""
    for split, prefix in (("dev", "eval"), ("test", "test")):
        if split in sentences:
            tags = tag(model, renderer, [sentence.forms for sentence in sentences[split]], batch_size)
            with (output_dir / f"{prefix}_predictions.conllu").open("w", encoding="utf-8", newline="") as file:
                file.writelines(task.write_tags(s, t) for s, t in zip(sentences[split], tags, strict=True))


def _print_summary(arguments: FinetuneArguments, files: dict[Split, Path], results: dict[str, Any]) -> None:
    if arguments.from_scratch:
        start = "random weights" + (f" in the shape of {arguments.model}" if arguments.model else "")
    else:
        start = str(arguments.model)
    rows = [
        ("model", f"{format_count(results['num_parameters'])} parameters, from {start}"),
        ("data", f"{files['train'].parent}: {results['train_sentences']} sentences, {results['train_words']} words"),
        (
            "training",
            f"{results['train_steps']} steps of {arguments.batch_size} sentences, best at step "
            f"{results['train_best_step']}, seed {arguments.seed}, learning rate {arguments.learning_rate:.3g}, "
            f"{format_seconds(results['train_seconds'])}",
        ),
    ]
    for prefix, name in (("eval", "validation"), ("test", "test")):
        if f"{prefix}_accuracy" in results:
            rows.append(
                (
                    name,
                    f"accuracy {100 * results[f'{prefix}_accuracy']:.2f} (most frequent tag: "
                    f"{100 * results[f'{prefix}_baseline_accuracy']:.2f}); {100 * results[f'{prefix}_coverage']:.2f} % of "
                    f"the words fit, accuracy over all words {100 * results[f'{prefix}_accuracy_all_words']:.2f}",
                )
            )
    rows.append(("written to", f"{arguments.output_dir}: model, renderer, {RESULTS}, checkpoints"))
    rows.append(("next", f"pixel-lm predict pos FILE.conllu --model {arguments.output_dir}"))
    print_summary("Fine-tuning is finished.", rows)
