"""Strips: no character lost, doubled or moved; made once, and the same however they are made and loaded."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, SequentialSampler
from transformers import Trainer, TrainingArguments

from pixel_lm.data.collators import Padding, PretrainingCollator
from pixel_lm.data.corpora import Corpus, Paragraph
from pixel_lm.data.span_masks import SpanMasker
from pixel_lm.data.strip_cache import default_cache_dir
from pixel_lm.data.strips import Packing, ShuffledStrips, StripDataset, build_strips, pack
from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer


@dataclass
class Drawing:
    """A strip of `CharacterRenderer`."""

    patches: npt.NDArray[np.uint8]
    num_text_patches: int


@dataclass
class CharacterRenderer:
    """Draws each character as one patch of its code, but combining marks as nothing."""

    max_seq_length: int = 10
    measured: int = 0  # characters that `split` was given

    def __call__(self, text: str) -> Drawing:
        codes = [ord(character) % 255 for character in text if not unicodedata.combining(character)]
        assert len(codes) < self.max_seq_length, "clipped"
        return Drawing(np.tile(np.array([*codes, 0], np.uint8)[:, None, None], (1, 16, 16)), len(codes))

    def num_patches(self, text: str) -> int:
        return sum(not unicodedata.combining(character) for character in text) + 1

    def split(self, text: str) -> list[str]:
        self.measured += len(text)
        pieces = []
        start = width = 0
        space = 0  # after the last space of the piece
        for i, character in enumerate(text):
            if unicodedata.combining(character):
                continue
            if width == self.max_seq_length - 1:
                end = space if space > start else i
                pieces.append(text[start:end])
                start, width = end, self.num_patches(text[end:i]) - 1
            width += 1
            if character == " ":
                space = i + 1
        return [*pieces, text[start:]] if text[start:] else pieces

    def fingerprint(self) -> str:
        return "characters"


TEXTS = st.text(st.sampled_from("abc \u0301你"), min_size=1, max_size=60).map(str.strip).filter(bool)


def paragraphs(texts: list[str], starts: list[bool] | None = None) -> Iterator[Paragraph]:
    for i, text in enumerate(texts):
        yield Paragraph(text, "test", i + 1, i == 0 or (starts is not None and starts[i]))


def documents_of(texts: list[str], starts: list[bool]) -> list[str]:
    """Each document's paragraphs, joined."""
    found: list[list[str]] = []
    for i, text in enumerate(texts):
        if i == 0 or starts[i]:
            found.append([])
        found[-1].append(text)
    return [" ".join(document) for document in found]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"Paragraph {i} says {i * i}.\n" + "\n" * (i % 3 == 0) for i in range(100)))
    return Corpus(path)


@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=20), st.integers(2, 30), st.integers(1, 99))
def test_every_character_is_in_one_strip_in_order(
    drawn: list[tuple[str, bool]], max_seq_length: int, block_size: int
) -> None:
    """Whatever the lengths of paragraphs, strips and blocks are."""
    texts, starts = [text for text, _ in drawn], [start for _, start in drawn]
    renderer = CharacterRenderer(max_seq_length)
    full = list(pack(paragraphs(texts, starts), renderer, "full", block_size))
    by_document = list(pack(paragraphs(texts, starts), renderer, "document", block_size))
    assert "".join(full) == " ".join(texts)
    assert full == renderer.split(" ".join(texts)), "as if the whole text had been cut at once"
    assert by_document == [piece for text in documents_of(texts, starts) for piece in renderer.split(text)]
    for strip in full + by_document:
        assert 0 < renderer(strip).num_text_patches < max_seq_length or strip.strip("\u0301") == ""


@pytest.mark.parametrize(
    "texts",
    [["a"] * 20_000, ["a b " * 5_000 + "a"], ["a" * 20_000], ["a" + "\u0301" * 20_000] * 3],
    ids=["many short paragraphs", "one long paragraph", "one long word", "characters without width"],
)
def test_each_text_is_measured_a_few_times_only(texts: list[str]) -> None:
    renderer = CharacterRenderer(10)
    assert "".join(pack(paragraphs(texts), renderer)) == " ".join(texts)
    assert renderer.measured < 4 * len(" ".join(texts))


MULTILINGUAL = (
    "The quick brown fox jumps over the lazy dog; naïve façade, coöperate. ",
    "Быстрая лисица прыгает через ленивую собаку. Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία. ",
    "שלום עולם 123 (בדיקה). هذا نص عربي طويل قليلاً ٤٥٦. ",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है। ",
    "ทุกคนเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผล ",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "family 👨‍👩‍👧‍👦 flag 🇺🇳 e\u0301\u0323 zalgo a\u0300\u0301\u0302\u0303 \u200bzero\u200dwidth ",
    "Donaudampfschifffahrtsgesellschaftskapitän" * 12,
)


@pytest.mark.parametrize("packing", ["full", "document"])
@pytest.mark.parametrize("max_seq_length", [20, 64])
def test_with_the_real_renderer(packing: Packing, max_seq_length: int) -> None:
    renderer = TextRenderer(max_seq_length=max_seq_length)
    texts = [(text * 3).strip() for text in MULTILINGUAL]
    starts = [i % 3 == 0 for i in range(len(texts))]
    found = list(pack(paragraphs(texts, starts), renderer, packing))
    joined = documents_of(texts, starts) if packing == "document" else [" ".join(texts)]
    assert "".join(found) == "".join(joined)
    for strip in found:
        assert renderer.num_patches(strip) <= max_seq_length, "clipped"
        assert renderer(strip).num_text_patches == renderer.num_patches(strip) - 1


def test_real_strips_are_nearly_full(shared_dir: Path) -> None:
    renderer = TextRenderer(max_seq_length=128)
    corpus = Corpus(shared_dir / "data/text/wikitext-2/valid.txt.xz")
    lines = [paragraph.text for paragraph in itertools.islice(corpus.paragraphs(), 200)]
    *full, last = pack(paragraphs(lines), renderer)
    assert "".join(full) + last == " ".join(lines)
    assert np.mean([renderer.num_patches(strip) for strip in full]) > 124


@pytest.mark.parametrize("packing", ["full", "document"])
def test_build(corpus: Corpus, tmp_path: Path, packing: Packing) -> None:
    renderer = CharacterRenderer(50)
    dataset = build_strips(corpus, renderer, packing=packing, cache_dir=tmp_path / "cache", progress=False)
    texts = [dataset.text(i) for i in range(len(dataset))]
    assert texts == list(pack(corpus.paragraphs(), renderer, packing))
    assert dataset.statistics == {
        "documents": 34,
        "paragraphs": 100,
        "characters": sum(len(paragraph.text) for paragraph in corpus.paragraphs()),
        "strips": len(texts),
        "dropped_strips": 0,
    }
    example = dataset[3]
    assert (example.index, example.epoch) == (3, 0)
    assert example.patches.shape == (len(texts[3]) + 1, 16, 16) and example.patches.dtype == np.uint8
    assert example.num_text_patches == len(texts[3])
    assert dataset[-1].index == len(dataset) - 1
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_short_strips_can_be_dropped(corpus: Corpus, tmp_path: Path) -> None:
    renderer = CharacterRenderer(50)
    kept = build_strips(
        corpus, renderer, packing="document", min_text_patches=22, cache_dir=tmp_path / "cache", progress=False
    )
    everything = list(pack(corpus.paragraphs(), renderer, "document"))
    long_ones = [text for text in everything if len(text) >= 22]
    assert 0 < len(long_ones) < len(everything)
    assert [kept.text(i) for i in range(len(kept))] == long_ones
    assert kept.statistics["dropped_strips"] == len(everything) - len(long_ones)
    with pytest.raises(UserError, match=r"all \d+ strips have fewer than 50 patches"):
        build_strips(corpus, renderer, min_text_patches=50, cache_dir=tmp_path / "cache", progress=False)


def test_strips_are_cut_once(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renderer = CharacterRenderer(50)
    first = build_strips(corpus, renderer, cache_dir=tmp_path / "cache")
    assert "cutting text into strips: 100%" in capsys.readouterr().err
    measured = renderer.measured
    again = build_strips(corpus, renderer, cache_dir=tmp_path / "cache")
    assert renderer.measured == measured > 0
    assert first.table["text"][:] == again.table["text"][:]
    assert "cutting" not in capsys.readouterr().err


def test_what_makes_other_strips(corpus: Corpus, tmp_path: Path) -> None:
    """Each of these must not be served from the cache of another."""
    cache = tmp_path / "cache"

    def built(corpus: Corpus = corpus, renderer: Any = None, **options: Any) -> int:
        build_strips(corpus, renderer or CharacterRenderer(50), cache_dir=cache, progress=False, **options)
        return len([path for path in cache.iterdir() if path.is_dir()])

    class OtherFont(CharacterRenderer):
        def fingerprint(self) -> str:
            return "other font"

    assert built() == 1
    assert built(renderer=CharacterRenderer(51)) == 2
    assert built(renderer=OtherFont(50)) == 3
    assert built(packing="document") == 4
    assert built(min_text_patches=3) == 5
    path = tmp_path / "corpus.txt"
    path.write_text("Another text.\n")
    assert built(corpus=Corpus(path)) == 6
    os.utime(path, ns=(0, 0))
    assert built(corpus=Corpus(path)) == 7
    assert built(corpus=Corpus(path)) == 7


class KilledRenderer(CharacterRenderer):
    """Dies while the third block is cut."""

    calls = 0

    def split(self, text: str) -> list[str]:
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().split(text)


def build_in_process(renderer: CharacterRenderer, text: Path, cache: Path) -> None:
    build_strips(Corpus(text), renderer, cache_dir=cache, progress=False)


def test_a_killed_build_is_harmless(corpus: Corpus, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    renderer = KilledRenderer(2)  # short strips, hence many blocks
    process = multiprocessing.get_context("fork").Process(
        target=build_in_process, args=(renderer, tmp_path / "corpus.txt", cache)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in cache.iterdir() if ".tmp" in path.name], "it died in the middle"
    dataset = build_strips(corpus, CharacterRenderer(2), cache_dir=cache, progress=False)
    assert "".join(dataset.table["text"]) == " ".join(paragraph.text for paragraph in corpus.paragraphs())
    assert not [path.name for path in cache.iterdir() if ".tmp" in path.name]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\nnot fine\n')
    with pytest.raises(UserError, match=r"a\.jsonl, line 2"):
        build_strips(Corpus(path), CharacterRenderer(), cache_dir=tmp_path / "cache", progress=False)
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []


class CountingRenderer(CharacterRenderer):
    """Leaves a file for each process that cuts text."""

    folder: Path

    def split(self, text: str) -> list[str]:
        (self.folder / str(os.getpid())).touch()
        return super().split(text)


def test_processes_share_the_work(corpus: Corpus, tmp_path: Path) -> None:
    renderer = CountingRenderer(5)
    renderer.folder = tmp_path / "builders"
    renderer.folder.mkdir()
    processes = [
        multiprocessing.get_context("fork").Process(
            target=build_in_process, args=(renderer, tmp_path / "corpus.txt", tmp_path / "cache")
        )
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(renderer.folder.iterdir())) == 1


def test_cache_folder(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIXEL_LM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg/pixel-lm"
    monkeypatch.setenv("PIXEL_LM_CACHE", str(tmp_path / "mine"))
    build_strips(corpus, CharacterRenderer(50), progress=False)
    assert len(list((tmp_path / "mine/strips").glob("*/strips.arrow"))) == 1
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file.*cannot be stored there .*set PIXEL_LM_CACHE"):
        build_strips(corpus, CharacterRenderer(50), cache_dir=tmp_path / "file/below", progress=False)
    with pytest.raises(UserError, match="packing is 'tight'"):
        build_strips(corpus, CharacterRenderer(50), packing="tight", progress=False)  # type: ignore[arg-type]


@pytest.fixture
def dataset(corpus: Corpus, tmp_path: Path) -> StripDataset:
    return build_strips(corpus, CharacterRenderer(50), cache_dir=tmp_path / "cache", progress=False)


def test_validation_split(dataset: StripDataset) -> None:
    train, validation = dataset.split_validation(7, seed=1)
    assert len(validation) == 7 and len(train) == len(dataset) - 7
    everything = [dataset.text(i) for i in range(len(dataset))]
    chosen = [everything.index(validation.text(i)) for i in range(7)]
    assert chosen == sorted(chosen)
    assert sorted([train.text(i) for i in range(len(train))] + [everything[i] for i in chosen]) == sorted(everything)
    assert validation[6].index == 6
    assert dataset.split_validation(7, seed=1)[1].table["text"][:] == validation.table["text"][:]
    assert dataset.split_validation(7, seed=2)[1].table["text"][:] != validation.table["text"][:]
    assert len(dataset.split_validation(0.25, seed=1)[1]) == round(0.25 * len(dataset))
    for size in (0, len(dataset), 0.001, 1.0):
        with pytest.raises(UserError, match="for validation"):
            dataset.split_validation(size, seed=1)


def test_shuffled_strips(dataset: StripDataset) -> None:
    n = len(dataset)
    run = ShuffledStrips(dataset, 2 * n + 5, seed=3)
    order = [(run[i].epoch, run[i].index) for i in range(len(run))]
    assert len(order) == 2 * n + 5
    assert sorted(order[:n]) == [(0, i) for i in range(n)]
    assert sorted(order[n : 2 * n]) == [(1, i) for i in range(n)]
    assert {epoch for epoch, _ in order[2 * n :]} == {2}
    assert [i for _, i in order[:n]] != [i for _, i in order[n : 2 * n]] != list(range(n))
    again = ShuffledStrips(dataset, 10 * n, seed=3)
    assert [(again[i].epoch, again[i].index) for i in (n + 3, 2, 2 * n + 1)] == [
        order[n + 3],
        order[2],
        order[2 * n + 1],
    ]
    other = ShuffledStrips(dataset, n, seed=4)
    assert [other[i].index for i in range(n)] != [i for _, i in order[:n]]
    with pytest.raises(IndexError):
        run[len(run)]


def batches(loader: DataLoader[Any]) -> list[dict[str, list[Any]]]:
    return [{key: value.tolist() for key, value in batch.items()} for batch in loader]


def test_batches_do_not_depend_on_the_number_of_workers(dataset: StripDataset) -> None:
    collator = PretrainingCollator(SpanMasker(), seed=5, padding=Padding(length=50))
    run = ShuffledStrips(dataset, 40, seed=5)
    alone = batches(DataLoader(run, 8, collate_fn=collator))
    assert alone == batches(DataLoader(run, 8, collate_fn=collator, num_workers=3))
    rest = [list(range(start, start + 8)) for start in (16, 24, 32)]
    assert alone[2:] == batches(DataLoader(run, batch_sampler=rest, collate_fn=collator))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_set_epoch_reaches_processes_that_already_run(dataset: StripDataset, context: str) -> None:
    collator = PretrainingCollator(SpanMasker(), seed=5)
    loader = DataLoader(
        dataset, 8, collate_fn=collator, num_workers=1, persistent_workers=True, multiprocessing_context=context
    )
    found: dict[int, list[Any]] = {}
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        masks = [batch["patch_mask"] for batch in batches(loader)]
        assert found.setdefault(epoch, masks) == masks
    assert found[0] != found[1]


def test_data_sets_can_be_pickled(dataset: StripDataset) -> None:
    train, _ = dataset.split_validation(3, seed=1)
    copy = pickle.loads(pickle.dumps(ShuffledStrips(train, 9, seed=1)))
    np.testing.assert_array_equal(copy[8].patches, ShuffledStrips(train, 9, seed=1)[8].patches)


class Recorder(torch.nn.Module):
    """A model that remembers the batches it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[bytes, bytes]] = []

    def forward(self, pixel_values: Any, attention_mask: Any, patch_mask: Any) -> dict[str, Any]:
        self.seen.append((pixel_values.numpy().tobytes(), patch_mask.numpy().tobytes()))
        return {"loss": self.weight * attention_mask.sum()}


class OrderedTrainer(Trainer):
    """Reads the run's examples in order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def test_a_trainer_sees_the_same_batches_after_resuming(dataset: StripDataset, tmp_path: Path) -> None:
    """transformers' Trainer hands everything to the collator, with its own settings, and resumes within a pass."""
    steps, batch_size = 14, 4
    run = ShuffledStrips(dataset, steps * batch_size, seed=5)
    assert steps * batch_size > len(dataset), "more than one pass"

    def train(resume: bool) -> list[tuple[bytes, bytes]]:
        model = Recorder()
        arguments = TrainingArguments(
            str(tmp_path / "run"),
            per_device_train_batch_size=batch_size,
            max_steps=steps,
            save_steps=5,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        )
        collator = PretrainingCollator(SpanMasker(), seed=5)
        trainer = OrderedTrainer(model, arguments, collator, train_dataset=run)
        trainer.train(resume_from_checkpoint=resume)
        return model.seen

    whole = train(resume=False)
    assert len(whole) == len(set(whole)) == steps
    for checkpoint in (tmp_path / "run").glob("checkpoint-1*"):
        checkpoint.rename(tmp_path / checkpoint.name)
    assert train(resume=True) == whole[5:]
