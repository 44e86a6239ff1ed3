"""The nine tasks of GLUE; which one, `--glue-task` says.

The best checkpoint is chosen by the metric of the task, or the mean of both where it has two. Labels of the test data are not
public, so that scores are those of the development data. For MNLI `dev` is the matched part; the mismatched one is scored, too, if it lies
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixel_lm.data.classification import ClassificationExample
from pixel_lm.data.conllu import Split
from pixel_lm.data.glue import GlueTask, find_glue_file, get_glue_task, read_glue
from pixel_lm.errors import UserError
from pixel_lm.tasks.classification import ClassificationTask, tidy_spaces
from pixel_lm.tasks.metrics.classification import GLUE_METRICS, glue_scores
from pixel_lm.tasks.task import TaskOptions


class GlueBenchmarkTask(ClassificationTask):
    """A task of GLUE."""

    name = "glue"

    def __init__(self, options: TaskOptions | None = None) -> None:
        super().__init__(options)
        if self.options.glue_task is not None:
            self.fixed_labels = get_glue_task(self.options.glue_task).labels

    @property
    def glue_task(self) -> GlueTask:
        """Which one. UserError if none is named."""
        if self.options.glue_task is None:
            raise UserError(f"which task of GLUE? give --glue-task {'|'.join(GLUE_METRICS)}, or a recipe of that name")
        return get_glue_task(self.options.glue_task)

    @property
    def regression(self) -> bool:
        """Only STS-B."""
        return not self.glue_task.labels

    @property
    def metric(self) -> str:
        """The metric of the task, or the mean of both."""
        names = GLUE_METRICS[self.glue_task.name]
        return "combined_score" if len(names) > 1 else next(iter(names))

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """All of the task."""
        return tuple(GLUE_METRICS[self.glue_task.name])

    def prepare(self, text: str) -> str:
        """Without the blanks of tokenizers."""
        return tidy_spaces(text)

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """`SPLIT.tsv` in the folder of the task or in the folder of all tasks; there are no test files with labels."""
        if split == "test":
            raise UserError(f"{folder}: the labels of the test data of GLUE are not public; score the split dev")
        return find_glue_file(folder, self.glue_task.name, split)

    def further_files(self, dev: Path) -> dict[str, Path]:
        """The mismatched development data of MNLI, beside the matched ones."""
        other = dev.with_name(dev.name.replace("_matched", "_mismatched"))
        return {"mismatched": other} if self.glue_task.name == "mnli" and other != dev and other.is_file() else {}

    def read(self, path: str | Path, *, labelled: bool = True) -> list[ClassificationExample]:
        """Examples; with `labelled` each must have a label."""
        examples = list(read_glue(path, self.glue_task.name).examples)
        if labelled and examples and examples[0].label is None:
            raise UserError(f"{path}: the file has no labels; pixel-lm predict takes such files")
        return examples

    def score_arrays(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """See `glue_scores`."""
        return glue_scores(self.glue_task.name, predictions, labels)

    def collect_labels(self, examples: Sequence[ClassificationExample]) -> tuple[str, ...]:
        """Those of the task."""
        return self.glue_task.labels


TASK = GlueBenchmarkTask()
