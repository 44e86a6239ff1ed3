"""Tasks that give each word of a sentence a tag: examples, and models at work on them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pixel_lm.data.collators import IGNORED_LABEL, Padding, TaggingCollator, TaggingExample
from pixel_lm.models import PixelConfig, PixelForTokenClassification
from pixel_lm.tasks.baselines import MostFrequentTag
from pixel_lm.tasks.metrics import accuracy, tagging_scores
from pixel_lm.tasks.reports import ErrorReport, tagging_report
from pixel_lm.tasks.task import CACHE_BYTES, Cache, Renderer, Task, TaskDataset, batches

if TYPE_CHECKING:
    from pixel_lm.rendering import Rendering


class TaggingTask(Task):
    """A tagging task: which reader, which labels, which metric."""

    model_class = PixelForTokenClassification
    baseline_name = "most frequent tag"

    @abstractmethod
    def read_tags(self, sentence: Any) -> list[str]:
        """The gold tags of a sentence. UserError, with file and line, where there is no valid one."""

    @abstractmethod
    def write_tags(self, sentence: Any, tags: Sequence[str]) -> str:
        """A sentence with other tags, in the format of the file."""

    def dataset(self, examples: Sequence[Any], renderer: Renderer, config: PixelConfig) -> TaggingDataset:
        """Sentences with a label on the first patch of each word."""
        return TaggingDataset(self, examples, renderer, config.label2id)

    def collator(self) -> TaggingCollator:
        """Batches as long as the longest sentence."""
        return TaggingCollator()

    def reduce(self, outputs: tuple[torch.Tensor, ...], labels: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Index of the best label at each patch, (batch, length)."""
        return outputs[0].argmax(-1)

    def score(self, dataset: TaggingDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """See `tagging_scores`."""
        labels = [dataset[i].labels for i in range(len(dataset))]
        predictions = [row[: len(gold)] for row, gold in zip(outputs, labels, strict=True)]
        return tagging_scores(np.concatenate(predictions), np.concatenate(labels), dataset.num_words)

    def baseline(self, train: Sequence[Any], examples: Sequence[Any]) -> dict[str, float]:
        """Each word gets the tag that it had most often in training."""
        tagger = MostFrequentTag((s.forms, self.read_tags(s)) for s in train)
        return {"accuracy": accuracy([tagger(s.forms) for s in examples], [self.read_tags(s) for s in examples])}

    def predict(
        self,
        model: Any,
        renderer: Renderer,
        examples: Sequence[Any],
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
    ) -> list[list[str]]:
        """A tag for each word, also for those that need a further strip."""
        return tag(model, renderer, [sentence.forms for sentence in examples], batch_size, progress)

    def write(self, examples: Sequence[Any], predictions: Sequence[Any]) -> str:
        """The file that was read, with other tags."""
        return "".join(self.write_tags(s, tags) for s, tags in zip(examples, predictions, strict=True))

    def report(self, examples: Sequence[Any], predictions: Sequence[Sequence[str]]) -> ErrorReport:
        """Each tag, and the words with a wrong one."""
        return tagging_report([s.forms for s in examples], [self.read_tags(s) for s in examples], predictions)


def label_words(rendering: Rendering, label_ids: Sequence[int]) -> np.ndarray:
    """Labels per patch, int64 (n,): that of each rendered word on its first patch, -100 elsewhere.

    Words that did not fit have no patch and no label; the last rendered word may be cut.
    """
    labels = np.full(len(rendering), IGNORED_LABEL, dtype=np.int64)
    starts = rendering.word_starts or []
    for start, label in zip(starts[:-1], label_ids, strict=False):
        labels[start] = label
    return labels


class TaggingDataset(TaskDataset):
    """Sentences of a task, rendered as lists of words, in their order.

    Args:
        task: the task.
        sentences: annotated sentences.
        renderer: renders them; decides how many words fit.
        label2id: index of each tag in the model; tags that it does not know have no label, and are never predicted.

    Attributes:
        lengths: patches of each sentence, to put sentences of like length into one batch.
        num_words: words of all sentences, whether they fit or not.
        starts: the first patch of each word that fits, for each sentence.
        tags: gold tags.
        names: tag of each index.
    """

    def __init__(
        self, task: TaggingTask, sentences: Sequence[Any], renderer: Renderer, label2id: dict[str, int]
    ) -> None:
        self.sentences = list(sentences)
        self.renderer = renderer
        self.tags = [task.read_tags(sentence) for sentence in self.sentences]
        self.names = {index: name for name, index in label2id.items()}
        self._label_ids = [[label2id.get(tag, IGNORED_LABEL) for tag in tags] for tags in self.tags]
        self._cache = Cache(lambda index: self._render(index)[0], CACHE_BYTES)
        self.lengths: list[int] = []
        self.starts: list[list[int]] = []
        for index in range(len(self.sentences)):
            example, starts = self._render(index)
            self.lengths.append(len(example.patches))
            self.starts.append(starts)
            self._cache.add(index, example, example.patches.nbytes)
        self.num_words = sum(map(len, self._label_ids))

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> TaggingExample:
        example: TaggingExample = self._cache[index]
        return example

    def figures(self) -> dict[str, float]:
        """Sentences, words, and the part of the words that fits."""
        fit = sum(map(len, self.starts))
        return {
            "sentences": len(self),
            "words": self.num_words,
            "coverage": fit / self.num_words if self.num_words else 0.0,
        }

    def _render(self, index: int) -> tuple[TaggingExample, list[int]]:
        rendering = self.renderer(self.sentences[index].forms)
        labels = label_words(rendering, self._label_ids[index])
        return TaggingExample(np.ascontiguousarray(rendering.patches), labels), (rendering.word_starts or [])[:-1]


@torch.no_grad()
def _predict_patches(model: PixelForTokenClassification, batch: dict[str, torch.Tensor]) -> np.ndarray:
    """Index of the best label at each patch, int (batch, length)."""
    model.eval()
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
    result: np.ndarray = model(**inputs).logits.argmax(-1).cpu().numpy()
    return result


def tag(
    model: PixelForTokenClassification,
    renderer: Renderer,
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
        for indices in batches([len(r) for r in renderings], batch_size):
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
