"""A server of font files on this machine, and a small list of fonts to fetch from it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixel_lm.rendering.pinned_fonts import PinnedFont
from tests.file_server import FileServer, serve


def dejavu(name: str) -> Path:
    """A font that matplotlib carries."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "mpl-data/fonts/ttf" / name


def pin(data: bytes, family: str, file: str, ranges: tuple[tuple[int, int], ...] = ()) -> PinnedFont:
    """An entry for these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    path = f"@odd/{family.lower().replace(' ', '-')}@1.0/{file.replace('-Regular', '_400Regular')}"
    return PinnedFont(family, ("Latn",), file, "2.37", len(data), digest, path, True, ranges)


@dataclass
class FontServer(FileServer):
    """Serves fonts of the list."""

    def add(self, font: PinnedFont, data: bytes) -> None:
        """Serve a font of the list."""
        self.files[f"/{font.path}"] = data


@contextmanager
def font_server() -> Iterator[FontServer]:
    """Run a server on a free port of 127.0.0.1."""
    state = FontServer()
    with serve(state):
        yield state
