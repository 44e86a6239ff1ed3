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

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from pixel_lm.data.corpora import Corpus, Paragraph
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    import datasets

Packing = Literal["full", "document"]
"""Where strips end. `full`: where they are full, and at the end of the corpus. `document`: also at the end of each
document, so that no strip holds text of two, as published."""

_FORMAT = 1  # to be raised when the way in which strips are cut or stored changes
_CHARACTERS_PER_PATCH = 32  # far more than fit into one; times the length of a strip: how much text is cut at once
_STRIPS_PER_BATCH = 1024


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


class StripDataset(Dataset[StripExample]):
    """Strips of text, rendered when asked for. Made by `build_strips`.

    The order is that of the corpus: shuffle with a sampler, or with `ShuffledStrips`.
    """

    def __init__(self, table: datasets.Dataset, renderer: StripRenderer, statistics: dict[str, int]) -> None:
        self.table = table
        self.renderer = renderer
        self.statistics = statistics
        # In shared memory, so that processes that already load data learn of a new epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.table)

    def text(self, index: int) -> str:
        """The text of a strip."""
        return self.table[index]["text"]

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """Render a strip, for a given pass through the data."""
        rendering = self.renderer(self.text(index))
        return StripExample(rendering.patches, rendering.num_text_patches, index, epoch)

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

    def split_validation(self, size: int | float, seed: int) -> tuple[StripDataset, StripDataset]:
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

    def select(self, indices: Iterable[int]) -> StripDataset:
        """The strips at these positions; they are counted from 0 again."""
        return StripDataset(self.table.select(list(indices)), self.renderer, self.statistics)


class ShuffledStrips(Dataset[StripExample]):
    """The strips of a whole training run: passes through a data set, each in another order, one after the other.

    Example k is what the run sees as its k-th, so it is to be read in order (a sequential sampler). Strip, order and
    mask depend on seed and k alone: not on the number of processes, nor on where a run was resumed.

    Args:
        strips: what to draw from.
        num_examples: length of the run, in examples.
        seed: decides the order of each pass.
    """

    def __init__(self, strips: StripDataset, num_examples: int, seed: int) -> None:
        self.strips = strips
        self.num_examples = num_examples
        self.seed = seed
        self._order: tuple[int, npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self.num_examples

    def __getitem__(self, position: int) -> StripExample:
        if not 0 <= position < self.num_examples:
            raise IndexError(f"example {position} of {self.num_examples}")
        epoch, offset = divmod(position, len(self.strips))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.strips))
        return self.strips.example(int(self._order[1][offset]), epoch)


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
    import datasets
    from filelock import FileLock

    if packing not in get_args(Packing):
        raise UserError(f"packing is {packing!r}, but must be one of {', '.join(get_args(Packing))}")
    key = {
        "format": _FORMAT,
        "corpus": corpus.identity(),
        "renderer": renderer.fingerprint(),
        "max_seq_length": renderer.max_seq_length,
        "packing": packing,
        "min_text_patches": min_text_patches,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    parent = Path(cache_dir) if cache_dir is not None else default_cache_dir() / "strips"
    folder = parent / digest
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            with FileLock(parent / f"{digest}.lock"):
                if not folder.exists():
                    _write_strips(corpus, renderer, packing, min_text_patches, folder, key, progress)
        statistics = json.loads((folder / "strips.json").read_text(encoding="utf-8"))["statistics"]
        table = datasets.Dataset.from_file(str(folder / "strips.arrow"))
    except OSError as error:
        raise UserError(
            f"{error.filename or parent}: strips of text cannot be stored there ({error.strerror or error}); "
            "set PIXEL_LM_CACHE to a folder with room that can be written"
        ) from error
    return StripDataset(table, renderer, statistics)


def default_cache_dir() -> Path:
    """Folder for what can be made again: PIXEL_LM_CACHE, or `pixel-lm` in the user's cache folder."""
    if path := os.environ.get("PIXEL_LM_CACHE"):
        return Path(path).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pixel-lm"


def _write_strips(
    corpus: Corpus,
    renderer: StripRenderer,
    packing: Packing,
    min_text_patches: int,
    folder: Path,
    key: dict[str, Any],
    progress: bool,
) -> None:
    """Write the strips to a folder that gets its name only when everything is on disk. The caller holds the lock."""
    import pyarrow as pa
    from tqdm import tqdm

    for left_over in folder.parent.glob(f"{folder.name}.tmp*"):
        shutil.rmtree(left_over, ignore_errors=True)
    statistics = {"documents": 0, "paragraphs": 0, "characters": 0, "strips": 0, "dropped_strips": 0}

    def counted(paragraphs: Iterable[Paragraph]) -> Iterator[Paragraph]:
        for paragraph in paragraphs:
            statistics["documents"] += paragraph.starts_document
            statistics["paragraphs"] += 1
            statistics["characters"] += len(paragraph.text)
            yield paragraph

    schema = pa.schema([("text", pa.string())])
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.tmp", dir=folder.parent))
    try:
        with (
            tqdm(
                total=corpus.size, unit="B", unit_scale=True, desc="cutting text into strips", disable=not progress
            ) as bar,
            open(temporary / "strips.arrow", "wb") as file,
            pa.ipc.new_stream(file, schema) as writer,
        ):
            batch: list[str] = []
            for strip in pack(counted(corpus.paragraphs(bar.update)), renderer, packing):
                if min_text_patches and renderer.num_patches(strip) - 1 < min_text_patches:
                    statistics["dropped_strips"] += 1
                    continue
                statistics["strips"] += 1
                batch.append(strip)
                if len(batch) == _STRIPS_PER_BATCH:
                    writer.write_batch(pa.record_batch([pa.array(batch, pa.string())], schema=schema))
                    batch = []
            if batch:
                writer.write_batch(pa.record_batch([pa.array(batch, pa.string())], schema=schema))
        if not statistics["strips"]:
            raise UserError(
                f"all {statistics['dropped_strips']} strips have fewer than {min_text_patches} patches of text"
            )
        (temporary / "strips.json").write_text(
            json.dumps({"key": key, "statistics": statistics}, indent=2), encoding="utf-8"
        )
        for name in ("strips.arrow", "strips.json"):
            with open(temporary / name, "rb") as written:
                os.fsync(written.fileno())
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
