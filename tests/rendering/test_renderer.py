"""What a rendering holds, for every kind of input."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.errors import UserError
from pixel_lm.rendering import Rendering, TextRenderer
from pixel_lm.rendering.typesetting import Typesetter

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def ink_columns(rendering: Rendering) -> np.ndarray:
    """Which pixel columns of the strip hold ink."""
    return (rendering.strip() != 255).any(axis=0)


def test_text_begins_after_two_blank_columns_and_ends_with_a_separator(renderer: TextRenderer) -> None:
    rendering = renderer("Hello world")
    assert rendering.patches.dtype == np.uint8
    assert rendering.patches.shape == (rendering.num_text_patches + 1, 16, 16)
    assert rendering.sep_patches == [rendering.num_text_patches]
    assert not rendering.patches[-1].any()
    inked = np.flatnonzero(ink_columns(rendering))
    assert 2 <= inked[0] <= 5
    assert len(rendering) == len(rendering.attention_mask)


def test_patches_are_slices_of_the_strip(renderer: TextRenderer) -> None:
    rendering = renderer("One strip, several patches")
    strip = rendering.strip()
    assert strip.shape == (16, 16 * len(rendering))
    for i, patch in enumerate(rendering.patches):
        assert np.array_equal(strip[:, 16 * i : 16 * (i + 1)], patch)


def test_letters_look_like_letters(renderer: TextRenderer) -> None:
    """An I is one upright stem: ink in a few neighbouring columns, many rows high."""
    strip = renderer("I").strip()[:, :16]
    inked = np.flatnonzero((strip < 128).any(axis=0))
    assert 1 <= len(inked) <= 8
    assert (strip < 200).any(axis=1).sum() >= 8


def test_pair_has_a_separator_in_the_middle(renderer: TextRenderer) -> None:
    rendering = renderer(("left", "right"))
    middle, end = rendering.sep_patches
    assert 0 < middle < end == rendering.num_text_patches
    assert not rendering.patches[[middle, end]].any()
    assert np.array_equal(rendering.patches[:middle], renderer("left").patches[:-1])
    assert np.array_equal(rendering.patches[middle + 1 : end], renderer("right").patches[:-1])


def test_every_word_starts_a_patch(renderer: TextRenderer) -> None:
    words = ["Every", "word", "starts", "a", "patch"]
    rendering = renderer(words)
    assert rendering.word_starts is not None
    assert len(rendering.word_starts) == len(words) + 1
    assert rendering.word_starts == sorted(set(rendering.word_starts))
    assert rendering.word_starts[0] == 0
    assert rendering.word_starts[-1] == rendering.num_text_patches
    for start, end in zip(rendering.word_starts, rendering.word_starts[1:], strict=False):
        assert (rendering.patches[start:end] != 255).any()


def test_words_that_do_not_fit_are_left_out(renderer: TextRenderer) -> None:
    rendering = renderer.with_max_seq_length(8)(["word"] * 20)
    assert rendering.word_starts is not None
    assert len(rendering) == 8
    assert len(rendering.word_starts) - 1 < 20
    assert rendering.word_starts[-1] == rendering.num_text_patches == 7


@pytest.mark.parametrize("empty", ["", [], ("", ""), [""]])
def test_empty_input_is_paper_and_a_separator(renderer: TextRenderer, empty: str | list[str] | tuple[str, str]) -> None:
    rendering = renderer(empty)
    text = np.delete(rendering.patches, rendering.sep_patches, axis=0)
    assert (text == 255).all()
    assert not rendering.patches[-1].any()


def test_of_long_text_the_longest_prefix_is_drawn(renderer: TextRenderer) -> None:
    short = renderer.with_max_seq_length(10)
    rendering = short("a rather long text that needs many more patches than ten")
    assert len(rendering) == 10
    assert rendering.num_text_patches == 9
    assert not rendering.patches[-1].any()
    full = renderer("a rather long text that needs many more patches than ten")
    assert np.array_equal(rendering.patches[:8], full.patches[:8])
    clipped = short("a rather long text that needs many more patches than ten", legacy=True)
    assert np.array_equal(clipped.patches[:9], full.patches[:9])


@pytest.mark.parametrize("line_break", ["\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\t"])
def test_line_breaks_are_spaces(renderer: TextRenderer, line_break: str) -> None:
    assert np.array_equal(renderer(f"one{line_break}two").patches, renderer("one two").patches)


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ("a",), ("a", "b", "c"), ["a", 1], ("a", None)])
def test_other_types_are_refused(renderer: TextRenderer, bad: object) -> None:
    with pytest.raises(UserError, match="cannot render"):
        renderer(bad)  # type: ignore[arg-type]


def test_lone_surrogates_are_refused(renderer: TextRenderer) -> None:
    with pytest.raises(UserError, match="character 2 of the text is a lone surrogate"):
        renderer("ab\ud800c")


def test_characters_without_a_glyph_are_counted(renderer: TextRenderer) -> None:
    rendering = renderer("a\u0378b\ue000\x01")
    assert sorted(rendering.unknown_glyphs) == sorted("\u0378\ue000\x01")
    assert renderer("plain").unknown_glyphs == ""


@given(text=TEXT)
def test_remembered_words_give_the_same_ink_as_whole_runs(text: str) -> None:
    renderer = _shared_renderer()
    typesetter = renderer._typesetter
    assert isinstance(typesetter, Typesetter)
    clean = text.translate(dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"), " "))
    first = typesetter.line(clean)
    again = typesetter.line(clean)
    whole = typesetter.whole_line(clean)
    for line in (first, again):
        assert (line.columns, line.width, line.left, line.right) == (
            whole.columns,
            whole.width,
            whole.left,
            whole.right,
        )
        assert line.place == whole.place
        assert sorted(line.unknown) == sorted(whole.unknown)


@given(text=TEXT, length=st.integers(2, 12))
def test_splitting_loses_and_clips_nothing(text: str, length: int) -> None:
    renderer = _shared_renderer().with_max_seq_length(length)
    pieces = renderer.split(text)
    assert "".join(pieces) == text
    for piece in pieces:
        assert piece
        assert (
            renderer.num_patches(piece) <= length or len(piece) <= 8
        )  # a single cluster may be wider than a short strip


@given(words=st.lists(TEXT, max_size=6), length=st.integers(2, 40))
def test_any_words_give_a_well_formed_rendering(words: list[str], length: int) -> None:
    rendering = _shared_renderer().with_max_seq_length(length)(words)
    assert len(rendering) == rendering.num_text_patches + 1 <= length
    assert not rendering.patches[-1].any()
    assert rendering.word_starts is not None
    assert rendering.word_starts == sorted(rendering.word_starts)


@given(text=TEXT, length=st.integers(2, 30))
def test_splitting_word_by_word_loses_and_clips_nothing(text: str, length: int) -> None:
    renderer = _word_renderer().with_max_seq_length(length)
    pieces = renderer.split(text)
    assert "".join(pieces) == text
    for piece in pieces:
        assert renderer.num_patches(piece) <= length or len(piece.strip()) <= 8
        if renderer.num_patches(piece) <= length:
            assert len(renderer(piece)) == renderer.num_patches(piece)


def test_the_words_strategy_draws_a_text_as_a_list_of_words(renderer: TextRenderer) -> None:
    ours = _word_renderer()("every  word starts\na patch")
    expected = renderer(["every", "word", "starts", "a", "patch"])
    assert np.array_equal(ours.patches, expected.patches)
    assert ours.word_starts == expected.word_starts
    with pytest.raises(UserError, match="unknown rendering strategy 'letters'"):
        TextRenderer(strategy="letters")


def test_splitting_prefers_spaces(renderer: TextRenderer) -> None:
    text = "the quick brown fox jumps over the lazy dog " * 4
    pieces = renderer.with_max_seq_length(12).split(text)
    assert len(pieces) > 2
    assert all(piece.endswith(" ") for piece in pieces[:-1])


def test_batch_pads_with_paper(renderer: TextRenderer) -> None:
    batch = renderer.batch(["short", ("a longer", "pair of texts"), ["a", "word", "list"]], return_tensors="np")
    lengths = batch["attention_mask"].sum(axis=1)
    assert batch["pixel_values"].shape == (3, lengths.max(), 256)
    for row, mask in zip(batch["pixel_values"], batch["attention_mask"], strict=True):
        assert (row[mask == 0] == 255).all()
    assert np.array_equal(batch["pixel_values"][0, : lengths[0]].reshape(-1, 16, 16), renderer("short").patches)


def test_pickled_renderer_draws_the_same(renderer: TextRenderer) -> None:
    copy = pickle.loads(pickle.dumps(renderer))
    assert np.array_equal(copy("Zwölf Boxkämpfer").patches, renderer("Zwölf Boxkämpfer").patches)
    assert copy.fingerprint() == renderer.fingerprint()


def _digest(renderer: TextRenderer, text: str) -> bytes:
    return renderer(text).patches.tobytes()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_draw_the_same(renderer: TextRenderer, method: str) -> None:
    texts = [f"text number {i} naïve Ελληνικά" for i in range(8)]
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        drawn = list(pool.map(_digest, [renderer] * len(texts), texts))
    assert drawn == [_digest(renderer, text) for text in texts]


def test_threads_draw_the_same() -> None:
    renderer = TextRenderer()
    texts = [f"{word}{i} Щука ξένος" for i in range(60) for word in ("alpha", "beta")]
    expected = [_digest(TextRenderer(), text) for text in texts[:4]] + [_digest(renderer, text) for text in texts[4:]]
    fresh = TextRenderer()
    results: list[list[bytes]] = [[] for _ in range(4)]

    def work(slot: int) -> None:
        results[slot] = [_digest(fresh, text) for text in texts]

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected for result in results)


def test_the_cache_is_bounded() -> None:
    renderer = TextRenderer()
    typesetter = renderer._typesetter
    assert isinstance(typesetter, Typesetter)
    typesetter.cache_bytes = 50_000
    for i in range(500):
        renderer(f"word{i} other{i}")
        assert typesetter._cached_bytes <= 50_000
    assert np.array_equal(renderer("word1 other1").patches, TextRenderer()("word1 other1").patches)


@lru_cache(maxsize=1)
def _word_renderer() -> TextRenderer:
    return TextRenderer(strategy="words")


_RENDERERS: list[TextRenderer] = []


def _shared_renderer() -> TextRenderer:
    if not _RENDERERS:
        _RENDERERS.append(TextRenderer())
    return _RENDERERS[0]


WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
    | st.sampled_from("just fjord Wj f. of Aj".split()),
    max_size=12,
)


@given(words=WORDS)
def test_joined_words_are_the_same_as_words_drawn_one_by_one(words: list[str]) -> None:
    renderer = _shared_renderer()
    for _ in range(2):
        joined = renderer(words)
        one_by_one = renderer(words, return_offset_mapping=True)
        assert np.array_equal(joined.patches, one_by_one.patches)
        assert joined.word_starts == one_by_one.word_starts
        assert joined.sep_patches == one_by_one.sep_patches
        assert joined.unknown_glyphs == one_by_one.unknown_glyphs


ALPHABETS = [
    "fjAVToyWé,.'(1 ) -",
    "אבגדה,. (1)״ a",
    "سلامےکتب، .1( )ٌؤ",
    "कखगितीो्रय।, 1",
    "ภาษาไทยที่้ำ 1.",
    "ປະຊາຊົນລາວຫຼຳ ່1",
    "می‌شود\u200d ۱۲، ",
    "क्\u200dषक्\u200cष र्",
    "한글은하늘각, .1A",
    "漢字かなカナー、。「」 1A",
    "ሀለሐ᎐ 1.a",
    "ქართული ,.a",
    "বাংলাক্ষি।, 1",
    "ខ្មែរក្រុ 1.",
]
REAL_TEXT = st.sampled_from(ALPHABETS).flatmap(lambda letters: st.text(st.sampled_from(letters), max_size=40))


def assert_same_ink(one: bytes, other: bytes) -> None:
    """Where three glyphs of several fonts cover one pixel, the order of drawing may change its last bit."""
    assert len(one) == len(other)
    difference = np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(other, np.uint8)
    assert np.abs(difference).max(initial=0) <= 1
    assert np.count_nonzero(difference) <= 4


@given(texts=st.lists(REAL_TEXT, min_size=1, max_size=4))
def test_words_of_one_script_give_the_same_ink_as_whole_runs(texts: list[str]) -> None:
    typesetter = _shared_renderer()._typesetter
    assert isinstance(typesetter, Typesetter)
    for text in texts:
        whole = typesetter.whole_line(text)
        for line in (typesetter.line(text), typesetter.line(text)):
            assert (line.width, line.left, line.right, line.place) == (
                whole.width,
                whole.left,
                whole.right,
                whole.place,
            )
            assert_same_ink(line.columns, whole.columns)
        parts = typesetter.parts(text)
        assert parts is None or b"".join(parts) == line.columns
        assert np.array_equal(typesetter.centers(text), typesetter._centers_of(text, typesetter.clusters(text)))
