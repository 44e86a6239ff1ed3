"""The two jobs, pretraining and fine-tuning, and what they share. Loaded on first use, so that `--help` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixel_lm.training.arguments import FinetuneArguments, PretrainArguments
    from pixel_lm.training.finetune import run_finetuning
    from pixel_lm.training.pretrain import run_pretraining

__all__ = ["FinetuneArguments", "PretrainArguments", "run_finetuning", "run_pretraining"]

_HOMES = {
    "FinetuneArguments": "arguments",
    "PretrainArguments": "arguments",
    "run_finetuning": "finetune",
    "run_pretraining": "pretrain",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
