"""Fine-tuning: train a pretrained model for a task (Rust et al., 2023, section 3).

Evaluates every `eval_steps`, keeps the checkpoint with the best validation score, stops early, and scores the best one on
validation and test data, beside a baseline. With several seeds, once for each, and mean and deviation over them. Writes the
model, its renderer, `{train,eval,test,all}_results.json`, `log_history.jsonl` and, on request, files of predictions. What is
special to a task is in `pixel_lm.tasks`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import EarlyStoppingCallback, EvalPrediction, TrainerCallback

from pixel_lm.data.conllu import Split
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelPreTrainedModel
from pixel_lm.tasks import get_task
from pixel_lm.tasks.metrics import mean_and_deviation
from pixel_lm.tasks.task import Renderer, Task, TaskDataset, TaskOptions, options_from
from pixel_lm.training.annotated_data import data_files, data_name
from pixel_lm.training.arguments import FinetuneArguments, validate
from pixel_lm.training.checkpoints import RESULTS, prepare_output_dir, stored_results
from pixel_lm.training.loading import (
    ModelConfig,
    check_length,
    dropout_settings,
    encoder_settings,
    load_model,
    load_model_config,
    load_renderer_for,
    new_model,
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

SCORED: dict[Split, str] = {"dev": "eval", "test": "test"}
"""The splits that are scored, and how their results are called. Further files of a task are called as the task says."""


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
    seeds = chosen_seeds(arguments)
    if len(seeds) == 1:
        return _run_seed(dataclasses.replace(arguments, seed=seeds[0], seeds=()))
    output_dir = Path(arguments.output_dir)
    runs = [
        _run_seed(dataclasses.replace(arguments, seed=seed, seeds=(), output_dir=str(output_dir / f"seed-{seed}")))
        for seed in seeds
    ]
    scores = [key for key in runs[0] if not key.startswith("train_") and isinstance(runs[0][key], float)]
    statistics = {key: mean_and_deviation([run[key] for run in runs]) for key in scores}
    results = {
        "mean": {key: mean for key, (mean, _) in statistics.items()},
        "std": {key: deviation for key, (_, deviation) in statistics.items()},
        "runs": runs,
    }
    write_json(output_dir / RESULTS, results)
    task, published = chosen_task(arguments), arguments.published_scores or {}
    shown = [
        f"{prefix}_{name}" for prefix in SCORED.values() for name in dict.fromkeys((task.metric, *task.shown_metrics))
    ]
    print_summary(
        f"Fine-tuning with {len(seeds)} seeds is finished.",
        [
            (key.replace("_", " "), describe_statistics(statistics, key, published.get(key), task.baseline_name))
            for key in dict.fromkeys((*shown, *published))
            if key in statistics
        ]
        + [("seeds", ", ".join(map(str, seeds))), ("written to", str(output_dir))],
    )
    return results


def chosen_seeds(arguments: FinetuneArguments) -> list[int]:
    """The seeds of a job: of `seeds` a single number counts them, several are they."""
    if len(arguments.seeds) == 1:
        return list(range(arguments.seed, arguments.seed + arguments.seeds[0]))
    return list(dict.fromkeys(arguments.seeds)) or [arguments.seed]


def describe_statistics(
    statistics: Mapping[str, tuple[float, float]], key: str, published: float | None, baseline_name: str
) -> str:
    """A score over several seeds in percent, beside the published one and the baseline's."""
    mean, deviation = statistics[key]
    prefix, _, name = key.partition("_")
    beside = [] if published is None else [f"published {published:g}"]
    if (baseline := statistics.get(f"{prefix}_baseline_{name}")) is not None:
        beside.append(f"{baseline_name} {100 * baseline[0]:.2f}")
    return f"{100 * mean:.2f} ± {100 * deviation:.2f}" + (f" ({'; '.join(beside)})" if beside else "")


def chosen_task(arguments: FinetuneArguments) -> Task:
    """The task with the options that the arguments give."""
    return get_task(arguments.task).with_options(options_from(dataclasses.asdict(arguments)))


def _run_seed(arguments: FinetuneArguments) -> dict[str, Any]:
    task = chosen_task(arguments)
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
        label_names=list(task.label_names),
    )
    files = data_files(arguments, task)
    limits = {
        "train": arguments.max_train_examples,
        "dev": arguments.max_eval_examples,
        "test": arguments.max_eval_examples,
    }
    examples: dict[str, list[Any]] = {split: task.read(path)[: limits[split]] for split, path in files.items()}
    for name, path in task.further_files(files["dev"]).items():
        examples[name] = task.read(path)[: limits["dev"]]
    set_seed(arguments.seed)
    model = build_model(arguments, task, examples["train"])
    renderer = load_renderer_for(arguments, model.config)
    datasets = {split: task.dataset(part, renderer, model.config) for split, part in examples.items()}
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
        data_collator=task.collator(),
        compute_metrics=scorer(task, datasets["dev"]),
        preprocess_logits_for_metrics=reducer(task),
        callbacks=callbacks,
    )
    train_or_resume(trainer, resume)
    results = collect_results(trainer, task, examples, datasets)
    if arguments.published_scores:
        results["published_scores"] = arguments.published_scores
    if settings.process_index == 0:
        with no_progress_bars():
            model.save_pretrained(output_dir)
        for prefix in ("train", *scored(examples).values()):
            part = {key: value for key, value in results.items() if key.startswith(f"{prefix}_")}
            if part:
                write_json(output_dir / f"{prefix}_results.json", part)
        write_json(output_dir / RESULTS, results)
        if arguments.save_predictions:
            write_predictions(output_dir, task, model, renderer, examples, arguments.eval_batch_size)
        _print_summary(arguments, task, files, results, scored(examples).values())
    return results


def build_model(arguments: FinetuneArguments, task: Task, examples: Sequence[Any]) -> PixelPreTrainedModel:
    """The model that training starts with. Labels keep the numbers that they have in a model for the same labels.

    Raises:
        UserError: no model is given, it cannot be loaded, or it is too short for the sequences.
    """
    if arguments.model is None:
        if not arguments.from_scratch:
            raise UserError("no model: give --model FOLDER, or --from-scratch to start from random weights")
        config: ModelConfig = PixelConfig(
            **encoder_settings(arguments), patch_size=16, image_size=(16, 16 * arguments.max_seq_length)
        )
    else:
        config = load_model_config(arguments.model)
    check_length(config, arguments.max_seq_length)
    settings: dict[str, Any] = {
        **dropout_settings(arguments), **task.settings, "task_options": changed_options(task.options)
    }  # fmt: skip
    if labels := task.choose_labels(examples, cast(PixelConfig, config)):
        settings["id2label"] = dict(enumerate(labels))
        settings["label2id"] = {label: index for index, label in enumerate(labels)}
    if arguments.pooling_mode is not None:
        settings["pooling_mode"] = arguments.pooling_mode
    if arguments.model is None or arguments.from_scratch:
        for name, value in settings.items():
            setattr(config, name, value)
        return new_model(task.model_class, config)
    return load_model(task.model_class, arguments.model, **settings)


def changed_options(options: TaskOptions) -> dict[str, Any]:
    """The options that are not the defaults and make sense on another machine, as a model remembers them."""
    defaults = TaskOptions()
    return {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(options)
        for value in [getattr(options, field.name)]
        if value != getattr(defaults, field.name) and field.name != "labels_file"
    }


def reducer(task: Task) -> Callable[[Any, Any], torch.Tensor]:
    """What is kept of the logits, so that the Trainer need not keep all."""

    def reduce(logits: Any, labels: Any) -> torch.Tensor:
        outputs = logits if isinstance(logits, tuple) else (logits,)
        return task.reduce(outputs, labels if isinstance(labels, tuple) else (labels,))

    return reduce


def scorer(task: Task, dataset: TaskDataset) -> Callable[[EvalPrediction], dict[str, float]]:
    """Scores of predictions on a data set, as the Trainer wants them."""
    return lambda p: task.score(dataset, list(p.predictions))


def collect_results(
    trainer: PixelTrainer,
    task: Task,
    examples: Mapping[str, Sequence[Any]],
    datasets: Mapping[str, TaskDataset],
) -> dict[str, Any]:
    """Scores of the model and of the baseline on validation and test data, and figures of the run."""
    history = list(trainer.state.log_history)
    results: dict[str, Any] = {}
    for split, prefix in scored(datasets).items():
        dataset = datasets[split]
        trainer.compute_metrics = scorer(task, dataset)
        metrics = trainer.predict(dataset, metric_key_prefix=prefix).metrics or {}
        speed = ("_runtime", "_per_second", "_preparation_time")
        results.update({key: value for key, value in metrics.items() if not key.endswith(speed)})
        baseline = task.baseline(examples["train"], examples[split])
        results.update({f"{prefix}_baseline_{name}": value for name, value in baseline.items()})
        results.update({f"{prefix}_{name}": value for name, value in dataset.figures().items() if name != "coverage"})
    return results | {
        **{f"train_{name}": value for name, value in datasets["train"].figures().items()},
        "train_loss": last_value(history, "loss"),
        "train_steps": trainer.state.global_step,
        "train_best_step": trainer.state.best_global_step,
        "train_seed": trainer.args.seed,
        "train_sequences_per_second": last_value(history, "sequences_per_second"),
        "train_seconds": last_value(history, "elapsed_seconds"),
        "num_parameters": count_parameters(trainer.model),
    }


def scored(splits: Iterable[str]) -> dict[str, str]:
    """Of what there is, that which is scored, and how its results are called."""
    return {split: SCORED.get(cast(Split, split), split) for split in splits if split != "train"}


def write_predictions(
    output_dir: Path,
    task: Task,
    model: PixelPreTrainedModel,
    renderer: Renderer,
    examples: Mapping[str, Sequence[Any]],
    batch_size: int,
) -> None:
    """Write the predictions for validation and test data, in the format of the task."""
    for split, prefix in scored(examples).items():
        predictions = task.predict(model, renderer, examples[split], batch_size)
        path = output_dir / f"{prefix}_predictions{task.output_suffix}"
        path.write_bytes(task.write(examples[split], predictions).encode())


def _print_summary(
    arguments: FinetuneArguments,
    task: Task,
    files: Mapping[Split, Path],
    results: Mapping[str, Any],
    prefixes: Iterable[str],
) -> None:
    if arguments.from_scratch:
        start = "random weights" + (f" in the shape of {arguments.model}" if arguments.model else "")
    else:
        start = str(arguments.model)
    counted = [
        f"{results[f'train_{name}']} {name}"
        for name in ("sentences", "words", "examples", "questions", "windows")
        if f"train_{name}" in results
    ]
    rows = [
        ("model", f"{format_count(results['num_parameters'])} parameters, from {start}"),
        ("data", f"{data_name(files['train'])}: {', '.join(counted)}"),
        (
            "training",
            f"{results['train_steps']} steps of {arguments.batch_size}, best at step "
            f"{results['train_best_step']}, seed {arguments.seed}, learning rate {arguments.learning_rate:.3g}, "
            f"{format_seconds(results['train_seconds'])}",
        ),
    ]
    for prefix in prefixes:
        rows.append(("validation" if prefix == "eval" else prefix, describe_scores(task, results, f"{prefix}_")))
    if arguments.published_scores:
        names = (f"{key.replace('_', ' ')} {score:g}" for key, score in arguments.published_scores.items())
        rows.append(("published", "; ".join(names)))
    rows.append(("written to", f"{arguments.output_dir}: model, renderer, {RESULTS}, checkpoints"))
    rows.append(("next", f"pixel-lm predict {arguments.task} FILE --model {arguments.output_dir}"))
    print_summary("Fine-tuning is finished.", rows)


def describe_scores(task: Task, results: Mapping[str, Any], prefix: str = "") -> str:
    """The scores of a data set in a line, in percent, with what the baseline reaches and what did not fit."""
    parts = []
    for name in dict.fromkeys((task.metric, *task.shown_metrics)):
        part = f"{name.replace('_', ' ')} {100 * results[prefix + name]:.2f}"
        if f"{prefix}baseline_{name}" in results:
            part += f" ({task.baseline_name}: {100 * results[f'{prefix}baseline_{name}']:.2f})"
        parts.append(part)
    unit = next((u for u in ("words", "examples", "questions") if f"{prefix}{u}" in results), "data")
    parts.append(f"{100 * results[prefix + 'coverage']:.2f} % of the {unit} fit")
    if f"{prefix}{task.metric}_all_words" in results:
        parts.append(f"{task.metric} over all words {100 * results[f'{prefix}{task.metric}_all_words']:.2f}")
    return "; ".join(parts)
