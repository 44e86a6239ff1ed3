"""Bigrams: two characters to a patch, ours and with the quirks of the original."""

from __future__ import annotations

import json
import pickle
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_lm.errors import UserError
from pixel_lm.rendering import Rendering, TextRenderer
from pixel_lm.rendering.bigrams import BigramRenderer
from pixel_lm.rendering.legacy_bigrams import LegacyBigramRendering

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LATIN = st.text("abcdefghij  .", max_size=80)
HEBREW = "שלום עולם כאן"


@pytest.fixture(scope="module")
def bigrams() -> TextRenderer:
    """Narrow enough for any text of a few words to be cut."""
    return TextRenderer(strategy="bigrams", profile="pango", max_seq_length=12)


@pytest.fixture(scope="module")
def graphemes() -> TextRenderer:
    return TextRenderer(strategy="bigrams", bigram_unit="grapheme", max_seq_length=12)


@pytest.fixture(scope="module")
def wide() -> TextRenderer:
    return TextRenderer(strategy="bigrams", profile="pango")


def word_starts(rendering: Rendering) -> list[int]:
    assert rendering.word_starts is not None
    return rendering.word_starts


def same(first: Rendering, second: Rendering) -> bool:
    return np.array_equal(first.patches, second.patches)


# -- layout ----------------------------------------------------------------------------------------------------------


def test_a_word_is_cut_into_pairs_from_its_first_character(wide: TextRenderer) -> None:
    rendering = wide("till")
    assert rendering.num_text_patches == 2
    assert np.array_equal(rendering.patches[0], wide("ti").patches[0])
    assert np.array_equal(rendering.patches[1], wide("ll").patches[0])
    assert not rendering.patches[2].any()
    assert (rendering.patches[0] != 255).any()


def test_spaces_are_not_drawn_but_end_a_pair(wide: TextRenderer) -> None:
    assert same(wide("ti ll"), wide("till"))
    assert same(wide(["ti", "ll"]), wide("till"))
    assert not same(wide("til l"), wide("till"))
    assert word_starts(wide("til l")) == [0, 2, 3]


def test_a_wide_pair_takes_two_patches(wide: TextRenderer) -> None:
    assert wide("MW").num_text_patches == 2
    assert word_starts(wide("MW i")) == [0, 2, 3]


def test_characters_do_not_join(wide: TextRenderer) -> None:
    """The isolated form of an Arabic letter, whatever stands beside it."""
    assert same(wide("بب"), wide(["بب"]))
    letter = wide("ب").strip()[:, :16]
    pair = wide("بب").strip()
    width = int(np.flatnonzero((letter != 255).any(axis=0))[-1]) + 1
    assert np.array_equal(pair[:, :width], letter[:, :width])


def test_from_right_to_left_words_of_a_string_are_reversed_and_those_of_a_list_not(wide: TextRenderer) -> None:
    one, two = "אבג", "דה"
    text, listed = wide(f"{one} {two}"), wide([one, two])
    first, second = wide([one]).patches[:-1], wide([two]).patches[:-1]
    assert np.array_equal(text.patches[:-1], np.concatenate([second, first]))
    assert np.array_equal(listed.patches[:-1], np.concatenate([first, second]))
    # The odd letter stands at the left.
    assert np.array_equal(first[0], wide(["ג"]).patches[0])


def test_direction_can_be_told(wide: TextRenderer) -> None:
    assert same(wide("til", rtl=True), wide("l ti", rtl=False)) is False  # t and i change places
    assert np.array_equal(wide("til", rtl=True).patches[0], wide("l").patches[0])
    assert same(wide("one two", rtl=True), wide("owt eno", rtl=True)) is False


def test_ink_that_leaves_its_pair_is_drawn_over_its_neighbour(wide: TextRenderer) -> None:
    """The tail of a j at the start of a patch lies in the patch before it."""
    together = wide("ii jj").patches[:-1]
    alone = wide("ii").patches[:-1]
    assert (together[: len(alone)] <= alone).all()


def test_graphemes_keep_marks_with_their_letters(graphemes: TextRenderer, bigrams: TextRenderer) -> None:
    assert graphemes("e\u0301a").num_text_patches == 1
    assert bigrams("e\u0301a").num_text_patches > 1
    assert same(graphemes("til l"), TextRenderer(strategy="bigrams", max_seq_length=12)("til l"))


def test_empty_input_is_a_blank_patch(bigrams: TextRenderer) -> None:
    for nothing in ("", " \n", "\u200d"):
        rendering = bigrams(nothing)
        assert len(rendering) == 2
        assert (rendering.patches[0] == 255).all()
    assert word_starts(bigrams([])) == [1]
    assert word_starts(bigrams(["", ""])) == [0, 0, 1]
    assert bigrams(("", "")).sep_patches == [1, 3]


def test_empty_words_of_a_list_are_counted(bigrams: TextRenderer) -> None:
    assert word_starts(bigrams(["", "ti", "", "ll", ""])) == [0, 0, 1, 1, 1, 2]


# -- cutting ---------------------------------------------------------------------------------------------------------


def test_whole_words_are_kept_as_long_as_they_fit(bigrams: TextRenderer) -> None:
    assert word_starts(bigrams(["till"] * 5)) == [0, 2, 4, 6, 8, 10]
    assert word_starts(bigrams("till " * 6)) == [0, 2, 4, 6, 8, 10]
    assert word_starts(bigrams(["till"] * 5 + ["i"])) == [0, 2, 4, 6, 8, 10, 11]
    assert len(bigrams(["till"] * 6)) == 11


def test_max_length_cuts_too(bigrams: TextRenderer) -> None:
    assert word_starts(bigrams("till " * 6, max_length=5)) == [0, 2, 4]
    with pytest.raises(UserError, match="max_length must be at least 1"):
        bigrams("till", max_length=0)


def test_the_beginning_of_a_text_stays_also_from_right_to_left() -> None:
    renderer = TextRenderer(strategy="bigrams", max_seq_length=7)
    first_two = " ".join(HEBREW.split()[:2])
    assert renderer.num_patches(HEBREW) > 7
    assert same(renderer(HEBREW), renderer(first_two))


def test_long_words_are_cut_between_pairs(bigrams: TextRenderer) -> None:
    """Scripts without spaces fill the strip."""
    rendering = bigrams("ti " + "ll" * 30)
    assert len(rendering) == 12
    assert word_starts(rendering) == [0, 1, 11]
    assert same(bigrams("ll" * 30), bigrams("ll" * 11))


@given(text=TEXT | LATIN)
def test_any_text_renders(text: str, bigrams: TextRenderer, graphemes: TextRenderer) -> None:
    for renderer in (bigrams, graphemes):
        for given_text in (text, text.split(" ")):
            rendering = renderer(given_text, return_offset_mapping=True)
            starts = word_starts(rendering)
            assert 2 <= len(rendering) <= 12
            assert rendering.sep_patches == [rendering.num_text_patches] == [len(rendering) - 1] == [starts[-1]]
            assert all(first <= second for first, second in pairwise(starts))
            assert all(0 <= start < rendering.num_text_patches for start in starts[:-1])
            assert rendering.offset_mapping is not None
            assert len(rendering.offset_mapping) == len(rendering)
        assert renderer(text).num_text_patches <= renderer.num_patches(text) - 1


@given(text=TEXT | LATIN)
def test_pieces_rejoin_and_fit(text: str, bigrams: TextRenderer, graphemes: TextRenderer) -> None:
    for renderer in (bigrams, graphemes):
        pieces = renderer.split(text)
        assert "".join(pieces) == text
        for piece in pieces:
            wide_character = len(piece.split()) == 1 and len(piece.strip()) <= 8
            assert renderer.num_patches(piece) <= 12 or wide_character
            assert renderer.num_patches(piece) == len(renderer(piece)) or wide_character


@given(text=LATIN)
def test_pieces_show_what_the_whole_shows(text: str, bigrams: TextRenderer, wide: TextRenderer) -> None:
    """Cutting changes no pair; only ink that leaves its patch may be lost at a cut."""
    pieces = [bigrams(piece).patches[:-1] for piece in bigrams.split(text) if piece.strip()]
    if pieces:
        joined = np.concatenate(pieces)
        whole = wide(text).patches[:-1]
        assert joined.shape == whole.shape
        assert (joined[:, :, 2:14] == whole[:, :, 2:14]).all()


def test_whitespace_is_what_str_split_takes_for_it(bigrams: TextRenderer) -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.isspace():
            assert same(bigrams(f"ti{char}l"), bigrams("ti l")), hex(code)


# -- offsets ---------------------------------------------------------------------------------------------------------


def test_offsets_name_the_characters_of_each_patch(wide: TextRenderer) -> None:
    rendering = wide("till it", return_offset_mapping=True)
    assert np.asarray(rendering.offset_mapping).tolist() == [[0, 2], [2, 4], [5, 7], [0, 0]]
    assert rendering.sequence_ids == [0, 0, 0, None]
    wide_pair = wide("MW", return_offset_mapping=True)
    assert np.asarray(wide_pair.offset_mapping).tolist() == [[0, 1], [1, 2], [0, 0]]


def test_offsets_of_words_and_pairs(wide: TextRenderer) -> None:
    words = wide(["till", "", "it"], return_offset_mapping=True)
    assert np.asarray(words.offset_mapping).tolist() == [[0, 2], [2, 4], [0, 2], [0, 0]]
    assert words.sequence_ids == [0, 0, 2, None]
    pair = wide(("it", "til l"), return_offset_mapping=True)
    assert np.asarray(pair.offset_mapping).tolist() == [[0, 2], [0, 0], [0, 2], [2, 3], [4, 5], [0, 0]]
    assert pair.sequence_ids == [0, None, 1, 1, 1, None]
    right_to_left = wide("אבג", return_offset_mapping=True)
    assert np.asarray(right_to_left.offset_mapping)[0].tolist() == [2, 3]


# -- pairs and windows -----------------------------------------------------------------------------------------------


def test_windows_show_all_of_the_second_text(bigrams: TextRenderer) -> None:
    words = [f"{a}{b}" for a in "iltjf" for b in "iltjf"]
    second = " ".join(words)
    for stride in (0, 2):
        first = bigrams(("ti", second), return_overflowing_patches=True, return_offset_mapping=True, stride=stride)
        windows = [first, *(first.windows or [])]
        assert len(windows) > 2
        spans = [
            [tuple(span) for span, which in zip(window.offset_mapping, window.sequence_ids, strict=True) if which == 1]
            for window in windows
            if window.offset_mapping is not None and window.sequence_ids is not None
        ]
        assert {second[start:end] for part in spans for start, end in part} == set(words)
        assert all(len(window) <= 12 for window in windows)
        for before, after in pairwise(spans):
            assert set(before[len(before) - stride :]) == set(after[:stride])
            assert after[-1] > before[-1]
        for window in windows:
            assert np.array_equal(window.patches[:2], bigrams("ti").patches)


@given(first=TEXT | LATIN, second=TEXT | LATIN, stride=st.integers(0, 2))
def test_any_pair_renders(first: str, second: str, stride: int, bigrams: TextRenderer) -> None:
    rendering = bigrams((first, second), return_overflowing_patches=True, stride=stride, text_a_max_length=4)
    for window in [rendering, *(rendering.windows or [])]:
        assert len(window) <= 12
        middle, end = window.sep_patches
        assert 1 <= middle <= 4
        assert middle + 1 < end == window.num_text_patches == len(window) - 1
        assert not window.patches[[middle, end]].any()


def test_impossible_arguments(bigrams: TextRenderer) -> None:
    with pytest.raises(UserError, match="stride must lie between"):
        bigrams(("ti", "ll"), return_overflowing_patches=True, stride=10)
    with pytest.raises(UserError, match="text_a_max_length"):
        bigrams(("ti", "ll"), text_a_max_length=0)
    with pytest.raises(UserError, match="too short for a pair"):
        bigrams.with_max_seq_length(3)(("ti", "ll"))
    with pytest.raises(UserError, match="lone surrogate"):
        bigrams(["a\ud800"])
    with pytest.raises(UserError, match="cannot render int"):
        bigrams(7)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="bigram_unit"):
        TextRenderer(strategy="bigrams", bigram_unit="byte")


# -- the original's quirks -------------------------------------------------------------------------------------------


def test_legacy_gives_up_a_word_more_than_needed(bigrams: TextRenderer) -> None:
    words = ["ti"] * 14
    assert len(word_starts(bigrams(words))) - 1 == 11
    legacy = bigrams(words, legacy=True)
    assert isinstance(legacy, LegacyBigramRendering)
    assert legacy.word_patch_map["word_list_truncation_index"] == 11
    assert legacy.word_patch_map["text_is_truncated"]
    # The last word has no patch but that of the separator.
    assert word_starts(legacy) == [*range(11), 11, 11]


def test_legacy_and_ours_agree_where_everything_fits(wide: TextRenderer) -> None:
    for text in ("ti ll jj.", HEBREW, ["ti", "", "ll"], ("one two", "three"), "शान्ति 日本語"):
        legacy, ours = wide(text, legacy=True), wide(text)
        assert same(legacy, ours)
        assert (legacy.sep_patches, legacy.word_starts) == (ours.sep_patches, ours.word_starts)


def test_legacy_word_map(wide: TextRenderer) -> None:
    legacy = wide("one two three", legacy=True, rtl=True)
    assert isinstance(legacy, LegacyBigramRendering)
    entries = legacy.word_patch_map["word_order_on_canvas"]
    assert [entry["word"] for entry in entries.values()] == ["three", "two", "one"]
    assert [entry["word_len"] for entry in entries.values()] == [5, 4, 4]
    assert [entry["sentence_len_rtl"] for entry in entries.values()] == [13, 8, 4]


def test_legacy_has_no_offsets_and_no_graphemes(wide: TextRenderer, graphemes: TextRenderer) -> None:
    with pytest.raises(UserError, match="word_patch_map"):
        wide(("a", "b"), legacy=True, return_offset_mapping=True)
    with pytest.raises(UserError, match="code points"):
        graphemes("a", legacy=True)


@given(first=TEXT | LATIN, second=TEXT | LATIN)
def test_legacy_renders_what_the_original_crashes_on(first: str, second: str, bigrams: TextRenderer) -> None:
    for text in (first, first.split(" "), (first, second)):
        rendering = bigrams(text, legacy=True)
        assert rendering.num_text_patches == len(rendering) - 1 < 12


def test_strips_and_metadata_equal_recordings(shared_dir: Path) -> None:
    """Recorded strips of the original in Latin script, which needs no font but the main one."""
    folder = shared_dir / "reference" / "render_bigrams"
    main = "NotoSans-Regular.ttf"
    pixels = np.load(folder / "bigrams_gray.npz")
    compared = 0
    for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        recorded = case["renders"]["bigrams_gray"]
        fonts = {run[0] for run in case["font_runs"] if run != "truncated"}
        if "error" in recorded or case["category"] in ("combining", "params", "unknown") or not fonts <= {main}:
            continue
        renderer = TextRenderer(strategy="bigrams", profile="pango", **case["params"])
        if renderer.font_sources[0].path.name != main:
            pytest.skip(f"{main} is not on this machine")
        given_text = tuple(case["input"]) if case["mode"] == "pair" else case["input"]
        rendering = renderer(given_text, legacy=True, **case["call"])
        windows = recorded["overflowing"] or []
        assert len(rendering.windows or []) == len(windows), case["id"]
        for index, (window, record) in enumerate(
            zip([rendering, *(rendering.windows or [])], [recorded, *windows], strict=True)
        ):
            name = f"{case['id']}.o{index - 1}" if index else case["id"]
            strip = window.strip()
            assert window.num_text_patches == record["num_text_patches"], name
            assert window.word_starts == record["word_starts"], name
            assert np.array_equal(strip, pixels[name][:, : strip.shape[1]]), name
        compared += 1
    assert compared > 60


# -- sharing ---------------------------------------------------------------------------------------------------------


def test_pairs_are_drawn_once(wide: TextRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = wide("till it jig", return_offset_mapping=True)

    def fail(text: str) -> None:
        raise AssertionError(f"{text!r} is drawn again")

    monkeypatch.setattr(wide._typesetter, "whole_line", fail)
    assert same(wide.with_max_seq_length(100)("it jig till"), wide("it jig till"))
    assert same(wide("till it jig"), before)


def test_renderers_are_saved_and_pickled(tmp_path: Path, graphemes: TextRenderer) -> None:
    graphemes.save_pretrained(tmp_path)
    loaded = TextRenderer.from_pretrained(tmp_path)
    assert loaded.config == graphemes.config
    assert loaded.fingerprint() == graphemes.fingerprint()
    for other in (loaded, pickle.loads(pickle.dumps(graphemes))):
        assert same(other("e\u0301a till"), graphemes("e\u0301a till"))


def test_unit_decides_the_fingerprint(graphemes: TextRenderer) -> None:
    other = TextRenderer(strategy="bigrams", max_seq_length=12)
    assert other.fingerprint() != graphemes.fingerprint()
    assert isinstance(other._bigrams, BigramRenderer)
