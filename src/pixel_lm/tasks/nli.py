"""Natural language inference: does a premise entail a hypothesis? SNLI, MultiNLI, XNLI, or any file with such pairs.

Of files with several languages `--language` names one. XNLI's translate-train-all is trained on the training files of all
languages, one after the other in one folder or file.
"""

from __future__ import annotations

import re
from pathlib import Path

from pixel_lm.data.classification import ClassificationExample
from pixel_lm.data.conllu import Split
from pixel_lm.data.files import COMPRESSION_SUFFIXES
from pixel_lm.data.nli import NLI_LABELS, read_nli
from pixel_lm.errors import UserError
from pixel_lm.tasks.classification import ClassificationTask, tidy_spaces


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
        """The one file whose name has the split as a word: `snli_1.0_train.jsonl`, `xnli.dev.tsv`."""
        folder = Path(folder)
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


TASK = NliTask()
