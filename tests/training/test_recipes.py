"""Settings: defaults, recipes and command line, and what is refused."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from pixel_lm.errors import UserError
from pixel_lm.training.arguments import FinetuneArguments, JobArguments, PretrainArguments, to_dict, validate
from pixel_lm.training.options import add_options, given_options
from pixel_lm.training.recipes import as_yaml, find_recipe, read_recipe, recipe_names, recipes_dir, resolve


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_published_pretraining_settings() -> None:
    arguments = resolve(PretrainArguments, "pretrain", "pixel-base", {})
    published = {
        "max_seq_length": 529, "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
        "num_hidden_layers": 12, "decoder_hidden_size": 512, "decoder_intermediate_size": 2048,
        "decoder_num_attention_heads": 16, "decoder_num_hidden_layers": 8, "mask_ratio": 0.25, "max_span_length": 6,
        "span_weights": (0.2, 0.4, 0.6, 0.8, 0.9, 1.0), "span_spacing": "span", "masking": "span", "dropout": 0.1,
        "weight_decay": 0.05, "base_learning_rate": 1.5e-4, "min_learning_rate": 1e-5, "warmup_ratio": 0.05,
        "steps": 1_000_000, "batch_size": 256, "norm_pix_loss": True, "seed": 42, "max_grad_norm": 1.0,
        "precision": "fp16", "logging_steps": 1000, "eval_steps": 5000, "save_steps": 10_000,
    }  # fmt: skip
    assert {key: getattr(arguments, key) for key in published} == published


@pytest.mark.parametrize("name", ["ud-vietnamese-vtb", "ud-english-ewt", "ud-tamil-ttb", "ud-coptic-scriptorium"])
def test_published_tagging_settings(name: str) -> None:
    arguments = resolve(FinetuneArguments, "finetune/pos", name, {})
    published = {
        "max_seq_length": 256, "batch_size": 64, "learning_rate": 5e-5, "steps": 15_000, "warmup_steps": 100,
        "eval_steps": 500, "early_stopping_patience": 5, "dropout": 0.1, "weight_decay": 0.0, "precision": "fp32",
        "model": "Team-PIXEL/pixel-base",
    }  # fmt: skip
    assert {key: getattr(arguments, key) for key in published} == published
    assert arguments.data is not None and arguments.data.lower().replace("_", "-") == name


@pytest.mark.parametrize("job, cls", [("pretrain", PretrainArguments), ("finetune/pos", FinetuneArguments)])
def test_shipped_recipes_hold_only_what_differs(job: str, cls: type[JobArguments]) -> None:
    names = recipe_names(job)
    assert names
    defaults = to_dict(cls())
    for name in names:
        values = read_recipe(recipes_dir() / job / f"{name}.yaml", cls)
        same = [
            key
            for key, value in values.items()
            if defaults[key] == (list(value) if isinstance(value, tuple) else value)
        ]
        assert not same, f"{name}: {same} are defaults"
        validate(resolve(cls, job, name, {"output_dir": "x"}))


def test_command_line_wins_over_recipe_and_recipe_over_default(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", "steps: 7\nbatch_size: 8\ntext: [a.txt, b.txt]\n")
    arguments = resolve(PretrainArguments, "pretrain", str(recipe), {"batch_size": 16, "report_to": ["tensorboard"]})
    assert (arguments.steps, arguments.batch_size, arguments.hidden_size) == (7, 16, 768)
    assert arguments.text == ("a.txt", "b.txt") and arguments.report_to == ("tensorboard",)


def test_yaml_numbers(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", "learning_rate: 5e-5\nweight_decay: 1\nmax_grad_norm: 1E+1\nseeds: 3\n")
    values = read_recipe(recipe, FinetuneArguments)
    assert values == {"learning_rate": 5e-5, "weight_decay": 1.0, "max_grad_norm": 10.0, "seeds": (3,)}
    assert isinstance(values["weight_decay"], float)


@pytest.mark.parametrize(
    "text, message",
    [
        ("steps: 5\nmask_rate: 0.4\n", r"r\.yaml, line 2: unknown setting 'mask_rate'; did you mean mask_ratio"),
        ("xyzzy: 1\n", r"r\.yaml, line 1: unknown setting 'xyzzy'; see --help"),
        ("steps: 5\nsteps: 6\n", r"r\.yaml, line 2: 'steps' is given twice"),
        ("steps: many\n", r"r\.yaml, line 1: steps must be an integer, not 'many'"),
        ("steps: 1.5\n", r"line 1: steps must be an integer, not 1\.5"),
        ("steps: true\n", r"line 1: steps must be an integer, not True"),
        ("mask_ratio: '0.3'\n", r"line 1: mask_ratio must be a number, not '0\.3'"),
        ("overwrite: 1\n", r"line 1: overwrite must be true or false, not 1"),
        ("text: [a, 1]\n", r"line 1: text must be a list of texts"),
        ("masking: spans\n", r"line 1: masking must be one of span, random, not 'spans'"),
        ("steps:\n", r"line 1: steps must be an integer, not None"),
        ("- steps\n", r"r\.yaml: a recipe consists of lines"),
        ("steps: [1\n", r"r\.yaml, line 2: "),
        ("steps: \x01\n", r"r\.yaml: not valid YAML"),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_recipe(write(tmp_path / "r.yaml", text), PretrainArguments)
    assert "\n" not in str(error.value)


def test_recipe_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"steps: \xff")
    with pytest.raises(UserError, match=r"r\.yaml: not UTF-8 text \(byte 7\)"):
        read_recipe(path, PretrainArguments)


def test_empty_recipe_means_defaults(tmp_path: Path) -> None:
    assert (
        resolve(PretrainArguments, "pretrain", str(write(tmp_path / "r.yaml", "# nothing\n")), {})
        == PretrainArguments()
    )


def test_unknown_recipe_names_near_matches() -> None:
    with pytest.raises(UserError, match="no recipe 'pixel-bas' for pretrain: choose pixel-base"):
        find_recipe("pixel-bas", "pretrain")
    with pytest.raises(UserError, match=r"nowhere\.yaml: no such recipe file"):
        find_recipe("nowhere.yaml", "pretrain")


@pytest.mark.parametrize("cls", [PretrainArguments, FinetuneArguments])
def test_settings_survive_yaml(cls: type[JobArguments], tmp_path: Path) -> None:
    arguments = cls(output_dir="x", report_to=("tensorboard",), dropout=0.0)
    path = write(tmp_path / "r.yaml", as_yaml(arguments))
    assert resolve(cls, "pretrain", str(path), {}) == arguments
    assert yaml.safe_load(path.read_text())["report_to"] == ["tensorboard"]


@pytest.mark.parametrize("cls", [PretrainArguments, FinetuneArguments])
def test_every_setting_is_an_option_with_explanation(cls: type[JobArguments]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, cls)
    text = " ".join(parser.format_help().split())
    for f in fields(cls):
        if f.metadata["positional"]:
            continue
        assert f"--{f.name.replace('_', '-')}" in text
        assert f.metadata["help"] in text or "%" in f.metadata["help"]
    assert given_options(cls, parser.parse_args([])) == {}


def test_options_are_parsed_into_fields() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, PretrainArguments)
    options = [
        "--text",
        "a",
        "b",
        "--steps",
        "1_000",
        "--no-norm-pix-loss",
        "--mask-ratio",
        "0.4",
        "--span-weights",
        ".5",
        "1",
    ]
    given = given_options(PretrainArguments, parser.parse_args(options))
    assert given == {
        "text": ["a", "b"], "steps": 1000, "norm_pix_loss": False, "mask_ratio": 0.4, "span_weights": [0.5, 1.0]
    }  # fmt: skip
    assert resolve(PretrainArguments, "pretrain", None, given).span_weights == (0.5, 1.0)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"output_dir": ""}, "--output-dir"),
        ({"steps": 0}, "steps is 0, but must be greater than 0"),
        ({"dropout": 1.0}, "dropout"),
        ({"mask_ratio": 1.0}, "mask-ratio"),
        ({"max_span_length": 3}, "span-weights .* must be 3 ascending numbers"),
        ({"span_spacing": "wide"}, "span-spacing is wide"),
        ({"num_attention_heads": 5}, r"hidden-size is 768, but must be a multiple of num-attention-heads \(5\)"),
        ({"decoder_hidden_size": 6, "decoder_num_attention_heads": 2}, "decoder-hidden-size is 6, .* multiple of 4"),
        ({"num_workers": -1}, "num-workers"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        validate(PretrainArguments(**{"output_dir": "x", **changes}))  # type: ignore[arg-type]
