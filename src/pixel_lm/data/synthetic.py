"""A tagged corpus made by small grammars: for trying the whole path without data, never for claims about real
languages.

Four languages in four scripts (English, Russian, Greek, Hebrew), each with a lexicon and agreement rules of its own
in `grammars/`. The corpus is made so that tagging it needs more than a list of words:

* open-class words grow by productive morphology, so that a test set holds many forms that training has not seen, whose
  ending or pattern tells the tag;
* a share of the stems (`held_out`) is kept out of the training split altogether;
* frequent forms are ambiguous and only the context decides.

Everything is decided by the seed. No sentence occurs twice, in one split or in two.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from pixel_lm.data.grammars import english, greek, hebrew, russian
from pixel_lm.data.grammars.tree import Draw, Word, linearise
from pixel_lm.errors import UserError

SPLITS = ("train", "dev", "test")
MIN_WORDS, MAX_WORDS = 3, 22


class Language(NamedTuple):
    """One of the languages that can be generated."""

    name: str
    script: str  # ISO 15924
    grammar: ModuleType

    @property
    def has_capitals(self) -> bool:
        return self.script != "Hebr"


LANGUAGES = {
    "en": Language("English", "Latn", english),
    "ru": Language("Russian", "Cyrl", russian),
    "el": Language("Greek", "Grek", greek),
    "he": Language("Hebrew", "Hebr", hebrew),
}


@dataclass(frozen=True)
class SyntheticSentence:
    """A generated sentence with its tags and heads."""

    language: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The running text, with blanks where they belong."""
        return "".join(word.form + (" " if word.space_after else "") for word in self.words).rstrip()

    def conllu(self, sentence_id: str) -> str:
        """The sentence in CoNLL-U, with a blank line at its end."""
        lines = [f"# sent_id = {sentence_id}", f"# language = {self.language}", f"# text = {self.text}"]
        for number, word in enumerate(self.words, start=1):
            misc = "_" if word.space_after or number == len(self.words) else "SpaceAfter=No"
            lines.append(f"{number}\t{word.form}\t_\t{word.upos}\t_\t_\t{word.head}\t{word.deprel}\t_\t{misc}")
        return "\n".join(lines) + "\n\n"


@dataclass(frozen=True)
class SyntheticCorpus:
    """What `generate_corpus` wrote.

    Attributes:
        directory: the folder.
        files: path of each split.
        sentences: the sentences of each split, languages in turn.
        seed, held_out: as given.
    """

    directory: Path
    files: dict[str, Path]
    sentences: dict[str, list[SyntheticSentence]]
    seed: int
    held_out: float

    def surfaces(self) -> set[str]:
        """The running text of all sentences, to keep other text apart from them."""
        return {sentence.text for split in self.sentences.values() for sentence in split}


def generate_sentences(
    language: str,
    count: int,
    *,
    seed: int = 0,
    stream: str = "train",
    held_out: float = 0.0,
    exclude: Iterable[str] = (),
) -> list[SyntheticSentence]:
    """Make `count` different sentences of one language.

    Args:
        language: a key of `LANGUAGES`.
        count: how many.
        seed: the same seed, stream and exclusions give the same sentences.
        stream: a name; sentences of different streams are drawn independently.
        held_out: share (0 ≤ x < 1) of the open-class stems that do not occur. The seed alone selects them.
        exclude: running texts that must not come out.

    Raises:
        UserError: for an unknown language, a negative count, or a share that is out of range.
    """
    if language not in LANGUAGES:
        raise UserError(f"no grammar for language {language!r}; there are {', '.join(LANGUAGES)}")
    if count < 0:
        raise UserError(f"number of sentences must not be negative, got {count}")
    if not 0 <= held_out <= 0.9:
        raise UserError(f"held_out must lie between 0 and 0.9, got {held_out}")
    entry = LANGUAGES[language]
    draw = Draw(random.Random(f"{seed}/{language}/{stream}"), held_out, seed)
    seen = set(exclude)
    sentences: list[SyntheticSentence] = []
    while len(sentences) < count:
        sentence = SyntheticSentence(language, linearise(entry.grammar.sentence(draw), entry.has_capitals))
        if not MIN_WORDS <= len(sentence.words) <= MAX_WORDS or sentence.text in seen:
            continue
        seen.add(sentence.text)
        sentences.append(sentence)
    return sentences


def generate_corpus(
    directory: str | Path,
    *,
    languages: Sequence[str] = tuple(LANGUAGES),
    train: int = 500,
    dev: int = 100,
    test: int = 200,
    seed: int = 0,
    held_out: float = 0.2,
) -> SyntheticCorpus:
    """Write `pixel_grammar-ud-{train,dev,test}.conllu`, the languages in turn, and give back what they hold.

    Args:
        directory: folder, created if it is missing.
        languages: keys of `LANGUAGES`.
        train, dev, test: sentences **per language**.
        seed: decides everything.
        held_out: share of the open-class stems that only dev and test may use.

    Raises:
        UserError: for impossible arguments, or when the folder cannot be written.
    """
    if not languages:
        raise UserError("languages must name at least one language")
    folder = Path(directory)
    sizes = dict(zip(SPLITS, (train, dev, test), strict=True))
    by_split: dict[str, list[list[SyntheticSentence]]] = {split: [] for split in SPLITS}
    for language in dict.fromkeys(languages):
        taken: set[str] = set()
        for split in ("test", "dev", "train"):
            made = generate_sentences(
                language,
                sizes[split],
                seed=seed,
                stream=split,
                held_out=held_out if split == "train" else 0.0,
                exclude=taken,
            )
            taken.update(sentence.text for sentence in made)
            by_split[split].append(made)
    sentences = {split: list(_in_turn(by_split[split])) for split in SPLITS}
    files = {split: folder / f"pixel_grammar-ud-{split}.conllu" for split in SPLITS}
    settings = f"seed {seed}, held out {held_out:g} of the stems, languages {' '.join(languages)}"
    label = f"# synthetic = pixel-lm grammar, {settings}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split, path in files.items():
            blocks = [sentence.conllu(f"{split}-{number}") for number, sentence in enumerate(sentences[split], start=1)]
            path.write_text(label + "".join(blocks), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write the synthetic corpus into {folder}: {error.strerror or error}") from error
    return SyntheticCorpus(folder, files, sentences, seed, held_out)


def generate_text(language: str, count: int, *, seed: int = 0, exclude: Iterable[str] = ()) -> list[str]:
    """Make `count` sentences of running text without tags, none of them in `exclude`."""
    made = generate_sentences(language, count, seed=seed, stream="text", exclude=exclude)
    return [sentence.text for sentence in made]


def _in_turn(groups: Sequence[Sequence[SyntheticSentence]]) -> Iterator[SyntheticSentence]:
    for row in zip(*groups, strict=True):
        yield from row
