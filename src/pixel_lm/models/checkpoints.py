"""What a checkpoint holds, told from the names and shapes of its tensors, before a model is built from it.

Published files say in their names, not in their configuration, what they were trained for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers.utils import cached_file

__all__ = ["HUB_OPTIONS", "Shapes", "infer_pooling", "stored_shapes", "task_of"]

Shapes = Mapping[str, tuple[int, ...]]

HUB_OPTIONS = (
    "cache_dir",
    "force_download",
    "local_files_only",
    "proxies",
    "revision",
    "subfolder",
    "token",
)
"""Arguments of `from_pretrained` that say where on the hub a file lies."""

# The one that is read is the first that is there.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

# The GLUE models were published without their pooling; all of them take the mean.
GLUE_TASKS = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli")


def stored_shapes(
    name_or_path: str | os.PathLike[str], use_safetensors: bool | None = None, variant: str | None = None, **hub: Any
) -> dict[str, tuple[int, ...]] | None:
    """Names and shapes of the tensors of a checkpoint, in a folder or on the hub; None if there are no weights.

    Args:
        name_or_path: folder, or name on the hub.
        use_safetensors, variant: as in `from_pretrained`.
        hub: some of `HUB_OPTIONS`.
    """
    for name in WEIGHT_FILES:
        if use_safetensors is not None and use_safetensors != name.startswith("model."):
            continue
        if variant is not None:
            stem, dot, rest = name.partition(".")
            name = (
                f"{stem}.{variant}{dot}{rest}"
                if not rest.endswith("json")
                else name.replace(".index", f".index.{variant}")
            )
        path = _file(name_or_path, name, hub)
        if path is None:
            continue
        if path.suffix == ".json":
            shards = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
            files = [_file(name_or_path, shard, hub) for shard in shards]
        else:
            files = [path]
        return {name: shape for file in files if file is not None for name, shape in _shapes(file).items()}
    return None


def _file(name_or_path: str | os.PathLike[str], name: str, hub: Mapping[str, Any]) -> Path | None:
    found = cached_file(
        str(name_or_path),
        name,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        **hub,
    )
    return None if found is None else Path(found)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118, not a mapping
    tensors = torch.load(path, map_location="meta", weights_only=True)
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def task_of(shapes: Shapes) -> str:
    """What a checkpoint was trained for: "pretraining", "token classification", "sequence classification", "question answering",
    "dependency parsing", or "no task" (an encoder)."""
    if "biaffine_arcs.weight" in shapes:
        return "dependency parsing"
    if "qa_outputs.weight" in shapes:
        return "question answering"
    if "decoder.mask_token" in shapes:
        return "pretraining"
    if "classifier.weight" not in shapes:
        return "no task"
    if "pooler.linear.weight" in shapes or "vit.pooler.dense.weight" in shapes:
        return "sequence classification"
    return "token classification"


def infer_pooling(name: str, shapes: Shapes, finetuning_task: str | None) -> str:
    """The pooling mode of a sequence classifier whose configuration does not say it, as in all published ones.

    Args:
        name: of the checkpoint, for messages.
        shapes: of its tensors.
        finetuning_task: from its configuration.

    Raises:
        ValueError: it cannot be told.
    """
    if "vit.pooler.dense.weight" in shapes:
        return "cls"
    if any(key.startswith("pooler.pooling.") for key in shapes):
        raise ValueError(
            f"{name} pools by attention, but does not say with how many heads: give the number that it was trained with, "
            'for instance from_pretrained(…, pooling_mode="pma8")'
        )
    if finetuning_task in GLUE_TASKS:
        return "mean"
    raise ValueError(
        f"{name} does not say whether it pools by the mean or the maximum, nor whether with a layer norm: give what it was trained "
        'with, from_pretrained(…, pooling_mode="mean") or "max", and pooling_layer_norm=False if it has none '
        "(the published models use the mean with a layer norm)"
    )
