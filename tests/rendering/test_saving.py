"""A saved renderer draws the same anywhere, and says so when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pixel_lm.errors import UserError
from pixel_lm.rendering import FontSource, TextRenderer

TEXT = "Saved and loaded: Ωμέγα, слово"


@pytest.fixture
def saved(renderer: TextRenderer, tmp_path: Path) -> Path:
    small = TextRenderer(renderer.font_sources[0], fallback_fonts=renderer.font_sources[1:3], max_seq_length=77)
    small.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_round_trip(renderer: TextRenderer, saved: Path) -> None:
    loaded = TextRenderer.from_pretrained(saved)
    assert loaded.max_seq_length == 77
    assert all(source.path.is_relative_to(saved) for source in loaded.font_sources)
    assert np.array_equal(loaded(TEXT).patches, renderer(TEXT).patches)
    assert TextRenderer.from_pretrained(saved, max_seq_length=33).max_seq_length == 33
    assert TextRenderer.from_pretrained(saved / "text_renderer_config.json").fingerprint() == loaded.fingerprint()


def test_saving_over_itself_keeps_the_fonts(saved: Path) -> None:
    loaded = TextRenderer.from_pretrained(saved)
    loaded.save_pretrained(saved)
    assert TextRenderer.from_pretrained(saved).fingerprint() == loaded.fingerprint()


def test_file_is_sorted_and_published_fields_are_kept(saved: Path) -> None:
    text = (saved / "text_renderer_config.json").read_text(encoding="utf-8")
    values = json.loads(text)
    assert text.endswith("}\n")
    assert list(values) == sorted(values)
    published = {"font_size": 8, "dpi": 120, "pixels_per_patch": 16, "max_seq_length": 77, "rgb": False}
    assert published.items() <= values.items()
    assert "/" not in values["font_file"]


def test_published_configuration_loads(renderer: TextRenderer, tmp_path: Path) -> None:
    """The fields of published files, among them ones that mean nothing here."""
    source = renderer.font_sources[0].path
    (tmp_path / source.name).write_bytes(source.read_bytes())
    values = {
        "background_color": "white",
        "dpi": 120,
        "font_color": "black",
        "font_file": source.name,
        "font_size": 8,
        "fonts_list": ["Go Noto Current"],
        "max_seq_length": 529,
        "pad_size": 3,
        "pixels_per_patch": 16,
        "rgb": False,
        "text_renderer_type": "TextRenderer",
    }
    (tmp_path / "text_renderer_config.json").write_text(json.dumps(values))
    loaded = TextRenderer.from_pretrained(tmp_path)
    assert loaded.font_sources[0].path == tmp_path / source.name
    as_published = TextRenderer(
        renderer.font_sources[0], fallback_fonts=renderer.font_sources[1:], config=renderer.config, profile="pango"
    )
    assert np.array_equal(loaded(TEXT).patches, as_published(TEXT).patches)


def test_a_changed_font_is_noticed(saved: Path) -> None:
    font = TextRenderer.from_pretrained(saved).font_sources[0].path
    font.write_bytes(font.read_bytes() + b"\0")
    with pytest.raises(UserError, match="is not the font that was saved"):
        TextRenderer.from_pretrained(saved)


def test_a_missing_font_of_unknown_name_is_an_error(saved: Path) -> None:
    path = saved / "text_renderer_config.json"
    values = json.loads(path.read_text())
    values["font_file"] = "No Such Font.ttf"
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"needs the font No Such Font\.ttf"):
        TextRenderer.from_pretrained(saved)


@pytest.mark.parametrize("name", ["../elsewhere.ttf", "/etc/passwd", 3])
def test_font_files_outside_the_folder_are_refused(saved: Path, name: object) -> None:
    path = saved / "text_renderer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "font_file": name}))
    with pytest.raises(UserError, match="must be a name relative to the folder"):
        TextRenderer.from_pretrained(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"font_size": "8"}', "font_size must be"),
        ('{"max_seq_length": 1}', "max_seq_length must be at least 2"),
        ('{"profile": "cairo"}', "unknown rendering profile 'cairo'"),
    ],
)
def test_malformed_configurations(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "text_renderer_config.json").write_text(content)
    with pytest.raises(UserError, match=message):
        TextRenderer.from_pretrained(tmp_path)


def test_missing_folder_and_missing_font(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        TextRenderer.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(UserError, match="does not exist"):
        TextRenderer(tmp_path / "nofont.ttf")
    (tmp_path / "text.ttf").write_text("not a font")
    with pytest.raises(UserError, match="is not a TrueType or OpenType font"):
        TextRenderer(tmp_path / "text.ttf")
    with pytest.raises(UserError, match="no option 'max_length'"):
        TextRenderer(max_length=3)


def test_fingerprint_depends_on_what_decides_the_pixels(renderer: TextRenderer) -> None:
    assert renderer.fingerprint() == TextRenderer().fingerprint()
    assert renderer.fingerprint() != TextRenderer(font_size=9).fingerprint()
    assert renderer.fingerprint() != TextRenderer(profile="pango").fingerprint()
    twice = [*renderer.font_sources[1:], renderer.font_sources[0]]
    assert renderer.fingerprint() != TextRenderer(renderer.font_sources[0], fallback_fonts=twice).fingerprint()


def test_a_font_limited_to_characters_draws_nothing_else(renderer: TextRenderer) -> None:
    main = renderer.font_sources[0]
    limited = TextRenderer(FontSource(main.path, main.index, frozenset("ab")))
    assert limited("abcabc").unknown_glyphs == "cc"


def test_digests_are_saved_and_the_message_says_what_to_do(saved: Path) -> None:
    values = json.loads((saved / "text_renderer_config.json").read_text())
    fonts = TextRenderer.from_pretrained(saved).font_sources
    assert [values["font_sha256"], *(entry["sha256"] for entry in values["fallback_fonts"])] == [
        f.sha256 for f in fonts
    ]
    changed = fonts[-1].path
    expected = fonts[-1].sha256
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(UserError) as error:
        TextRenderer.from_pretrained(saved)
    message = str(error.value)
    assert all(part in message for part in (str(changed), expected, fonts[-1].sha256, "copy the folder again"))
    chosen = {"fallback_fonts": [changed]} if len(fonts) > 1 else {"font": changed}
    assert TextRenderer.from_pretrained(saved, **chosen).font_sources[-1].path == changed


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("font_sha256", 3, "must be a number and a text"),
        ("fallback_fonts", {}, "fallback_fonts must be a list"),
        ("fallback_fonts", [{"index": 0}], "font file None must be a name"),
    ],
)
def test_malformed_font_entries(saved: Path, field: str, value: object, message: str) -> None:
    path = saved / "text_renderer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(UserError, match=message):
        TextRenderer.from_pretrained(saved)
