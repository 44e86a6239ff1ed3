"""`TextRenderer`: text, pairs of texts and lists of words → patches."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError
from pixel_lm.rendering.bigrams import BigramRenderer
from pixel_lm.rendering.composition import compose, in_colour
from pixel_lm.rendering.config import CONFIG_NAME, RendererConfig, read_config
from pixel_lm.rendering.discovery import default_fonts, find_font
from pixel_lm.rendering.fonts import Font, FontSource
from pixel_lm.rendering.itemize import cluster_starts
from pixel_lm.rendering.legacy_pairs import LegacyPairs
from pixel_lm.rendering.lines import Line, LineSetter
from pixel_lm.rendering.missing import warn_of_missing
from pixel_lm.rendering.mono import fixed_pitch_font, mono_config
from pixel_lm.rendering.offsets import patch_spans
from pixel_lm.rendering.pairs import PairRenderer, with_spans
from pixel_lm.rendering.pictures import PLANES, Plane
from pixel_lm.rendering.profiles import get_profile
from pixel_lm.rendering.pygame_typesetting import PyGameFont, PyGameTypesetter
from pixel_lm.rendering.result import Rendering, pad_patches
from pixel_lm.rendering.typesetting import Typesetter

__all__ = ["RenderInput", "TextRenderer"]

logger = logging.getLogger(__name__)

RenderInput = str | tuple[str, str] | list[str]

# Changes whenever the same text, fonts and configuration would give other pixels; part of every fingerprint.
RENDERING_VERSION = 3
FALLBACK_FOLDER = "fonts"

_LINE_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_NOT_PLAIN = re.compile(f"[{_LINE_BREAKS}\ud800-\udfff]")
_TO_SPACE = str.maketrans(_LINE_BREAKS, " " * len(_LINE_BREAKS))
_WORDS = re.compile(r" *[^ ]+ *| +")
_LONGEST_WORD = 40
# Per patch: texts with fewer characters are drawn to see whether they fit.
_CHARACTERS_THAT_FIT = 8
# Per patch: of a longer word nobody sees the end, and HarfBuzz gives up beyond 524,288 glyphs.
_CHARACTERS_DRAWN = 64


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
        typesetter = Typesetter(fonts, profile, config.pixels_per_patch)
        self._bigrams = BigramRenderer(typesetter, config.bigram_unit)
        self._typesetter: LineSetter = typesetter
        # Draws the words of lists.
        self._word_setter: LineSetter = typesetter
        if config.profile == "pygame":
            font = PyGameFont(self.font_sources[0], config.font_size, config.dpi)
            self._typesetter = PyGameTypesetter(font, fonts[0], profile, config.pixels_per_patch)
            self._word_setter = PyGameTypesetter(font, fonts[0], profile, config.pixels_per_patch, words=True)

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
        other._typesetter = self._typesetter
        other._word_setter = self._word_setter
        other._bigrams = self._bigrams
        other._planes = {}
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
        char = _clean(char)
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
            result = self._render_text(text, return_offset_mapping, legacy, raw)
        elif isinstance(text, list):
            result = self._render_words(text, return_offset_mapping, raw)
        else:
            first, second = map(self._checked, text)
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
        checked: RenderInput
        if isinstance(text, tuple):
            checked = (self._checked(text[0]), self._checked(text[1]))
        else:
            checked = [self._checked(word) for word in text] if isinstance(text, list) else self._checked(text)
        # The original keeps line breaks and tabs inside the words of a list.
        given = text if legacy else checked
        return self._bigrams.render(given, self.max_seq_length, legacy=legacy, **arguments)

    def _render_text(self, text: str, offsets: bool, legacy: bool, raw: bool) -> Rendering:
        if self.config.strategy == "words":
            return self._render_words(_words(text), offsets)
        indent = self._typesetter.profile.indent
        text = text if raw else self._checked(text)
        room = self.max_seq_length - 1
        # A text that may not fit is cut before it is drawn; the original draws it and lets the strip end where it ends.
        if not legacy and len(text) > _CHARACTERS_THAT_FIT * room:
            text = text[: PairRenderer(self._typesetter, self.max_seq_length).prefix(text, room, None).end]
        if not offsets:
            parts = self._typesetter.parts(text)
            if parts is not None:
                size = sum(map(len, parts))
                if legacy or self._fits(size // self.patch_size):
                    return self._join_parts(parts, size)
        line = self._typesetter.line(text)
        if not legacy and not self._fits(line.width):
            piece = PairRenderer(self._typesetter, self.max_seq_length).prefix(text, room, None)
            text, line = text[: piece.end], piece.line
        end = self._patch_boundary(indent + line.width + indent)
        result = self._compose([(indent, line)], [end])
        if offsets:
            centers = self._typesetter.centers(text) + indent
            spans = patch_spans(centers, 0, end // self.patch_size, self.patch_size)
            result = with_spans(result, [(0, spans)])
        return result

    def _fits(self, width: int) -> bool:
        """Whether a line of this width leaves room for the separator."""
        return width + 2 * self._typesetter.profile.indent <= self._strip_width - self.patch_size

    def _join_parts(self, parts: list[bytes], size: int) -> Rendering:
        """The strip of a line that consists of these columns, `size` bytes: the same as `_compose`, with a single copy."""
        height = self.patch_size
        blank = b"\xff" * (height * self._typesetter.profile.indent)
        size += 2 * len(blank)
        end = self._patch_boundary(size // height)
        room = end * height - size
        separator = bytes(height * height)
        if room >= 0:
            strip = b"".join([blank, *parts, blank, b"\xff" * room, separator])
        else:
            strip = b"".join([blank, *parts, blank])[: end * height] + separator
        # patches lie one after the other, columns first: (patches, columns, rows) -> (patches, rows, columns)
        patches = np.frombuffer(strip, np.uint8).reshape(-1, height, height).transpose(0, 2, 1)
        return Rendering(patches=patches, num_text_patches=end // height, sep_patches=[end // height])

    def _render_words(self, words: list[str], offsets: bool, raw: bool = False) -> Rendering:
        if not offsets and len(words) > 2:
            result = self._join_words(words)
            if result is not None:
                return result
        indent = self._typesetter.profile.indent
        last_patch = self._strip_width - self.patch_size
        x = indent
        drawn: list[str] = []
        lines: list[tuple[int, Line]] = []
        starts = [0]
        for index, word in enumerate(words):
            is_last = index == len(words) - 1
            drawn.append(self._checked_word(word, raw))
            line = self._word_setter.line(drawn[-1] + ("" if is_last else " "))
            lines.append((x, line))
            x = self._patch_boundary(x + line.width + (indent if is_last else 0))
            starts.append(x // self.patch_size)
            if x == last_patch:
                break
        if not words:
            x = self._patch_boundary(x)
            result = self._compose([], [x], [x // self.patch_size])
            return with_spans(result, []) if offsets else result
        result = self._compose(lines, [x], starts)
        if offsets:
            spans = [
                (index, self._word_spans(word, x, first, last))
                for index, (word, (x, _), (first, last)) in enumerate(zip(drawn, lines, pairwise(starts), strict=False))
            ]
            result = with_spans(result, spans)
        return result

    def _join_words(self, words: list[str]) -> Rendering | None:
        """The same as `_render_words` for words that fit on the strip and whose ink keeps its place; else None."""
        typesetter, height = self._word_setter, self.patch_size
        if not isinstance(typesetter, Typesetter):
            return None
        patch = height * height
        try:
            parts = list(map(typesetter.padded_words.__getitem__, words))
        except (KeyError, TypeError):
            words = list(map(self._checked, words))
            if max(map(len, words)) > _CHARACTERS_DRAWN * self.max_seq_length:
                return None
            parts = list(map(typesetter.padded, words))
        blank = b"\xff" * (height * typesetter.profile.indent)
        # The first word stands after the indent, and the last has no space after it but the indent.
        first = typesetter.line(words[0] + " ")
        last = typesetter.line(words[-1])
        if (
            max(first.left, last.right) > typesetter.profile.indent
            or first.right
            or last.left
            or first.unknown
            or last.unknown
        ):
            return None
        columns = blank[first.left * height :] + first.columns
        parts[0] = columns + b"\xff" * (-len(columns) % patch)
        columns = last.columns + blank[last.right * height :]
        parts[-1] = columns + b"\xff" * (-len(columns) % patch)
        starts = list(accumulate([len(part) // patch for part in parts], initial=0))
        if not all(parts) or starts[-1] > self.max_seq_length - 1 or starts[-2] >= self.max_seq_length - 1:
            return None
        if typesetter.leaning:
            for index, word in enumerate(words[1:-1]):  # into the padding of the word before
                left = typesetter.leaning.get(word)
                if left:
                    before = parts[index]
                    if before[-len(left) :].count(255) != len(left):
                        return None
                    parts[index] = before[: -len(left)] + left
        parts.append(bytes(patch))
        patches = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, height, height).transpose(0, 2, 1)
        return Rendering(patches=patches, num_text_patches=starts[-1], sep_patches=[starts[-1]], word_starts=starts)

    def _word_spans(self, word: str, x: int, first: int, last: int) -> npt.NDArray[np.int64]:
        return patch_spans(self._word_setter.centers(_clean(word)) + x, first, last, self.patch_size)

    @property
    def _strip_width(self) -> int:
        return self.max_seq_length * self.patch_size

    def _patch_boundary(self, x: int) -> int:
        """The next patch boundary at or after x, at least one, leaving a patch for the separator."""
        return min(-(-max(x, 1) // self.patch_size) * self.patch_size, self._strip_width - self.patch_size)

    def _checked(self, text: str) -> str:
        """The text with line breaks as spaces."""
        if not isinstance(text, str):
            raise UserError(f"cannot render {type(text).__name__} {text!r:.60}: pairs and word lists hold strings")
        return _clean(text)

    def _checked_word(self, word: str, raw: bool) -> str:
        """What is drawn of a word: not more than can be seen."""
        checked = self._checked(word)
        return (word if raw else checked)[: _CHARACTERS_DRAWN * self.max_seq_length]

    def _compose(
        self, lines: list[tuple[int, Line]], separators: list[int], word_starts: list[int] | None = None
    ) -> Rendering:
        """Put lines at their x on a strip that ends with the last separator; all positions in pixels."""
        return Rendering(
            patches=compose(lines, separators, self.patch_size),
            num_text_patches=separators[-1] // self.patch_size,
            sep_patches=[x // self.patch_size for x in separators],
            word_starts=word_starts,
            unknown_glyphs="".join(line.unknown for _, line in lines),
        )

    # -- measuring and cutting ---------------------------------------------------------------------------------------

    def num_patches(self, text: str) -> int:
        """Patches that a single text needs, the final separator included, however long it is."""
        if self.config.strategy == "bigrams":
            return self._bigrams.num_patches(self._checked(text))
        if self.config.strategy == "words":
            return self._width_of_words(_words(text)) // self.patch_size + 1
        width = self._typesetter.line(self._checked(text)).width + 2 * self._typesetter.profile.indent
        return -(-max(width, 1) // self.patch_size) + 1

    def split(self, text: str) -> list[str]:
        """Cut a text into pieces that fit: none is clipped, nothing is lost, `"".join(pieces) == text`.

        Pieces are filled as far as possible. They end after a space; only stretches of more than 40 characters without one
        (text in Chinese, Japanese, Thai …) are also cut between grapheme clusters. (A cluster that is wider than a whole strip
        stands alone and is clipped.)
        """
        indent = self._typesetter.profile.indent
        limit = self._strip_width - self.patch_size
        cleaned = self._checked(text)
        if self.config.strategy == "bigrams":
            return self._bigrams.split(text, self.max_seq_length - 1)
        words = [part for word in _WORDS.findall(cleaned) for part in self._parts(word, limit - 2 * indent)]
        if self.config.strategy == "words":
            ends = self._fill(words, [self._step_of_word(word.strip(" ")) for word in words], limit)
        else:
            ends = self._fill(words, self._typesetter.widths_of_words(words), limit - 2 * indent)
        # Cleaning replaces one for one, so that places in the cleaned text are places in the text.
        offsets = [0, *accumulate(map(len, words))]
        return [text[offsets[start] : offsets[end]] for start, end in pairwise([0, *ends])]

    def _fill(self, words: Sequence[str], widths: Sequence[int], limit: int) -> list[int]:
        """Put as many words as fit into each piece; where the pieces end, as numbers of words."""
        ends: list[int] = []
        first = 0
        while first < len(words):
            last, total = first + 1, widths[first]
            while last < len(words) and total + widths[last] <= limit:
                total += widths[last]
                last += 1
            # Words measured one by one may differ a little from the whole (digits take their script from the context).
            while last > first + 1 and self.num_patches("".join(words[first:last])) > self.max_seq_length:
                last -= 1
            ends.append(last)
            first = last
        return ends

    def _step_of_word(self, word: str) -> int:
        """Pixels to the start of the next word, where words start on patches. 0 for a word of spaces, which is not drawn."""
        width = self._word_setter.width_of_word(word + " ") if word else 0
        return -(-width // self.patch_size) * self.patch_size

    def _width_of_words(self, words: Sequence[str]) -> int:
        """Where the final separator of a list of words stands, in pixels, without a limit."""
        indent = self._typesetter.profile.indent
        x = indent
        for word in words[:-1]:
            x = -(-(x + self._word_setter.width_of_word(word + " ")) // self.patch_size) * self.patch_size
        if words:
            x += self._word_setter.width_of_word(words[-1]) + indent
        return -(-x // self.patch_size) * self.patch_size

    def _parts(self, word: str, limit: int) -> list[str]:
        """A word, or its grapheme clusters if it is so long that it may be cut."""
        if len(word) <= _LONGEST_WORD and self._typesetter.width_of_word(word) <= limit:
            return [word]
        return [word[start:end] for start, end in pairwise([*cluster_starts(word), len(word)])]

    # -- saving and loading ------------------------------------------------------------------------------------------

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `text_renderer_config.json` and the font files into a folder, so that it renders the same anywhere.

        The main font lies beside the configuration, as in published checkpoints; fallback fonts in the folder `fonts`.
        """
        directory = Path(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            files = [_copy_font(self.font_sources[0].path, directory)]
            if len(self.font_sources) > 1:
                (directory / FALLBACK_FOLDER).mkdir(exist_ok=True)
                files += [_copy_font(source.path, directory / FALLBACK_FOLDER) for source in self.font_sources[1:]]
        except OSError as error:
            raise UserError(f"cannot write the renderer to {directory}: {error.strerror or error}") from None
        main, *fallbacks = self.font_sources
        values: dict[str, Any] = {
            **dataclasses.asdict(self.config),
            "font_file": files[0],
            "font_index": main.index,
            "font_sha256": main.sha256,
            "text_renderer_type": type(self).__name__,
            "fallback_fonts": [
                {"file": f"{FALLBACK_FOLDER}/{name}", "index": source.index, "sha256": source.sha256}
                for name, source in zip(files[1:], fallbacks, strict=True)
            ],
        }
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        (directory / CONFIG_NAME).write_text(text, encoding="utf-8")

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
        folder = _Folder(name_or_path, hub)
        values = read_config(folder.config_file)
        config = _override(RendererConfig.from_dict(values, str(folder.config_file)), overrides)
        if font is None:
            font = folder.font(values.get("font_file"), values.get("font_index", 0), values.get("font_sha256"))
        if fallback_fonts is None:
            stored = values.get("fallback_fonts")
            fallback_fonts = default_fonts()[1] if stored is None else folder.fallback_fonts(stored)
        return cls(font, fallback_fonts=fallback_fonts, config=config)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "font_sources": self.font_sources}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_fonts()


class _Folder:
    """Where a saved renderer lies: a folder on disk or a repository on the hub."""

    def __init__(self, name_or_path: str | Path, hub: dict[str, Any]) -> None:
        self.name = str(name_or_path)
        self.hub = hub
        path = Path(name_or_path)
        self.directory = path if path.is_dir() else path.parent if path.is_file() else None
        if self.directory is None and (path.is_absolute() or self.name.count("/") > 1 or self.name.startswith(".")):
            raise UserError(f"{path} does not exist; expected a folder with a {CONFIG_NAME}")
        self.config_file = path if path.is_file() else self._file(CONFIG_NAME)

    def _file(self, file_name: str) -> Path:
        if self.directory is not None:
            return self.directory / file_name
        import huggingface_hub

        try:
            return Path(huggingface_hub.hf_hub_download(self.name, file_name, **self.hub))
        except Exception as error:
            raise UserError(
                f"{self.name} is neither a folder here nor reachable on the hub ({file_name}: {error})"
            ) from None

    def font(self, file_name: Any, index: Any, sha256: Any) -> FontSource:
        """The stored font; if the folder lacks it, one of the same name and content on this machine."""
        if not isinstance(file_name, str) or Path(file_name).is_absolute() or ".." in Path(file_name).parts:
            raise UserError(f"{self.config_file}: font file {file_name!r} must be a name relative to the folder")
        if not isinstance(index, int) or not isinstance(sha256, str | None):
            raise UserError(f"{self.config_file}: index and SHA-256 of {file_name} must be a number and a text")
        path = self._file(file_name)
        if not path.is_file():
            elsewhere = find_font(Path(file_name).name)
            if elsewhere is None:
                raise UserError(
                    f"{self.config_file} needs the font {file_name}, which is neither beside it nor on this machine"
                )
            if sha256 is None:
                logger.warning(
                    "%s lacks its font %s; drawing with %s, which may differ", self.name, file_name, elsewhere
                )
            path = elsewhere
        source = FontSource(path, index)
        source.check()
        if sha256 is not None and source.sha256 != sha256:
            raise UserError(
                f"{path} is not the font that was saved with {self.name}: its SHA-256 is {source.sha256}, expected {sha256}; "
                "copy the folder again from where it came, or choose another font on purpose with font=… or fallback_fonts=… "
                "and save the renderer again"
            )
        return source

    def fallback_fonts(self, entries: Any) -> list[FontSource]:
        """The stored fonts for what the main font lacks."""
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"{self.config_file}: fallback_fonts must be a list of objects with file, index and sha256")
        return [self.font(entry.get("file"), entry.get("index", 0), entry.get("sha256")) for entry in entries]


def _override(config: RendererConfig, overrides: dict[str, Any]) -> RendererConfig:
    names = [field.name for field in dataclasses.fields(RendererConfig)]
    for name in overrides:
        if name not in names:
            raise UserError(f"TextRenderer has no option {name!r}; there are: {', '.join(names)}")
    return dataclasses.replace(config, **overrides)


def _as_source(font: str | Path | FontSource) -> FontSource:
    return font if isinstance(font, FontSource) else FontSource(Path(font))


def _copy_font(path: Path, directory: Path) -> str:
    target = directory / path.name
    if not (target.exists() and target.samefile(path)):
        shutil.copyfile(path, target)
    return path.name


def _words(text: str) -> list[str]:
    """The words of a text, which are not empty."""
    return [word for word in _clean(text).split(" ") if word]


def _clean(text: str) -> str:
    """Line breaks and tabs become spaces, one for one. Raises `UserError` for a lone surrogate."""
    if text.isprintable() or _NOT_PLAIN.search(text) is None:
        return text
    text = text.translate(_TO_SPACE)
    for index, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            raise UserError(
                f"character {index} of the text is a lone surrogate (U+{ord(char):04X}): the text was decoded wrongly"
            )
    return text
