"""The compiled part: C sources, and the library that the installation makes of them (see `hatch_build.py`)."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import warnings
from functools import cache
from pathlib import Path

import uharfbuzz

__all__ = ["LIBRARY", "Library", "library", "sources_digest"]

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / ("lines.dll" if sys.platform == "win32" else "lines.so")

# The functions of HarfBuzz in the order of the structure `HarfBuzz` in lines.h.
_HARFBUZZ = (
    "hb_blob_create_from_file", "hb_blob_destroy", "hb_face_create", "hb_face_destroy", "hb_face_get_glyph_count",
    "hb_font_create", "hb_font_destroy", "hb_font_set_scale", "hb_buffer_create", "hb_buffer_destroy", "hb_buffer_reset",
    "hb_buffer_add_utf32", "hb_buffer_set_direction", "hb_buffer_set_script", "hb_buffer_set_flags",
    "hb_buffer_get_glyph_infos", "hb_buffer_get_glyph_positions", "hb_shape",
)  # fmt: skip

# Arguments of the library's functions; all but those named below return a status.
_ENGINE, _INT, _POINTER = ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p
_FUNCTIONS: dict[str, tuple[type, ...]] = {
    "pixel_lm_set_character": (_ENGINE, ctypes.c_uint32, _POINTER),
    "pixel_lm_set_script": (_ENGINE, _INT, _POINTER),
    "pixel_lm_open_font": (_ENGINE, _INT, ctypes.c_char_p, _INT, _INT),
    "pixel_lm_set_place": (_ENGINE, _POINTER),
    "pixel_lm_set_glyph": (_ENGINE, _INT, ctypes.c_uint32, _INT, _INT, _INT, _INT, ctypes.c_char_p),
    "pixel_lm_set_pressed": (_ENGINE, _POINTER, _INT, _INT, _INT, ctypes.c_char_p),
    "pixel_lm_forget": (_ENGINE,),
    "pixel_lm_lay_out": (_ENGINE, ctypes.c_char_p, _INT, _INT, _POINTER),
    "pixel_lm_draw": (_ENGINE, ctypes.c_uint32, _POINTER, _INT, _INT, _INT),
    "pixel_lm_end_that_fits": (_ENGINE, ctypes.c_uint32, _INT),
    "pixel_lm_words": (_ENGINE, ctypes.c_uint32, _POINTER),
    "pixel_lm_clusters": (_ENGINE, ctypes.c_uint32, _POINTER),
    "pixel_lm_centers": (_ENGINE, ctypes.c_uint32, _POINTER, _POINTER),
}


class Library:
    """The compiled library and the functions of HarfBuzz that it calls.

    Its functions are called with Python's global lock held, which is what keeps threads apart.

    Args:
        path: the library.

    Raises:
        OSError, AttributeError: it cannot be loaded, or the HarfBuzz of this platform shows no functions.
    """

    def __init__(self, path: Path) -> None:
        harfbuzz = ctypes.CDLL(uharfbuzz._harfbuzz.__file__)
        addresses = [ctypes.cast(getattr(harfbuzz, name), ctypes.c_void_p).value for name in _HARFBUZZ]
        self.harfbuzz = (ctypes.c_void_p * len(addresses))(*addresses)
        self.functions = ctypes.PyDLL(str(path))
        for name, arguments in _FUNCTIONS.items():
            getattr(self.functions, name).argtypes = arguments
        self.functions.pixel_lm_new.argtypes = (_POINTER, _INT, _INT, ctypes.c_int64)
        self.functions.pixel_lm_new.restype = ctypes.c_void_p
        self.functions.pixel_lm_free.argtypes = (_ENGINE,)
        self.functions.pixel_lm_free.restype = None
        self.functions.pixel_lm_word_bytes.argtypes = (_ENGINE,)
        self.functions.pixel_lm_word_bytes.restype = ctypes.c_int64
        self.functions.pixel_lm_sources.restype = ctypes.c_char_p


def sources_digest() -> str:
    """SHA-256 of the C sources."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.glob("*.[ch]")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def library() -> Library | None:
    """The library if it is there and fits; None otherwise, or if the environment says PIXEL_LM_COMPILED=0."""
    if os.environ.get("PIXEL_LM_COMPILED") == "0" or not LIBRARY.exists() or not _has_global_lock():
        return None
    try:
        found = Library(LIBRARY)
        reason = (
            "" if found.functions.pixel_lm_sources().decode() == sources_digest() else "it was made from other sources"
        )
    except AttributeError:  # the HarfBuzz of this platform shows no functions
        return None
    except OSError as error:
        reason = str(error)
    if reason:
        warnings.warn(
            f"{LIBRARY} is not used, so that rendering is slower: {reason}. Install the package again (pip install -e .)",
            stacklevel=2,
        )
        return None
    return found


def _has_global_lock() -> bool:
    """Whether one thread at a time runs; not so in free-threaded Python."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())
