"""The README says what is true: its example runs, and its tree names the files that are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from pixel_lm.data.texts import project_texts
from tests.data_sets import conllu

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Contents of the code blocks that are marked as this language."""
    fenced = [part.partition("\n") for part in README.split("```")[1::2]]
    return [code for marked, _, code in fenced if marked == language]


def test_python_example_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "strip.png").is_file()
    assert re.search(r"torch\.Size\(\[2, \d+, 17\]\)", result.stdout)


def test_shell_examples_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)", README, re.MULTILINE))
    assert named
    assert {first or second for first, second in named} <= targets


def test_a_newcomer_can_pretrain(tmp_path: Path) -> None:
    """The commands as they stand, but for the length of the training."""
    paragraphs = project_texts()["en"]
    (tmp_path / "my-text.txt").write_text("\n".join(" ".join(text.split()) for text in paragraphs), encoding="utf-8")
    commands = re.findall(r"^\.venv/bin/pixel-lm (.*?)(?: +#.*)?$", README, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["pretrain", "reconstruct", "finetune", "table"]
    (tmp_path / "UD_Vietnamese-VTB").mkdir()  # so that it need not be fetched
    for split in ("train", "dev", "test"):
        path = tmp_path / "UD_Vietnamese-VTB" / f"vi_vtb-ud-{split}.conllu"
        path.write_bytes(conllu("Tôi", "đọc", "sách") * 8)
    shorter = {
        "pretrain": ["--steps", "3", "--batch-size", "8", "--base-learning-rate", "0.03"],
        "finetune": ["--steps", "3", "--batch-size", "4"],
    }
    for command in commands:
        words = [sys.executable, "-m", "pixel_lm", *shlex.split(command)]
        words += shorter.get(words[3], [])
        environment = os.environ | {"PIXEL_LM_CACHE": str(tmp_path / "cache")}
        result = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment)
        assert result.returncode == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if line.startswith("| runs/tiny"))
    assert [bool(cell.strip()) for cell in row.split("|")[2:-1]].index(True) == 7  # the column of VTB
    assert (tmp_path / "runs" / "tiny" / "model.safetensors").is_file() and (tmp_path / "filled-in.png").is_file()


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_tree_names_every_module_and_no_other() -> None:
    """Indentation gives the folder; a line may name several files of its folder."""
    (tree,) = (block for block in blocks("") if "src/pixel_lm/" in block)
    named: set[str] = set()
    folders: list[tuple[int, str]] = []
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        entry, _, description = line.strip().partition(" ")
        folders = [(depth, folder) for depth, folder in folders if depth < indent]
        path = (folders[-1][1] if folders else "") + entry
        assert (ROOT / path).exists(), f"the tree names {path}, which is not there"
        if entry.endswith("/"):
            folders.append((indent, path))
            named.update(path + name for name in re.findall(r"\w+\.py", description))
        else:
            named.add(path)
    files = {
        path.relative_to(ROOT).as_posix() for place in ("src", "benchmarks") for path in (ROOT / place).rglob("*.py")
    }
    files = {path for path in files if not path.endswith(("__init__.py", "__main__.py"))}
    assert files == {path for path in named if path.startswith(("src/", "benchmarks/")) and path.endswith(".py")}
