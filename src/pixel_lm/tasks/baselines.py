"""What a tagger reaches without looking at context or letters: every word gets its most frequent tag.

A score says little without it. English reaches about 85 % this way, so that 90 % is less than it sounds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence


class MostFrequentTag:
    """Tags each word with the tag that it had most often in training.

    Words that were not seen get the tag that is most frequent among training words which occur once: these are the best
    guess at what new words are like (usually NOUN or PROPN). Ties go to the tag that comes first in the alphabet. Forms are
    compared as they are, with case.
    """

    def __init__(self, sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> None:
        """Count.

        Args:
            sentences: pairs of words and their tags.

        Raises:
            ValueError: there is no word at all, or a sentence has more words than tags or the reverse.
        """
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for words, tags in sentences:
            for word, tag in zip(words, tags, strict=True):
                counts[word][tag] += 1
        if not counts:
            raise ValueError("no training words")
        once = Counter(tag for tags in counts.values() if tags.total() == 1 for tag in tags)
        everything = Counter(tag for tags in counts.values() for tag in tags.elements())
        self.unseen = _most_frequent(once or everything)
        self.tags = {word: _most_frequent(tags) for word, tags in counts.items()}

    def __call__(self, words: Sequence[str]) -> list[str]:
        """One tag per word."""
        return [self.tags.get(word, self.unseen) for word in words]


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))
