"""`PixelPreTrainedModel`: loading, saving, initialisation and length of all pixel models."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init

from pixel_lm.models.checkpoints import HUB_OPTIONS, Shapes, stored_shapes, task_of
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.embeddings import PixelEmbeddings
from pixel_lm.models.positions import extended_positions, interpolated_positions, sincos_positions

__all__ = ["PixelPreTrainedModel"]

logger = logging.getLogger(__name__)

# Names of position tables, of the encoder and the decoder.
POSITION_TABLES = ("position_embeddings", "decoder_pos_embed")


class PixelPreTrainedModel(PreTrainedModel):
    """What all pixel models have in common: configuration, initialisation, loading and saving.

    Attributes:
        task: what the head is for, in the words of `checkpoints.task_of`.
        head_modules: modules that a checkpoint of another task does not bring along, even if it has some of that name.
        label_weight: the weight whose first axis is the labels.
    """

    task = "no task"
    head_modules: tuple[str, ...] = ()
    label_weight: str | None = None

    config_class = PixelConfig
    config: PixelConfig
    base_model_prefix = "vit"
    main_input_name = "pixel_values"
    input_modalities = "image"
    supports_gradient_checkpointing = True
    # What FSDP divides as one. Not the embeddings: accelerate takes `get_input_embeddings` as a unit, and units must not be nested.
    _no_split_modules = ["PixelLayer"]  # noqa: RUF012, the base class declares it so
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    # A pretraining checkpoint brings its decoder along; heads do without it.
    _keys_to_ignore_on_load_unexpected = [r"^decoder\."]  # noqa: RUF012

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: Any,
        config: PixelConfig | str | os.PathLike[str] | None = None,
        output_loading_info: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load a model from a folder or from the hub, as in `transformers.PreTrainedModel.from_pretrained`.

        What the checkpoint lacks and what of it is not used is said in words (a warning). Fields of `PixelConfig` may be given, for
        instance `num_labels=17`.

        Raises:
            OSError: there is no such model.
            ValueError: the checkpoint is no pixel model, or it does not fit: other labels, other length, other sizes.
        """
        name = pretrained_model_name_or_path
        if name is None:
            return super().from_pretrained(
                None, *model_args, config=config, output_loading_info=output_loading_info, **kwargs
            )
        hub = {key: kwargs[key] for key in HUB_OPTIONS if key in kwargs}
        try:
            stored, _ = PixelConfig.get_config_dict(name, **hub)
        except OSError as error:
            revision = f" (revision {hub['revision']})" if hub.get("revision") else ""
            raise OSError(
                f"{name}{revision}: no model with a config.json, neither a folder here nor on the hub as far as it can be reached"
            ) from error
        if not isinstance(config, PixelConfig):
            if config is not None:
                stored, _ = PixelConfig.get_config_dict(config, **hub)
            # Early published models say vit_mae, with the fields of pixel models.
            if stored.get("model_type", "pixel") not in ("pixel", "vit_mae"):
                raise ValueError(f"{name} is a model of type {stored['model_type']}, not a pixel model")
            fields = {key: kwargs.pop(key) for key in list(kwargs) if key in _config_fields()}
            config = cast(PixelConfig, PixelConfig.from_dict({**stored, "model_type": "pixel"}, **fields))
        config = copy.deepcopy(config)
        shapes = stored_shapes(name, kwargs.get("use_safetensors"), kwargs.get("variant"), **hub)
        foreign = False
        if shapes is not None:
            held = task_of(shapes)
            foreign = held not in (cls.task, "pretraining", "no task") and cls.task != "no task"
            cls._complete_config(config, str(name), shapes, stored, held)
            if foreign:
                logger.warning("%s holds a model for %s; %s takes its encoder alone.", name, held, cls.__name__)
                kwargs["ignore_mismatched_sizes"] = True
            elif not kwargs.get("ignore_mismatched_sizes"):
                cls._check_fit(config, str(name), shapes)
        try:
            with _without_load_report():
                model, info = super().from_pretrained(
                    name, *model_args, config=config, output_loading_info=True, **kwargs
                )
        except RuntimeError as error:
            if "mismatch" not in str(error) or shapes is None:
                raise
            raise ValueError(_mismatch(cls, config, str(name), shapes)) from None
        fresh = {
            key for key in model.state_dict() if foreign and key.startswith(tuple(f"{m}." for m in cls.head_modules))
        }
        if fresh:
            model._start_head_anew()
        info["missing_keys"] = set(info["missing_keys"]) | fresh
        _explain_loading(cls, str(name), info)
        return (model, info) if output_loading_info else model

    @classmethod
    def _complete_config(
        cls, config: PixelConfig, name: str, shapes: Shapes, stored: Mapping[str, Any], held: str
    ) -> None:
        """Add to a configuration what a head needs to know and only the tensors tell."""

    @classmethod
    def _check_fit(cls, config: PixelConfig, name: str, shapes: Shapes) -> None:
        """Raise ValueError if the labels or the length of a checkpoint are others than the configuration's."""
        labels = shapes.get(cls.label_weight or "", (config.num_labels,))[0]
        if labels != config.num_labels:
            raise ValueError(
                f"{name} is for {labels} labels, not {config.num_labels}: give num_labels={labels}, or "
                "ignore_mismatched_sizes=True to begin with a new classifier"
            )
        for key in ("vit.embeddings.position_embeddings", "embeddings.position_embeddings"):
            length = shapes.get(key, (1, config.num_patches + 1))[1] - 1
            if length != config.num_patches:
                raise ValueError(
                    f"{name} has positions for {length} patches, but image_size {config.image_size} means {config.num_patches}: "
                    "leave image_size as it is. Shorter sequences are exact as they are, for longer ones call extend_positions"
                )

    @torch.no_grad()
    def _start_head_anew(self) -> None:
        for name in self.head_modules:
            for module in self.get_submodule(name).modules():
                for parameter in module.parameters(recurse=False):
                    parameter.__dict__.pop("_is_hf_initialized", None)
                self._init_weights(module)

    def extend_positions(self, num_patches: int, method: str = "sincos") -> None:
        """Make the model take longer sequences than its position table allows. The configuration notes it.

        Args:
            num_patches: the longest sequence, CLS not counted.
            method: "sincos" keeps the rows of the table and adds rows by the formula (`extended_positions`): shorter sequences
                give what they gave before. "interpolate" is what the published code did (`interpolated_positions`): every
                position changes, and fine-tuning trains the table through the interpolation.

        Raises:
            ValueError: the model takes sequences of this length already, the method is unknown, or the table does not allow it.
        """
        config = self.config
        if num_patches <= config.max_num_patches:
            raise ValueError(f"the model takes sequences of up to {config.max_num_patches} patches already")
        if method not in ("sincos", "interpolate"):
            raise ValueError(f'method must be "sincos" or "interpolate", not {method!r}')
        tables = [(module, name) for module in self.modules() for name in POSITION_TABLES if hasattr(module, name)]
        if method == "interpolate":
            for module, name in tables:
                interpolated_positions(getattr(module, name), num_patches)  # raises if it cannot be
            config.interpolate_pos_encoding, config.interpolated_length = True, num_patches
            return
        if config.interpolate_pos_encoding:
            raise ValueError("the positions of this model are interpolated: extend them in the same way")
        for module, name in tables:
            table = getattr(module, name)
            longer = extended_positions(table.data, num_patches, config.position_code)
            setattr(module, name, nn.Parameter(longer) if isinstance(table, nn.Parameter) else longer)
        config.image_size = [config.patch_size, config.patch_size * num_patches]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Linear layers as the configuration says and biases 0; positions by formula; the patch projection as the published run really began:
        Xavier-uniform over the flattened kernel, with PyTorch's own bias."""
        if isinstance(module, nn.Conv2d) and module.bias is not None:  # the patch projection
            fan_in = module.weight[0].numel()
            bound = (6 / (fan_in + module.weight.shape[0])) ** 0.5
            init.uniform_(module.weight, -bound, bound)
            init.uniform_(module.bias, -(fan_in**-0.5), fan_in**-0.5)
            return
        super()._init_weights(module)
        if isinstance(module, nn.Linear) and self.config.linear_initializer == "xavier":
            init.xavier_uniform_(module.weight)
        if isinstance(module, PixelEmbeddings):
            init.normal_(module.cls_token, std=self.config.initializer_range)
            config = module.config
            table = sincos_positions(config.num_patches, config.hidden_size, config.position_code)
            init.copy_(module.position_embeddings, table)


@cache
def _config_fields() -> frozenset[str]:
    """What of the arguments of `from_pretrained` belongs to the configuration."""
    return frozenset({*PixelConfig().to_dict(), *PixelConfig.attribute_map, "num_labels"}) - {"dtype", "torch_dtype"}


class _WithoutReports(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()


@contextlib.contextmanager
def _without_load_report() -> Iterator[None]:
    """Drop transformers' table of keys: we say it in words."""
    report_logger, report_filter = logging.getLogger("transformers.modeling_utils"), _WithoutReports()
    report_logger.addFilter(report_filter)
    try:
        yield
    finally:
        report_logger.removeFilter(report_filter)


def _mismatch(cls: type[PixelPreTrainedModel], config: PixelConfig, name: str, shapes: Shapes) -> str:
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in cls(config).state_dict().items()}
    for key, shape in expected.items():
        held = shapes.get(key, shapes.get(key.removeprefix(f"{cls.base_model_prefix}."), shape))
        if held != shape:
            return (
                f"{name} does not fit the configuration: {key} has shape {held}, expected {shape}. Leave the sizes as the checkpoint "
                "has them, or give ignore_mismatched_sizes=True to begin with new weights there"
            )
    return f"{name} does not fit the configuration"


def _explain_loading(cls: type[PixelPreTrainedModel], name: str, info: Mapping[str, Any]) -> None:
    new = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    if new:
        logger.warning("%s has no weights for %s: these begin anew, train them before use.", name, _listed(new))
    if info["unexpected_keys"]:
        logger.warning(
            "%s of %s: %s has no use for them.", _listed(sorted(info["unexpected_keys"])), name, cls.__name__
        )


def _listed(keys: Sequence[str]) -> str:
    """Names of parameters; modules for many."""
    names = keys if len(keys) <= 4 else sorted({key.rpartition(".")[0] for key in keys})
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
