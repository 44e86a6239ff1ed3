"""Where the annotated data of fine-tuning and evaluation are: files, folders, data sets that are fetched by name, and those of the
`datasets` library: folders written by `save_to_disk`, and `hub:NAME[:CONFIG]`."""

from __future__ import annotations

from pathlib import Path

from pixel_lm.data.catalogue import find_entry
from pixel_lm.data.conllu import Split
from pixel_lm.data.fetch import require
from pixel_lm.data.tables import find_dataset_split, is_dataset, is_one_split
from pixel_lm.errors import UserError
from pixel_lm.tasks.task import Task
from pixel_lm.training.arguments import FinetuneArguments

SPLITS: dict[Split, str] = {"train": "train_file", "dev": "validation_file", "test": "test_file"}


def find_data(data: str | None, data_dir: str = ".", task: str | None = None) -> Path | None:
    """The folder of data that are given as a path, by its name below `data_dir`, or by a name in the catalogue.

    Args:
        data: path or name; None gives None.
        data_dir: where names of folders are looked for.
        task: what the data are for, to refuse those for other tasks; None: any.

    Raises:
        UserError: there is no such folder or data set, or it could not be fetched.
    """
    if data is None:
        return None
    if folder := _local_folder(data, data_dir):
        return folder
    if entry := find_entry(data):
        if task is not None and task not in entry.tasks:
            raise UserError(f"{entry.name} is data for {' and '.join(entry.tasks)}, not for {task}")
        return require(entry)
    raise UserError(
        f"no folder {data}, neither here nor in {Path(data_dir).resolve()}: give the folder that holds it as --data-dir"
        + (
            f", or get it with git clone https://github.com/UniversalDependencies/{data}"
            if data.startswith("UD_")
            else "; `pixel-lm data list` shows what can be given by name"
        )
    )


def data_files(arguments: FinetuneArguments, task: Task) -> dict[Split, Path]:
    """The files of the splits. The test file may be missing, the others may not.

    A data set of the catalogue is not looked for when files for training and validation are given: recipes name one.

    Raises:
        UserError: a file or folder does not exist, or none is given.
    """
    given = {split: getattr(arguments, setting) for split, setting in SPLITS.items()}
    data = arguments.data
    if (
        data is not None
        and given["train"]
        and given["dev"]
        and find_entry(data)
        and not _local_folder(data, arguments.data_dir)
    ):
        data = None
    dataset = data if data is not None and is_dataset(data) else None
    folder = find_data(data, arguments.data_dir, arguments.task) if dataset is None else None
    files: dict[Split, Path] = {}
    for split, setting in SPLITS.items():
        if given[split] is not None:
            files[split] = Path(given[split])
        elif data is not None:
            try:
                files[split] = _find_split(task, str(folder or dataset), split)
            except UserError:
                if split != "test":
                    raise
        elif split != "test":
            raise UserError(f"no {split} data: give --data FOLDER or --{setting.replace('_', '-')} FILE")
        if split in files and not files[split].exists() and not is_dataset(files[split]):
            raise UserError(f"{files[split]}: no such file")
    return files


def split_file(task: Task, data: str, split: Split) -> Path:
    """The file that is scored: one that is given as such, or that of a split in a folder or a data set of the catalogue.

    Raises:
        UserError: the data set could not be fetched, or has no such file.
    """
    path = Path(data)
    if is_dataset(data):
        return path if task.reads_datasets and is_one_split(data) else _find_split(task, data, split)
    if path.is_dir() or (not path.exists() and find_entry(data)):
        folder = find_data(data, task=task.name)
        assert folder is not None
        return task.find_file(folder, split)
    return path


def data_name(train: Path) -> str:
    """What a summary calls the data, from the file of the training data: its folder, or the name of a data set."""
    return str(train).removesuffix(":train").removesuffix(":") if is_dataset(train) else str(train.parent)


def _find_split(task: Task, data: str, split: Split) -> Path:
    """The file of a split in a folder, or the split of a data set."""
    if not is_dataset(data):
        return task.find_file(data, split)
    if not task.reads_datasets:
        try:  # a task from elsewhere may have its own way
            return task.find_file(data, split)
        except (UserError, OSError):
            raise UserError(
                f"{data}: {task.name} does not read data sets of the `datasets` library; give a folder with files"
            ) from None
    return Path(find_dataset_split(data, split))


def _local_folder(data: str, data_dir: str) -> Path | None:
    """A folder of this name, or of that which the published data have."""
    entry = find_entry(data)
    places = [Path(data), Path(data_dir, data), *([Path(data_dir, entry.folder)] if entry else [])]
    return next((place for place in places if place.is_dir()), None)
