"""Renderers on disk and on the hub: `text_renderer_config.json` and the font files."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixel_lm.errors import UserError
from pixel_lm.rendering.config import CONFIG_NAME, RendererConfig, read_config
from pixel_lm.rendering.discovery import find_font
from pixel_lm.rendering.fonts import FontSource

__all__ = ["SavedRenderer", "save"]

logger = logging.getLogger(__name__)

_FALLBACK_FOLDER = "fonts"


def save(directory: str | Path, config: RendererConfig, font_sources: Sequence[FontSource], renderer_type: str) -> None:
    """Write settings and fonts into a folder: see `TextRenderer.save_pretrained`.

    Args:
        directory: made if it is missing.
        font_sources: the main font and its fallbacks.
        renderer_type: the name of the class, which the file mentions.

    Raises:
        UserError: the folder cannot be written.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files = [_copy_font(font_sources[0].path, directory)]
        if len(font_sources) > 1:
            (directory / _FALLBACK_FOLDER).mkdir(exist_ok=True)
            files += [_copy_font(source.path, directory / _FALLBACK_FOLDER) for source in font_sources[1:]]
        main, *fallbacks = font_sources
        values: dict[str, Any] = {
            **dataclasses.asdict(config),
            "font_file": files[0],
            "font_index": main.index,
            "font_sha256": main.sha256,
            "text_renderer_type": renderer_type,
            "fallback_fonts": [
                {"file": f"{_FALLBACK_FOLDER}/{name}", "index": source.index, "sha256": source.sha256}
                for name, source in zip(files[1:], fallbacks, strict=True)
            ],
        }
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        (directory / CONFIG_NAME).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write the renderer to {directory}: {error.strerror or error}") from None


class SavedRenderer:
    """A saved renderer: a folder on disk or a repository on the hub.

    Args:
        name_or_path: folder with a configuration, the configuration file itself, or a name on the hub.
        hub: keyword arguments of `hf_hub_download`.

    Raises:
        UserError: the configuration is missing or malformed. Its methods raise it, too: for fields with impossible values, for a font
            that is missing or not the one that was saved.
    """

    def __init__(self, name_or_path: str | Path, hub: dict[str, Any]) -> None:
        self.name = str(name_or_path)
        self.hub = hub
        path = Path(name_or_path)
        self.directory = path if path.is_dir() else path.parent if path.is_file() else None
        if self.directory is None and (path.is_absolute() or self.name.count("/") > 1 or self.name.startswith(".")):
            raise UserError(f"{path} does not exist; expected a folder with a {CONFIG_NAME}")
        self.config_file = path if path.is_file() else self._file(CONFIG_NAME)
        self.values = read_config(self.config_file)

    def config(self) -> RendererConfig:
        """The stored settings."""
        return RendererConfig.from_dict(self.values, str(self.config_file))

    def main_font(self) -> FontSource:
        """The stored main font."""
        values = self.values
        return self._font(values.get("font_file"), values.get("font_index", 0), values.get("font_sha256"))

    def fallback_fonts(self) -> list[FontSource] | None:
        """The stored fonts for what the main font lacks; None if the configuration says nothing of them, as published ones do."""
        entries = self.values.get("fallback_fonts")
        if entries is None:
            return None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"{self.config_file}: fallback_fonts must be a list of objects with file, index and sha256")
        return [self._font(entry.get("file"), entry.get("index", 0), entry.get("sha256")) for entry in entries]

    def _file(self, file_name: str) -> Path:
        if self.directory is not None:
            return self.directory / file_name
        import huggingface_hub

        try:
            return Path(huggingface_hub.hf_hub_download(self.name, file_name, **self.hub))
        except Exception as error:
            raise UserError(
                f"{self.name} is neither a folder here nor reachable on the hub ({file_name}: {error})"
            ) from None

    def _font(self, file_name: Any, index: Any, sha256: Any) -> FontSource:
        """The stored font; if the folder lacks it, one of the same name and content on this machine."""
        if not isinstance(file_name, str) or Path(file_name).is_absolute() or ".." in Path(file_name).parts:
            raise UserError(f"{self.config_file}: font file {file_name!r} must be a name relative to the folder")
        if not isinstance(index, int) or not isinstance(sha256, str | None):
            raise UserError(f"{self.config_file}: index and SHA-256 of {file_name} must be a number and a text")
        path = self._file(file_name)
        if not path.is_file():
            elsewhere = find_font(Path(file_name).name)
            if elsewhere is None:
                raise UserError(
                    f"{self.config_file} needs the font {file_name}, which is neither beside it nor on this machine"
                )
            if sha256 is None:
                logger.warning(
                    "%s lacks its font %s; drawing with %s, which may differ", self.name, file_name, elsewhere
                )
            path = elsewhere
        source = FontSource(path, index)
        source.check()
        if sha256 is not None and source.sha256 != sha256:
            raise UserError(
                f"{path} is not the font that was saved with {self.name}: its SHA-256 is {source.sha256}, expected {sha256}; "
                "copy the folder again from where it came, or choose another font on purpose with font=… or fallback_fonts=… "
                "and save the renderer again"
            )
        return source


def _copy_font(path: Path, directory: Path) -> str:
    target = directory / path.name
    if not (target.exists() and target.samefile(path)):
        shutil.copyfile(path, target)
    return path.name
