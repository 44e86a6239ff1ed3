"""The command, run in this process, and a model that was trained with it."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pixel_lm.cli.main import main

TAGS = {
    "the": "DET",
    "a": "DET",
    "cat": "NOUN",
    "river": "NOUN",
    "sees": "VERB",
    "finds": "VERB",
    "odd": "ADJ",
    ".": "PUNCT",
}


def conllu(sentences: int, seed: int) -> str:
    """Sentences with a comment, a multiword token, an empty node and columns that must survive."""
    rng = random.Random(seed)
    text = ""
    for number in range(sentences):
        words = [*rng.choices(list(TAGS), k=rng.randint(3, 6)), "."]
        text += f"# sent_id = {number}\n1-2\t{words[0]}{words[1]}\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No\n"
        for i, word in enumerate(words, start=1):
            text += f"{i}\t{word}\t{word}\t{TAGS[word]}\tXX\tCase=Nom\t{(i + 1) % len(words)}\tdep\t_\t_\n"
        text += f"{len(words)}.1\t_\t_\t_\t_\t_\t_\t_\t0:root\t_\n\n"
    return text


@pytest.fixture(scope="session", autouse=True)
def small_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One thread, and a cache that is thrown away."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXEL_LM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


def _run(*words: str | Path) -> int:
    ours = logging.getLogger("pixel_lm")
    try:
        with warnings.catch_warnings():
            return main([str(word) for word in words])
    finally:
        ours.handlers, ours.propagate = [], True


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """`command("predict", …)` runs `pixel-lm predict …` and returns the exit status."""
    return _run


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command, expect status 2 and a single line on standard error, and return this line."""

    def run(*words: str | Path) -> str:
        capfd.readouterr()
        assert _run(*words) == 2
        out, err = capfd.readouterr()
        assert out == "" and err.endswith("\n")
        assert err.startswith("pixel-lm: error: ") and err.count("\n") == 1, err
        return err.removeprefix("pixel-lm: error: ").rstrip("\n")

    return run


SIZES: dict[str, Any] = {
    "hidden-size": 32, "num-hidden-layers": 1, "num-attention-heads": 2, "intermediate-size": 64, "cpu": True
}  # fmt: skip


def options(**values: Any) -> list[str]:
    """`options(max_steps=3, cpu=True)` → `["--max-steps", "3", "--cpu"]`."""
    words: list[str] = []
    for name, value in values.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `text.txt` and the treebank `UD_Odd-Cats`."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(0)
    lines = [" ".join(rng.choices(list(TAGS), k=9)) for _ in range(60)]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    treebank = folder / "UD_Odd-Cats"
    treebank.mkdir()
    for seed, (split, count) in enumerate({"train": 40, "dev": 10, "test": 10}.items()):
        (treebank / f"oc_cats-ud-{split}.conllu").write_text(conllu(count, seed), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A folder with `pretrained` and `tagger`, made with the command."""
    folder = tmp_path_factory.mktemp("runs")
    pretraining = options(
        **SIZES, text=data / "text.txt", output_dir=folder / "pretrained", max_seq_length=40, steps=3, batch_size=4,
        base_learning_rate=0.1, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )  # fmt: skip
    assert _run("pretrain", *pretraining) == 0
    tuning = options(
        model=folder / "pretrained", data="UD_Odd-Cats", data_dir=data, output_dir=folder / "tagger", max_seq_length=32,
        steps=60, batch_size=8, learning_rate=3e-3, warmup_steps=5, eval_steps=30, dropout=0, cpu=True,
    )  # fmt: skip
    assert _run("finetune", "pos", *tuning) == 0
    return folder
