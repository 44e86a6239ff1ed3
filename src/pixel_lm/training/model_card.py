"""The model card of a pretrained model: `README.md` in its folder, as the Hugging Face hub shows it.

What a program knows is written down: sizes, text, settings, figures, how to load. What it cannot know, above all under which licence the
text is, is left for people, and marked so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml

from pixel_lm.models import PixelConfig
from pixel_lm.models.flops import pretraining_flops
from pixel_lm.training.arguments import PretrainArguments, to_dict
from pixel_lm.training.checkpoints import FREE_SETTINGS
from pixel_lm.training.reporting import format_count
from pixel_lm.training.throughput import format_seconds

__all__ = ["CARD", "model_card", "write_model_card"]

logger = logging.getLogger(__name__)

CARD = "README.md"
MARK = "<!-- Written by pixel-lm. A new training in this folder replaces this file, unless this line is removed. -->"
TO_DO = "**To be filled in**"
NOT_SHOWN = FREE_SETTINGS - {"precision", "torch_compile"} | {
    "text", "validation_text", "model", "renderer", "font", "fsdp", "save_steps", "eval_steps", "max_eval_strips", "validation_size"
}  # fmt: skip


def model_card(arguments: PretrainArguments, config: PixelConfig, results: Mapping[str, Any]) -> str:
    """The text of the card, Markdown with a YAML head.

    Args:
        arguments: the settings of the run.
        config: the model's sizes.
        results: what `all_results.json` holds.
    """
    head = {"library_name": "transformers", "pipeline_tag": "feature-extraction", "tags": ["pixel", "pixel-lm"]}
    name = arguments.push_to_hub or Path(arguments.output_dir).resolve().name
    defaults = to_dict(PretrainArguments())
    changed = {
        key: value for key, value in to_dict(arguments).items() if key not in NOT_SHOWN and value != defaults[key]
    }
    characters = results.get("text_characters")  # not of strips that were drawn before
    sources = "\n".join(f"* `{source}`" for source in map(shown_source, arguments.text)) or "* unknown"
    start = "random weights" if arguments.model is None else f"the model `{shown_source(arguments.model)}`"
    flops = pretraining_flops(config, arguments.max_seq_length) * arguments.batch_size * results["steps"]
    figures = [
        ("parameters", format_count(results["num_parameters"])),
        ("updates", f"{results['steps']} of {arguments.batch_size} strips of up to {arguments.max_seq_length} patches"),
        ("strips in the text", f"{format_count(results['num_strips'])}, seen {results['passes']:.2f} times"),
        ("characters of text", None if characters is None else format_count(characters)),
        ("training loss", _number(results["train_loss"])),
        ("evaluation loss", _number(results["eval_loss"]) and f"{_number(results['eval_loss'])} on {results['num_eval_strips']} strips"),
        ("operations, counted from the sizes", f"{flops:.2g}"),
        ("time", results["seconds"] and f"{format_seconds(results['seconds'])} (since the last interruption, if any)"),
    ]  # fmt: skip
    rows = "\n".join(f"| {label} | {value} |" for label, value in figures if value)
    settings = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True) if changed else "# the defaults\n"
    versions = f"pixel-lm {_version()}, transformers {transformers.__version__}, torch {torch.__version__}"
    return f"""---
# license: fill in; it depends on the text
# language: fill in
{yaml.safe_dump(head, sort_keys=False)}---

# {name}

{MARK}

A language model that reads pixels: text is rendered to an image, and a vision transformer fills in what is masked (PIXEL, Rust et al.,
ICLR 2023). The encoder has {config.num_hidden_layers} layers of {config.hidden_size}, the decoder, which only pretraining needs,
{config.decoder_num_hidden_layers} of {config.decoder_hidden_size}. It is meant to be fine-tuned; it writes no text.

## Use

```python
from pixel_lm import PixelForTokenClassification, TextRenderer

renderer = TextRenderer.from_pretrained("{name}")
model = PixelForTokenClassification.from_pretrained("{name}", num_labels=17)
batch = renderer.batch(["a sentence"], return_tensors="pt")
print(model(**batch).logits.shape)  # (sentences, patches, labels)
```

or `pixel-lm finetune pos --model {name} --data TREEBANK --output-dir FOLDER`. The renderer and its fonts are part of this folder: the
model knows text as they draw it.

## Text

{sources}

Training began with {start}. Licence of the text, where it comes from, languages, what was left out: {TO_DO}.

## Training

| | |
|---|---|
{rows}

Settings that differ from the defaults of `pixel-lm pretrain`, which are those of the published base model:

```yaml
{settings}```

{versions}.

## Limits

The model was evaluated on nothing but the loss above. What it does to groups of people, languages and scripts that its text has little
of: {TO_DO}.
"""


def write_model_card(arguments: PretrainArguments, config: PixelConfig, results: Mapping[str, Any]) -> None:
    """Write the card into the output folder, unless somebody has taken it over."""
    path = Path(arguments.output_dir) / CARD
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        logger.info("%s is left as it is", path)
        return
    path.write_text(model_card(arguments, config, results), encoding="utf-8")


def shown_source(name: str) -> str:
    """A source as others may see it: of local files and folders the last part of the path only."""
    prefix, _, rest = name.rpartition(":") if "://" not in name else ("", "", name)
    local = Path(rest)
    if "://" in name or not (local.is_absolute() or local.exists() or rest.startswith((".", "~"))):
        return name
    return f"{prefix}:{local.name}" if prefix else local.name


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _version() -> str:
    try:
        return metadata.version("pixel-lm")
    except metadata.PackageNotFoundError:
        return "(not installed)"
