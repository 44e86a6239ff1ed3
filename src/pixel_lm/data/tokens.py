"""Text → tokens, for text models: what a `TextRenderer` is for pixel models.

A `TokenRenderer` is called like a `TextRenderer` and gives the same metadata, with the index of a token in the vocabulary in place of a
patch, so that tasks need not know which of both they work with. The class token in front is added by the model, as for patches.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import AutoTokenizer

from pixel_lm.errors import UserError
from pixel_lm.rendering import Rendering

__all__ = ["TOKENS_CONFIG", "TokenRenderer", "Tokenization"]

TOKENS_CONFIG = "token_renderer_config.json"

Ids = npt.NDArray[np.int64]


class Tokenization(Rendering):
    """A tokenized text: a `Rendering` whose `patches` are int64 (num_tokens,), indices in the vocabulary."""

    __slots__ = ()


class TokenRenderer:
    """Calls the tokenizer of a text model.

    Args:
        tokenizer: of the transformers library: a fast one, or one whose tokens are characters (CANINE).
        max_seq_length: tokens of a sequence at most, the final separator included, the class token not.

    Raises:
        UserError: the tokenizer has no class or separator token, or does not say which characters a token stands for.
    """

    def __init__(self, tokenizer: Any, max_seq_length: int) -> None:
        if max_seq_length < 2:
            raise UserError(f"max_seq_length must be at least 2, not {max_seq_length}")
        self.tokenizer = tokenizer
        self.max_seq_length = max_seq_length
        self.separator: int = tokenizer.sep_token_id
        if tokenizer.cls_token_id is None or self.separator is None:
            raise UserError(
                f"{tokenizer.name_or_path}: the tokenizer has no class or no separator token, as BERT's has"
            )
        self.by_character = not tokenizer.is_fast
        if self.by_character and list(tokenizer.tokenize("two words")) != list("two words"):
            raise UserError(
                f"{tokenizer.name_or_path}: {type(tokenizer).__name__} does not say which characters a token stands for; a fast "
                "tokenizer (tokenizer.json) does"
            )
        # Some models have two separators between texts (RoBERTa). The second is over and above the length.
        self.separators_between: int = tokenizer.num_special_tokens_to_add(pair=True) - 2

    @classmethod
    def from_pretrained(cls, name_or_path: str, max_seq_length: int | None = None) -> TokenRenderer:
        """The tokenizer of a model in a folder or on the hub.

        Args:
            name_or_path: folder, or name on the hub.
            max_seq_length: None: what it was saved with.

        Raises:
            UserError: it cannot be loaded.
        """
        try:
            tokenizer = AutoTokenizer.from_pretrained(name_or_path)
            if getattr(tokenizer, "add_prefix_space", None) is False:  # else lists of words are refused
                tokenizer = AutoTokenizer.from_pretrained(name_or_path, add_prefix_space=True)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().split("\n")[0]
            raise UserError(f"{name_or_path}: no tokenizer that can be loaded ({reason})") from None
        if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):  # made of nothing
            raise UserError(f"{name_or_path}: no tokenizer that can be loaded (there are no files of one)")
        record = Path(name_or_path) / TOKENS_CONFIG
        if max_seq_length is None:
            if not record.is_file():
                raise UserError(f"{name_or_path}: it does not say how long sequences are: give max_seq_length")
            max_seq_length = int(json.loads(record.read_text(encoding="utf-8"))["max_seq_length"])
        return cls(tokenizer, max_seq_length)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the tokenizer and the length."""
        self.tokenizer.save_pretrained(str(folder))
        record = json.dumps({"max_seq_length": self.max_seq_length}) + "\n"
        (Path(folder) / TOKENS_CONFIG).write_text(record, encoding="utf-8")

    def num_patches(self, text: str) -> int:
        """Tokens that a single text needs, the final separator included."""
        return len(self._encode(text)[0]) + 1

    def __call__(
        self,
        text: str | tuple[str, str] | list[str],
        *,
        return_offset_mapping: bool = False,
        return_overflowing_patches: bool = False,
        stride: int = 0,
        text_a_max_length: int | None = None,
    ) -> Rendering:
        """Tokenize a text, a pair (tuple) of texts or a list of words. Arguments and result as of `TextRenderer.__call__`.

        Raises:
            UserError: the stride does not fit the room that is left for the second text.
        """
        if isinstance(text, str):
            return self._text(text)
        if isinstance(text, tuple):
            first, second = text
            return self._pair(first, second, text_a_max_length, return_overflowing_patches, stride)
        return self._words(text)

    def _encode(self, text: str) -> tuple[Ids, Ids]:
        """Tokens, int64 (n,), and the characters they stand for, int64 (n, 2)."""
        if self.by_character:
            ids = np.array(self.tokenizer.convert_tokens_to_ids(list(text)), np.int64).reshape(-1)
            places = np.arange(len(ids))
            return ids, np.stack([places, places + 1], axis=1)
        # The length is ours to keep: no warning that the model takes less.
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return np.array(encoded["input_ids"], np.int64), np.array(encoded["offset_mapping"], np.int64).reshape(-1, 2)

    def _text(self, text: str) -> Rendering:
        ids, spans = self._encode(text)
        return self._joined([(ids, spans, 0)], self.max_seq_length - 1)

    def _pair(self, first: str, second: str, limit: int | None, windows: bool, stride: int) -> Rendering:
        if limit is not None and limit < 1:
            raise UserError(f"text_a_max_length must be at least 1, not {limit}")
        ids_a, spans_a = self._encode(first)
        length_a = min(len(ids_a), self.max_seq_length - 3, self.max_seq_length if limit is None else limit)
        ids_b, spans_b = self._encode(second)
        room = self.max_seq_length - 2 - length_a
        if windows and not 0 <= stride < room:
            raise UserError(
                f"stride must lie between 0 and {room - 1}, not {stride}: the first text leaves {room} tokens for the second; give a "
                "smaller stride or text_a_max_length"
            )
        last = max(len(ids_b) - stride, 1) if windows else 1
        shown = [
            self._joined(
                [(ids_a[:length_a], spans_a, 0), (ids_b[begin : begin + room], spans_b[begin:], 1)], self.max_seq_length
            )
            for begin in range(0, last, room - stride if windows else room)
        ]
        return shown[0].replace(windows=shown[1:]) if windows else shown[0]

    def _joined(self, parts: Sequence[tuple[Ids, Ids, int]], room: int) -> Rendering:
        """Texts with separators behind each."""
        ids: list[int] = []
        spans: list[npt.NDArray[np.int64]] = []
        of: list[int | None] = []
        separators: list[int] = []
        for number, (part, places, text) in enumerate(parts):
            part = part[:room]
            ids += part.tolist()
            spans.append(places[: len(part)])
            of += [text] * len(part)
            count = 1 if number == len(parts) - 1 else self.separators_between
            separators += range(len(ids), len(ids) + count)
            ids += [self.separator] * count
            spans.append(np.zeros((count, 2), np.int64))
            of += [None] * count
        return Tokenization(
            patches=np.array(ids, np.int64),
            num_text_patches=len(ids) - 1,
            sep_patches=separators,
            offset_mapping=np.concatenate(spans),
            sequence_ids=of,
        )

    def _words(self, words: Sequence[str]) -> Rendering:
        """Each word by itself; a word of which the tokenizer makes nothing is the unknown token."""
        room = self.max_seq_length - 1
        ids: list[int] = []
        starts: list[int] = []
        for part in self._tokens_of_words(words):
            if len(ids) >= room:
                break
            starts.append(len(ids))
            ids += part or [self.tokenizer.unk_token_id or self.tokenizer.pad_token_id or 0]
        ids = ids[:room]
        return Tokenization(
            patches=np.array([*ids, self.separator], np.int64),
            num_text_patches=len(ids),
            sep_patches=[len(ids)],
            word_starts=[*starts, len(ids)],
        )

    def _tokens_of_words(self, words: Sequence[str]) -> list[list[int]]:
        if self.by_character:
            return [self._encode(word + " ")[0].tolist() for word in words]
        parts: list[list[int]] = [[] for _ in words]
        if words:
            encoded = self.tokenizer(list(words), is_split_into_words=True, add_special_tokens=False, verbose=False)
            for index, word in zip(encoded["input_ids"], encoded.word_ids(), strict=True):
                parts[word].append(index)
        return parts
