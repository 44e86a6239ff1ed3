"""Strips that were drawn before: read for pretraining, and written.

The format is that of the published pretraining data: Parquet with a PNG image per row (`pixel_values`, 16 pixels high, padded
with white to the longest strip there can be) and the number of patches of text (`num_patches`, which the final separator
follows). Grey images become grey patches, coloured ones coloured patches.

* Reading: the images are copied, still compressed, into a table that any row can be read from at once; so the disk needs room
  for them twice, as with the `datasets` library. Sizes are checked then, from the heads of the images.
* Writing: shards of a fixed number of strips, each of which gets its name when it is complete. A writer that was killed goes on
  with the first shard that is missing.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from pixel_lm.data.bad_inputs import BadInputPolicy, BadInputs
from pixel_lm.data.corpora import HubDataset, RemoteText, TextFile, find_sources
from pixel_lm.data.strip_cache import cached_table
from pixel_lm.data.strips import StripDataset, StripExample, Strips
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    import datasets
    import pyarrow

PREFIX = "prerendered:"
"""What stands before the name of such data where texts may be named, too."""

RECORD = "prerender.json"
"""Beside the shards: what they were made from."""

IMAGE, LENGTH = "pixel_values", "num_patches"
"""Columns."""

PATCH = 16
"""Height of the images, and width of a patch, in pixels."""

_FORMAT = 1  # to be raised when tables are made in another way
_ROWS_PER_BATCH = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = (2, 3, 6)  # of PNG: RGB, palette, RGBA


class PrerenderedCorpus:
    """Where drawn strips lie.

    Args:
        name: a Parquet file, a folder, pattern or address of such files, or a data set of the `datasets` library, with or
            without `prerendered:` in front.
        on_bad_input: `stop` at rows and files that cannot be read, or `skip` them.

    Raises:
        UserError: there is nothing of this name.
    """

    def __init__(self, name: str, on_bad_input: BadInputPolicy = "stop") -> None:
        self.name = name.removeprefix(PREFIX)
        self.bad_inputs = BadInputs(on_bad_input)
        self.sources = [source for source in find_sources(self.name) if _may_hold_strips(source)]
        if not self.sources:
            raise UserError(f"{self.name}: no Parquet files there; drawn strips are read from Parquet")

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources)

    def identity(self) -> list[Any]:
        """A JSON value that changes when a source does."""
        return [[source.identity() for source in self.sources], self.bad_inputs.policy]

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[str, Any, Any]]:
        """Each row's place, image and number of patches, unchecked."""
        for source in self.sources:
            if isinstance(source, HubDataset):
                yield from _rows_of_data_set(source)
            elif isinstance(source, RemoteText):
                with source.file.fetched() as copy:
                    yield from _rows_of_file(copy, source.file.url, self.bad_inputs)
            else:
                yield from _rows_of_file(source.path, str(source.path), self.bad_inputs)
            progress(source.size)

    def check_renderer(self, fingerprint: str) -> None:
        """Raise UserError if `prerender` wrote these strips with another renderer than the one of this fingerprint."""
        path = Path(self.name).expanduser() / RECORD
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if record is not None and record.get("renderer") != fingerprint:
            raise UserError(
                f"{self.name}: drawn with another renderer than that of this run: give --renderer {self.name} "
                f"--max-seq-length {record.get('max_seq_length')}"
            )


@dataclass(frozen=True, slots=True)
class _Head:
    """What the beginning of a PNG file says."""

    width: int
    height: int
    colour: bool


class PrerenderedStrips(Strips):
    """Drawn strips, decompressed when asked for. Made by `build_prerendered`.

    Args:
        table: columns `image` (PNG), `num_patches` and `place`.
        statistics: counts; `colour` tells whether any image has colour: then all patches have.
    """

    def __init__(self, table: datasets.Dataset, statistics: dict[str, int]) -> None:
        super().__init__(statistics)
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def example(self, index: int, epoch: int = 0) -> StripExample:
        """A strip: patches uint8 `(n, 16, 16)`, in colour with a last axis of 3, the final separator included.

        Raises:
            UserError: the image is damaged.
        """
        row = self.table[index]
        try:
            patches = decode(row["image"], row["num_patches"], bool(self.statistics["colour"]))
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises
            raise UserError(
                f"{row['place']}: the image is damaged ({error}); --on-bad-input skip leaves such rows out"
            ) from error
        return StripExample(patches, row["num_patches"], index, epoch)

    def select(self, indices: Iterable[int]) -> Self:
        """The strips at these positions; they are counted from 0 again."""
        return type(self)(self.table.select(list(indices)), self.statistics)


def build_prerendered(
    corpus: PrerenderedCorpus,
    max_seq_length: int,
    *,
    min_text_patches: int = 0,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> PrerenderedStrips:
    """Make drawn strips readable in any order, or take them from the cache if that was done before.

    Strips without text are left out. Under the policy `skip` every image is decompressed once, so that damaged ones are
    found before the training rather than in it.

    Args:
        corpus: where they lie.
        max_seq_length: longest strip, in patches, that the training takes.
        min_text_patches: leave out strips with fewer patches of text.
        cache_dir: as for `build_strips`.
        progress: show a bar.

    Raises:
        UserError: something cannot be read, a strip is too long, or none is left.
    """
    import pyarrow as pa
    from tqdm import tqdm

    bad = corpus.bad_inputs

    def rows(statistics: dict[str, int]) -> Iterator[dict[str, Any]]:
        statistics.update(strips=0, dropped_strips=0, colour=0)
        bad.count = 0
        with tqdm(
            total=corpus.size, unit="B", unit_scale=True, desc="reading drawn strips", disable=not progress
        ) as bar:
            for place, image, length in corpus.rows(bar.update):
                try:
                    data, head = _checked(image, length)
                    if bad.policy == "skip" and length > 0:
                        decode(data, length, head.colour)
                except (OSError, ValueError, SyntaxError) as error:
                    bad(UserError(f"{place}: {error}"))
                    continue
                if length < max(1, min_text_patches):
                    statistics["dropped_strips"] += 1
                    continue
                if length >= max_seq_length:
                    raise UserError(
                        f"{place}: a strip of {length + 1} patches, with max-seq-length {max_seq_length}: raise it, or "
                        "prerender shorter strips"
                    )
                statistics["strips"] += 1
                statistics["colour"] |= head.colour
                yield {"image": data, "num_patches": length, "place": place}
        bad.summarise()
        if bad.count:
            statistics["skipped_inputs"] = bad.count
        if not statistics["strips"]:
            raise UserError(f"{corpus.name}: no strips with text")

    key = {
        "format": _FORMAT,
        "prerendered": corpus.identity(),
        "max_seq_length": max_seq_length,
        "min_text_patches": min_text_patches,
    }
    schema = pa.schema([("image", pa.binary()), ("num_patches", pa.int32()), ("place", pa.string())])
    table, statistics = cached_table(key, schema, rows, cache_dir)
    return PrerenderedStrips(table, statistics)


def decode(png: bytes, num_patches: int, colour: bool) -> npt.NDArray[np.uint8]:
    """A PNG strip as patches, the final separator included: uint8 `(num_patches + 1, 16, 16)`, in colour `(…, 3)`.

    A strip that was cut at its end has no separator: then as many patches as there are.

    Raises:
        OSError, ValueError, SyntaxError: the image is damaged.
    """
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        pixels = np.asarray(image.convert("RGB" if colour else "L"))
    count = min(num_patches + 1, pixels.shape[1] // PATCH)
    # (16, n · 16, …) -> (16, n, 16, …) -> (n, 16, 16, …)
    patches = pixels[:, : count * PATCH].reshape(PATCH, count, PATCH, *pixels.shape[2:]).swapaxes(0, 1)
    return np.ascontiguousarray(patches)


def encode(patches: npt.NDArray[np.uint8], length: int) -> bytes:
    """Patches, uint8 `(n, 16, 16)` or `(n, 16, 16, 3)`, as a PNG strip of `length` patches, white at its end."""
    from PIL import Image

    canvas = np.full((PATCH, length * PATCH, *patches.shape[3:]), 255, np.uint8)
    strip = patches.swapaxes(0, 1).reshape(PATCH, -1, *patches.shape[3:])
    canvas[:, : strip.shape[1]] = strip
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, format="PNG")
    return file.getvalue()


def _checked(image: Any, length: Any) -> tuple[bytes, _Head]:
    """The bytes of an image and what its head says. Raises ValueError where this is no strip."""
    data = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(data, bytes):
        raise ValueError(f"{IMAGE}: expected the bytes of a PNG image")
    if not isinstance(length, int) or length < 0:
        raise ValueError(f"{LENGTH}: expected a number of patches, found {length!r}")
    if len(data) < 26 or not data.startswith(_PNG):
        raise ValueError(f"{IMAGE}: not a PNG image")
    width, height = struct.unpack(">II", data[16:24])
    head = _Head(width, height, data[25] in _COLOUR_TYPES)
    if height != PATCH or width % PATCH:
        raise ValueError(
            f"{IMAGE}: {width} × {height} pixels, but strips are {PATCH} high and a multiple of {PATCH} wide"
        )
    if length > width // PATCH:
        raise ValueError(f"{LENGTH} is {length}, but the image has {width // PATCH} patches")
    return data, head


def _may_hold_strips(source: TextFile | RemoteText | HubDataset) -> bool:
    if isinstance(source, HubDataset):
        return True
    return (source.file.name if isinstance(source, RemoteText) else source.path.name).endswith(".parquet")


def _rows_of_file(path: Path, name: str, bad: BadInputs) -> Iterator[tuple[str, Any, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        _check_columns(file.schema_arrow.names, name)
        row = 0
        for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=[IMAGE, LENGTH]):
            for image, length in zip(batch.column(IMAGE).to_pylist(), batch.column(LENGTH).to_pylist(), strict=True):
                row += 1
                yield f"{name}, row {row}", image, length
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        bad(UserError(f"{name}: cannot be read as Parquet ({str(error).splitlines()[0]})"))


def _rows_of_data_set(source: HubDataset) -> Iterator[tuple[str, Any, Any]]:
    import datasets

    _check_columns(source.table.column_names, str(source))
    table = source.table.select_columns([IMAGE, LENGTH])
    if isinstance(table.features[IMAGE], datasets.Image):
        table = table.cast_column(IMAGE, datasets.Image(decode=False))
    for row, record in enumerate(table, start=1):
        yield f"{source}, row {row}", record[IMAGE], record[LENGTH]


def _check_columns(names: Iterable[str], place: str) -> None:
    missing = {IMAGE, LENGTH} - set(names)
    if missing:
        raise UserError(f"{place}: no column {' nor '.join(sorted(missing))}; drawn strips have {IMAGE} and {LENGTH}")


class SavedRenderer(Protocol):
    """What is needed of `pixel_lm.rendering.TextRenderer` besides drawing."""

    @property
    def max_seq_length(self) -> int:
        """Patches of a strip."""

    def fingerprint(self) -> str:
        """A digest of settings and fonts."""

    def save_pretrained(self, folder: str | Path, /) -> None:
        """Write settings and fonts."""


class _EncodedStrips(Dataset[tuple[bytes, int]]):
    """Strips as PNG, made in the processes that load data."""

    def __init__(self, strips: StripDataset, start: int, stop: int, length: int) -> None:
        self.strips, self.start, self.stop, self.length = strips, start, stop, length

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        example = self.strips.example(self.start + index)
        return encode(example.patches, self.length), example.num_text_patches


def write_prerendered(
    strips: StripDataset,
    renderer: SavedRenderer,
    output_dir: str | Path,
    *,
    key: dict[str, Any],
    strips_per_shard: int = 10_000,
    num_workers: int = 0,
    progress: bool = True,
) -> list[Path]:
    """Draw strips into shards of Parquet, `train-00000-of-00012.parquet` …; shards that are there are kept.

    Args:
        strips: what to draw.
        renderer: saved beside the shards.
        output_dir: folder of the shards.
        key: what decided the strips, a JSON value; a folder made with another is refused.
        strips_per_shard: rows of each shard but the last.
        num_workers: processes that draw; 0: this one.
        progress: show a bar.

    Returns:
        The shards, in order.

    Raises:
        UserError: the folder belongs to other strips, is written by another process, or cannot be written.
    """
    from filelock import FileLock, Timeout
    from tqdm import tqdm

    folder = Path(output_dir)
    record = {
        "renderer": renderer.fingerprint(),
        "max_seq_length": renderer.max_seq_length,
        "strips": len(strips),
        "strips_per_shard": strips_per_shard,
        "key": key,
    }
    count = -(-len(strips) // strips_per_shard)
    shards = [folder / f"train-{number:05d}-of-{count:05d}.parquet" for number in range(count)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            _claim(folder, record)
            renderer.save_pretrained(folder)
            with tqdm(total=len(strips), unit="strip", desc="drawing strips", disable=not progress) as bar:
                for number, shard in enumerate(shards):
                    start = number * strips_per_shard
                    encoded = _EncodedStrips(
                        strips, start, min(start + strips_per_shard, len(strips)), renderer.max_seq_length
                    )
                    if _is_complete(shard, len(encoded)):
                        bar.update(len(encoded))
                    else:
                        _write_shard(shard, encoded, num_workers, bar.update)
    except Timeout:
        raise UserError(f"{folder}: another process writes there") from None
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); complete shards are kept: give the "
            "same command again when this is put right"
        ) from error
    return shards


def _claim(folder: Path, record: dict[str, Any]) -> None:
    """Write the record, or raise UserError if there is one of other strips."""
    path = folder / RECORD
    text = json.dumps(record, indent=2, sort_keys=True)
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{folder} holds strips of other text or another renderer: give another folder, or empty it"
            )
        return
    if any(folder.glob("*.parquet")):
        raise UserError(f"{folder} holds Parquet files that are not of this command: give another folder")
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _is_complete(shard: Path, count: int) -> bool:
    import pyarrow
    import pyarrow.parquet

    try:
        metadata: pyarrow.parquet.FileMetaData = pyarrow.parquet.read_metadata(shard)
    except (OSError, pyarrow.ArrowException):
        return False
    return bool(metadata.num_rows == count)


def _schema() -> pyarrow.Schema:
    """Columns, with what tells the `datasets` library that they are images."""
    import datasets

    return datasets.Features({IMAGE: datasets.Image(), LENGTH: datasets.Value("int64")}).arrow_schema


def _write_shard(shard: Path, encoded: _EncodedStrips, num_workers: int, progress: Callable[[int], Any]) -> None:
    """Write a file that gets its name when it is complete and on disk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary = shard.with_suffix(".tmp")
    schema = _schema()
    # PNG does not become smaller; groups of rows are small, since readers take whole ones.
    loader = DataLoader(encoded, _ROWS_PER_BATCH, num_workers=num_workers, collate_fn=list)
    try:
        with open(temporary, "wb") as file:
            with pq.ParquetWriter(file, schema, compression={f"{IMAGE}.bytes": "none"}) as writer:
                for batch in loader:
                    rows = [{IMAGE: {"bytes": png, "path": None}, LENGTH: length} for png, length in batch]
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    progress(len(rows))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(shard)
    finally:
        temporary.unlink(missing_ok=True)
