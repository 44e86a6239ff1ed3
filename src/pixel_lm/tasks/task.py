"""What a task is: one object that says how examples are read, rendered, labelled, scored and written.

Training, evaluation and prediction know this interface and nothing of single tasks. A new task is a file in this folder with a
`TASK`, a name in `TASKS`, and a recipe.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from pixel_lm.data.conllu import Split
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelPreTrainedModel
from pixel_lm.rendering import Rendering
from pixel_lm.tasks.reports import ErrorReport

E = TypeVar("E")

CACHE_BYTES = 1 << 30
"""Rendered examples are kept up to this size; those beyond are rendered again when needed (some 10 000 a second)."""

Decoding = Literal["greedy", "tree"]


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What can be chosen about tasks. Each task reads those that concern it; a fine-tuned model remembers them."""

    labels_file: str | None = None
    """Entities, classification: file with one label per line, in the order in which the model numbers them."""
    glue_task: str | None = None
    language: str | None = None
    """XNLI: of files with several languages, the one that is wanted, or `all`."""
    text_columns: tuple[str, ...] = ("text",)
    label_column: str = "label"
    regression: bool = False
    decoding: Decoding = "greedy"
    """Parsing: the best head of each word, as published, or the best tree."""
    stride: int = 160
    """Questions: patches of the text that a window repeats from the one before."""
    question_max_length: int | None = 128
    """Questions: patches that the question may take."""
    answer_rule: str = "squad"
    n_best: int = 20
    max_answer_patches: int = 30
    null_threshold: float = 0.0
    legacy_answers: bool = False


DEFAULTS = TaskOptions()


class TaskDataset(Dataset[Any], ABC):
    """Rendered examples of a task, in their order.

    Attributes:
        lengths: patches of each item, to put items of like length into one batch.
    """

    lengths: list[int]

    @abstractmethod
    def __len__(self) -> int:
        """Number of items, which are strips."""

    @abstractmethod
    def figures(self) -> dict[str, float]:
        """How many of what there is, and `coverage`: the part of it that fits."""


class Renderer(Protocol):
    """What tasks need of a `TextRenderer`; a `TokenRenderer` has it too, so that text models do the same tasks."""

    @property
    def max_seq_length(self) -> int:
        """Patches at most."""

    def num_patches(self, text: str, /) -> int:
        """Patches that a text needs."""

    def __call__(
        self,
        text: str | tuple[str, str] | list[str],
        /,
        *,
        return_offset_mapping: bool = False,
        return_overflowing_patches: bool = False,
        stride: int = 0,
        text_a_max_length: int | None = None,
    ) -> Rendering:
        """Render a text, a pair or a list of words."""

    def save_pretrained(self, folder: str | Path, /) -> None:
        """Save it with a model."""


class Collator(Protocol):
    """Items of a data set → a batch."""

    def __call__(self, examples: Sequence[Any], /) -> dict[str, torch.Tensor]:
        """Make a batch."""


class Task(ABC):
    """A task and its options."""

    name: ClassVar[str]
    model_class: ClassVar[type[PixelPreTrainedModel]]
    label_names: ClassVar[tuple[str, ...]] = ("labels",)
    """Names of the labels in a batch."""
    fixed_labels: tuple[str, ...] = ()
    """All labels, in the order in which new models number them, if they do not depend on data."""
    output_suffix: ClassVar[str]
    """Of files of predictions."""
    settings: ClassVar[dict[str, Any]] = {}
    """Of the model's configuration."""
    reads_datasets: ClassVar[bool] = False
    """Whether `read` takes data sets of the `datasets` library, as `pixel_lm.data.tables` names them."""

    def __init__(self, options: TaskOptions | None = None) -> None:
        self.options = options or TaskOptions()

    def with_options(self, options: TaskOptions) -> Self:
        """The same task with other options."""
        return type(self)(options)

    @property
    @abstractmethod
    def metric(self) -> str:
        """The score that the best checkpoint is chosen by."""

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The scores that a summary shows."""
        return (self.metric,)

    # -- data ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def find_file(self, folder: str | Path, split: Split) -> Path:
        """The file of a split in a data folder. UserError if there is none."""

    def further_files(self, dev: Path) -> dict[str, Path]:
        """Other files that a trained model is scored on, by the name of their scores, from the file of the split dev."""
        return {}

    @abstractmethod
    def read(self, path: str | Path, *, labelled: bool = True) -> list[Any]:
        """The examples of a file; with `labelled=False` gold labels may be missing."""

    def collect_labels(self, examples: Sequence[Any]) -> tuple[str, ...]:
        """The labels of a new model, from training data where the task does not fix them; empty if it has no named labels."""
        return self.fixed_labels

    def choose_labels(self, examples: Sequence[Any], config: PixelConfig) -> tuple[str, ...]:
        """The labels in the order of the loaded model, where its labels are those of the task."""
        labels = self.collect_labels(examples)
        stored = tuple(config.id2label[index] for index in range(len(config.id2label or {})))
        same = set(stored) == set(labels)
        if same or (labels and not self.fixed_labels and set(labels) < set(stored)):
            return stored
        return labels

    def check_model(self, config: PixelConfig, model: str) -> None:
        """Raise UserError if a model is not one for this task."""
        labels = set(config.id2label.values())
        if self.fixed_labels and labels != set(self.fixed_labels):
            raise UserError(f"{model} is no model for {self.name}: its labels are {shortened(sorted(labels))}")

    @abstractmethod
    def dataset(self, examples: Sequence[Any], renderer: Renderer, config: PixelConfig) -> TaskDataset:
        """Rendered examples with their labels as numbers of the model."""

    @abstractmethod
    def collator(self) -> Collator:
        """What makes batches."""

    # -- scores and predictions ----------------------------------------------------------------------------------------

    @abstractmethod
    def reduce(self, outputs: tuple[torch.Tensor, ...], labels: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Of what the model returns for a batch that which is scored: (batch, …), axis 1 as long as needed."""

    @abstractmethod
    def score(self, dataset: Any, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Scores between 0 and 1 from the reduced outputs of each item; entries behind an item's end are to be ignored."""

    @abstractmethod
    def baseline(self, train: Sequence[Any], examples: Sequence[Any]) -> dict[str, float]:
        """Scores of something simple, learned from the training data, on other examples."""

    baseline_name: ClassVar[str] = "baseline"

    @abstractmethod
    def predict(
        self,
        model: Any,
        renderer: Renderer,
        examples: Sequence[Any],
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
    ) -> list[Any]:
        """One prediction per example, whether it fits or not. `progress` is called with the number of finished examples."""

    @abstractmethod
    def write(self, examples: Sequence[Any], predictions: Sequence[Any]) -> str:
        """The contents of a file of predictions, in the format of the task."""

    def write_n_best(self, examples: Sequence[Any], predictions: Sequence[Any]) -> str:
        """The contents of a file with several predictions per example. UserError where there is only one."""
        raise UserError(f"--n-best-output: {self.name} has one prediction per example; leave the option out")

    def report(self, examples: Sequence[Any], predictions: Sequence[Any]) -> ErrorReport:
        """What is wrong in predictions for annotated examples. UserError where a task does not say how to compare them."""
        raise UserError(
            f"--report: the task {self.name} has no method `report`, which compares examples and predictions"
        )


class Cache:
    """Keeps rendered items as long as there is room."""

    def __init__(self, render: Callable[[int], Any], limit: int) -> None:
        self.render = render
        self.limit = limit
        self.items: dict[int, Any] = {}
        self.size = 0

    def add(self, index: int, item: Any, size: int) -> None:
        """Keep an item, if there is room."""
        self.size += size
        if self.size <= self.limit:
            self.items[index] = item

    @property
    def is_full(self) -> bool:
        """Whether what comes now is not kept."""
        return self.size > self.limit

    def __getitem__(self, index: int) -> Any:
        return self.items[index] if index in self.items else self.render(index)


def batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first, so that lack of memory shows at once."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@torch.no_grad()
def run_model(
    task: Task,
    model: PixelPreTrainedModel,
    dataset: TaskDataset,
    batch_size: int = 64,
    progress: Callable[[int], Any] | None = None,
) -> list[np.ndarray]:
    """The reduced outputs of a model for each item, in the order of the data set."""
    model.eval()
    collate = task.collator()
    rows: list[np.ndarray] = [np.zeros(0)] * len(dataset)
    for indices in batches(dataset.lengths, batch_size):
        batch = {name: tensor.to(model.device) for name, tensor in collate([dataset[i] for i in indices]).items()}
        outputs = model(**batch).to_tuple()[1:]  # the loss comes first
        reduced = task.reduce(outputs, tuple(batch[name] for name in task.label_names)).cpu().numpy()
        for row, index in zip(reduced, indices, strict=True):
            rows[index] = row
        if progress is not None:
            progress(len(indices))
    return rows


def evaluate_task(
    task: Task, model: PixelPreTrainedModel, dataset: TaskDataset, batch_size: int = 64
) -> dict[str, float]:
    """Scores of a model on a data set."""
    return task.score(dataset, run_model(task, model, dataset, batch_size))


def options_from(values: Mapping[str, Any], base: TaskOptions = DEFAULTS) -> TaskOptions:
    """Options with some values changed; names that are none are ignored, lists become tuples."""
    names = {field.name for field in dataclasses.fields(TaskOptions)}
    changes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names}
    return dataclasses.replace(base, **changes)


def shortened(names: Sequence[str]) -> str:
    """The first names of a list, for messages."""
    return ", ".join(names[:5]) + (f" … ({len(names)})" if len(names) > 5 else "")
