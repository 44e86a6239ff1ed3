"""The list of data sets that can be fetched by name, `catalogue.yaml`, and what to look up in it.

Each entry says where its files lie, what they weigh, their SHA-256, under which licence they come, and which files they become in a
folder that the readers understand.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from pixel_lm.errors import UserError

__all__ = ["Entry", "PinnedFile", "catalogue", "find_entry", "get_entry"]

_LIST = "catalogue.yaml"


@dataclass(frozen=True)
class PinnedFile:
    """A file at a public address.

    Attributes:
        url: its address.
        size: in bytes.
        sha256: hexadecimal.
        members: of an archive (zip), what is unpacked: path inside and name in the folder.
        into: the file that it becomes a part of, both in the format of SQuAD.
    """

    url: str
    size: int
    sha256: str
    members: tuple[tuple[str, str], ...] = ()
    into: str | None = None

    @property
    def name(self) -> str:
        """Its name at the source."""
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Entry:
    """A data set.

    Attributes:
        name: for the command line.
        folder: the name that its folder has elsewhere, which is understood as well.
        title: in words, with the version.
        tasks: that read it.
        licence: short name, or a few words.
        licence_url: where it stands.
        open: whether the licence allows any use; others are fetched only when somebody asks for it.
        checksums: where sizes and SHA-256 were found.
        files: what is fetched.
        split: MRPC, whose development data are named by a list: file of all pairs, file of ids, names of the files that they become.
        unavailable: why there is nothing to fetch, and what to do; None if there is.
    """

    name: str
    folder: str
    title: str
    tasks: tuple[str, ...]
    licence: str
    licence_url: str
    open: bool
    checksums: str = ""
    files: tuple[PinnedFile, ...] = ()
    split: Mapping[str, str] | None = None
    unavailable: str | None = None

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    @property
    def hosts(self) -> str:
        """Where the files come from."""
        return ", ".join(dict.fromkeys(urlsplit(file.url).netloc for file in self.files))


@lru_cache(maxsize=1)
def _list() -> tuple[Entry, ...]:
    import yaml

    values = yaml.safe_load(resources.files("pixel_lm.data").joinpath(_LIST).read_text(encoding="utf-8"))
    return tuple(map(read_entry, values["datasets"]))


def read_entry(values: dict[str, Any]) -> Entry:
    """An entry as it stands in the list."""
    files = tuple(
        PinnedFile(**{**file, "members": tuple(file.get("members", {}).items())}) for file in values.get("files", ())
    )
    return Entry(**{**values, "tasks": tuple(values["tasks"]), "files": files})


def catalogue() -> tuple[Entry, ...]:
    """All entries, in the order of the list."""
    return _list()


def find_entry(name: str) -> Entry | None:
    """The entry with this name, or this name of a folder, whatever the case; None if there is none."""
    key = name.casefold()
    for of in ("name", "folder"):
        for entry in catalogue():
            if getattr(entry, of).casefold() == key:
                return entry
    return None


def get_entry(name: str) -> Entry:
    """The entry with this name. UserError if there is none; near names are suggested."""
    if entry := find_entry(name):
        return entry
    near = difflib.get_close_matches(name.lower(), [entry.name for entry in catalogue()], n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(f"no data set {name!r} in the list; {hint}`pixel-lm data list` shows all")
