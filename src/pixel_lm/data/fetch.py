"""Getting the data sets of the catalogue: download or copy, verify, unpack, and put in place in one step.

A data set lies in a folder of its own in the cache (`data_home`) or not at all: it is put together under another name and takes its
own when it is complete. Beside the data, `source.json` says where they come from, under which licence, and the SHA-256 of each file.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pixel_lm.data.catalogue import Entry, PinnedFile
from pixel_lm.data.files import read_lines
from pixel_lm.data.strip_cache import default_cache_dir
from pixel_lm.download import FailedError, UnreachableError, check_address, download, file_sha256, mirrored
from pixel_lm.errors import UserError

__all__ = ["URL_VARIABLE", "data_home", "describe", "fetch", "fetch_with_bar", "is_present", "require"]

logger = logging.getLogger(__name__)

URL_VARIABLE = "PIXEL_LM_DATA_URL"
"""Environment variable with the address of a mirror."""

RECORD = "source.json"
LARGEST_EXPANSION = 30
"""Archives that become more than this many times as large are refused: text does not."""

Progress = Callable[[int], None]
"""Called with the number of bytes of the data set that are there."""

_COPY_BYTES = 1 << 20


def data_home() -> Path:
    """Folder in which data sets are put: `data` in the folder that PIXEL_LM_CACHE names, or in the user's cache."""
    return default_cache_dir() / "data"


def is_present(entry: Entry, home: Path | None = None, *, verify: bool = False) -> bool:
    """Whether the data set is there, made of the files that the list names, each as large as it was then.

    Args:
        entry: which.
        home: where; None: `data_home()`.
        verify: compare the contents, too.
    """
    folder = (home or data_home()) / entry.name
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in record["files"]}
        digests = {name: file_sha256(folder / name) for name in record["files"]} if verify else None
    except (OSError, ValueError, KeyError):
        return False
    files = record["files"]
    return (
        record.get("published") == _published(entry)
        and sizes == {name: file["bytes"] for name, file in files.items()}
        and digests in (None, {name: file["sha256"] for name, file in files.items()})
    )


def describe(entry: Entry) -> str:
    """Title and licence in one line."""
    use = "" if entry.open else ", which restricts its use"
    return f"{entry.title}: licence {entry.licence}{use} ({entry.licence_url})"


def fetch(
    entry: Entry,
    *,
    source: Path | None = None,
    base_url: str | None = None,
    home: Path | None = None,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """The folder of a data set, which is fetched if it is not there.

    Args:
        entry: which.
        source: folder with the files as they are published, to be taken in place of downloading.
        base_url: a mirror, see `pixel_lm.download.mirrored`; None: `PIXEL_LM_DATA_URL`, or else the public addresses.
        home: where to; None: `data_home()`.
        announce: told of the licence and the size when the source has answered, before any data are read.
        progress: see `Progress`.

    Raises:
        UserError: the data set cannot be fetched, there is no connection, what came is not what it should be, or it cannot be
            stored.
    """
    if entry.unavailable:
        raise UserError(f"{entry.title} cannot be fetched: {entry.unavailable}")
    home = home or data_home()
    base_url = base_url or os.environ.get(URL_VARIABLE)
    if base_url:
        check_address(base_url, "data")
    try:
        with _lock(home, entry.name):
            if not is_present(entry, home, verify=True):
                getting = _Getting(entry, home, source, base_url, announce, progress)
                getting.run()
    except FailedError as error:
        raise UserError(f"{entry.name}: {error}. The same command tries again, and keeps what is there") from None
    except OSError as error:
        raise UserError(
            f"{error.filename or home}: data cannot be stored there ({error.strerror or error}); set PIXEL_LM_CACHE to a folder "
            "with room that can be written"
        ) from None
    return home / entry.name


def fetch_with_bar(entry: Entry, say: Callable[[str], None], **settings: Any) -> Path:
    """`fetch` with a bar on a terminal; `say` is told of the licence."""
    from tqdm import tqdm

    with tqdm(total=entry.size, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:

        def announce(text: str) -> None:
            bar.clear()
            say(text)

        def progress(have: int) -> None:
            bar.update(have - bar.n)

        return fetch(entry, announce=announce, progress=progress, **settings)


def require(entry: Entry, home: Path | None = None) -> Path:
    """The folder of a data set that somebody named as data. What may be used freely is fetched if it is not there.

    Raises:
        UserError: it is not there and restricted, or `fetch` says so.
    """
    if is_present(entry, home):
        return (home or data_home()) / entry.name
    if not entry.open and not entry.unavailable:
        raise UserError(
            f"{describe(entry)}. So it is not fetched unasked: if your use is allowed, get it with `pixel-lm data get "
            f"{entry.name}` and give the same command again, or give a folder that has it as --data"
        )
    return fetch_with_bar(entry, logger.info, home=home)


@contextmanager
def _lock(home: Path, name: str) -> Iterator[None]:
    """Two processes that want the same data set get it once."""
    import filelock

    home.mkdir(parents=True, exist_ok=True)
    (home / f"{name}.lock").touch()
    with filelock.FileLock(home / f"{name}.lock"):
        yield


def _published(entry: Entry) -> Any:
    """What the files of a data set are made of, as a JSON value."""
    files = [dataclasses.asdict(file) for file in entry.files]
    return json.loads(json.dumps({"files": files, "split": entry.split}))


class _Getting:
    """One data set on its way into the cache."""

    def __init__(
        self,
        entry: Entry,
        home: Path,
        source: Path | None,
        base_url: str | None,
        announce: Callable[[str], None] | None,
        progress: Progress | None,
    ) -> None:
        self.entry = entry
        self.home = home
        self.source = source
        self.base_url = base_url
        self.announce = announce
        self.progress = progress
        self.downloads = home / f"{entry.name}.download"
        self.arrived: dict[str, int] = {}

    def run(self) -> None:
        """Fetch, put together, and give the folder its name."""
        self.downloads.mkdir(exist_ok=True)
        if self.source is not None:
            self._say()
        try:
            for file in self.entry.files:
                self._get(file)
        finally:
            if not any(self.downloads.iterdir()):
                self.downloads.rmdir()
        for left_over in self.home.glob(f"{self.entry.name}.tmp*"):  # of a process that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{self.entry.name}.tmp", dir=self.home))
        try:
            try:
                assemble(self.entry, self.downloads, temporary)
            except FailedError as error:
                raise FailedError(f"{error}; what was fetched is in {self.downloads}") from None
            _write_record(self.entry, temporary)
            temporary.chmod(0o755)  # mkdtemp's folders are closed to others
            target = self.home / self.entry.name
            if target.exists():  # of another version of the list, or damaged
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(self.downloads, ignore_errors=True)

    def _get(self, file: PinnedFile) -> None:
        target = self.downloads / file.name
        if target.exists() and file_sha256(target) == file.sha256:  # of an interrupted run
            self._count(file, file.size)
        elif self.source is not None:
            self._copy(file, target)
        else:
            try:
                download(
                    mirrored(file.url, self.base_url),
                    target,
                    partial=target.with_name(f"{file.name}.{file.sha256[:8]}.part"),
                    size=file.size,
                    sha256=file.sha256,
                    progress=lambda have: self._count(file, have),
                )
            except UnreachableError as error:
                raise UserError(self._without_network(file, error)) from None

    def _copy(self, file: PinnedFile, target: Path) -> None:
        assert self.source is not None
        path = next((path for path in sorted(self.source.rglob(file.name)) if path.is_file()), None)
        if path is None:
            raise UserError(f"{self.source}: {file.name} is not in this folder; it is at {file.url}")
        if (found := file_sha256(path)) != file.sha256:
            raise FailedError(f"{path} is not the file of the list (SHA-256 {found}, expected {file.sha256})")
        shutil.copyfile(path, target)
        self._count(file, file.size)

    def _count(self, file: PinnedFile, have: int) -> None:
        if not self.arrived and self.source is None:
            self._say()
        self.arrived[file.name] = have
        if self.progress is not None:
            self.progress(sum(self.arrived.values()))

    def _say(self) -> None:
        if self.announce is not None:
            place = str(self.source or self.base_url or self.entry.hosts)
            size = f"{self.entry.size / 1e6:.1f} MB"
            self.announce(f"{describe(self.entry)}; {size} from {place} into {self.home / self.entry.name}")

    def _without_network(self, file: PinnedFile, error: UnreachableError) -> str:
        more = f" and {len(self.entry.files) - 1} more (`pixel-lm data list {self.entry.name}`)"
        host = urlsplit(mirrored(file.url, self.base_url)).netloc
        return (
            f"cannot reach {host} to download {self.entry.name}: {error}; without a network, fetch {self.entry.files[0].url}"
            f"{more if len(self.entry.files) > 1 else ''} elsewhere and use `pixel-lm data get {self.entry.name} --from FOLDER`, "
            "or unpack the data into a folder and give that as --data"
        )


def _write_record(entry: Entry, folder: Path) -> None:
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in sorted(folder.iterdir())
    }
    licence = f"{entry.licence} ({entry.licence_url})"
    record = {"title": entry.title, "licence": licence, "files": files, "published": _published(entry)}
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# -- from published files to those of a folder -------------------------------------------------------------------------


def assemble(entry: Entry, downloads: Path, folder: Path) -> None:
    """Make the files of a data set from those that were fetched.

    Raises:
        FailedError: an archive is damaged, lacks a member or is too large, or a file is not in its format.
    """
    parts: dict[str, list[Path]] = {}
    for file in entry.files:
        path = downloads / file.name
        if file.members:
            unpack(path, dict(file.members), folder)
        elif file.into is not None:
            parts.setdefault(file.into, []).append(path)
        elif entry.split is None:
            shutil.copyfile(path, folder / file.name)
    for name, paths in parts.items():
        join_questions(paths, folder / name)
    if entry.split is not None:
        source, ids = downloads / entry.split["source"], downloads / entry.split["ids"]
        split_pairs(source, ids, folder / entry.split["train"], folder / entry.split["dev"])


def unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Unpack members of a zip archive, and nothing else, under the names that are given for them.

    Raises:
        FailedError: a member is missing, damaged or encrypted, or all together are too large for an archive of this size.
    """
    room = LARGEST_EXPANSION * archive.stat().st_size
    try:
        with zipfile.ZipFile(archive) as file:
            for member, name in members.items():
                if Path(name).name != name:
                    raise FailedError(f"{name} is not a name inside the folder")
                try:
                    info = file.getinfo(member)
                except KeyError:
                    raise FailedError(f"{archive.name}: there is no {member} in the archive") from None
                with file.open(info) as source, open(folder / name, "wb") as target:
                    while data := source.read(_COPY_BYTES):
                        room -= len(data)
                        if room < 0:
                            raise FailedError(
                                f"{archive.name}: unpacks to more than {LARGEST_EXPANSION} times its size; refused"
                            )
                        target.write(data)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FailedError(f"{archive.name}: the archive is damaged ({error})") from None


def join_questions(paths: list[Path], target: Path) -> None:
    """Put parts in the format of SQuAD together. FailedError if one of them is not in it."""
    together: dict[str, Any] = {}
    for path in paths:
        try:
            part = json.loads(path.read_text(encoding="utf-8"))
            articles = part["data"]
            together = together or {**part, "data": []}
            together["data"] += articles
        except (ValueError, TypeError, KeyError):
            raise FailedError(f"{path.name} is not JSON in the format of SQuAD") from None
    target.write_text(json.dumps(together, ensure_ascii=False), encoding="utf-8")


def split_pairs(source: Path, ids: Path, train: Path, dev: Path) -> None:
    """The training file of MRPC → training and development data; the latter are those whose two ids stand in a line of `ids`.

    Raises:
        FailedError: the files are not those of MRPC: a line has too few columns, or an id is in no line.
    """
    wanted = {tuple(line.split()) for _, line in read_lines(ids) if line.strip()}
    files: dict[Path, list[str]] = {train: [], dev: []}
    for number, line in read_lines(source):
        if number == 1:
            header = line.removeprefix("\ufeff")
            files = {path: [header] for path in files}
            continue
        columns = line.rstrip("\r\n").split("\t")
        if len(columns) < 5:
            raise FailedError(f"{source.name}, line {number}: {len(columns)} columns, expected 5")
        files[dev if tuple(columns[1:3]) in wanted else train].append(line)
    if len(files[dev]) - 1 != len(wanted):
        raise FailedError(
            f"{ids.name}: {len(wanted)} pairs of ids, but {len(files[dev]) - 1} of them are in {source.name}"
        )
    for path, lines in files.items():
        path.write_text("".join(lines), encoding="utf-8", newline="")
