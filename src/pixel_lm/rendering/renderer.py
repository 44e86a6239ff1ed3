"""`TextRenderer`: text, pairs of texts and lists of words → patches."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pixel_lm.errors import UserError
from pixel_lm.rendering.bigrams import BigramRenderer
from pixel_lm.rendering.cleaning import checked, clean, words_of
from pixel_lm.rendering.composition import in_colour
from pixel_lm.rendering.config import RendererConfig
from pixel_lm.rendering.discovery import default_fonts
from pixel_lm.rendering.fonts import Font, FontSource
from pixel_lm.rendering.legacy_pairs import LegacyPairs
from pixel_lm.rendering.lines import LineSetter
from pixel_lm.rendering.missing import warn_of_missing
from pixel_lm.rendering.mono import fixed_pitch_font, mono_config
from pixel_lm.rendering.native import library
from pixel_lm.rendering.pairs import PairRenderer
from pixel_lm.rendering.pictures import PLANES, Plane
from pixel_lm.rendering.profiles import get_profile
from pixel_lm.rendering.pygame_typesetting import PyGameFont, PyGameTypesetter
from pixel_lm.rendering.result import Rendering, pad_patches
from pixel_lm.rendering.saving import SavedRenderer, save
from pixel_lm.rendering.splitting import fill, separable
from pixel_lm.rendering.strings import StringRenderer
from pixel_lm.rendering.typesetting import Typesetter
from pixel_lm.rendering.word_lists import WordListRenderer

__all__ = ["RenderInput", "TextRenderer"]

RenderInput = str | tuple[str, str] | list[str]

# Changes whenever the same text, fonts and configuration would give other pixels; part of every fingerprint.
RENDERING_VERSION = 4


class TextRenderer:
    """Renders text as a strip of square patches.

    Call it with a string, a pair (tuple) of strings, or a list of words, each of which then begins a new patch:

    >>> renderer = TextRenderer()
    >>> renderer("Any script: ไทย, العربية, 日本語").patches.shape
    (19, 16, 16)

    Instances are immutable, can be pickled (fonts are reopened, drawn words forgotten), shared by threads and used in forked
    workers.

    Args:
        font: main font file; None: the first that `discovery.default_fonts` finds.
        fallback_fonts: fonts for what the main font lacks, in order of preference; None: those found on this machine if
            `font` is None too, else none.
        config: settings; keyword arguments override its fields.

    Raises:
        UserError: a font is missing or no font, or a setting is impossible.
    """

    def __init__(
        self,
        font: str | Path | FontSource | None = None,
        *,
        fallback_fonts: Sequence[str | Path | FontSource] | None = None,
        config: RendererConfig | None = None,
        **overrides: Any,
    ) -> None:
        self.config = _override(config or RendererConfig(), overrides)
        if font is None:
            main, found = default_fonts()
            if self.config.strategy == "mono":
                main, found = fixed_pitch_font(), [main, *found]
            if self.config.profile == "pygame":
                found = []  # no other font ever takes part
            fallback_fonts = found if fallback_fonts is None else fallback_fonts
        else:
            main = _as_source(font)
        if self.config.strategy == "mono":
            self.config = mono_config(self.config, main)
        self.font_sources: tuple[FontSource, ...] = (main, *map(_as_source, fallback_fonts or ()))
        for source in self.font_sources:
            source.check()
        self._open_fonts()

    def _open_fonts(self, plane: Plane = "coverage") -> None:
        config = self.config
        self._planes: dict[Plane, TextRenderer] = {}
        fonts = [Font(source, config.pixel_size, plane) for source in self.font_sources]
        profile = get_profile(config.profile)
        if config.strategy == "mono":  # pairs of characters lie on patches
            profile = dataclasses.replace(profile, indent=0)
        typesetter = Typesetter(fonts, profile, config.pixels_per_patch, compiled=library())
        line_setter: LineSetter = typesetter
        word_setter: LineSetter = typesetter
        if config.profile == "pygame":
            font = PyGameFont(self.font_sources[0], config.font_size, config.dpi)
            line_setter = PyGameTypesetter(font, fonts[0], profile, config.pixels_per_patch)
            word_setter = PyGameTypesetter(font, fonts[0], profile, config.pixels_per_patch, words=True)
        self._draw_with(line_setter, word_setter, BigramRenderer(typesetter, config.bigram_unit))

    def _draw_with(self, line_setter: LineSetter, word_setter: LineSetter, bigrams: BigramRenderer) -> None:
        """Draw texts and pairs with `line_setter`, the words of lists with `word_setter`."""
        self._typesetter = line_setter
        self._word_setter = word_setter
        self._bigrams = bigrams
        self._strings = StringRenderer(line_setter, self.max_seq_length)
        self._word_lists = WordListRenderer(word_setter, self.max_seq_length)

    # -- properties --------------------------------------------------------------------------------------------------

    @property
    def max_seq_length(self) -> int:
        """Number of patches that a rendering has at most, the final separator included."""
        return self.config.max_seq_length

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.config.pixels_per_patch

    def with_max_seq_length(self, max_seq_length: int) -> TextRenderer:
        """The same renderer for another length; both share the fonts and the words drawn so far."""
        other = object.__new__(TextRenderer)
        other.config = _override(self.config, {"max_seq_length": max_seq_length})
        other.font_sources = self.font_sources
        other._planes = {}
        other._draw_with(self._typesetter, self._word_setter, self._bigrams)
        return other

    def fingerprint(self) -> str:
        """Hexadecimal digest of all that decides the pixels: settings, font files, version of the drawing code."""
        identity = [RENDERING_VERSION, dataclasses.asdict(self.config)]
        identity += [(source.sha256, source.index) for source in self.font_sources]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"TextRenderer({self.font_sources[0].path.name!r}, {len(self.font_sources) - 1} fallback fonts, {self.config})"

    def font_of(self, char: str) -> FontSource | None:
        """The font that draws a character; None if none has it, so that it appears as U+FFFD.

        What draws nothing itself (spaces, joiners, variation selectors) counts as drawn by the first font that has it, and by
        the main font if none does.
        """
        char = clean(char)
        if self._typesetter.is_unknown(char):
            return None
        font = self._typesetter.font_of(char)
        return self.font_sources[0] if font is None else font.source

    # -- rendering ---------------------------------------------------------------------------------------------------

    def __call__(
        self,
        text: RenderInput,
        *,
        return_offset_mapping: bool = False,
        return_overflowing_patches: bool = False,
        stride: int = 0,
        text_a_max_length: int | None = None,
        max_length: int | None = None,
        rtl: bool | None = None,
        legacy: bool = False,
    ) -> Rendering:
        """Render a string, a pair (tuple) of strings or a list of words.

        Of a string that does not fit in `max_seq_length` patches the longest prefix that fits is drawn; `split` cuts texts
        beforehand, so that nothing is lost. For word lists `word_starts` tells how many words there are. Of a pair, the second text is cut to the longest
        prefix that fits, or shown in several windows.

        Args:
            text: what to render.
            return_offset_mapping: also tell which characters each patch shows.
            return_overflowing_patches: pairs: show what does not fit of the second text in further windows, each with the first
                text before it (`Rendering.windows`).
            stride: patches of the second text that a window repeats from the one before.
            text_a_max_length: patches that the first text of a pair may take; the longest prefix that fits is kept.
            max_length: bigrams: patches that a text or a list of words may take.
            rtl: pairs and bigrams: lay both texts out from right to left (True) or left to right (False); None: each as most of its letters
                ask for.
            legacy: what does not fit, line breaks (profile `pygame`), offsets, truncation and windows with the quirks of the original (`legacy_pairs`,
                `legacy_bigrams`).

        Raises:
            UserError: the input is none of these or holds a lone surrogate, or the arguments leave no room for the second text.
        """
        if not (isinstance(text, str | list) or (isinstance(text, tuple) and len(text) == 2)):
            raise UserError(
                f"cannot render {type(text).__name__} {text!r:.60}: give a string, a tuple of two strings or a list of words"
            )
        if self.config.rgb:
            return self._in_colour(
                text,
                return_offset_mapping=return_offset_mapping,
                return_overflowing_patches=return_overflowing_patches,
                stride=stride,
                text_a_max_length=text_a_max_length,
                max_length=max_length,
                rtl=rtl,
                legacy=legacy,
            )
        raw = legacy and self.config.profile == "pygame"  # PyGame draws line breaks as boxes
        if self.config.strategy == "bigrams":
            result = self._render_bigrams(
                text,
                return_offset_mapping=return_offset_mapping,
                return_overflowing_patches=return_overflowing_patches,
                stride=stride,
                text_a_max_length=text_a_max_length,
                max_length=max_length,
                rtl=rtl,
                legacy=legacy,
            )
        elif isinstance(text, str):
            if self.config.strategy == "words":
                result = self._word_lists.render(words_of(text), return_offset_mapping)
            else:
                result = self._strings.render(text, return_offset_mapping, legacy, raw)
        elif isinstance(text, list):
            result = self._word_lists.render(text, return_offset_mapping, raw)
        else:
            first, second = map(checked, text)
            if legacy:
                result = LegacyPairs(self._typesetter, self.max_seq_length).render(
                    first,
                    second,
                    text_a_max_length=text_a_max_length,
                    rtl=bool(rtl),
                    return_offset_mapping=return_offset_mapping,
                    return_overflowing_patches=return_overflowing_patches,
                    stride=stride,
                )
            else:
                result = PairRenderer(self._typesetter, self.max_seq_length).render(
                    first,
                    second,
                    text_a_max_length=text_a_max_length,
                    rtl=rtl,
                    return_offset_mapping=return_offset_mapping,
                    windows=return_overflowing_patches,
                    stride=stride,
                )
        if result.unknown_glyphs:
            warn_of_missing(result.unknown_glyphs)
        return result

    def _in_colour(self, text: RenderInput, **arguments: Any) -> Rendering:
        """Render each colour channel by itself: they differ where there are pictures, and by the colours asked for."""
        result = self._plane("coverage")(text, **arguments)
        parts = [text] if isinstance(text, str) else text
        fonts = (self._typesetter.font_of(char) for char in set("".join(parts)))
        planes: dict[Plane, Rendering] = {}
        if any(font is not None and font.has_pictures for font in fonts):
            planes = {plane: self._plane(plane)(text, **arguments) for plane in (*PLANES, "nothing")}
        ink, paper = self.config.color("font_color"), self.config.color("background_color")
        windows = None
        if result.windows is not None:
            windows = [
                window.replace(
                    patches=in_colour(
                        window.patches,
                        {plane: (of.windows or [])[index].patches for plane, of in planes.items()},
                        ink,
                        paper,
                    )
                )
                for index, window in enumerate(result.windows)
            ]
        patches = in_colour(result.patches, {plane: of.patches for plane, of in planes.items()}, ink, paper)
        return result.replace(patches=patches, windows=windows)

    def _plane(self, plane: Plane) -> TextRenderer:
        """A grey renderer that draws one colour channel of pictures."""
        renderer = self._planes.get(plane)
        if renderer is None:
            renderer = object.__new__(TextRenderer)
            renderer.config = _override(self.config, {"rgb": False, "font_color": "black", "background_color": "white"})
            renderer.font_sources = self.font_sources
            renderer._open_fonts(plane)
            self._planes[plane] = renderer
        return renderer

    def batch(self, texts: Iterable[RenderInput], *, return_tensors: str | None = None, **arguments: Any) -> Any:
        """Render several inputs.

        Args:
            texts: inputs of any kind, mixed as you like.
            return_tensors: None for a list of `Rendering`; "np" or "pt" for a dictionary of arrays or tensors padded to the
                longest: `pixel_values` uint8 (batch, length, patch_size²), `attention_mask` int64 (batch, length).
            arguments: of `__call__`. With `return_overflowing_patches` each window is a row of its own, and
                `overflow_to_sample_mapping` int64 (batch,) says of which input; with `return_offset_mapping` there are lists
                `offset_mapping` and `sequence_ids` with an entry for each row.
        """
        renderings = [self(text, **arguments) for text in texts]
        if return_tensors is None:
            return renderings
        if return_tensors not in ("np", "pt"):
            raise UserError(f'return_tensors must be None, "np" or "pt", not {return_tensors!r}')
        rows = [(sample, row) for sample, first in enumerate(renderings) for row in (first, *(first.windows or ()))]
        pixel_values, attention_mask = pad_patches([row for _, row in rows])
        batch: dict[str, Any] = {"pixel_values": pixel_values, "attention_mask": attention_mask}
        if arguments.get("return_overflowing_patches"):
            batch["overflow_to_sample_mapping"] = np.array([sample for sample, _ in rows], np.int64)
        if return_tensors == "pt":
            import torch

            batch = {name: torch.from_numpy(values) for name, values in batch.items()}
        if arguments.get("return_offset_mapping"):
            batch["offset_mapping"] = [row.offset_mapping for _, row in rows]
            batch["sequence_ids"] = [row.sequence_ids for _, row in rows]
        return batch

    def _render_bigrams(self, text: RenderInput, *, legacy: bool, **arguments: Any) -> Rendering:
        cleaned: RenderInput
        if isinstance(text, tuple):
            cleaned = (checked(text[0]), checked(text[1]))
        else:
            cleaned = [checked(word) for word in text] if isinstance(text, list) else checked(text)
        # The original keeps line breaks and tabs inside the words of a list.
        given = text if legacy else cleaned
        return self._bigrams.render(given, self.max_seq_length, legacy=legacy, **arguments)

    # -- measuring and cutting ---------------------------------------------------------------------------------------

    def num_patches(self, text: str) -> int:
        """Patches that a single text needs, the final separator included, however long it is."""
        if self.config.strategy == "bigrams":
            return self._bigrams.num_patches(checked(text))
        if self.config.strategy == "words":
            return self._word_lists.num_patches(words_of(text))
        return self._strings.num_patches(checked(text))

    def split(self, text: str) -> list[str]:
        """Cut a text into pieces that fit: none is clipped, nothing is lost, `"".join(pieces) == text`.

        Pieces are filled as far as possible. They end after a space; only stretches of more than 40 characters without one
        (text in Chinese, Japanese, Thai …) are also cut between grapheme clusters. (A cluster that is wider than a whole strip
        stands alone and is clipped.)
        """
        cleaned = checked(text)
        if self.config.strategy == "bigrams":
            return self._bigrams.split(text, self.max_seq_length - 1)
        limit = (self.max_seq_length - 1) * self.patch_size
        limit_of_line = limit - 2 * self._typesetter.profile.indent
        words = separable(cleaned, limit_of_line, self._typesetter)

        def fits(piece: str) -> bool:
            return self.num_patches(piece) <= self.max_seq_length

        if self.config.strategy == "words":
            ends = fill(words, [self._word_lists.step_of_word(word.strip(" ")) for word in words], limit, fits)
        else:
            ends = fill(words, self._typesetter.widths_of_words(words), limit_of_line, fits)
        # Cleaning replaces one for one, so that places in the cleaned text are places in the text.
        offsets = [0, *accumulate(map(len, words))]
        return [text[offsets[start] : offsets[end]] for start, end in pairwise([0, *ends])]

    # -- saving and loading ------------------------------------------------------------------------------------------

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `text_renderer_config.json` and the font files into a folder, so that it renders the same anywhere.

        The main font lies beside the configuration, as in published checkpoints; fallback fonts in the folder `fonts`.
        """
        save(directory, self.config, self.font_sources, type(self).__name__)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        font: str | Path | FontSource | None = None,
        fallback_fonts: Sequence[str | Path | FontSource] | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **overrides: Any,
    ) -> TextRenderer:
        """Load a renderer from a folder, a configuration file or a repository on the hub.

        Args:
            name_or_path: folder with `text_renderer_config.json`, the file itself, or a name on the hub.
            font: draw with this font instead of the stored one.
            fallback_fonts: use these instead of the stored ones. A published configuration names none; then the fonts of
                this machine serve, as they did in the original.
            revision, cache_dir, local_files_only, token: passed to the hub.
            overrides: fields of `RendererConfig` to change, for instance `max_seq_length`.

        Raises:
            UserError: configuration or font are missing or malformed, or a font file is not the one that was saved.
        """
        hub = {"revision": revision, "cache_dir": cache_dir, "local_files_only": local_files_only, "token": token}
        saved = SavedRenderer(name_or_path, hub)
        config = _override(saved.config(), overrides)
        if font is None:
            font = saved.main_font()
        if fallback_fonts is None:
            fallback_fonts = saved.fallback_fonts()
            if fallback_fonts is None:
                fallback_fonts = default_fonts()[1]
        return cls(font, fallback_fonts=fallback_fonts, config=config)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "font_sources": self.font_sources}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_fonts()


def _override(config: RendererConfig, overrides: dict[str, Any]) -> RendererConfig:
    names = [field.name for field in dataclasses.fields(RendererConfig)]
    for name in overrides:
        if name not in names:
            raise UserError(f"TextRenderer has no option {name!r}; there are: {', '.join(names)}")
    return dataclasses.replace(config, **overrides)


def _as_source(font: str | Path | FontSource) -> FontSource:
    return font if isinstance(font, FontSource) else FontSource(Path(font))
