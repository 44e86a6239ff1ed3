"""A label or a number for a text or a pair of texts: any table with named columns.

What does not fit into the strip is cut off: of a pair first the text that takes more than half of it, so that a long first text
never hides the second. All examples count in the scores; `coverage` is the part of them that fits whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixel_lm.data.classification import ClassificationExample, read_classification
from pixel_lm.data.collators import IGNORED_LABEL, Padding
from pixel_lm.data.conllu import Split
from pixel_lm.data.files import COMPRESSION_SUFFIXES, read_lines
from pixel_lm.data.tokens import TokenRenderer
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForSequenceClassification
from pixel_lm.rendering import Rendering
from pixel_lm.tasks.metrics.classification import label_accuracy, pearson, spearman
from pixel_lm.tasks.reports import ErrorReport, classification_report, regression_report
from pixel_lm.tasks.task import CACHE_BYTES, Cache, Renderer, Task, TaskDataset, run_model

_SPLIT_NAMES = {"train": ("train",), "dev": ("dev", "valid", "validation"), "test": ("test",)}
_SUFFIXES = (".tsv", ".csv", ".jsonl")

_TIDY = (
    (re.compile(r" ([,.!?#/])"), r"\1"),
    (re.compile(' ?" ?'), '"'),
    (re.compile(" ?' ?"), "'"),
    (re.compile(r" n't"), "n't"),
    (re.compile(r"([(\[]) "), r"\1"),
    (re.compile(r" ([)\]])"), r"\1"),
)


def tidy_spaces(text: str) -> str:
    """Text without the blanks that tokenizers put around punctuation, as published models saw it."""
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text


def render_texts(renderer: Renderer, texts: Sequence[str]) -> tuple[Rendering, bool]:
    """Render one text or two, and say whether they fit whole.

    Of two texts that do not fit together each gets at least half of the strip, if it needs that much.
    """
    room = renderer.max_seq_length
    needed = [renderer.num_patches(text) for text in texts]  # each with a separator
    if sum(needed) <= room:
        return renderer(texts[0] if len(texts) == 1 else (texts[0], texts[1])), True
    if len(texts) == 1:
        return renderer(texts[0]), renderer.num_patches(texts[0].rstrip()) <= room
    first, second = texts
    limit = max(1, room // 2 - 2, room - needed[1] - 2)
    rendering = renderer((first, second), return_offset_mapping=True, text_a_max_length=limit)
    return rendering, _shows_all(rendering, first, 0) and _shows_all(rendering, second, 1)


def _shows_all(rendering: Rendering, text: str, sequence: int) -> bool:
    spans = np.asarray(rendering.offset_mapping).reshape(-1, 2)
    ids = rendering.sequence_ids or []
    last = max((int(end) for (_, end), which in zip(spans, ids, strict=True) if which == sequence), default=0)
    return last >= len(text.rstrip())


@dataclass(frozen=True, slots=True)
class LabelledStrip:
    """A rendered text or pair and its label."""

    patches: np.ndarray
    label: int | float
    """−100, or NaN in regression, where there is none."""


class ClassificationDataset(TaskDataset):
    """Rendered texts.

    Attributes:
        lengths: patches of each.
        labels: (n,) gold labels as numbers of the model.
    """

    def __init__(
        self,
        examples: Sequence[ClassificationExample],
        renderer: Renderer,
        label2id: dict[str, int] | None,
        prepare: Callable[[str], str] = str,
    ) -> None:
        self.examples = list(examples)
        self.renderer = renderer
        self.prepare = prepare
        self.labels = np.array([_label(example, label2id) for example in self.examples])
        self._cache = Cache(lambda index: self._render(index)[0], CACHE_BYTES)
        self.lengths: list[int] = []
        self.whole = 0
        for index in range(len(self.examples)):
            if self._cache.is_full:  # the rest is drawn by the processes that load data
                needed = sum(map(renderer.num_patches, self._texts(index)))
                self.lengths.append(min(needed, renderer.max_seq_length))
                self.whole += needed <= renderer.max_seq_length
                continue
            strip, whole = self._render(index)
            self.lengths.append(len(strip.patches))
            self.whole += whole
            self._cache.add(index, strip, strip.patches.nbytes)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> LabelledStrip:
        strip: LabelledStrip = self._cache[index]
        return strip

    def figures(self) -> dict[str, float]:
        """Examples, and the part of them that fits whole."""
        return {"examples": len(self), "coverage": self.whole / len(self) if len(self) else 0.0}

    def _texts(self, index: int) -> list[str]:
        return [self.prepare(text) for text in self.examples[index].texts]

    def _render(self, index: int) -> tuple[LabelledStrip, bool]:
        rendering, whole = render_texts(self.renderer, self._texts(index))
        return LabelledStrip(np.ascontiguousarray(rendering.patches), self.labels[index].item()), whole


def _label(example: ClassificationExample, label2id: dict[str, int] | None) -> int | float:
    if label2id is None:
        return float("nan") if example.label is None else float(example.label)
    if example.label is None:
        return IGNORED_LABEL
    if example.label not in label2id:
        known = ", ".join(label2id)
        raise UserError(f"{example.source}, line {example.line}: label {example.label!r}, but the model knows {known}")
    return label2id[str(example.label)]


def collate_strips(examples: Sequence[LabelledStrip]) -> dict[str, torch.Tensor]:
    """Make a batch: `pixel_values`, `attention_mask`, and `labels` (batch,), int64 or, in regression, float32."""
    batch = Padding().pad([example.patches for example in examples])
    labels = [example.label for example in examples]
    batch["labels"] = torch.tensor(labels, dtype=torch.float32 if isinstance(labels[0], float) else torch.int64)
    return batch


class ClassificationTask(Task):
    """Texts, or pairs of texts, in a table."""

    name = "classification"
    reads_datasets = True
    model_class = PixelForSequenceClassification
    output_suffix = ".tsv"

    @property
    def regression(self) -> bool:
        """Whether a number is to be predicted."""
        return self.options.regression

    @property
    def metric(self) -> str:
        """Accuracy, or Pearson's correlation."""
        return "pearson" if self.regression else "accuracy"

    @property
    def baseline_name(self) -> str:  # type: ignore[override]
        """The most frequent label, or the mean."""
        return "mean" if self.regression else "most frequent label"

    @property
    def settings(self) -> dict[str, Any]:  # type: ignore[override]
        """Kind of the problem."""
        if self.regression:
            return {"problem_type": "regression", "num_labels": 1}
        return {"problem_type": "single_label_classification"}

    def prepare(self, text: str) -> str:
        """The text that is rendered."""
        return text

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """`SPLIT.tsv`, `.csv` or `.jsonl`."""
        folder = Path(folder)
        for name in _SPLIT_NAMES[split]:
            for suffix in _SUFFIXES:
                for compression in ("", *COMPRESSION_SUFFIXES):
                    if (path := folder / f"{name}{suffix}{compression}").is_file():
                        return path
        raise UserError(f"{folder}: no file {split}.tsv, {split}.csv or {split}.jsonl in this folder")

    def read(self, path: str | Path, *, labelled: bool = True) -> list[ClassificationExample]:
        """Rows of the table. Rows without a label are left out, unless no labels are asked for."""
        options = self.options
        column = options.label_column if labelled else None
        regression = self.regression and labelled
        data = read_classification(path, options.text_columns, column, self._listed(), regression=regression)
        return list(data.examples)

    def _listed(self) -> tuple[str, ...] | None:
        """The labels of the file of labels."""
        if self.options.labels_file is None:
            return None
        labels = tuple(line.strip() for _, line in read_lines(self.options.labels_file) if line.strip())
        if len(set(labels)) != len(labels) or not labels:
            raise UserError(f"{self.options.labels_file}: expected labels, one per line, each once")
        return labels

    def collect_labels(self, examples: Sequence[ClassificationExample]) -> tuple[str, ...]:
        """Those of the file of labels, else those that occur, numbers in numerical order, else the alphabet's."""
        if self.regression:
            return ()
        if self.fixed_labels:
            return self.fixed_labels
        if (listed := self._listed()) is not None:
            return listed
        found = {str(example.label) for example in examples}
        return tuple(sorted(found, key=int if all(name.isdecimal() for name in found) else None))

    def check_model(self, config: PixelConfig, model: str) -> None:
        """Labels must be those of the task; a number needs a single output."""
        if not self.regression:
            super().check_model(config, model)
        elif config.num_labels != 1:
            raise UserError(
                f"{model} is no model for {self.name}: it has {config.num_labels} outputs, a number needs 1"
            )

    def dataset(
        self, examples: Sequence[ClassificationExample], renderer: Renderer, config: PixelConfig
    ) -> ClassificationDataset:
        """Rendered texts with their labels."""
        label2id = None if self.regression else config.label2id
        # Published pixel models saw tidied texts; tokenizers have their own way with blanks.
        prepare = str if isinstance(renderer, TokenRenderer) else self.prepare
        return ClassificationDataset(examples, renderer, label2id, prepare)

    def collator(self) -> Callable[[Sequence[LabelledStrip]], dict[str, torch.Tensor]]:
        """Batches as long as the longest text."""
        return collate_strips

    def reduce(self, outputs: tuple[torch.Tensor, ...], labels: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Index of the best label, or the number: (batch, 1)."""
        return outputs[0][:, :1].float() if self.regression else outputs[0].argmax(-1, keepdim=True)

    def score_arrays(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """The scores of the task from (n,) predictions and gold labels."""
        if self.regression:
            return {"pearson": pearson(predictions, labels), "spearman": spearman(predictions, labels)}
        return {"accuracy": label_accuracy(predictions, labels)}

    def score(self, dataset: ClassificationDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Scores over all examples, and the part of them that fits whole."""
        predictions = np.array([row.reshape(-1)[0] for row in outputs])
        return {**self.score_arrays(predictions, dataset.labels), "coverage": dataset.figures()["coverage"]}

    def baseline(
        self, train: Sequence[ClassificationExample], examples: Sequence[ClassificationExample]
    ) -> dict[str, float]:
        """Every text gets the most frequent label of the training data, or its mean."""
        if self.regression:
            mean = float(np.mean([float(e.label or 0) for e in train]))
            gold = np.array([float(e.label or 0) for e in examples])
            return self.score_arrays(np.full(len(gold), mean), gold)
        ids = {label: index for index, label in enumerate(self.collect_labels(train))}
        counts = Counter(str(example.label) for example in train)
        best = ids[min(counts, key=lambda label: (-counts[label], label))]
        return self.score_arrays(
            np.full(len(examples), best), np.array([ids.get(str(example.label), -1) for example in examples])
        )

    def predict(
        self,
        model: Any,
        renderer: Renderer,
        examples: Sequence[ClassificationExample],
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
    ) -> list[str | float]:
        """A label, or a number, for each text."""
        unlabelled = [ClassificationExample(e.texts, None, e.source, e.line) for e in examples]
        dataset = self.dataset(unlabelled, renderer, model.config)
        rows = [row.reshape(-1)[0].item() for row in run_model(self, model, dataset, batch_size, progress)]
        return [row if self.regression else model.config.id2label[row] for row in rows]

    def write(self, examples: Sequence[Any], predictions: Sequence[str | float]) -> str:
        """The submission format of GLUE: a table of index and prediction, numbers with three decimals."""
        lines = ["index\tprediction"]
        for index, value in enumerate(predictions):
            lines.append(f"{index}\t{value:.3f}" if isinstance(value, float) else f"{index}\t{value}")
        return "\n".join(lines) + "\n"

    def report(self, examples: Sequence[ClassificationExample], predictions: Sequence[str | float]) -> ErrorReport:
        """Each label, or numbers by size, and the texts with a wrong one."""
        texts, lines = [example.texts for example in examples], [example.line for example in examples]
        if self.regression:
            gold = [float(example.label or 0) for example in examples]
            return regression_report(texts, gold, [float(value) for value in predictions], lines)
        labels = [str(example.label) for example in examples]
        return classification_report(texts, labels, [str(value) for value in predictions], lines)


TASK = ClassificationTask()
