"""Tasks that give each word of a sentence a tag: examples, and models at work on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from pixel_lm.data.collators import IGNORED_LABEL, Padding, TaggingCollator, TaggingExample
from pixel_lm.data.conllu import Sentence, Split
from pixel_lm.tasks.metrics import tagging_scores

if TYPE_CHECKING:
    from pixel_lm.models import PixelForTokenClassification
    from pixel_lm.rendering import Rendering, TextRenderer

CACHE_BYTES = 1 << 30
"""Rendered sentences are kept up to this size; those beyond are rendered again when needed (some 10 000 a second)."""


@dataclass(frozen=True)
class TaggingTask:
    """A tagging task: which reader, which labels, which metric."""

    name: str
    labels: tuple[str, ...]
    """All tags, in the order in which new models number them."""
    metric: str
    """The score that the best checkpoint is chosen by, one of those of `tagging_scores`."""
    find_file: Callable[[str | Path, Split], Path]
    """The file of a split in a data folder."""
    read: Callable[[str | Path], list[Sentence]]
    """The sentences of a file."""
    read_tags: Callable[[Sentence], list[str]]
    """The gold tags of a sentence. UserError, with file and line, where there is no valid one."""
    write_tags: Callable[[Sentence, Sequence[str]], str]
    """A sentence with other tags, in the format of the file."""


def label_words(rendering: Rendering, label_ids: Sequence[int]) -> np.ndarray:
    """Labels per patch, int64 (n,): that of each rendered word on its first patch, -100 elsewhere.

    Words that did not fit have no patch and no label; the last rendered word may be cut.
    """
    labels = np.full(len(rendering), IGNORED_LABEL, dtype=np.int64)
    starts = rendering.word_starts or []
    for start, label in zip(starts[:-1], label_ids, strict=False):
        labels[start] = label
    return labels


class TaggingDataset(Dataset[TaggingExample]):
    """Sentences of a task, rendered as lists of words, in their order.

    Args:
        task: the task.
        sentences: annotated sentences.
        renderer: renders them; decides how many words fit.
        label2id: index of each tag in the model.

    Attributes:
        lengths: patches of each sentence, to put sentences of like length into one batch.
        num_words: words of all sentences, whether they fit or not.
    """

    def __init__(
        self, task: TaggingTask, sentences: Sequence[Sentence], renderer: TextRenderer, label2id: dict[str, int]
    ) -> None:
        self.sentences = list(sentences)
        self.renderer = renderer
        self._label_ids = [[label2id[tag] for tag in task.read_tags(sentence)] for sentence in self.sentences]
        self._cache: dict[int, TaggingExample] = {}
        self.lengths: list[int] = []
        size = 0
        for index in range(len(self.sentences)):
            example = self._render(index)
            self.lengths.append(len(example.patches))
            size += example.patches.nbytes
            if size <= CACHE_BYTES:
                self._cache[index] = example
        self.num_words = sum(map(len, self._label_ids))

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> TaggingExample:
        return self._cache[index] if index in self._cache else self._render(index)

    def _render(self, index: int) -> TaggingExample:
        rendering = self.renderer(self.sentences[index].forms)
        return TaggingExample(np.ascontiguousarray(rendering.patches), label_words(rendering, self._label_ids[index]))


def _batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first, so that lack of memory shows at once."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@torch.no_grad()
def _predict_patches(model: PixelForTokenClassification, batch: dict[str, torch.Tensor]) -> np.ndarray:
    """Index of the best label at each patch, int (batch, length)."""
    model.eval()
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
    result: np.ndarray = model(**inputs).logits.argmax(-1).cpu().numpy()
    return result


def evaluate(model: PixelForTokenClassification, dataset: TaggingDataset, batch_size: int = 64) -> dict[str, float]:
    """Scores of a model on sentences; see `tagging_scores`."""
    collate = TaggingCollator(Padding())
    predictions, labels = [], []
    for indices in _batches(dataset.lengths, batch_size):
        batch = collate([dataset[i] for i in indices])
        predictions.append(_predict_patches(model, batch).ravel())
        labels.append(batch["labels"].numpy().ravel())
    return tagging_scores(np.concatenate(predictions), np.concatenate(labels), dataset.num_words)


def tag(
    model: PixelForTokenClassification,
    renderer: TextRenderer,
    sentences: Sequence[Sequence[str]],
    batch_size: int = 64,
    progress: Callable[[int], Any] | None = None,
) -> list[list[str]]:
    """Tag sentences, each word of them.

    The words that do not fit into one strip are tagged in a further one, without the words before as context.

    Args:
        model: a trained model, whose configuration names the tags.
        renderer: its renderer.
        sentences: lists of word forms.
        batch_size: strips per batch.
        progress: called with the number of sentences that were finished since its last call.

    Returns:
        One tag per word.
    """
    names: dict[int, str] = model.config.id2label
    tags: list[list[str]] = [[] for _ in sentences]
    todo = [i for i, words in enumerate(sentences) if words]
    while todo:
        renderings = [renderer(list(sentences[i][len(tags[i]) :])) for i in todo]
        for indices in _batches([len(r) for r in renderings], batch_size):
            batch = Padding().pad([renderings[k].patches for k in indices])
            predictions = _predict_patches(model, batch)
            for row, k in enumerate(indices):
                # At least one word is rendered, cut if it must be, so that each round comes closer to the end.
                starts = (renderings[k].word_starts or [])[:-1]
                tags[todo[k]] += [names[int(predictions[row, start])] for start in starts]
            if progress is not None:
                progress(sum(len(tags[todo[k]]) >= len(sentences[todo[k]]) for k in indices))
        todo = [i for i in todo if len(tags[i]) < len(sentences[i])]
    return tags
