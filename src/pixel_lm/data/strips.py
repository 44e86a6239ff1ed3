"""Full strips of text for pretraining.

Paragraphs are joined until they fill a strip of `max_seq_length` patches; what does not fit goes on in the next
strip, so that no text is lost and none is clipped. (The published data were cut between paragraphs only and clipped
what was too wide; Rust et al., 2023, appendix on pretraining data.)

* Strips are kept as text: 10 GB instead of 190 GB of pictures for the published corpora. They are rendered when asked
  for.
* They are cut once and stored under a key made of everything that decides where they are cut: files, renderer and font,
  length, packing. An interrupted build leaves nothing that would be taken for a complete one.
* Memory does not depend on the size of the corpus, and time grows with its length only.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from pixel_lm.data.corpora import Corpus, Paragraph
from pixel_lm.data.strip_cache import cached_table
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    import datasets

Packing = Literal["full", "document"]
"""Where strips end. `full`: where they are full, and at the end of the corpus. `document`: also at the end of each
document, so that no strip holds text of two, as published."""

_FORMAT = 1  # to be raised when the way in which strips are cut or stored changes
_CHARACTERS_PER_PATCH = 32  # far more than fit into one; times the length of a strip: how much text is cut at once


class Strip(Protocol):
    """What is needed of `pixel_lm.rendering.Rendering`."""

    @property
    def patches(self) -> npt.NDArray[np.uint8]:
        """uint8 `(n, 16, 16)`."""

    @property
    def num_text_patches(self) -> int:
        """Index of the final separator."""


class StripRenderer(Protocol):
    """What is needed of `pixel_lm.rendering.TextRenderer`."""

    @property
    def max_seq_length(self) -> int:
        """Patches of a strip, the final separator included."""

    def __call__(self, text: str, /) -> Strip:
        """Render one strip."""

    def split(self, text: str, /) -> list[str]:
        """Cut a text into pieces that fit into a strip and together are the text."""

    def num_patches(self, text: str, /) -> int:
        """Patches that a text needs, the final separator included."""

    def fingerprint(self) -> str:
        """A digest of settings and fonts."""


@dataclass(frozen=True, slots=True)
class StripExample:
    """One rendered strip. Not a dict, so that transformers' Trainer hands it to the collator unchanged."""

    patches: npt.NDArray[np.uint8]
    """uint8 `(n, 16, 16)`, 0 black … 255 white, the final separator included."""
    num_text_patches: int
    """Index of the final separator."""
    index: int
    """Position in the data set."""
    epoch: int
    """Which pass through the data set this is; together with `index` it decides the mask."""


class Strips(Dataset[StripExample], ABC):
    """Strips that can be asked for by position: their order is that of the corpus.

    Shuffle with a sampler, or with `ShuffledStrips`.

    Args:
        statistics: counts of what the strips were made from.
    """

    def __init__(self, statistics: dict[str, int]) -> None:
        self.statistics = statistics
        # In shared memory, so that processes that already load data learn of a new epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @abstractmethod
    def __len__(self) -> int:
        """Number of strips."""

    @abstractmethod
    def example(self, index: int, epoch: int = 0) -> StripExample:
        """A strip, for a given pass through the data."""

    @abstractmethod
    def select(self, indices: Iterable[int]) -> Self:
        """The strips at these positions; they are counted from 0 again."""

    def __getitem__(self, index: int) -> StripExample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"strip {index} of {len(self)}")
        return self.example(index % len(self), int(self._epoch))

    def set_epoch(self, epoch: int) -> None:
        """Set the pass through the data that `dataset[i]` belongs to, in data-loading processes too; 0 at first.

        Data sets for evaluation stay at 0: their masks are the same each time. For training prefer `ShuffledStrips`:
        accelerate's data loaders do not always forward the epoch (not with several processes, not after resuming
        within an epoch).
        """
        self._epoch.fill_(epoch)

    def schedule(self, seed: int, epoch: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What a training sees in an epoch, in this order: position of each strip, and which time it is its turn.

        Returns:
            Two int64 arrays as long as an epoch.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        return order, np.full(len(order), epoch)

    def split_validation(self, size: int | float, seed: int) -> tuple[Self, Self]:
        """Set strips aside for validation, chosen at random and in the same way for the same seed.

        Args:
            size: number of strips (int), or part of them (float below 1).
            seed: decides which.

        Returns:
            The others and those set aside, both in the order of the corpus.

        Raises:
            UserError: there are not enough strips for both.
        """
        count = size if isinstance(size, int) else round(size * len(self))
        if not 0 < count < len(self):
            raise UserError(
                f"cannot set {size} of {len(self)} strips aside for validation: both parts need at least one; "
                "give more text or another size"
            )
        chosen = set(random.Random(seed).sample(range(len(self)), count))
        others = [index for index in range(len(self)) if index not in chosen]
        return self.select(others), self.select(sorted(chosen))


class StripDataset(Strips):
    """Strips of text, rendered when asked for. Made by `build_strips`."""

    def __init__(self, table: datasets.Dataset, renderer: StripRenderer, statistics: dict[str, int]) -> None:
        super().__init__(statistics)
        self.table = table
        self.renderer = renderer

    def __len__(self) -> int:
        return len(self.table)

    def text(self, index: int) -> str:
        """The text of a strip."""
        return self.table[index]["text"]

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """Render a strip, for a given pass through the data."""
        rendering = self.renderer(self.text(index))
        return StripExample(rendering.patches, rendering.num_text_patches, index, epoch)

    def select(self, indices: Iterable[int]) -> Self:
        """The strips at these positions; they are counted from 0 again."""
        return type(self)(self.table.select(list(indices)), self.renderer, self.statistics)


class ScheduledStrips(Protocol):
    """What a training draws from: `Strips`, or a mixture of them."""

    def __len__(self) -> int:
        """Examples in an epoch."""

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """A strip, for a given pass through the data."""

    def schedule(self, seed: int, epoch: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What is seen in an epoch."""


class ShuffledStrips(Dataset[StripExample]):
    """The strips of a whole training run: passes through a data set, each in another order, one after the other.

    Example k is what the run sees as its k-th, so it is to be read in order (a sequential sampler). Strip, order and
    mask depend on seed and k alone: not on the number of processes, nor on where a run was resumed.

    Args:
        strips: what to draw from.
        num_examples: length of the run, in examples.
        seed: decides the order of each pass.
    """

    def __init__(self, strips: ScheduledStrips, num_examples: int, seed: int) -> None:
        self.strips = strips
        self.num_examples = num_examples
        self.seed = seed
        self._schedule: tuple[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] | None = None

    def __len__(self) -> int:
        return self.num_examples

    def __getitem__(self, position: int) -> StripExample:
        if not 0 <= position < self.num_examples:
            raise IndexError(f"example {position} of {self.num_examples}")
        epoch, offset = divmod(position, len(self.strips))
        if self._schedule is None or self._schedule[0] != epoch:
            self._schedule = epoch, self.strips.schedule(self.seed, epoch)
        order, passes = self._schedule[1]
        return self.strips.example(int(order[offset]), int(passes[offset]))


def pack(
    paragraphs: Iterable[Paragraph],
    renderer: StripRenderer,
    packing: Packing = "full",
    block_size: int | None = None,
) -> Iterator[str]:
    """Join paragraphs with single spaces and cut the result into strips.

    The strips of a run of text (the corpus, or with `packing="document"` each document), written one after the other,
    are its paragraphs joined with single spaces.

    Args:
        paragraphs: the text.
        renderer: decides how much fits into a strip.
        packing: where strips end.
        block_size: characters that are cut at once, by default many strips of them. It does not change the strips.
    """
    if block_size is None:
        block_size = _CHARACTERS_PER_PATCH * renderer.max_seq_length
    pending = ""  # the last, not yet full strip
    added = ""  # what follows it
    for text, ends in _blocks(paragraphs, packing, block_size):
        added += text
        # Usually blocks are many strips long. Where a strip is longer than a block (characters without width), wait
        # until the text has doubled, so that measuring it again and again costs no more than measuring it twice.
        if len(added) < len(pending) and not ends:
            continue
        pieces = renderer.split(pending + added) if pending or added else []
        # What follows may still belong to the last piece; no earlier one can change.
        pending = pieces.pop() if pieces and not ends else ""
        added = ""
        yield from pieces


def _blocks(paragraphs: Iterable[Paragraph], packing: Packing, size: int) -> Iterator[tuple[str, bool]]:
    """The text in blocks of about `size` characters, each with whether a run of text ends there.

    Cutting a block of many strips at once measures each text about once, however short or long paragraphs are.
    """
    parts: list[str] = []
    length = 0
    begun = False
    for paragraph in paragraphs:
        if begun and paragraph.starts_document and packing == "document":
            yield "".join(parts), True
            parts, length, begun = [], 0, False
        text = " " + paragraph.text if begun else paragraph.text
        begun = True
        for start in range(0, len(text), size):
            parts.append(text[start : start + size])
            length += len(parts[-1])
            if length >= size:
                yield "".join(parts), False
                parts, length = [], 0
    if begun:
        yield "".join(parts), True


def build_strips(
    corpus: Corpus,
    renderer: StripRenderer,
    *,
    packing: Packing = "full",
    min_text_patches: int = 0,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> StripDataset:
    """Cut a corpus into strips, or take them from the cache if that was done before.

    Processes on one machine that call this at the same time do the work once.

    Args:
        corpus: the text.
        renderer: decides how much fits into a strip, and renders them.
        packing: where strips end.
        min_text_patches: drop strips with fewer patches of text. 0 keeps all; the published training dropped those
            below 22.
        cache_dir: where strips are stored; by default `strips` in the folder that the environment variable
            PIXEL_LM_CACHE names, or in `~/.cache/pixel-lm`.
        progress: show a bar.

    Raises:
        UserError: the corpus cannot be read or has no text, the cache cannot be written, or `packing` is unknown.
    """
    import pyarrow as pa
    from tqdm import tqdm

    if packing not in get_args(Packing):
        raise UserError(f"packing is {packing!r}, but must be one of {', '.join(get_args(Packing))}")

    def rows(statistics: dict[str, int]) -> Iterator[dict[str, Any]]:
        statistics.update(dict.fromkeys(("documents", "paragraphs", "characters", "strips", "dropped_strips"), 0))

        def counted(paragraphs: Iterable[Paragraph]) -> Iterator[Paragraph]:
            for paragraph in paragraphs:
                statistics["documents"] += paragraph.starts_document
                statistics["paragraphs"] += 1
                statistics["characters"] += len(paragraph.text)
                yield paragraph

        label = "cutting text into strips"
        with tqdm(total=corpus.size, unit="B", unit_scale=True, desc=label, disable=not progress) as bar:
            for strip in pack(counted(corpus.paragraphs(bar.update)), renderer, packing):
                if min_text_patches and renderer.num_patches(strip) - 1 < min_text_patches:
                    statistics["dropped_strips"] += 1
                    continue
                statistics["strips"] += 1
                yield {"text": strip}
        if corpus.bad_inputs.count:
            statistics["skipped_inputs"] = corpus.bad_inputs.count
        if not statistics["strips"]:
            raise UserError(
                f"all {statistics['dropped_strips']} strips have fewer than {min_text_patches} patches of text"
                if statistics["dropped_strips"]
                else f"nothing of the text could be read ({corpus.bad_inputs.count} lines, rows or files were skipped)"
            )

    key = {
        "format": _FORMAT,
        "corpus": corpus.identity(),
        "renderer": renderer.fingerprint(),
        "max_seq_length": renderer.max_seq_length,
        "packing": packing,
        "min_text_patches": min_text_patches,
    }
    table, statistics = cached_table(key, pa.schema([("text", pa.string())]), rows, cache_dir)
    return StripDataset(table, renderer, statistics)
