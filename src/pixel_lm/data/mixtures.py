"""Several corpora in one training.

`JoinedStrips` puts corpora one after the other; an epoch shows every strip once. `MixedStrips` draws from them in given
proportions:

* An epoch is the shortest stretch that has the proportions and shows every strip of every corpus. The corpus that is the
  largest for its weight is shown once; the others begin anew as often as it takes. Corpora of 900 and 100 strips with weights
  1 : 1 make an epoch of 1800 examples: 900 strips once, 100 strips nine times.
* Each corpus goes on from epoch to epoch where it had stopped, and is shuffled anew on each of its own passes. So at any time
  its strips have been shown equally often, give or take one.
* In which order the corpora take turns is drawn anew in each epoch. Everything depends on the seed and the position in the
  run alone.

The published training drew from Wikipedia and BookCorpus in proportion to their sizes, which is what `JoinedStrips` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Self

import numpy as np
import numpy.typing as npt

from pixel_lm.data.strips import StripExample, Strips
from pixel_lm.errors import UserError

_TURNS, _PASS = 1, 2  # keep the random numbers of the two purposes apart


def total_statistics(parts: Sequence[Strips]) -> dict[str, int]:
    """The sum of what was counted in each: drawn strips know nothing of characters, so a sum with them does not either."""
    counted = [part.statistics for part in parts]
    names = [name for name in counted[0] if all(name in statistics for statistics in counted)]
    total = {name: sum(statistics[name] for statistics in counted) for name in names}
    if skipped := sum(statistics.get("skipped_inputs", 0) for statistics in counted):
        total["skipped_inputs"] = skipped
    return total


class JoinedStrips(Strips):
    """The strips of several corpora, one after the other.

    Args:
        parts: the corpora, none of them empty.
    """

    def __init__(self, parts: Sequence[Strips]) -> None:
        super().__init__(total_statistics(parts))
        self.parts = list(parts)
        self.ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self.ends[-1]

    def place(self, index: int) -> tuple[int, int]:
        """Which corpus a strip is of, and its position there."""
        part = int(np.searchsorted(self.ends, index, side="right"))
        return part, index - (self.ends[part - 1] if part else 0)

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """A strip, numbered through all corpora."""
        part, position = self.place(index)
        found = self.parts[part].example(position, epoch)
        return StripExample(found.patches, found.num_text_patches, index, epoch)

    def select(self, indices: Iterable[int]) -> Self:
        """The strips at these positions, in the order of the corpora."""
        chosen: list[list[int]] = [[] for _ in self.parts]
        for index in sorted(indices):
            part, position = self.place(index)
            chosen[part].append(position)
        return type(self)(
            [part.select(positions) for part, positions in zip(self.parts, chosen, strict=True) if positions]
        )


class MixedStrips:
    """The strips of several corpora in given proportions. To be read by `ShuffledStrips`.

    Args:
        parts: the corpora, none of them empty.
        weights: how often each is drawn from, in proportion to the others.

    Raises:
        UserError: there is not one positive weight for each corpus.
    """

    def __init__(self, parts: Sequence[Strips], weights: Sequence[float]) -> None:
        if len(weights) != len(parts) or not all(0 < weight < float("inf") for weight in weights):
            raise UserError(f"{len(weights)} weights for {len(parts)} corpora: give each a number greater than 0")
        self.joined = JoinedStrips(parts)
        self.weights = tuple(weights)
        longest = max(len(part) / weight for part, weight in zip(parts, weights, strict=True))
        self.quotas = [max(1, round(weight * longest)) for weight in weights]
        """Examples of each corpus in an epoch."""

    @property
    def statistics(self) -> dict[str, int]:
        """The sum of what was counted in each corpus, however often it is shown."""
        return self.joined.statistics

    def __len__(self) -> int:
        """Examples in an epoch."""
        return sum(self.quotas)

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """A strip, numbered through all corpora."""
        return self.joined.example(index, epoch)

    def schedule(self, seed: int, epoch: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What a training sees in an epoch: position of each strip, and which pass through its corpus this is."""
        turns = np.repeat(np.arange(len(self.quotas)), self.quotas)
        np.random.default_rng([seed, epoch, _TURNS]).shuffle(turns)
        order = np.empty(len(turns), np.int64)
        passes = np.empty(len(turns), np.int64)
        for i, (part, quota, end) in enumerate(zip(self.joined.parts, self.quotas, self.joined.ends, strict=True)):
            size = len(part)
            drawn = np.arange(epoch * quota, (epoch + 1) * quota)  # of all that is ever drawn from this corpus
            numbers, offsets = drawn // size, drawn % size
            positions = np.empty(quota, np.int64)
            for number in range(int(numbers[0]), int(numbers[-1]) + 1):
                of_this_pass = numbers == number
                shuffled = np.random.default_rng([seed, number, _PASS, i]).permutation(size)
                positions[of_this_pass] = shuffled[offsets[of_this_pass]]
            places = turns == i
            order[places] = positions + (end - size)
            passes[places] = numbers
        return order, passes

    def split_validation(self, size: int | float, seed: int) -> tuple[MixedStrips, JoinedStrips]:
        """Set strips of each corpus aside, in the proportions of the weights; see `Strips.split_validation`.

        `size` below 1 is a part of each corpus.
        """
        parts = self.joined.parts
        if isinstance(size, int):
            bounds = [round(size * share / sum(self.weights)) for share in accumulate(self.weights)]
            counts: list[int | float] = [end - start for start, end in zip([0, *bounds[:-1]], bounds, strict=True)]
        else:
            counts = [size] * len(parts)
        if not any(counts):
            raise UserError(f"cannot set {size} strips aside for validation: give a larger number")
        pairs = [part.split_validation(count, seed) for part, count in zip(parts, counts, strict=True) if count]
        kept = iter(pairs)
        others = [next(kept)[0] if count else part for part, count in zip(parts, counts, strict=True)]
        return MixedStrips(others, self.weights), JoinedStrips([pair[1] for pair in pairs])
