"""Files from public addresses: continued where they broke off, verified, and put in place in one step.

A download goes to a partial file, is continued there after an interruption, and takes its name only when it is what it should
be. Nothing but the standard library fetches it.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pixel_lm.errors import UserError

__all__ = ["FailedError", "Progress", "UnreachableError", "check_address", "download", "file_sha256", "mirrored"]

Progress = Callable[[int], None]
"""Called with the number of bytes that are there: first when the source has answered, before anything is read from it."""

_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 16


class FailedError(Exception):
    """One file could not be had; others may."""


class UnreachableError(FailedError):
    """There is no connection to the source."""


def check_address(url: str, what: str) -> None:
    """Raise UserError unless an address is one of the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url} is not an address of {what}: it must begin with https:// or http://")


def mirrored(url: str, base_url: str | None) -> str:
    """The address of a file in a mirror, which has it below the name of its host: `BASE/example.org/path`."""
    if not base_url:
        return url
    parts = urlsplit(url)
    return f"{base_url.rstrip('/')}/{parts.netloc}{parts.path}"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str, target: Path, *, partial: Path, size: int, sha256: str, progress: Progress | None = None
) -> None:
    """Fetch one file, continuing what an earlier attempt left.

    Args:
        url: its address.
        target: the name that it takes when it is verified.
        partial: the file that it is written to until then, on the same disk. Should differ from one version to the next.
        size: in bytes.
        sha256: hexadecimal.
        progress: see `Progress`.

    Raises:
        UnreachableError: there is no connection to the source.
        FailedError: the source does not have the file, sent another one, or broke off again and again.
        UserError: the partial file cannot be written.
    """
    reason = ""
    for _ in range(_ATTEMPTS):
        have = partial.stat().st_size if partial.exists() else 0
        try:
            if have < size:
                _fetch(url, partial, have, size, progress or _say_nothing)
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:  # broken off: go on where it ended
            reason = f"the connection broke off ({error or type(error).__name__})"
            continue
        except OSError as error:
            raise UserError(f"{partial}: {error.strerror or error}") from None
        there = partial.stat().st_size
        if there < size:
            reason = f"the connection broke off after {there} of {size} bytes"
            continue
        found = file_sha256(partial)
        if found == sha256:
            os.replace(partial, target)
            return
        partial.unlink()
        reason = f"what {urlsplit(url).netloc} sent is not the file of the list (SHA-256 {found}, expected {sha256})"
        if not have:  # a part from an earlier run may have been at fault, fresh bytes were not
            break
    raise FailedError(reason)


def _say_nothing(have: int) -> None:
    pass


def _fetch(url: str, partial: Path, have: int, size: int, progress: Progress) -> None:
    """Append what is missing to the partial file, or write it anew if the server does not continue."""
    request = urllib.request.Request(url, headers={"User-Agent": "pixel-lm", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is not of this file
            partial.unlink()
            raise http.client.HTTPException("it could not be continued") from None
        raise FailedError(f"{url}: HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else None
        raise UnreachableError(reason or str(error.reason)) from None
    with response:
        continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if continues else 0
        progress(have)
        with open(partial, "ab" if continues else "wb") as file:
            # One byte too many is enough to see that it is another file.
            while have <= size and (data := response.read(_CHUNK_BYTES)):
                file.write(data)
                have += len(data)
                progress(have)
