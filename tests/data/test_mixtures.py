"""Mixtures: proportions, evenness, and an order that depends on the seed and the position alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from pixel_lm.data.collators import PretrainingCollator
from pixel_lm.data.corpora import Corpus
from pixel_lm.data.mixtures import JoinedStrips, MixedStrips
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strips import ShuffledStrips, StripDataset, build_strips
from pixel_lm.errors import UserError
from tests.data.characters import ReadableRenderer, texts_of

Make = Callable[[str, int], StripDataset]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Corpora of a given number of strips, all of which begin with the same letter."""
    folder = tmp_path_factory.mktemp("corpora")

    def build(letter: str, count: int) -> StripDataset:
        path = folder / f"{letter}{count}.txt"
        path.write_text("\n\n".join(f"{letter}{i:04}" for i in range(count)))
        options = {"packing": "document", "cache_dir": folder / "cache", "progress": False}
        return build_strips(Corpus(path), ReadableRenderer(), **options)  # type: ignore[arg-type]

    return build


@hypothesis_settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    data=st.data(),
)
def test_proportions_and_evenness(make: Make, sizes: list[int], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(sizes), max_size=len(sizes)))
    mixed = MixedStrips([make(letter, size) for letter, size in zip("abcd", sizes, strict=False)], weights)
    assert all(quota >= size or quota >= 1 for quota, size in zip(mixed.quotas, sizes, strict=True))
    needed = max(range(len(sizes)), key=lambda i: sizes[i] / weights[i])
    assert mixed.quotas[needed] == sizes[needed], "the largest for its weight is shown once"
    for quota, weight in zip(mixed.quotas, weights, strict=True):
        assert quota == 1 or abs(quota - weight * sizes[needed] / weights[needed]) <= 0.5 + 1e-6
    shown: Counter[int] = Counter()
    pairs: set[tuple[int, int]] = set()
    for epoch in range(3):
        order, passes = mixed.schedule(7, epoch)
        assert len(order) == len(passes) == len(mixed) == sum(mixed.quotas)
        counts = np.bincount(np.searchsorted(mixed.joined.ends, order, side="right"), minlength=len(sizes))
        assert counts.tolist() == mixed.quotas
        shown.update(order.tolist())
        pairs.update(zip(order.tolist(), passes.tolist(), strict=True))
        for end, size in zip(mixed.joined.ends, sizes, strict=True):
            times = [shown[i] for i in range(end - size, end)]
            assert max(times) - min(times) <= 1, "evenly"
    assert len(pairs) == 3 * len(mixed), "a strip that comes again comes with another mask"


def test_an_epoch_shows_all(make: Make) -> None:
    mixed = MixedStrips([make("a", 90), make("b", 10)], [1, 1])
    assert len(mixed) == 180
    order, _ = mixed.schedule(1, 0)
    counts = Counter(order.tolist())
    assert [counts[i] for i in range(90)] == [1] * 90 and [counts[i] for i in range(90, 100)] == [9] * 10
    # The corpora take turns all through the epoch.
    halves = [np.mean(half >= 90) for half in np.split(order, 2)]
    assert all(0.35 < share < 0.65 for share in halves)


def test_depends_on_seed_and_epoch_alone(make: Make) -> None:
    def orders(seed: int, epoch: int) -> list[int]:
        return MixedStrips([make("a", 30), make("b", 20)], [2, 1]).schedule(seed, epoch)[0].tolist()

    assert orders(1, 2) == orders(1, 2)
    assert len({tuple(orders(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_workers_or_resumption(make: Make, workers: int) -> None:
    mixed = MixedStrips([make("a", 13), make("b", 5)], [1, 2])

    def batches(start: int, workers: int) -> list[tuple[list[str], bytes]]:
        run = ShuffledStrips(mixed, 3 * len(mixed), seed=3)
        loader: DataLoader = DataLoader(
            run,
            batch_sampler=[list(range(i, min(i + 4, len(run)))) for i in range(start, len(run), 4)],
            collate_fn=PretrainingCollator(SpanMasker(0.3, 1, None), seed=3),
            num_workers=workers,
        )
        return [(texts_of(batch), batch["patch_mask"].numpy().tobytes()) for batch in loader]

    whole = batches(0, 0)
    assert batches(0, workers) == whole
    assert batches(40, workers) == whole[10:]
    letters = Counter(text[0] for texts, _ in whole for text in texts)
    assert letters == {"a": 39, "b": 78}


def test_joined(make: Make) -> None:
    joined = JoinedStrips([make("a", 5), make("b", 3)])
    assert len(joined) == 8 and joined.statistics["strips"] == 8 and joined.statistics["characters"] == 40
    examples = [joined[i] for i in range(8)]
    assert [example.index for example in examples] == list(range(8))
    letters = [chr(example.patches[0, 0, 0]) for example in examples]
    assert letters == list("aaaaabbb")
    part = joined.select([6, 1])
    assert len(part) == 2 and [chr(part[i].patches[0, 0, 0]) for i in range(2)] == ["a", "b"]
    with pytest.raises(IndexError):
        joined[8]


def test_validation(make: Make) -> None:
    mixed = MixedStrips([make("a", 60), make("b", 40)], [1, 3])
    rest, held_out = mixed.split_validation(8, seed=1)
    assert Counter(chr(held_out[i].patches[0, 0, 0]) for i in range(8)) == {"a": 2, "b": 6}
    assert [len(part) for part in rest.joined.parts] == [58, 34]
    rest, held_out = mixed.split_validation(0.1, seed=1)
    assert [len(part) for part in held_out.parts] == [6, 4] and [len(part) for part in rest.joined.parts] == [54, 36]
    rest, held_out = MixedStrips([make("a", 60), make("b", 40)], [100, 1]).split_validation(3, seed=1)
    assert len(held_out) == 3 and [len(part) for part in rest.joined.parts] == [57, 40]


@pytest.mark.parametrize("weights", [[1], [1, 0], [1, -1], [1, float("inf")], [1, float("nan")]])
def test_impossible_weights(make: Make, weights: list[float]) -> None:
    with pytest.raises(UserError, match="weights for 2 corpora"):
        MixedStrips([make("a", 3), make("b", 3)], weights)
