"""Tables that are made once and kept, under a key made of everything that decides what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    import datasets
    import pyarrow

_TABLE = "strips.arrow"
_RECORD = "strips.json"
_ROWS_PER_BATCH = 1024


def default_cache_dir() -> Path:
    """Folder for what can be made again: PIXEL_LM_CACHE, or `pixel-lm` in the user's cache folder."""
    if path := os.environ.get("PIXEL_LM_CACHE"):
        return Path(path).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pixel-lm"


def cached_table(
    key: dict[str, Any],
    schema: pyarrow.Schema,
    make_rows: Callable[[dict[str, int]], Iterable[dict[str, Any]]],
    cache_dir: str | Path | None = None,
) -> tuple[datasets.Dataset, dict[str, int]]:
    """A table and its statistics: from the cache, or made now.

    Processes on one machine that ask for the same at the same time make it once. One that is killed meanwhile leaves nothing
    that would be taken for a complete table.

    Args:
        key: what decides the contents, as a JSON value.
        schema: columns.
        make_rows: gives the rows, and fills in the statistics that it is called with.
        cache_dir: where tables are stored; by default `strips` in `default_cache_dir()`.

    Raises:
        UserError: the cache cannot be written.
    """
    import datasets
    from filelock import FileLock

    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    parent = Path(cache_dir) if cache_dir is not None else default_cache_dir() / "strips"
    folder = parent / digest
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            with FileLock(parent / f"{digest}.lock"):
                if not folder.exists():
                    _write(folder, key, schema, make_rows)
        statistics = json.loads((folder / _RECORD).read_text(encoding="utf-8"))["statistics"]
        return datasets.Dataset.from_file(str(folder / _TABLE)), statistics
    except OSError as error:
        raise UserError(
            f"{error.filename or parent}: strips cannot be stored there ({error.strerror or error}); "
            "set PIXEL_LM_CACHE to a folder with room that can be written"
        ) from error


def _write(
    folder: Path,
    key: dict[str, Any],
    schema: pyarrow.Schema,
    make_rows: Callable[[dict[str, int]], Iterable[dict[str, Any]]],
) -> None:
    """Write a table to a folder that gets its name only when everything is on disk. The caller holds the lock."""
    import pyarrow as pa

    for left_over in folder.parent.glob(f"{folder.name}.tmp*"):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.tmp", dir=folder.parent))
    try:
        statistics: dict[str, int] = {}
        with open(temporary / _TABLE, "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            rows = iter(make_rows(statistics))
            while batch := list(islice(rows, _ROWS_PER_BATCH)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
        (temporary / _RECORD).write_text(json.dumps({"key": key, "statistics": statistics}, indent=2), encoding="utf-8")
        for name in (_TABLE, _RECORD):
            with open(temporary / name, "rb") as written:
                os.fsync(written.fileno())
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
