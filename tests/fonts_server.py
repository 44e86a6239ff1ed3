"""A server of font files on this machine, with the faults that real ones have, and a small list of fonts to fetch from it."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pixel_lm.rendering.pinned_fonts import PinnedFont


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
class FontServer:
    """Serves `files`. `faults` by path: how many bytes to send before the connection breaks, each used once."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int]] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def add(self, font: PinnedFont, data: bytes) -> None:
        """Serve a font of the list."""
        self.files[f"/{font.path}"] = data


@contextmanager
def font_server() -> Iterator[FontServer]:
    """Run a server on a free port of 127.0.0.1."""
    state = FontServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            if self.path not in state.files:
                self.send_error(404)
                return
            data = state.files[self.path]
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start and start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            faults = state.faults.get(self.path)
            self.wfile.write(data[start : start + faults.pop(0)] if faults else data[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
