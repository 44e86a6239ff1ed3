"""Natural language inference: does a premise entail a hypothesis? SNLI, MultiNLI, XNLI, or any file with such pairs.

Of files with several languages `--language` names one. With `--language all` (translate-train-all) training takes the files of all
languages in a folder, the best checkpoint is that with the best accuracy over all, and there is a score for each language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixel_lm.data.classification import ClassificationExample
from pixel_lm.data.conllu import Split
from pixel_lm.data.files import COMPRESSION_SUFFIXES
from pixel_lm.data.nli import ALL_LANGUAGES, NLI_LABELS, read_nli
from pixel_lm.errors import UserError
from pixel_lm.tasks.classification import ClassificationDataset, ClassificationTask, tidy_spaces
from pixel_lm.tasks.metrics.classification import label_accuracy


class NliTask(ClassificationTask):
    """Entailment, neutral or contradiction."""

    name = "nli"
    fixed_labels = NLI_LABELS

    @property
    def regression(self) -> bool:
        """Never."""
        return False

    def prepare(self, text: str) -> str:
        """Without the blanks of tokenizers."""
        return tidy_spaces(text)

    def find_file(self, folder: str | Path, split: Split) -> Path:
        """The one file whose name has the split as a word: `snli_1.0_train.jsonl`, `xnli.dev.tsv`; the folder itself for all languages."""
        folder = Path(folder)
        if split == "train" and self.options.language == ALL_LANGUAGES:
            return folder
        compressions = "|".join(map(re.escape, COMPRESSION_SUFFIXES))
        pattern = re.compile(rf"(?:.*[-_.])?{split}(?:[-_.].*)?\.(?:jsonl|tsv|csv|txt)(?:{compressions})?")
        names = sorted(path.name for path in folder.iterdir() if pattern.fullmatch(path.name))
        if self.options.language is not None and len(names) > 1:
            names = [name for name in names if f".{self.options.language}." in name] or names
        if len(names) != 1:
            found = f"several files for the split {split}: {', '.join(names)}" if names else f"no file for {split}"
            raise UserError(f"{folder}: {found}; name it with the option for this file")
        return folder / names[0]

    def read(self, path: str | Path, *, labelled: bool = True) -> list[ClassificationExample]:
        """Pairs; those on which annotators did not agree are left out."""
        examples = list(read_nli(path, self.options.language).examples)
        if labelled and examples and examples[0].label is None:
            raise UserError(f"{path}: the file has no labels; pixel-lm predict takes such files")
        return examples

    def score(self, dataset: ClassificationDataset, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Accuracy, also of each language where there are several."""
        languages = [example.language for example in dataset.examples]
        scores = super().score(dataset, outputs)
        for language in dict.fromkeys(language for language in languages if language is not None):
            rows = np.array([here == language for here in languages])
            predictions = np.array([row.reshape(-1)[0] for row in outputs])
            scores[f"accuracy_{language}"] = label_accuracy(predictions[rows], dataset.labels[rows])
        return scores


TASK = NliTask()
