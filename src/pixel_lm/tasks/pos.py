"""Part-of-speech tagging: the universal tags (UPOS) of a treebank.

Sentences are rendered as lists of words, each beginning a new patch, and the tag stands on the first patch of its word
(Rust et al., 2023, section 3). Multiword ranges and empty nodes of the treebank are not words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pixel_lm.data.conllu import Sentence, Split, find_treebank_file, read_conllu
from pixel_lm.errors import UserError
from pixel_lm.tasks.tagging import TaggingTask

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip
"""The 17 tags of Universal Dependencies v2, in the order in which published models number them."""


class PosTask(TaggingTask):
    """Universal tags of treebanks."""

    name = "pos"
    fixed_labels = UPOS
    metric = "accuracy"
    output_suffix = ".conllu"

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """`*-ud-SPLIT.conllu`."""
        return find_treebank_file(folder, split)

    def read(self, path: str | Path, *, labelled: bool = True) -> list[Sentence]:
        """Sentences; their tags are looked at by `read_tags`."""
        return read_conllu(path)

    def read_tags(self, sentence: Sentence) -> list[str]:
        """The tags of a sentence.

        Raises:
            UserError: a word has none, or one that is not in `UPOS`; the message names file and line.
        """
        for word in sentence.words:
            if word.upos not in UPOS:
                raise UserError(
                    f"{sentence.source}, line {word.line}: UPOS is {word.upos!r}, expected one of {' '.join(UPOS)}"
                )
        return [word.upos for word in sentence.words]

    def write_tags(self, sentence: Sentence, tags: Sequence[str]) -> str:
        """The sentence as CoNLL-U with these tags, and nothing else changed."""
        return sentence.to_conllu(upos=tags)


TASK = PosTask()
