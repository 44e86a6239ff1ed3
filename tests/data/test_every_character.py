"""Every character of a corpus is drawn exactly once per epoch: whoever loads it, and wherever it was interrupted."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from accelerate import skip_first_batches
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from pixel_lm.data.collators import PretrainingCollator
from pixel_lm.data.corpora import Corpus
from pixel_lm.data.mixtures import JoinedStrips
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import Packing, ShuffledStrips, Strips, build_strips
from tests.data.characters import ReadableRenderer, texts_of

EPOCHS, SEED, BATCH = 3, 5, 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two files; each paragraph is different, so that a strip too many or too few shows."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, start in (("a.txt", 0), ("b.txt", 1000)):
        lines = [f"Paragraph {start + i} of {name}: {i * i * 7}." + "\n" * (i % 4 == 0) for i in range(60)]
        (folder / name).write_text("\n".join(lines))
    return Corpus(folder)


@pytest.fixture(scope="module")
def strips(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Strips:
    return build_strips(corpus, ReadableRenderer(30), cache_dir=tmp_path_factory.mktemp("cache"), progress=False)


def loader(strips: Strips, rank: int = 0, ranks: int = 1, workers: int = 0) -> DataLoader:
    """The batches of one process, divided as accelerate does it."""
    run = ShuffledStrips(strips, len(strips) * EPOCHS, SEED)
    sampler = BatchSampler(SequentialSampler(run), BATCH, drop_last=False)
    shard: Any = BatchSamplerShard(sampler, ranks, rank, even_batches=False) if ranks > 1 else sampler
    return DataLoader(run, batch_sampler=shard, collate_fn=PretrainingCollator(SpanMasker(), SEED), num_workers=workers)


def seen(loaders: list[Any]) -> list[str]:
    """All texts in the order of the run: batch i of each process, then batch i + 1."""
    batches = [[texts_of(batch) for batch in loader] for loader in loaders]
    turns = [rank[i] for i in range(len(batches[0])) for rank in batches if i < len(rank)]
    return [text for batch in turns for text in batch]


def check(corpus: Corpus, strips: Strips, texts: list[str]) -> None:
    """Each epoch has the corpus's characters as often as they are there, in whole strips."""
    everything = " ".join(paragraph.text for paragraph in corpus.paragraphs())
    assert len(texts) == EPOCHS * len(strips)
    orders = set()
    for epoch in range(EPOCHS):
        shown = texts[epoch * len(strips) : (epoch + 1) * len(strips)]
        assert Counter("".join(shown)) == Counter(everything)
        assert sorted(shown) == sorted(strips.text(i) for i in range(len(strips)))  # type: ignore[attr-defined]
        orders.add(tuple(shown))
    assert "".join(strips.text(i) for i in range(len(strips))) == everything  # type: ignore[attr-defined]
    assert len(orders) == EPOCHS, "each epoch has an order of its own"


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("ranks", [1, 2])
def test_each_epoch_shows_each_character_once(corpus: Corpus, strips: Strips, ranks: int, workers: int) -> None:
    assert len(strips) % (BATCH * ranks), "epochs end inside of batches"
    texts = seen([loader(strips, rank, ranks, workers) for rank in range(ranks)])
    check(corpus, strips, texts)
    assert texts == seen([loader(strips)]), "in the same order as with one process"


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (1, 2), (2, 0), (2, 1)])
def test_after_resumption_in_the_middle(corpus: Corpus, strips: Strips, ranks: int, workers: int) -> None:
    """As transformers' Trainer resumes: batches that were seen are skipped, by processes that begin anew."""
    for done in (3, len(strips) * 2 // (BATCH * ranks) - 1):
        before = [list(islice(loader(strips, rank, ranks, workers), done)) for rank in range(ranks)]
        after = [skip_first_batches(loader(strips, rank, ranks, workers), done) for rank in range(ranks)]
        check(corpus, strips, seen(before) + seen(after))


@pytest.mark.parametrize("packing", ["full", "document"])
def test_joined_corpora(corpus: Corpus, tmp_path: Path, packing: Packing) -> None:
    renderer = ReadableRenderer(23)
    parts = [
        build_strips(Corpus(source.path), renderer, packing=packing, cache_dir=tmp_path, progress=False)  # type: ignore[union-attr]
        for source in corpus.sources
    ]
    texts = seen([loader(JoinedStrips(parts), rank, 2) for rank in range(2)])
    size = sum(map(len, parts))
    for epoch in range(EPOCHS):
        shown = texts[epoch * size : (epoch + 1) * size]
        assert sorted(shown) == sorted(part.text(i) for part in parts for i in range(len(part)))
