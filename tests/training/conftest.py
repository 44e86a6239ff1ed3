"""Small data and settings with which training takes seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

TINY_ENCODER: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "cpu": True
}  # fmt: skip
TINY_PRETRAINING: dict[str, Any] = {
    **TINY_ENCODER, "decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 32, "max_seq_length": 24, "batch_size": 4, "base_learning_rate": 0.1,
}  # fmt: skip

LEXICON = {
    "DET": ["the", "a", "every"],
    "ADJ": ["small", "green", "odd", "quick"],
    "NOUN": ["cat", "river", "house", "teacher", "stone", "idea"],
    "VERB": ["sees", "finds", "paints", "carries"],
    "PUNCT": [".", "!"],
}
PATTERN = ["DET", "ADJ", "NOUN", "VERB", "DET", "NOUN", "PUNCT"]


def sentence(rng: random.Random) -> list[tuple[str, str]]:
    return [(rng.choice(LEXICON[tag]), tag) for tag in PATTERN]


def conllu(count: int, seed: int) -> str:
    rng = random.Random(seed)
    blocks = []
    for _ in range(count):
        lines = [f"{i}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_" for i, (word, tag) in enumerate(sentence(rng), start=1)]
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


@pytest.fixture(scope="session")
def tiny_encoder() -> dict[str, Any]:
    return TINY_ENCODER


@pytest.fixture(scope="session")
def tiny_pretraining() -> dict[str, Any]:
    return TINY_PRETRAINING


@pytest.fixture(scope="session")
def read_curve() -> Callable[[Path], list[dict[str, float]]]:
    """The log of a run without what depends on the clock."""
    kept = ("step", "loss", "learning_rate", "grad_norm", "eval_loss", "eval_accuracy", "epoch")

    def read(run: Path) -> list[dict[str, float]]:
        lines = [json.loads(line) for line in (run / "log_history.jsonl").read_text().splitlines()]
        return [{key: line[key] for key in kept if key in line} for line in lines if "train_runtime" not in line]

    return read


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Any:
    """Models this small are slower with more, and far slower on a machine that does other things as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Strips are not kept in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXEL_LM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(" ".join(word for word, _ in sentence(rng)) for _ in range(120)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def treebank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("treebanks") / "UD_Tiny-Test"
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 60, "dev": 16, "test": 16}.items()):
        (folder / f"tt_tiny-ud-{split}.conllu").write_text(conllu(count, seed), encoding="utf-8")
    return folder
