"""Named entities: a tag per word, scored by whole entities.

Tags come from a file of labels, else from the training data, else, if it knows all of these, from the model that training starts
with. Words that do not fit into the strip count as outside of entities in the scores `…_all_words`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixel_lm.data.conllu import Split
from pixel_lm.data.ner import NerSentence, collect_labels, find_ner_file, read_labels, read_ner
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig
from pixel_lm.tasks.baselines import MostFrequentTag
from pixel_lm.tasks.metrics.spans import OUTSIDE, span_scores, span_scores_by_type
from pixel_lm.tasks.reports import ErrorReport, Table
from pixel_lm.tasks.tagging import TaggingDataset, TaggingTask
from pixel_lm.tasks.task import shortened


class NerTask(TaggingTask):
    """Entities in CoNLL files."""

    name = "ner"
    reads_datasets = True
    metric = "f1"
    output_suffix = ".txt"

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """`SPLIT.txt`."""
        return find_ner_file(folder, split)

    def read(self, path: str | Path, *, labelled: bool = True) -> list[NerSentence]:
        """Sentences; without `labelled` a column of tags may be missing."""
        return read_ner(path, default_tag=None if labelled else OUTSIDE)

    def read_tags(self, sentence: NerSentence) -> list[str]:
        """Its tags."""
        return list(sentence.tags)

    def write_tags(self, sentence: NerSentence, tags: Sequence[str]) -> str:
        """Its lines with these tags."""
        return sentence.to_conll(tags)

    def collect_labels(self, examples: Sequence[NerSentence]) -> tuple[str, ...]:
        """Those of the file of labels, or those that occur."""
        if self.options.labels_file is None:
            return collect_labels(examples)
        labels = read_labels(self.options.labels_file)
        if missing := set(collect_labels_as_they_are(examples)) - set(labels):
            raise UserError(f"{self.options.labels_file}: the training data have tags that are not there: {missing}")
        return labels

    def check_model(self, config: PixelConfig, model: str) -> None:
        """Its labels must be tags of entities."""
        labels = list(config.id2label.values())
        if OUTSIDE not in labels:
            raise UserError(f"{model} is no model for ner: its labels are {shortened(labels)}")

    def score(self, dataset: TaggingDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Of the words that fit: precision, recall, F1 of entities, accuracy of tags; of all words the same."""
        found = [
            [dataset.names[int(row[start])] for start in starts]
            for row, starts in zip(outputs, dataset.starts, strict=True)
        ]
        seen = [tags[: len(row)] for tags, row in zip(dataset.tags, found, strict=True)]
        padded = [row + [OUTSIDE] * (len(tags) - len(row)) for row, tags in zip(found, dataset.tags, strict=True)]
        everything = {f"{name}_all_words": value for name, value in span_scores(padded, dataset.tags).items()}
        return {**span_scores(found, seen), "coverage": dataset.figures()["coverage"], **everything}

    def baseline(self, train: Sequence[NerSentence], examples: Sequence[NerSentence]) -> dict[str, float]:
        """Each word gets the tag that it had most often in training."""
        tagger = MostFrequentTag((s.forms, s.tags) for s in train)
        scores = span_scores([tagger(s.forms) for s in examples], [list(s.tags) for s in examples])
        return {name: scores[name] for name in ("f1", "accuracy")}

    def report(self, examples: Sequence[NerSentence], predictions: Sequence[Sequence[str]]) -> ErrorReport:
        """Each type of entity, each tag, and the words with a wrong one."""
        report = super().report(examples, predictions)
        types = span_scores_by_type(predictions, [s.tags for s in examples])
        rows = tuple(
            (kind, scores["precision"], scores["recall"], scores["f1"], int(scores["support"]))
            for kind, scores in types.items()
        )
        entities = Table("Entities", ("type", "precision", "recall", "f1", "support"), rows)
        return dataclasses.replace(report, tables=(entities, *report.tables))


def collect_labels_as_they_are(sentences: Sequence[NerSentence]) -> list[str]:
    """The tags that occur."""
    return sorted({tag for sentence in sentences for tag in sentence.tags})


TASK = NerTask()
