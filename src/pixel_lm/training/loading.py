"""Models and renderers from folders, the hub or nothing, with errors in one line."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from transformers import MODEL_MAPPING, AutoConfig, PreTrainedModel

from pixel_lm.data.tokens import TOKENS_CONFIG, TokenRenderer
from pixel_lm.errors import UserError
from pixel_lm.models import MODEL_OF_TASK, PixelConfig, PixelPreTrainedModel
from pixel_lm.models.checkpoints import stored_shapes, task_of
from pixel_lm.models.text_encoder import TEXT_MODELS, TextModelConfig, text_model
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks.task import Renderer, Task, TaskOptions, options_from
from pixel_lm.training.arguments import EncoderArguments, JobArguments
from pixel_lm.training.reporting import no_progress_bars

M = TypeVar("M", bound=PreTrainedModel)
ModelConfig = PixelConfig | TextModelConfig

MODEL_TYPES = ("pixel", "vit_mae")  # the latter in early versions of the published base model
RENDERER_CONFIG = "text_renderer_config.json"


def load_renderer_for(arguments: JobArguments, config: ModelConfig) -> TextRenderer | TokenRenderer:
    """What makes the input of a model: see `load_renderer`; for text models the tokenizer.

    Raises:
        UserError: it cannot be loaded, there is no font, or a font or renderer is given for a text model.
    """
    if not isinstance(config, TextModelConfig):
        return load_renderer(arguments)
    if arguments.renderer or arguments.font or arguments.strategy:
        raise UserError(f"{arguments.model} is a text model: leave out --renderer, --font and --strategy")
    assert arguments.model is not None
    return TokenRenderer.from_pretrained(renderer_folder(arguments.model, TOKENS_CONFIG), arguments.max_seq_length)


def load_renderer(arguments: JobArguments) -> TextRenderer:
    """The renderer of a job: the one that is named, a new one with the font that is named, the model's, or a new one.

    Raises:
        UserError: it cannot be loaded, or there is no font.
    """
    settings: dict[str, Any] = {"max_seq_length": arguments.max_seq_length}
    if arguments.strategy is not None:
        settings["strategy"] = arguments.strategy
    if arguments.renderer is not None:
        return TextRenderer.from_pretrained(renderer_folder(arguments.renderer), font=arguments.font, **settings)
    if arguments.font is not None:
        return TextRenderer(font=arguments.font, **settings)
    if arguments.model is not None:
        return TextRenderer.from_pretrained(renderer_folder(arguments.model), **settings)
    return TextRenderer(**settings)


def renderer_folder(model: str, file: str = RENDERER_CONFIG) -> str:
    """Where a model's renderer lies: for a checkpoint inside a run's folder, in the run's folder."""
    path = Path(model)
    if path.is_dir() and not (path / file).exists() and (path.resolve().parent / file).exists():
        return str(path.resolve().parent)
    return model


def _explain(model: str, error: Exception) -> UserError:
    if Path(model).exists():
        reason = str(error).split("\n")[0]
        return UserError(f"{model}: no model that can be loaded ({reason})")
    return UserError(f"{model}: no such folder, and no model of this name could be had from the Hugging Face hub")


def load_config(model: str, **settings: Any) -> PixelConfig:
    """The configuration of a saved pixel model, with `settings` changed.

    Raises:
        UserError: it cannot be loaded.
    """
    config = load_model_config(model, **settings)
    if isinstance(config, TextModelConfig):
        raise UserError(f"{model} is a model of type {config.encoder_config.model_type}, not a pixel model")
    return config


def load_model_config(model: str, **settings: Any) -> ModelConfig:
    """The configuration of a saved pixel model or text model, with `settings` changed.

    Raises:
        UserError: it cannot be loaded.
    """
    try:
        stored, _ = PixelConfig.get_config_dict(model)
        if not stored:
            raise UserError(f"{model}: no model in this folder (it has no config.json)")
        config: ModelConfig
        if stored.get("model_type") == TextModelConfig.model_type:
            config = cast(TextModelConfig, TextModelConfig.from_pretrained(model, **settings))
        elif stored.get("model_type") in MODEL_TYPES:
            config = cast(PixelConfig, PixelConfig.from_pretrained(model, **settings))
        else:
            config = _text_config(model, stored, settings)
    except (OSError, ValueError) as error:
        raise _explain(model, error) from None
    for name, value in settings.items():
        # What the class does not know, such as the options of tasks, is lost otherwise.
        if not hasattr(config, name):
            setattr(config, name, value)
    return config


def _text_config(model: str, stored: dict[str, Any], settings: dict[str, Any]) -> TextModelConfig:
    """The configuration of an encoder of transformers that is to get a head of ours."""
    kind = stored.get("model_type")
    try:
        encoder = AutoConfig.from_pretrained(model)
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{model} is a model of type {kind}, neither a pixel model nor one that transformers knows"
        ) from None
    if type(encoder) not in MODEL_MAPPING or encoder.is_encoder_decoder:
        raise UserError(f"{model} is a model of type {kind}, neither a pixel model nor an encoder of text")
    tokenizer = TokenRenderer.from_pretrained(model, 2).tokenizer
    labels = {name: settings.pop(name) for name in ("id2label", "label2id") if name in settings}
    dropout = settings.pop("attention_probs_dropout_prob", None)
    fields = encoder.to_dict()
    for name, value in (
        ("hidden_dropout_prob", settings.get("hidden_dropout_prob")),
        ("attention_probs_dropout_prob", dropout),
    ):
        if value is not None and name in fields:
            fields[name] = value
    return TextModelConfig(
        encoder=fields,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id or 0,
        **labels,
        **settings,
    )


def check_length(config: ModelConfig, max_seq_length: int) -> None:
    """Raise UserError if a model cannot take sequences of this length."""
    if max_seq_length > config.max_num_patches:
        raise UserError(
            f"max-seq-length is {max_seq_length}, but the model takes at most {config.max_num_patches} patches: lower it"
        )


def load_model(cls: type[M], model: str, **settings: Any) -> M:
    """A saved model, with `settings` of its configuration changed. What it lacks for the task is initialised anew.

    Raises:
        UserError: it cannot be loaded.
    """
    config = load_model_config(model, **settings)
    if isinstance(config, TextModelConfig):
        return cast(M, _load_text_model(cast(type[PixelPreTrainedModel], cls), model, config))
    try:
        with no_progress_bars() if Path(model).exists() else contextlib.nullcontext():
            loaded: M = cls.from_pretrained(model, config=config, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise _explain(model, error) from None
    return loaded


def _load_text_model(cls: type[PixelPreTrainedModel], model: str, config: TextModelConfig) -> PixelPreTrainedModel:
    """A text model with the head of a pixel model: as it was saved, or new on a pretrained encoder."""
    if cls not in TEXT_MODELS:
        raise UserError(f"{model} is a model of type {config.encoder_config.model_type}, not a pixel model")
    kind = TEXT_MODELS[cls]
    try:
        with no_progress_bars() if Path(model).exists() else contextlib.nullcontext():
            if kind.__name__ in (config.architectures or ()):
                return cast(PixelPreTrainedModel, kind.from_pretrained(model, config=config, dtype=torch.float32))
            if config.architectures:
                raise UserError(
                    f"{model} was trained for another task ({config.architectures[0]}): give the model it began with"
                )
            return text_model(cls, config, model)
    except (OSError, ValueError) as error:
        raise _explain(model, error) from None


def new_model(cls: type[PixelPreTrainedModel], config: ModelConfig) -> PixelPreTrainedModel:
    """A model with random weights."""
    if isinstance(config, TextModelConfig):
        return TEXT_MODELS[cls](config)
    return cls(config)


def load_checkpoint(model: str, revision: str | None = None, **settings: Any) -> PixelPreTrainedModel:
    """A saved model of whatever kind it is, told from its tensors.

    Args:
        model: folder or hub name.
        revision: of the hub.
        settings: of its configuration, to change.

    Raises:
        UserError: it cannot be loaded.
    """
    try:
        shapes = stored_shapes(model, revision=revision)
        if shapes is None:
            raise OSError("it has no weights: neither model.safetensors nor pytorch_model.bin")
        with no_progress_bars() if Path(model).exists() else contextlib.nullcontext():
            loaded: PixelPreTrainedModel = MODEL_OF_TASK[task_of(shapes)].from_pretrained(
                model, revision=revision, dtype=torch.float32, **settings
            )
    except (OSError, ValueError) as error:
        raise _explain(model, error) from None
    return loaded.eval()


def encoder_settings(arguments: JobArguments) -> dict[str, Any]:
    """The settings of a new encoder, as `PixelConfig` calls them."""
    return {field.name: getattr(arguments, field.name) for field in dataclasses.fields(EncoderArguments)}


def dropout_settings(arguments: JobArguments) -> dict[str, Any]:
    """Dropout, as `PixelConfig` calls it."""
    return {"hidden_dropout_prob": arguments.dropout, "attention_probs_dropout_prob": arguments.dropout}


def stored_options(config: ModelConfig) -> TaskOptions:
    """The options of the task that a model was fine-tuned with."""
    return options_from(getattr(config, "task_options", None) or {})


def load_for_task(
    task: Task,
    model: str,
    renderer: str | None = None,
    max_seq_length: int | None = None,
    cpu: bool = False,
) -> tuple[PixelPreTrainedModel, Renderer]:
    """A fine-tuned model, ready for use on the GPU if there is one, and its renderer.

    Args:
        task: what it must have been trained for.
        model: folder or hub name.
        renderer: folder or hub name of another renderer.
        max_seq_length: patches per strip, if not those that the renderer was saved with.
        cpu: stay on the CPU.

    Raises:
        UserError: one of them cannot be loaded, or the model is for another task.
    """
    config = load_model_config(model)
    is_text = isinstance(config, TextModelConfig)
    if is_text and not config.architectures:
        raise UserError(f"{model} is no model for {task.name}: it has not been fine-tuned for it")
    task.check_model(cast(PixelConfig, config), model)
    shapes = None if is_text else stored_shapes(model)
    if shapes is not None and MODEL_OF_TASK[task_of(shapes)] is not task.model_class:
        raise UserError(f"{model} is no model for {task.name}: it was trained for {task_of(shapes)}")
    settings: dict[str, Any] = {} if max_seq_length is None else {"max_seq_length": max_seq_length}
    text_renderer: Renderer
    if is_text:
        text_renderer = TokenRenderer.from_pretrained(renderer_folder(model, TOKENS_CONFIG), max_seq_length)
    else:
        text_renderer = TextRenderer.from_pretrained(renderer_folder(renderer or model), **settings)
    check_length(config, text_renderer.max_seq_length)
    loaded = load_model(task.model_class, model).eval()
    if torch.cuda.is_available() and not cpu:
        loaded = loaded.to("cuda")
    return loaded, text_renderer
