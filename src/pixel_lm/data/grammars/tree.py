"""What the small grammars share: dependency trees that grow while a sentence is made, and the source of their
choices.

A grammar builds a sentence out of `Node`s. Every node carries a word form, its universal tag and its relation to the
node it hangs from, with its dependents in the order in which they stand before and after it. Reading the tree from
left to right gives the sentence, and the heads come for free.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")

TIGHT_BEFORE = frozenset({",", ".", "!", "?", ":", ";", "·"})  # no blank stands before these signs
NUMBERS = ("sg", "pl")


class Word(NamedTuple):
    """One line of CoNLL-U: the form, its tag, its head (1-based, 0 is the root) and whether a blank follows."""

    form: str
    upos: str
    head: int
    deprel: str
    space_after: bool


@dataclass(slots=True)
class Node:
    """A word with its dependents; `before` and `after` are in the order of the text."""

    form: str
    upos: str
    deprel: str = "dep"
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)

    def put_before(self, *nodes: Node | None) -> Node:
        """Hang `nodes` (None is left out) directly before this word, nearer than what stands there already."""
        self.before.extend(node for node in nodes if node is not None)
        return self

    def put_first(self, *nodes: Node | None) -> Node:
        """Hang `nodes` (None is left out) at the very beginning of this word's phrase."""
        self.before[:0] = [node for node in nodes if node is not None]
        return self

    def put_after(self, *nodes: Node | None) -> Node:
        """Hang `nodes` (None is left out) at the end of this word's phrase."""
        self.after.extend(node for node in nodes if node is not None)
        return self

    def as_(self, deprel: str) -> Node:
        """The same node with the relation `deprel`."""
        self.deprel = deprel
        return self

    def in_order(self) -> Iterable[Node]:
        """The nodes of the phrase from left to right."""
        for node in self.before:
            yield from node.in_order()
        yield self
        for node in self.after:
            yield from node.in_order()


def words(text: str) -> list[str]:
    """A lexicon written as one text."""
    return text.split()


def comma() -> Node:
    return Node(",", "PUNCT", "punct")


def linearise(root: Node, capitalise: bool) -> tuple[Word, ...]:
    """The words of a tree in the order of the text, the first one with a capital letter if the script has them."""
    root.deprel = "root"
    nodes = list(root.in_order())
    position = {id(node): index for index, node in enumerate(nodes, start=1)}
    head = {id(root): 0}
    for node in nodes:
        for child in (*node.before, *node.after):
            head[id(child)] = position[id(node)]
    sentence = []
    for index, node in enumerate(nodes):
        form = node.form
        if capitalise and index == 0:
            form = form[:1].upper() + form[1:]
        tight = index + 1 < len(nodes) and nodes[index + 1].form in TIGHT_BEFORE
        sentence.append(Word(form, node.upos, head[id(node)], node.deprel, not tight))
    return tuple(sentence)


class Draw:
    """Seeded choices of one grammar.

    Args:
        rng: source of randomness.
        held_out: share (0 to 1) of the open-class stems that must not be drawn. Which ones depends on `seed` alone.
        seed: selects the stems that are held out.
    """

    def __init__(self, rng: random.Random, held_out: float = 0.0, seed: int = 0) -> None:
        self.rng = rng
        self.held_out = held_out
        self.seed = seed

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def one(self, items: Sequence[Item]) -> Item:
        """One of `items`, all equally likely: for closed classes and patterns."""
        return items[int(self.rng.random() * len(items))]

    def pattern(self, weighted: Sequence[tuple[int, Item]]) -> Item:
        """One of the items, as likely as its weight says."""
        point = self.rng.random() * sum(weight for weight, _ in weighted)
        for weight, item in weighted:
            point -= weight
            if point < 0:
                return item
        return weighted[-1][1]

    def is_held_out(self, stem: str) -> bool:
        return zlib.crc32(f"{self.seed}:{stem}".encode()) % 10_000 < self.held_out * 10_000

    def stem(self, stems: Sequence[Item]) -> Item:
        """One open-class stem, early ones more likely, as words are in texts. A tuple is known by its first member."""
        while True:
            item = stems[int(len(stems) * self.rng.random() ** 1.4)]
            if not self.is_held_out(str(item[0]) if isinstance(item, tuple) else str(item)):
                return item
