"""The Python examples of the guides run as they stand (names on the hub stand for a folder here), and their commands are ones."""

from __future__ import annotations

import argparse
import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pixel_lm import PixelConfig, PixelForPreTraining, TextRenderer
from pixel_lm.cli.main import build_parser, main
from pixel_lm.models.flops import pretraining_flops
from pixel_lm.training.arguments import PretrainArguments, validate
from pixel_lm.training.options import given_options
from pixel_lm.training.pretrain import build_model, peak_learning_rate
from pixel_lm.training.recipes import find_recipe, recipe_names, resolve

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GUIDES = ("models.md", "checkpoints.md")


def examples() -> list[tuple[str, str]]:
    found = []
    for guide in GUIDES:
        for part in (DOCS / guide).read_text(encoding="utf-8").split("```")[1::2]:
            language, _, code = part.partition("\n")
            if language == "python":
                found.append((guide, code))
    return found


@pytest.mark.parametrize(("guide", "code"), examples())
def test_python_examples_run(guide: str, code: str, tmp_path: Path) -> None:
    if "Team-PIXEL" in code:
        config = PixelConfig(num_hidden_layers=1, decoder_num_hidden_layers=1)
        PixelForPreTraining(config).save_pretrained(tmp_path)
        TextRenderer().save_pretrained(tmp_path)
        code = code.replace("Team-PIXEL/pixel-base", str(tmp_path))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def blocks(path: Path, language: str) -> list[str]:
    fenced = [part.partition("\n") for part in path.read_text(encoding="utf-8").split("```")[1::2]]
    return [code for marked, _, code in fenced if marked == language]


def commands(path: Path) -> list[list[str]]:
    """The words of each `pixel-lm` command in the shell examples of a page."""
    lines = [line for code in blocks(path, "sh") for line in code.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("pixel-lm ")]


PAGES = [path for path in (*sorted(DOCS.glob("*.md")), ROOT / "README.md") if commands(path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_and_recipes_that_they_name(page: Path) -> None:
    parser, _ = build_parser()
    for words in commands(page):
        args, extras = parser.parse_known_args(words)
        assert not extras, words
        recipe = getattr(args, "recipe", None)
        if recipe is not None and not recipe.endswith(".yaml"):
            assert find_recipe(recipe, "pretrain" if args.verb == "pretrain" else f"finetune/{args.task}")


def test_table_of_recipes_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "recipe_table.py"))
    guide = (DOCS / "finetuning.md").read_text(encoding="utf-8")
    assert guide == script["renewed"](guide), "run `python scripts/recipe_table.py`"
    names = re.findall(r"^\| \w+ \| `([\w-]+)` \|", guide, re.MULTILINE)
    assert len(names) == len(list((ROOT / "recipes" / "finetune").glob("*/*.yaml")))


def test_new_task_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide from its first to its last line: files written, commands run."""
    monkeypatch.chdir(tmp_path)
    page = DOCS / "new-task.md"
    for code in blocks(page, "python"):
        (tmp_path / code.splitlines()[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    runpy.run_path("make_data.py")
    for words in commands(page):
        assert main([*words, "--cpu"]) == 0
    results = json.loads(Path("runs/languages/all_results.json").read_text())
    assert results["test_accuracy"] > 0.75 > 0.65 > results["test_baseline_accuracy"]
    assert json.loads(Path("scores.json").read_text())["accuracy"] == pytest.approx(results["test_accuracy"])
    gold, tagged = (Path(name).read_text(encoding="utf-8").split() for name in ("data/test.txt", "tagged.txt"))
    right = [a == b for a, b in zip(gold, tagged, strict=True)]
    assert sum(right) / len(right) == pytest.approx(results["test_accuracy"])
    assert (tmp_path / "report" / "confusion.png").is_file()


def pretraining_commands() -> list[list[str]]:
    """What follows `pixel-lm`, or `-m pixel_lm` under torchrun, in the shell blocks and in the text of the guide."""
    guide = (DOCS / "pretraining.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"`((?:pixel-lm|sbatch) .*?)`", guide)
    found = [re.search(r"(?:pixel-lm|-m pixel_lm|pretrain\.sh) +(.*)", line) for line in lines]
    commands = [shlex.split(match[1], comments=True) for match in found if match]
    return [words if words[0] in ("pretrain", "prerender") else ["pretrain", *words] for words in commands]


@pytest.mark.parametrize("words", pretraining_commands(), ids=" ".join)
def test_commands_for_pretraining_can_be_given(words: list[str]) -> None:
    """They have the options and recipes that the guide says. What they do is tested in tests/training and tests/data."""
    arguments = build_parser()[0].parse_args(words)
    if words[0] == "pretrain":
        settings = resolve(
            PretrainArguments,
            "pretrain",
            arguments.recipe,
            given_options(PretrainArguments, argparse.Namespace(**vars(arguments))),
        )
        validate(settings)
        assert peak_learning_rate(settings) > 0 and settings.text


def test_table_of_costs() -> None:
    """Operations, and hours at 35 % of the makers' peaks, from the sizes of the recipes."""
    guide = (DOCS / "pretraining.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| recipe \|.*?\n\n", guide, re.DOTALL)
    listed = set()
    for row in table.strip().splitlines()[2:]:
        names, _, operations, *hours = (cell.strip() for cell in row.strip("|").split("|"))
        for name in re.findall(r"`(.*?)`", names):
            listed.add(name)
            settings = resolve(PretrainArguments, "pretrain", name, {})
            count = pretraining_flops(build_model(settings).config, settings.max_seq_length)
            count *= settings.batch_size * settings.steps
            assert float(operations) == float(f"{count:.1e}"), name
            for stated, peak in zip(hours, (989e12, 312e12), strict=True):
                if stated != "–":
                    assert float(stated) == float(f"{count / (0.35 * peak * 3600):.2g}"), name
    assert listed == set(recipe_names("pretrain"))
