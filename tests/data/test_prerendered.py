"""Drawn strips: the same as drawn on the fly, in the published format, complete after a kill, and checked when read."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pixel_lm.data.corpora import Corpus
from pixel_lm.data.prerendered import (
    PrerenderedCorpus,
    PrerenderedStrips,
    build_prerendered,
    decode,
    encode,
    write_prerendered,
)
from pixel_lm.data.strips import StripDataset, build_strips
from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer
from tests.data.characters import ReadableRenderer

LENGTH = 24


@pytest.fixture(scope="module")
def renderer() -> TextRenderer:
    return TextRenderer(max_seq_length=LENGTH)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(f"Line {i} of a text, with naïve words, ציטוט and {i * i}." for i in range(80)))
    return path


@pytest.fixture(scope="module")
def strips(renderer: TextRenderer, text: Path, tmp_path_factory: pytest.TempPathFactory) -> StripDataset:
    return build_strips(Corpus(text), renderer, cache_dir=tmp_path_factory.mktemp("cache"), progress=False)


def write(strips: StripDataset, folder: Path, **options: Any) -> list[Path]:
    settings = {"key": {"text": 1}, "strips_per_shard": 25, "progress": False} | options
    return write_prerendered(strips, strips.renderer, folder, **settings)  # type: ignore[arg-type]


def read(
    name: str | Path, tmp_path: Path, policy: Any = "stop", length: int = LENGTH, **options: Any
) -> PrerenderedStrips:
    corpus = PrerenderedCorpus(str(name), policy)
    return build_prerendered(corpus, length, cache_dir=tmp_path / "cache", progress=False, **options)


def same_strips(drawn: PrerenderedStrips, strips: StripDataset) -> bool:
    return len(drawn) == len(strips) and all(
        np.array_equal(drawn[i].patches, strips[i].patches) and drawn[i].num_text_patches == strips[i].num_text_patches
        for i in range(len(strips))
    )


def png(width: int = LENGTH * 16, height: int = 16, mode: str = "L", seed: int = 0) -> bytes:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_parquet(path: Path, images: list[Any], lengths: list[Any]) -> Path:
    values = [{"bytes": image, "path": None} for image in images]
    pq.write_table(pa.table({"pixel_values": values, "num_patches": lengths}), path)
    return path


@pytest.mark.parametrize("workers", [0, 2])
def test_same_strips_as_on_the_fly(strips: StripDataset, tmp_path: Path, workers: int) -> None:
    shards = write(strips, tmp_path / "out", num_workers=workers)
    count = -(-len(strips) // 25)
    assert len(strips) % 25, "the last shard is not full"
    assert [shard.name for shard in shards] == [f"train-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
    assert same_strips(read(f"prerendered:{tmp_path / 'out'}", tmp_path), strips)
    assert not list((tmp_path / "out").glob("*.tmp"))
    renderer = TextRenderer.from_pretrained(tmp_path / "out")
    assert np.array_equal(renderer(strips.text(3)).patches, strips[3].patches), "the renderer lies beside them"


def test_the_datasets_library_reads_it_as_the_published_data(strips: StripDataset, tmp_path: Path) -> None:
    write(strips, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "hf"))
    assert list(loaded) == ["train"]
    row = loaded["train"][len(strips) - 1]
    assert row["pixel_values"].mode == "L" and row["pixel_values"].size == (16 * LENGTH, 16)
    last = strips[len(strips) - 1]
    assert row["num_patches"] == last.num_text_patches
    pixels = np.asarray(row["pixel_values"]).reshape(16, LENGTH, 16).swapaxes(0, 1)
    assert np.array_equal(pixels[: len(last.patches)], last.patches) and (pixels[len(last.patches) :] == 255).all()


def test_a_saved_data_set_and_an_address(strips: StripDataset, tmp_path: Path) -> None:
    shards = write(strips, tmp_path / "out")
    datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "hf")).save_to_disk(
        tmp_path / "saved"
    )
    assert same_strips(read(tmp_path / "saved", tmp_path), strips)
    memory = fsspec.filesystem("memory")
    for shard in shards:
        memory.pipe(f"/shards/{shard.name}", shard.read_bytes())
    try:
        assert same_strips(read("memory://shards", tmp_path), strips)
    finally:
        memory.rm("/shards", recursive=True)


def test_grey_and_colour(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
    colour = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    assert np.array_equal(decode(encode(grey, 9), 4, False), grey)
    assert np.array_equal(decode(encode(colour, 9), 4, True), colour)
    write_parquet(tmp_path / "a.parquet", [encode(grey, 9), encode(colour, 9)], [4, 4])
    both = read(tmp_path / "a.parquet", tmp_path)
    assert np.array_equal(both[0].patches, np.stack([grey] * 3, axis=-1)), "one coloured strip makes all coloured"
    assert np.array_equal(both[1].patches, colour)
    write_parquet(tmp_path / "b.parquet", [encode(colour, 5)], [5])
    assert len(read(tmp_path / "b.parquet", tmp_path)[0].patches) == 5, "no room for the separator"


def test_short_and_empty_strips_are_left_out(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [png()] * 4, [0, 3, 10, 23])
    assert [read(path, tmp_path)[i].num_text_patches for i in range(3)] == [3, 10, 23]
    kept = read(path, tmp_path, min_text_patches=10)
    assert [kept[i].num_text_patches for i in range(2)] == [10, 23] and kept.statistics["dropped_strips"] == 2


@pytest.mark.parametrize(
    ("image", "length", "message"),
    [
        (png(height=32), 3, r"a\.parquet, row 2: pixel_values: 384 × 32 pixels, but strips are 16 high"),
        (png(width=100), 3, r"a\.parquet, row 2: pixel_values: 100 × 16 pixels"),
        (b"no picture", 3, r"a\.parquet, row 2: pixel_values: not a PNG image"),
        (None, 3, r"a\.parquet, row 2: pixel_values: expected the bytes of a PNG image"),
        (png(), LENGTH + 1, r"a\.parquet, row 2: num_patches is 25, but the image has 24 patches"),
        (png(), -1, r"a\.parquet, row 2: num_patches: expected a number of patches, found -1"),
        (png(), None, r"a\.parquet, row 2: num_patches: expected a number of patches, found None"),
    ],
)
def test_bad_rows(tmp_path: Path, image: Any, length: Any, message: str) -> None:
    path = write_parquet(tmp_path / "a.parquet", [png(seed=1), image, png(seed=2)], [3, length, 4])
    with pytest.raises(UserError, match=message):
        read(path, tmp_path)
    kept = read(path, tmp_path, "skip")
    assert [kept[i].num_text_patches for i in range(len(kept))] == [3, 4] and kept.statistics["skipped_inputs"] == 1


def test_a_damaged_image(tmp_path: Path) -> None:
    """Its head is whole: found when it is drawn, or before the training if it is to be skipped."""
    whole = png(seed=1)
    path = write_parquet(tmp_path / "a.parquet", [whole, whole[: len(whole) // 2]], [3, 3])
    with pytest.raises(UserError, match=r"a\.parquet, row 2: the image is damaged .*--on-bad-input skip"):
        read(path, tmp_path)[1]
    assert len(read(path, tmp_path, "skip")) == 1


def test_a_damaged_shard(strips: StripDataset, tmp_path: Path) -> None:
    shards = write(strips, tmp_path / "out")
    shards[1].write_bytes(shards[1].read_bytes()[:5000])
    with pytest.raises(UserError, match=r"train-00001-of-\d+\.parquet: cannot be read as Parquet"):
        read(tmp_path / "out", tmp_path)
    assert len(read(tmp_path / "out", tmp_path, "skip")) == len(strips) - 25


def test_mistakes_of_the_user(strips: StripDataset, tmp_path: Path) -> None:
    write(strips, tmp_path / "out")
    with pytest.raises(UserError, match=r"row \d+: a strip of \d+ patches, with max-seq-length 10: raise it"):
        read(tmp_path / "out", tmp_path, length=10)
    with pytest.raises(UserError, match="drawn with another renderer .* give --renderer"):
        PrerenderedCorpus(str(tmp_path / "out")).check_renderer("other")
    PrerenderedCorpus(str(tmp_path / "out")).check_renderer(strips.renderer.fingerprint())
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "text.parquet")
    with pytest.raises(UserError, match=r"text\.parquet: no column num_patches nor pixel_values"):
        read(tmp_path / "text.parquet", tmp_path)
    (tmp_path / "text.txt").write_text("text")
    with pytest.raises(UserError, match="no Parquet files there"):
        PrerenderedCorpus(str(tmp_path / "text.txt"))


def test_complete_shards_are_kept_and_damaged_ones_drawn_again(strips: StripDataset, tmp_path: Path) -> None:
    shards = write(strips, tmp_path / "out")
    whole = [shard.read_bytes() for shard in shards]
    times = [shard.stat().st_mtime_ns for shard in shards]
    shards[1].unlink()
    shards[2].write_bytes(whole[2][:-100])
    (tmp_path / "out/train-00001-of-00005.tmp").write_bytes(b"left over")
    assert write(strips, tmp_path / "out") == shards
    assert [shard.read_bytes() for shard in shards] == whole
    kept = [shard.stat().st_mtime_ns == time for shard, time in zip(shards, times, strict=True)]
    assert kept == [number not in (1, 2) for number in range(len(shards))]
    with pytest.raises(UserError, match="holds strips of other text or another renderer"):
        write(strips, tmp_path / "out", key={"text": 2})


def command(text: Path, output_dir: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "pixel_lm", "prerender", "--text", str(text), "--output-dir", str(output_dir),
        "--max-seq-length", str(LENGTH), "--strips-per-shard", "10", *more,
    ]  # fmt: skip


def test_killed_and_started_again(text: Path, strips: StripDataset, tmp_path: Path) -> None:
    environment = os.environ | {"PIXEL_LM_CACHE": str(tmp_path / "cache")}
    long_text = tmp_path / "long.txt"
    long_text.write_text("\n".join(f"{i} {text.read_text()}" for i in range(5)))
    words = command(long_text, tmp_path / "out")
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out").glob("*.parquet"))) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.parquet")}
    again = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.parquet")}
    assert 3 <= len(before) < len(after) and before.items() <= after.items()
    on_the_fly = build_strips(
        Corpus(long_text), TextRenderer(max_seq_length=LENGTH), cache_dir=tmp_path / "fly", progress=False
    )
    assert same_strips(read(tmp_path / "out", tmp_path), on_the_fly)
    assert f"{len(on_the_fly)} strips" in again.stdout and "--text prerendered:" in again.stdout


def test_folders_that_cannot_be_written(strips: StripDataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: cannot be written"):
        write(strips, tmp_path / "file")
    with pytest.raises(UserError, match="cannot be written"):
        write(strips, Path("/proc/strips"))


def test_disk_full(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full."""
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"line {i * i}" for i in range(300)))
    drawn = build_strips(Corpus(text), ReadableRenderer(40), cache_dir=tmp_path / "cache", progress=False)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(
            UserError, match=r"out: cannot be written \(File too large\); complete shards are kept"
        ) as error:
            write(drawn, tmp_path / "out", strips_per_shard=len(drawn))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value) and not list((tmp_path / "out").glob("train-*")), "nothing half written"
    write(drawn, tmp_path / "out", strips_per_shard=len(drawn))
    assert len(read(tmp_path / "out", tmp_path, length=40)) == len(drawn)


def test_record_is_json(strips: StripDataset, tmp_path: Path) -> None:
    write(strips, tmp_path / "out")
    record = json.loads((tmp_path / "out/prerender.json").read_text())
    assert record["strips"] == len(strips) and record["renderer"] == strips.renderer.fingerprint()
