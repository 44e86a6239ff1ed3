"""Dependency trees of a treebank as parsers take them: a head and a relation for each word.

Relations lose their subtypes (`nsubj:pass` → `nsubj`), which makes them the same in all languages; that is how published parsers of
PIXEL were trained and scored. `subtypes=True` keeps them.
"""

from __future__ import annotations

from typing import NamedTuple

from pixel_lm.data.conllu import Sentence
from pixel_lm.errors import UserError

RELATIONS = (
    "_",  # words without annotation
    "acl", "advcl", "advmod", "amod", "appos", "aux", "case", "cc", "ccomp", "clf", "compound", "conj", "cop", "csubj", "dep",
    "det", "discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj", "list", "mark", "nmod", "nsubj", "nummod",
    "obj", "obl", "orphan", "parataxis", "punct", "reparandum", "root", "vocative", "xcomp",
)  # fmt: skip
"""The 37 relations of Universal Dependencies v2 and `_`, in the order in which published models number them."""


class Arc(NamedTuple):
    """What a word hangs on."""

    head: int
    """Number of a word of the sentence, counted from 1; 0 for the root."""
    relation: str


def universal_relation(relation: str) -> str:
    """A relation without subtype: `nmod:poss` → `nmod`."""
    return relation.partition(":")[0]


def read_arcs(sentence: Sentence, *, subtypes: bool = False) -> list[Arc]:
    """Heads and relations of a sentence, one for each word.

    Args:
        sentence: annotated; multiword ranges and empty nodes are not words and have none.
        subtypes: keep what stands behind the colon. Then relations are not looked up in `RELATIONS`.

    Raises:
        UserError: a word has no head, is its own head, or has a relation that is not in `RELATIONS` (treebanks of UD version 1
            have `dobj`, `nsubjpass` and others); or no word or several words have head 0. The message names file and line.
    """
    arcs = []
    for word in sentence.words:
        place = f"{sentence.source}, line {word.line}"
        if word.head is None:
            raise UserError(f"{place}: HEAD is '_'; a parser needs the head of each word")
        if word.head == word.id:
            raise UserError(f"{place}: HEAD is {word.head}, the word itself")
        relation = word.deprel if subtypes else universal_relation(word.deprel)
        if not subtypes and relation not in RELATIONS:
            raise UserError(
                f"{place}: DEPREL is {word.deprel!r}, expected one of {' '.join(RELATIONS[1:])}; was the treebank made for "
                "version 1 of Universal Dependencies?"
            )
        arcs.append(Arc(word.head, relation))
    roots = sum(arc.head == 0 for arc in arcs)
    if roots != 1:
        raise UserError(
            f"{sentence.source}, line {sentence.line}: {roots} words have head 0 in this sentence, expected one"
        )
    return arcs
