"""Dependency parsing: the head of each word and its relation, from the mean of the word's patches.

Scores count every word: one that does not fit into the strip has no predicted head and is wrong. In training such words are left
out, and so are those whose head does not fit. Predictions give words that do not fit the word before as head and the relation
`dep`, so that trees stay trees.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixel_lm.data.collators import IGNORED_LABEL, Padding
from pixel_lm.data.conllu import Sentence, Split, find_treebank_file, read_conllu
from pixel_lm.data.dependencies import RELATIONS, Arc, read_arcs
from pixel_lm.models import PixelConfig, PixelForBiaffineParsing
from pixel_lm.tasks.metrics.parsing import attachment_scores, is_punctuation
from pixel_lm.tasks.reports import ErrorReport, parsing_report
from pixel_lm.tasks.task import CACHE_BYTES, Cache, Decoding, Renderer, Task, TaskDataset, batches
from pixel_lm.tasks.trees import greedy_heads, tree_heads

NO_HEAD = -1
"""Predicted head of words that do not fit: different from all gold heads."""


@dataclass(frozen=True, slots=True)
class ParsingExample:
    """A rendered sentence with a head and a relation for each word that fits."""

    patches: np.ndarray
    """uint8 (n, 16, 16)."""
    word_starts: np.ndarray
    """int64 (words + 1,)."""
    heads: np.ndarray
    """int64 (words,), −100 where the head does not fit."""
    relations: np.ndarray
    """int64 (words,)."""


class ParsingDataset(TaskDataset):
    """Sentences rendered as lists of words.

    Attributes:
        lengths: patches of each sentence.
        num_words: of all sentences.
        arcs: gold arcs; None where the data are not annotated.
    """

    def __init__(
        self, sentences: Sequence[Sentence], renderer: Renderer, relation2id: dict[str, int], labelled: bool = True
    ) -> None:
        self.sentences = list(sentences)
        self.renderer = renderer
        self.relation2id = relation2id
        self.arcs = [read_arcs(s) if labelled else [Arc(0, RELATIONS[0])] * len(s.words) for s in self.sentences]
        self._cache = Cache(self._render, CACHE_BYTES)
        self.lengths: list[int] = []
        self.fit: list[int] = []
        for index in range(len(self.sentences)):
            example = self._render(index)
            self.lengths.append(len(example.patches))
            self.fit.append(len(example.heads))
            self._cache.add(index, example, example.patches.nbytes)
        self.num_words = sum(map(len, self.arcs))

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> ParsingExample:
        example: ParsingExample = self._cache[index]
        return example

    def figures(self) -> dict[str, float]:
        """Sentences, words, and the part of the words that fits."""
        coverage = sum(self.fit) / self.num_words if self.num_words else 0.0
        return {"sentences": len(self), "words": self.num_words, "coverage": coverage}

    def _render(self, index: int) -> ParsingExample:
        rendering = self.renderer(self.sentences[index].forms)
        starts = np.array(rendering.word_starts, np.int64)
        fit = len(starts) - 1
        arcs = self.arcs[index][:fit]
        heads = np.array([arc.head if arc.head <= fit else IGNORED_LABEL for arc in arcs], np.int64)
        relations = np.array([self.relation2id[arc.relation] for arc in arcs], np.int64)
        return ParsingExample(np.ascontiguousarray(rendering.patches), starts, heads, relations)


def collate_sentences(examples: Sequence[ParsingExample]) -> dict[str, torch.Tensor]:
    """Make a batch.

    Returns:
        `pixel_values` and `attention_mask` as `Padding.pad` gives them, `word_starts` int64 (batch, words + 1), and `arc_labels`,
        `rel_labels` (batch, words), −100 behind the end of each row. `rel_labels` is not −100 on any word.
    """
    batch = Padding().pad([example.patches for example in examples])
    words = max(len(example.heads) for example in examples)
    for name, attribute, length in (
        ("word_starts", "word_starts", words + 1),
        ("arc_labels", "heads", words),
        ("rel_labels", "relations", words),
    ):
        rows = np.full((len(examples), length), IGNORED_LABEL, np.int64)
        for row, example in zip(rows, examples, strict=True):
            values = getattr(example, attribute)
            row[: len(values)] = values
        batch[name] = torch.from_numpy(rows)
    return batch


def decode_heads(arc_logits: torch.Tensor, num_words: Sequence[int], decoding: Decoding) -> torch.Tensor:
    """Heads int64 (batch, words), 0 behind the end of a sentence, from scores (batch, words, 1 + words)."""
    decode = tree_heads if decoding == "tree" else greedy_heads
    scores = arc_logits.detach().float().cpu().numpy()
    heads = np.zeros(scores.shape[:2], np.int64)
    for row, (matrix, count) in enumerate(zip(scores, num_words, strict=True)):
        heads[row, :count] = decode(matrix[:count, : count + 1])
    return torch.from_numpy(heads).to(arc_logits.device)


class ParsingTask(Task):
    """Universal dependencies of treebanks."""

    name = "parsing"
    model_class = PixelForBiaffineParsing
    label_names = ("arc_labels", "rel_labels")
    fixed_labels = RELATIONS
    metric = "las"
    shown_metrics = ("uas", "las", "las_no_punctuation")
    output_suffix = ".conllu"
    baseline_name = "every word on its neighbour"

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """`*-ud-SPLIT.conllu`."""
        return find_treebank_file(folder, split)

    def read(self, path: str | Path, *, labelled: bool = True) -> list[Sentence]:
        """Sentences; their arcs are read when they are rendered."""
        return read_conllu(path)

    def dataset(self, examples: Sequence[Sentence], renderer: Renderer, config: PixelConfig) -> ParsingDataset:
        """Sentences with heads and relations."""
        return ParsingDataset(examples, renderer, config.label2id)

    def collator(self) -> Callable[[Sequence[ParsingExample]], dict[str, torch.Tensor]]:
        """Batches as long as the longest sentence, in patches and in words."""
        return collate_sentences

    def reduce(self, outputs: tuple[torch.Tensor, ...], labels: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Decoded heads and the best relations, (batch, words, 2).

        Relations are those to the true head: where the predicted head is another, the word is wrong whatever its relation.
        """
        arc_logits, rel_logits = outputs[:2]
        counts = (labels[1] != IGNORED_LABEL).sum(dim=1).tolist()
        heads = decode_heads(arc_logits, counts, self.options.decoding)
        return torch.stack([heads, rel_logits.argmax(-1)], dim=-1)

    def score(self, dataset: ParsingDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """UAS and LAS over all words, with and without punctuation, and coverage."""
        heads, relations, gold_heads, gold_relations = ([] for _ in range(4))
        for row, arcs, fit in zip(outputs, dataset.arcs, dataset.fit, strict=True):
            missing = [NO_HEAD] * (len(arcs) - fit)
            heads += [*row[:fit, 0].tolist(), *missing]
            relations += [*row[:fit, 1].tolist(), *missing]
            gold_heads += [arc.head for arc in arcs]
            gold_relations += [dataset.relation2id[arc.relation] for arc in arcs]
        punctuation = [is_punctuation(form) for sentence in dataset.sentences for form in sentence.forms]
        scores = attachment_scores(heads, relations, gold_heads, gold_relations, punctuation)
        return {**scores, "coverage": dataset.figures()["coverage"]}

    def baseline(self, train: Sequence[Sentence], examples: Sequence[Sentence]) -> dict[str, float]:
        """Every word hangs on the next one, or on the one before, whichever is better in training; with its most frequent relation.

        The last word, or the first one, is the root.
        """
        relations: dict[str, Counter[str]] = {}
        for sentence in train:
            for word, arc in zip(sentence.words, read_arcs(sentence), strict=True):
                relations.setdefault(word.form, Counter())[arc.relation] += 1
        everything = sum(relations.values(), Counter())

        def score(sentences: Sequence[Sentence], forward: bool) -> dict[str, float]:
            found_heads, found, heads, gold = [], [], [], []
            for sentence in sentences:
                n = len(sentence.words)
                found_heads += [(i + 1) % (n + 1) if forward else i - 1 for i in range(1, n + 1)]
                found += [relations.get(word.form, everything).most_common(1)[0][0] for word in sentence.words]
                arcs = read_arcs(sentence)
                heads += [arc.head for arc in arcs]
                gold += [arc.relation for arc in arcs]
            return attachment_scores(found_heads, found, heads, gold)

        forward = score(train, True)["uas"] >= score(train, False)["uas"]
        return score(examples, forward)

    @torch.no_grad()
    def predict(
        self,
        model: Any,
        renderer: Renderer,
        examples: Sequence[Sentence],
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
    ) -> list[list[Arc]]:
        """An arc for each word."""
        model.eval()
        dataset = ParsingDataset(examples, renderer, model.config.label2id, labelled=False)
        result: list[list[Arc]] = [[] for _ in examples]
        for indices in batches(dataset.lengths, batch_size):
            batch = collate_sentences([dataset[i] for i in indices])
            inputs = {k: v.to(model.device) for k, v in batch.items() if k not in self.label_names}
            counts = [dataset.fit[i] for i in indices]
            heads = decode_heads(model(**inputs).arc_logits, counts, self.options.decoding)
            relations = model(**inputs, heads=heads).rel_logits.argmax(-1).tolist()
            for i, row, names, fit in zip(indices, heads.tolist(), relations, counts, strict=True):
                arcs = [Arc(h, model.config.id2label[r]) for h, r in zip(row[:fit], names[:fit], strict=True)]
                arcs += [Arc(word, "dep") for word in range(fit, len(examples[i].words))]
                result[i] = arcs
            if progress is not None:
                progress(len(indices))
        return result

    def write(self, examples: Sequence[Sentence], predictions: Sequence[list[Arc]]) -> str:
        """CoNLL-U with HEAD and DEPREL replaced."""
        return "".join(
            sentence.to_conllu(head=[arc.head for arc in arcs], deprel=[arc.relation for arc in arcs])
            for sentence, arcs in zip(examples, predictions, strict=True)
        )

    def report(self, examples: Sequence[Sentence], predictions: Sequence[list[Arc]]) -> ErrorReport:
        """Each relation, distances of heads, and the words with a wrong arc; `errors.conllu` has their sentences as predicted, with the
        gold arc in MISC."""
        gold = [read_arcs(sentence) for sentence in examples]
        report = parsing_report([sentence.forms for sentence in examples], gold, predictions)
        wrong = [
            sentence.to_conllu(
                head=[arc.head for arc in found], deprel=[arc.relation for arc in found],
                misc=[_with_gold(word.misc, a, b) for word, a, b in zip(sentence.words, arcs, found, strict=True)],
            )
            for sentence, arcs, found in zip(examples, gold, predictions, strict=True)
            if arcs != found
        ]  # fmt: skip
        return dataclasses.replace(report, files={"errors.conllu": "".join(wrong)})


def _with_gold(misc: str, gold: Arc, found: Arc) -> str | None:
    if gold == found:
        return None
    return ("" if misc == "_" else f"{misc}|") + f"GoldHead={gold.head}|GoldDeprel={gold.relation}"


TASK = ParsingTask()
