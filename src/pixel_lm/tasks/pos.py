"""Part-of-speech tagging: the universal tags (UPOS) of a treebank.

Sentences are rendered as lists of words, each beginning a new patch, and the tag stands on the first patch of its word
(Rust et al., 2023, section 3). Multiword ranges and empty nodes of the treebank are not words.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixel_lm.data.conllu import Sentence, find_treebank_file, read_conllu
from pixel_lm.errors import UserError
from pixel_lm.tasks.tagging import TaggingTask

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip
"""The 17 tags of Universal Dependencies v2, in the order in which published models number them."""


def read_tags(sentence: Sentence) -> list[str]:
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


def write_tags(sentence: Sentence, tags: Sequence[str]) -> str:
    """The sentence as CoNLL-U with these tags, and nothing else changed."""
    return sentence.to_conllu(upos=tags)


TASK = TaggingTask(
    name="pos",
    labels=UPOS,
    metric="accuracy",
    find_file=find_treebank_file,
    read=read_conllu,
    read_tags=read_tags,
    write_tags=write_tags,
)
