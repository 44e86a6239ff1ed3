"""`AutoConfig`, `AutoModel…` and `AutoProcessor` of transformers know pixel models and their renderer after `import pixel_lm`.

Importing this package must cost nothing, and transformers takes seconds. So registration waits until a program imports the Auto
classes, whether that was before or comes after.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixel_lm.rendering import TextRenderer

__all__ = ["PixelProcessor", "register_when_imported"]

# What transformers passes on that is of no use to a renderer.
_NOT_FOR_RENDERERS = ("_from_auto", "force_download", "proxies", "subfolder", "trust_remote_code")

_AUTO_CONFIG = "transformers.models.auto.configuration_auto"
# Modules, and what each of them has when its import is complete.
_NEEDED = {"transformers.modeling_utils": "PreTrainedModel", "transformers.models.auto.modeling_auto": "AutoModel"}


class PixelProcessor:
    """What `AutoProcessor` calls: it gives a `TextRenderer`."""

    @classmethod
    def from_pretrained(cls, name_or_path: str, **options: Any) -> TextRenderer:
        """The renderer of a folder or a repository on the hub, see `TextRenderer.from_pretrained`."""
        from pixel_lm.rendering import TextRenderer

        return TextRenderer.from_pretrained(
            name_or_path, **{name: value for name, value in options.items() if name not in _NOT_FOR_RENDERERS}
        )


def register_when_imported() -> None:
    """Register now if the Auto classes are there, else as soon as they are."""
    # The first is imported in the middle of the others, when our models, which need these, cannot be imported yet.
    for module in (_AUTO_CONFIG, *_NEEDED):
        _after_import(module, _register_models)
    _after_import("transformers.models.auto.processing_auto", _register_processor)


def _register_models() -> None:
    # If our models are what asks for the Auto classes, they register themselves when they are complete.
    waiting = [name for name, last in _NEEDED.items() if name in sys.modules and not hasattr(sys.modules[name], last)]
    if _AUTO_CONFIG in sys.modules and not waiting and "pixel_lm.models" not in sys.modules:
        importlib.import_module("pixel_lm.models")


def _register_processor() -> None:
    from transformers.models.auto.processing_auto import AutoProcessor

    from pixel_lm.models.config import PixelConfig

    AutoProcessor.register(PixelConfig, PixelProcessor, exist_ok=True)


def _after_import(module: str, action: Callable[[], None]) -> None:
    if module in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _Finder(module, action))


class _Finder(MetaPathFinder):
    """Finds one module as everybody does, and has an action follow its import."""

    def __init__(self, module: str, action: Callable[[], None]) -> None:
        self._module = module
        self._action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._action)
        return spec


class _Loader(Loader):
    """Another loader, and an action after it."""

    def __init__(self, loader: Loader, action: Callable[[], None]) -> None:
        self._loader = loader
        self._action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._action()
