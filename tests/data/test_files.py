"""Reading lines of compressed and plain files, and what is said about those that are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines, strip_compression
from pixel_lm.errors import UserError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
CONTENT = "één\r\ntwo\u2028still two\x85\n\nfour, no line end"
LINES = [(1, "één\r\n"), (2, "two\u2028still two\x85\n"), (3, "\n"), (4, "four, no line end")]


def test_all_known_compressions_are_tested() -> None:
    assert set(COMPRESS) == {"", *COMPRESSION_SUFFIXES}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_lines_end_at_line_feeds_only(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](CONTENT.encode()))
    assert list(read_lines(path)) == LINES
    assert strip_compression(path.name) == "a.txt"


@pytest.mark.parametrize("suffix", COMPRESS)
def test_parts_written_one_after_the_other_are_one_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](b"one\ntw") + COMPRESS[suffix](b"o\nthree\n"))
    assert [line for _, line in read_lines(path)] == ["one\n", "two\n", "three\n"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_progress_adds_up_to_the_size_on_disk(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix]("".join(f"line {i * i}\n" for i in range(200_000)).encode()))
    counts: list[int] = []
    assert sum(1 for _ in read_lines(path, counts.append)) == 200_000
    assert sum(counts) == path.stat().st_size


@pytest.mark.parametrize("suffix", COMPRESSION_SUFFIXES)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_incomplete_compressed_file(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a.txt{suffix}"
    whole = COMPRESS[suffix]("".join(f"line {i * i}\n" for i in range(50_000)).encode())
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(UserError, match=r"a\.txt\.\w+, after line \d+: cannot be read, .*too early"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESSION_SUFFIXES)
def test_damaged_compressed_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    whole = bytearray(COMPRESS[suffix]("".join(f"line {i * i}\n" for i in range(50_000)).encode()))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"a\.txt\.\w+, after line \d+: cannot be read, .*(damaged|too early)"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESSION_SUFFIXES)
def test_file_that_is_not_compressed_at_all(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_text("plain text, whatever the name says\n")
    with pytest.raises(UserError, match=r"a\.txt\.\w+, after line 0: cannot be read"):
        list(read_lines(path))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file"):
        list(read_lines(tmp_path / "nowhere.txt"))
    with pytest.raises(UserError, match="a folder, not a file"):
        list(read_lines(tmp_path))


def test_what_is_not_utf8_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"fine\nsch\xf6n\n")
    with pytest.raises(UserError, match=r"latin1\.txt, line 2: not UTF-8 text \(byte 0xf6 at byte 4 of the line\)"):
        list(read_lines(path))
