"""The compiled code draws what Python draws: the same pixels, places and prefixes."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
import threading
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixel_lm.rendering import TextRenderer, native
from pixel_lm.rendering.compiled_lines import CompiledLines
from pixel_lm.rendering.native import library, sources_digest
from pixel_lm.rendering.typesetting import Typesetter

pytestmark = pytest.mark.skipif(
    os.environ.get("PIXEL_LM_COMPILED") == "0" or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="Python draws everything: nothing compiles here, or PIXEL_LM_COMPILED=0",
)

# Letters, marks, digits, brackets and joiners of scripts that are shaped, ordered or cut differently, with Latin among them.
ALPHABETS = [
    "fjAVToyWé,.'(1 ) -\u00adẤ",
    "אב גד(1)[2]־ a%+,./٣\u05b0",
    "سلام کتب، .1(٢) ٌؤab\u200c\u200d",
    "कखग ितीो्रय।, 1 ष\u200dक",
    "ภาษาไทย ที่้ำ 1.a",
    "한글은하늘각, .1A \u1112\u1161",
    "漢字かなカナー、。「」 1A",
    "ქართული ,.a «»",
    "বাংলাক্ষি ।, 1",
    "ខ្មែរក្រុ 1.",
    "ཀཁག་ཏུས། ྱ",
    "ࡀࡁࡂ ߊߋߌ ۱ 𞤀𞤁 ᠮᠣᠩ",
    "\u0301\u093f\u0e33a b",
    "🙂👩\u200d1\u20e3©a☀\ufe0f b",
]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
REAL_TEXT = st.lists(
    st.sampled_from(ALPHABETS).flatmap(lambda letters: st.text(st.sampled_from(letters), max_size=40)), max_size=3
).map(" ".join)
TEXT = ANY_TEXT | REAL_TEXT
LEVEL = st.sampled_from([None, 0, 1])
PROFILE = st.sampled_from(["pango", "fit"])


@cache
def renderers(profile: str) -> tuple[TextRenderer, TextRenderer]:
    """A renderer with the compiled code, and one without."""
    compiled, plain = TextRenderer(profile=profile), TextRenderer(profile=profile)
    with_code, without = compiled._typesetter, plain._typesetter
    assert isinstance(with_code, Typesetter) and isinstance(without, Typesetter)
    assert isinstance(with_code._compiled, CompiledLines)
    without._compiled = None
    return compiled, plain


def typesetters(profile: str) -> tuple[CompiledLines, Typesetter]:
    compiled, plain = (renderer._typesetter for renderer in renderers(profile))
    assert isinstance(compiled, Typesetter) and compiled._compiled is not None and isinstance(plain, Typesetter)
    return compiled._compiled, plain


def assert_same_ink(one: np.ndarray, other: np.ndarray) -> None:
    """Python alone may miss the last bit of a pixel where three glyphs of several fonts meet (docs/rendering.md)."""
    assert one.shape == other.shape
    difference = np.abs(one.astype(int) - other)
    assert difference.max(initial=0) <= 1 and np.count_nonzero(difference) <= 4


def test_the_library_is_there() -> None:
    assert library() is not None, "install the package again: pip install -e ."


@given(text=TEXT, level=LEVEL, profile=PROFILE)
def test_lines_are_those_of_whole_runs(text: str, level: int | None, profile: str) -> None:
    compiled, plain = typesetters(profile)
    whole = plain.whole_line(text, level)
    for _ in range(2):
        line = compiled.line(text, level)
        assert line is None or (line.columns, line.width, line.left, line.right, line.place, line.unknown) == (
            whole.columns,
            whole.width,
            whole.left,
            whole.right,
            whole.place,
            whole.unknown,
        )


@given(text=TEXT, level=LEVEL, profile=PROFILE)
def test_characters_lie_where_python_puts_them(text: str, level: int | None, profile: str) -> None:
    compiled, plain = typesetters(profile)
    clusters = compiled.clusters(text, level)
    if clusters is not None:
        assert clusters.tolist() == [list(map(int, cluster)) for cluster in plain.clusters(text, level)]
    mine, theirs = (renderer._typesetter.centers(text, level) for renderer in renderers(profile))
    assert np.array_equal(mine, theirs)


@given(text=TEXT, profile=PROFILE, length=st.integers(2, 30), legacy=st.booleans())
def test_strips_are_those_of_python(text: str, profile: str, length: int, legacy: bool) -> None:
    one, other = (renderer.with_max_seq_length(length)(text, legacy=legacy) for renderer in renderers(profile))
    if legacy or renderers(profile)[1].num_patches(text) <= length:
        assert_same_ink(one.patches, other.patches)
        assert one.unknown_glyphs == other.unknown_glyphs
    assert len(one) == one.num_text_patches + 1 <= length


@given(text=TEXT, limit=st.integers(1, 500), level=LEVEL, profile=PROFILE)
def test_the_longest_prefix_is_found(text: str, limit: int, level: int | None, profile: str) -> None:
    compiled, plain = typesetters(profile)
    end = compiled.end_that_fits(text, limit, level)
    if end is None:
        return
    assert plain.width(text[:end], level) <= limit
    if end < len(text):
        # One cluster more would not have fitted, in the line as a whole.
        clusters = sorted(plain.clusters(text, level))
        longer = sum(cluster.width for cluster in clusters if cluster.start <= end)
        assert (
            longer > limit or plain.width(text[: clusters[[c.start for c in clusters].index(end)].end], level) > limit
        )


@given(words=st.lists(TEXT, min_size=1, max_size=5), profile=PROFILE)
def test_word_lists_and_pairs_are_those_of_python(words: list[str], profile: str) -> None:
    one, other = renderers(profile)
    assert_same_ink(one(words).patches, other(words).patches)
    pair = words[0], words[-1]
    mine, theirs = (each(pair, return_offset_mapping=True) for each in (one, other))
    assert_same_ink(mine.patches, theirs.patches)
    assert mine.offset_mapping is not None and theirs.offset_mapping is not None
    assert np.array_equal(mine.offset_mapping, theirs.offset_mapping)


@example(text=" ".join(["שלום עולם טוב"] * 20), profile="pango", length=10, rtl=False)
@example(text="fjord word by word " * 20, profile="fit", length=10, rtl=None)
@given(text=TEXT, profile=PROFILE, length=st.integers(8, 30), rtl=st.sampled_from([None, False, True]))
def test_windows_show_what_those_of_python_show(text: str, profile: str, length: int, rtl: bool | None) -> None:
    one, other = (
        renderer.with_max_seq_length(length)(
            ("a", text), rtl=rtl, return_offset_mapping=True, return_overflowing_patches=True, stride=1
        )
        for renderer in renderers(profile)
    )
    assert len(one.windows or ()) == len(other.windows or ())
    for mine, theirs in zip([one, *(one.windows or ())], [other, *(other.windows or ())], strict=True):
        assert_same_ink(mine.patches, theirs.patches)
        assert mine.offset_mapping is not None and theirs.offset_mapping is not None
        assert np.array_equal(mine.offset_mapping, theirs.offset_mapping)


def test_ordinary_text_of_every_alphabet_is_taken() -> None:
    """Else the tests above would compare nothing."""
    for profile in ("pango", "fit"):
        compiled, _ = typesetters(profile)
        refused = [letters for letters in ALPHABETS[:-1] if compiled.line(letters, None) is None]
        assert refused == []


def test_bidirectional_character_test(shared_dir: Path) -> None:
    """Clusters of the texts of BidiCharacterTest.txt lie in the order in which Python puts them."""
    compiled, plain = typesetters("pango")
    taken = 0
    with lzma.open(shared_dir / "data/unicode/BidiCharacterTest.part0.txt.xz", "rt", encoding="utf-8") as file:
        lines = [line.split(";") for line in file if line[0] not in "#\n"]
    for codepoints, direction, *_ in lines[::7]:
        text = "".join(chr(int(codepoint, 16)) for codepoint in codepoints.split())
        level = {"0": 0, "1": 1, "2": None}[direction]
        clusters = compiled.clusters(text, level)
        if clusters is not None:
            taken += 1
            assert clusters.tolist() == [list(map(int, cluster)) for cluster in plain.clusters(text, level)]
    assert taken > 100


def test_real_text_of_many_languages(shared_dir: Path) -> None:
    compiled, plain = typesetters("pango")
    with lzma.open(shared_dir / "data/text/multilingual/ntrex128.jsonl.xz", "rt", encoding="utf-8") as file:
        texts = [" ".join(" ".join(json.loads(line)["sentences"][:3]).split()) for line in file]
    assert len(texts) > 100
    for text in texts:
        line, whole = compiled.line(text, None), plain.whole_line(text)
        assert line is not None and (line.columns, line.width, line.place) == (whole.columns, whole.width, whole.place)


def test_words_are_forgotten_when_memory_runs_out() -> None:
    draw, fresh = TextRenderer(), TextRenderer()
    typesetter, bound = draw._typesetter, 100_000
    assert isinstance(typesetter, Typesetter)
    engine = CompiledLines(library() or pytest.fail("no library"), typesetter._fonts, cache_bytes=bound)
    typesetter._compiled = engine
    forgotten = before = 0
    for number in range(2000):
        draw(f"word{number} other{number}")
        assert engine.cached_bytes <= bound + 10_000  # one line more
        forgotten += engine.cached_bytes < before
        before = engine.cached_bytes
    assert forgotten >= 3
    assert np.array_equal(draw("word7 other7").patches, fresh("word7 other7").patches)


def test_threads_share_an_engine() -> None:
    draw = TextRenderer()
    texts = [f"{number} fjord {letters} {'x' * (number % 50)}" for number in range(60) for letters in ALPHABETS[:4]]
    expected = {text: draw(text).patches for text in texts}
    wrong: list[str] = []

    def work(offset: int) -> None:
        for text in texts[offset:] + texts[:offset]:
            if not np.array_equal(draw(text).patches, expected[text]):
                wrong.append(text)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(17 * slot,)) for slot in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert wrong == []


def test_a_library_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "sources_digest", lambda: "0" * 64)
    with pytest.warns(UserWarning, match="is not used.*: it was made from other sources. Install the package again"):
        assert native.library.__wrapped__() is None


def test_a_broken_library_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "lines.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(native, "LIBRARY", broken)
    with pytest.warns(
        UserWarning, match="lines.so is not used, so that rendering is slower.*Install the package again"
    ):
        assert native.library.__wrapped__() is None


def test_without_the_functions_of_harfbuzz_python_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is on Windows."""
    monkeypatch.setattr(native, "_HARFBUZZ", ("hb_no_such_function",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert native.library.__wrapped__() is None


def test_the_environment_can_leave_it_out() -> None:
    code = "from pixel_lm.rendering import TextRenderer; print(TextRenderer()._typesetter._compiled)"
    environment = {**os.environ, "PIXEL_LM_COMPILED": "0"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert result.stdout == "None\n", result.stderr


def test_the_digest_is_that_of_the_sources() -> None:
    found = library()
    assert found is not None and found.functions.pixel_lm_sources().decode() == sources_digest()
