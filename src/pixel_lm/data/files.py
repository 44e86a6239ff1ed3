"""Files of text, compressed or not, read line by line with errors that name file and line.

* A line ends at "\\n" and nowhere else: `str.splitlines()` would also cut at U+0085, U+2028 and other characters that
  occur inside real text.
* The compression is told by the last suffix: `.xz`, `.gz`, `.bz2`, `.zst`.
* A compressed file that ends too early is an error, not a shorter file.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import zstandard

from pixel_lm.errors import UserError

COMPRESSION_SUFFIXES = (".xz", ".gz", ".bz2", ".zst")
"""Suffixes of compressed files that can be read."""

Progress = Callable[[int], None]
"""Called with the number of bytes (of the file as it lies on disk) that were read since the last call."""

_BUFFER_BYTES = 1 << 18
_READ_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)  # of damaged files
_LARGEST_ZSTD_WINDOW = 1 << 31  # what `zstd --long=31` writes


def parse_record(text: str, place: str) -> dict[str, Any]:
    """A JSON object on one line.

    Raises:
        UserError: it is none; the message begins with `place`.
    """
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "too deep"
        raise UserError(f"{place}: not valid JSON ({reason})") from error
    if not isinstance(record, dict):
        raise UserError(f'{place}: expected a JSON object such as {{"text": "…"}}')
    return record


def strip_compression(name: str) -> str:
    """`name` without a suffix of compression: `a.txt.xz` → `a.txt`."""
    for suffix in COMPRESSION_SUFFIXES:
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


@contextlib.contextmanager
def open_binary(path: str | Path, progress: Progress | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, decompressed.

    Raises:
        UserError: the file cannot be opened or, inside the `with` block, turns out not to be readable.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(io.BufferedReader(_CountedFile(path, progress), _BUFFER_BYTES))
        except OSError as error:
            raise UserError(f"{path}: {_reason(error)}") from error
        stream = _decompressed(path, file)
        if stream is not file:
            stream = stack.enter_context(io.BufferedReader(cast(Any, stream), _BUFFER_BYTES))
        try:
            yield stream
        except _READ_ERRORS as error:
            raise UserError(f"{path}: cannot be read, {_reason(error)}") from error


def read_lines(
    path: str | Path, progress: Progress | None = None, bad: Callable[[UserError], None] | None = None
) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with their numbers, counted from 1. Each line keeps its "\\n" or "\\r\\n".

    A byte order mark stays in front of the first line.

    Args:
        path: the file.
        progress: see `Progress`.
        bad: told of lines that are not UTF-8, which are then left out, and of damage, where reading then ends.

    Raises:
        UserError: the file cannot be opened, or without `bad`, is damaged or not UTF-8; the message names the line.
    """
    number = 0
    with open_binary(path, progress) as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    complaint = UserError(
                        f"{path}, line {number}: not UTF-8 text (byte 0x{error.object[error.start]:02x} at byte "
                        f"{error.start + 1} of the line); convert the file to UTF-8"
                    )
                    if bad is None:
                        raise complaint from error
                    bad(complaint)
                    continue
                yield number, line
        except _READ_ERRORS as error:
            complaint = UserError(f"{path}, after line {number}: cannot be read, {_reason(error)}")
            if bad is None:
                raise complaint from error
            bad(complaint)


class _CountedFile(io.FileIO):
    """A file that tells how many bytes were read."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        super().__init__(path, "r")
        self._progress = progress

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        if self._progress is not None:
            self._progress(count)
        return count


class _ZstdFile(io.RawIOBase):
    """A stream of Zstandard frames, decompressed. Raises EOFError if the last frame is not complete.

    The reader that comes with `zstandard` takes the end of the file for the end of the data.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_ZSTD_WINDOW)
        self._frame: Any = None  # decompressor of the frame that has begun and not ended
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._output:
            if not self._input:
                self._input = self._file.read(_BUFFER_BYTES)
                if not self._input:
                    if self._frame is not None:
                        raise EOFError("Zstandard frame is not complete")
                    return 0
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            self._output = memoryview(self._frame.decompress(self._input))
            self._input = b""
            if self._frame.eof:
                self._input = self._frame.unused_data
                self._frame = None
        count = min(len(buffer), len(self._output))
        buffer[:count] = self._output[:count]
        self._output = self._output[count:]
        return count


def _decompressed(path: Path, file: BinaryIO) -> Any:
    match path.suffix:
        case ".xz":
            return lzma.LZMAFile(file)
        case ".gz":
            return gzip.GzipFile(fileobj=cast(IO[bytes], file))
        case ".bz2":
            return bz2.BZ2File(file)
        case ".zst":
            return _ZstdFile(file)
    return file


def _reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, EOFError):
        return "the compressed data end too early (incomplete copy or download?)"
    return f"the compressed data are damaged ({error})"
