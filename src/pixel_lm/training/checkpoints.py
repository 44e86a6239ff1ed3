"""Finding the checkpoint that an interrupted run continues from, and refusing to continue what is another run.

A process may die while it writes a checkpoint, and a machine before what was written has reached the disk. So a checkpoint is
sealed in the end: its files are flushed to the disk, and then a list of their sizes and checksums is put in place in one step
(`seal`). Where the list is, everything must agree with it. Where it is not yet, the process died in the last moment, and the files
themselves show whether they are whole: JSON parses, a safetensors file is as long as its header says, a torch file is a zip archive,
whose directory stands at the end.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import yaml

from pixel_lm.errors import UserError
from pixel_lm.training.arguments import JobArguments, to_dict
from pixel_lm.training.recipes import as_yaml

logger = logging.getLogger(__name__)

RECORD = "arguments.yaml"
STATE = "trainer_state.json"
SEAL = "checksums.json"
RESULTS = "all_results.json"

# Settings that may differ when a run continues: they change neither weights nor their order of computation.
FREE_SETTINGS = {
    "output_dir", "overwrite", "logging_steps", "keep_checkpoints", "report_to", "num_workers", "cpu", "precision",
    "torch_compile", "picture_steps", "save_predictions", "eval_batch_size", "data_dir", "push_to_hub",
    "recipe", "published_scores",
}  # fmt: skip


def checkpoints(output_dir: Path) -> list[Path]:
    """The checkpoint folders of a run, oldest first, whole or not."""
    found = [
        (int(m[1]), p) for p in output_dir.glob("checkpoint-*") if (m := re.fullmatch(r"checkpoint-(\d+)", p.name))
    ]
    return [path for _, path in sorted(found)]


def seal(checkpoint: Path) -> None:
    """Flush a checkpoint that is written to the disk, and note sizes and checksums (CRC-32) of its files.

    Raises:
        OSError: the disk is full or broken.
    """
    found = {}
    for path in sorted(path for path in checkpoint.iterdir() if path.is_file() and path.name != SEAL):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        found[path.name] = [path.stat().st_size, _checksum(path)]
    new = checkpoint / (SEAL + ".tmp")
    with new.open("w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, checkpoint / SEAL)


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def _agrees(checkpoint: Path) -> bool:
    """Whether the files of a sealed checkpoint are what they were."""
    listed = _read_json(checkpoint / SEAL)
    try:
        return bool(listed) and all(
            (checkpoint / name).stat().st_size == size and _checksum(checkpoint / name) == checksum
            for name, (size, checksum) in listed.items()
        )
    except (OSError, TypeError, ValueError):
        return False


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint folder was written to its end and has not changed since."""
    if (checkpoint / SEAL).exists():
        return _agrees(checkpoint)
    weights = list(checkpoint.glob("*.safetensors"))
    return (
        bool(weights)
        and (checkpoint / "scheduler.pt").is_file()
        and "global_step" in _read_json(checkpoint / STATE)
        and all(_safetensors_is_whole(path) for path in weights)
        and all(zipfile.is_zipfile(path) for path in checkpoint.glob("*.pt*"))
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _safetensors_is_whole(path: Path) -> bool:
    """Eight bytes with the length of the JSON header, the header, then the tensors up to the largest end offset."""
    with path.open("rb") as file:
        prefix = file.read(8)
        header = file.read(int.from_bytes(prefix, "little"))
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
    except ValueError:
        return False
    end = max((entry["data_offsets"][1] for entry in tensors), default=0)
    return path.stat().st_size == len(prefix) + len(header) + end


def last_complete(output_dir: Path) -> Path | None:
    """The newest checkpoint that was written to its end, or None."""
    return next((path for path in reversed(checkpoints(output_dir)) if is_complete(path)), None)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The trainer's state of a complete checkpoint."""
    return _read_json(checkpoint / STATE)


def is_final(checkpoint: Path, max_steps: int) -> bool:
    """Whether training ended with this checkpoint, at its last step or by early stopping."""
    state = read_state(checkpoint)
    control = state.get("stateful_callbacks", {}).get("TrainerControl", {}).get("args", {})
    return state["global_step"] >= max_steps or bool(control.get("should_training_stop"))


def prepare_output_dir(arguments: JobArguments) -> Path | None:
    """Make the output folder ready and return the checkpoint to continue from, or None to start at the beginning.

    Without `overwrite`, an earlier run in the folder is continued if its settings are the same; torn checkpoints after the
    last complete one are removed. With `overwrite`, the earlier run's checkpoints and results are removed. Files of others
    are left alone.

    Raises:
        UserError: the folder cannot be written to, or holds a run with other settings.
    """
    output_dir = Path(arguments.output_dir)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        probe = output_dir / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write to output folder {output_dir}: {error.strerror}") from None
    record = output_dir / RECORD
    resume = None
    if arguments.overwrite:
        for path in checkpoints(output_dir):
            shutil.rmtree(path)
        (output_dir / RESULTS).unlink(missing_ok=True)
    elif record.is_file() and (checkpoints(output_dir) or (output_dir / RESULTS).is_file()):
        _check_same_run(record, arguments)
        resume = last_complete(output_dir)
        for path in reversed(checkpoints(output_dir)):
            if path == resume:
                break
            logger.warning("%s was not written to its end, or has changed since: removed", path)
            shutil.rmtree(path)
    elif checkpoints(output_dir):
        raise UserError(f"{output_dir} holds checkpoints of an unknown run: choose another folder or add --overwrite")
    new = record.with_suffix(".tmp")
    new.write_text("# All settings of this run; it can be used as a recipe.\n" + as_yaml(arguments), encoding="utf-8")
    os.replace(new, record)
    return resume


def stored_results(arguments: JobArguments) -> dict[str, Any] | None:
    """The results of a run that was finished before with the same settings, or None."""
    output_dir = Path(arguments.output_dir)
    if arguments.overwrite or not (output_dir / RECORD).is_file() or not (output_dir / "model.safetensors").is_file():
        return None
    _check_same_run(output_dir / RECORD, arguments)
    results = _read_json(output_dir / RESULTS)
    if not results:
        return None
    logger.info("%s holds the finished run; add --overwrite to train anew", output_dir)
    return results


def _check_same_run(record: Path, arguments: JobArguments) -> None:
    try:
        before = yaml.safe_load(record.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        before = None
    if not isinstance(before, dict):
        return  # not ours to judge
    now = to_dict(arguments)
    for key in now.keys() - FREE_SETTINGS:
        if key in before and before[key] != now[key]:
            raise UserError(
                f"{record.parent} holds a run with {key.replace('_', '-')} {before[key]}, not {now[key]}: choose another "
                "--output-dir, or add --overwrite to start anew"
            )
