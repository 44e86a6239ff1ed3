"""Texts that are at hand without a download."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from pixel_lm.data import texts
from pixel_lm.errors import UserError


def test_texts_of_this_project_are_clean() -> None:
    found = texts.project_texts()
    assert set(found) >= {"en", "ru", "el", "he", "ar", "hi", "zh", "ja", "ko", "th", "vi"}
    everything = [document for documents in found.values() for document in documents]
    assert len(set(everything)) == len(everything)
    for document in everything:
        assert len(document) > 50 and "\n" not in document and "  " not in document
        assert unicodedata.is_normalized("NFC", document)
    assert sum(len(document.split()) for document in found["en"]) > 500


@pytest.mark.parametrize(
    ("code", "script"),
    [("ru", "CYRILLIC"), ("uk", "CYRILLIC"), ("el", "GREEK"), ("he", "HEBREW"), ("ar", "ARABIC"), ("hi", "DEVANAGARI")]
    + [("th", "THAI"), ("ko", "HANGUL"), ("zh", "CJK"), ("en", "LATIN"), ("vi", "LATIN")],
)
def test_letters_are_of_one_script(code: str, script: str) -> None:
    letters = {letter for document in texts.project_texts([code])[code] for letter in document if letter.isalpha()}
    assert {letter for letter in letters if not unicodedata.name(letter).startswith(script)} == set()


def test_unknown_language() -> None:
    with pytest.raises(UserError, match="no text in language 'tlh'; there are ar, "):
        texts.project_texts(["tlh"])


def test_documentation_is_prose() -> None:
    paragraphs = texts.python_documentation_text()
    assert sum(map(len, paragraphs)) > 150_000
    assert len(set(paragraphs)) == len(paragraphs)
    for paragraph in paragraphs:
        assert "\n" not in paragraph and ">>>" not in paragraph and "::=" not in paragraph
        assert len(paragraph.split()) >= 8


def test_docstrings_stand_in_where_the_topics_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)  # what importing a missing module amounts to
    paragraphs = texts.python_documentation_text()
    assert sum(map(len, paragraphs)) > 100_000
    assert any("JSON" in paragraph for paragraph in paragraphs)


def test_clear_error_without_any_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    monkeypatch.setattr(texts, "DOCUMENTED_MODULES", "no_such_module")
    with pytest.raises(UserError, match="neither the module pydoc_data.topics nor docstrings"):
        texts.python_documentation_text()
