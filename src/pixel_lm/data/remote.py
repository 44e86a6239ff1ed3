"""Files that lie elsewhere: in object stores, on servers, on the hub, wherever fsspec reaches.

A file is fetched as a whole when its turn comes and deleted afterwards, so that a corpus may be larger than the disk and a
connection that breaks costs one file. What is made of it (strips of text) is what is kept.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pixel_lm.errors import UserError

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_WEB = ("http://", "https://")
# Names under which file systems tell the version of a file.
_VERSION_KEYS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created", "generation", "blob_id", "sha256")


def is_url(name: str) -> bool:
    """Whether a name is an address such as `s3://bucket/file`."""
    return "://" in name


@dataclass(frozen=True)
class RemoteFile:
    """A file behind an address."""

    url: str
    filesystem: Any = field(repr=False, compare=False)
    path: str = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The last part of the address, without what follows a `?` on the web."""
        path = self.path.partition("?")[0] if self.url.startswith(_WEB) else self.path
        return PurePosixPath(path).name

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the file system tells about the file. Raises UserError where it cannot be asked."""
        try:
            return dict(self.filesystem.info(self.path))
        except Exception as error:  # whatever a file system raises: each has its own
            raise _unreachable(self.url, error) from error

    @property
    def size(self) -> int:
        """Bytes, 0 where the server does not tell."""
        return int(self.info.get("size") or 0)

    def identity(self) -> list[Any]:
        """What changes when the file is replaced, as far as the file system tells: address, size and version."""
        version = {key: str(self.info[key]) for key in _VERSION_KEYS if self.info.get(key) is not None}
        return ["url", self.url, self.size, version]

    @contextlib.contextmanager
    def fetched(self) -> Iterator[Path]:
        """A copy on disk with the same name, deleted afterwards.

        Raises:
            UserError: it could not be fetched in several attempts.
        """
        with tempfile.TemporaryDirectory(prefix="pixel-lm-") as folder:
            copy = Path(folder, self.name)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self.filesystem.get_file(self.path, str(copy))
                    if self.size and copy.stat().st_size != self.size:
                        raise EOFError(f"{copy.stat().st_size} of {self.size} bytes arrived")
                    break
                except FileNotFoundError as error:
                    raise _unreachable(self.url, error) from error
                except Exception as error:
                    if attempt == _ATTEMPTS:
                        raise _unreachable(self.url, error) from error
                    logger.warning("%s: %s; trying again", self.url, error)
                    time.sleep(attempt)
            yield copy


def find_remote_files(url: str) -> list[RemoteFile]:
    """The file at an address, all files below it, or all that match its `*`, `**` or `[…]`, in the order of their names.

    Raises:
        UserError: nothing is there, or it cannot be reached.
    """
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        if "*" in path or "[" in path:
            paths = [found for found in filesystem.glob(path) if filesystem.isfile(found)]
        elif filesystem.isfile(path):
            return [RemoteFile(url, filesystem, path)]
        else:
            paths = filesystem.find(path)
    except Exception as error:  # a protocol that is not known or not installed, rights, the network …
        raise _unreachable(url, error) from error
    if not paths:
        raise UserError(f"{url}: no such file or folder")
    visible = [path for path in sorted(paths) if not PurePosixPath(path).name.startswith(".")]
    return [RemoteFile(filesystem.unstrip_protocol(path), filesystem, path) for path in visible]


def _unreachable(url: str, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{url}: no such file or folder")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UserError(f"{url}: cannot be reached ({reason})")
