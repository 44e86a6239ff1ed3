"""Building: compiles `src/pixel_lm/rendering/native` if there is a C compiler. Without one the package works too, only rendering is slower.

PIXEL_LM_COMPILE=0 leaves it out, PIXEL_LM_COMPILE=1 makes it an error if it cannot be compiled (for wheels that are published). The
library does not depend on the version of Python, so a wheel is for any of one platform.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("src/pixel_lm/rendering/native")


class CompileNative(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled library to wheels, and puts it beside its sources for editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together."""
        wanted = os.environ.get("PIXEL_LM_COMPILE", "")
        if wanted == "0":
            return
        folder = Path(self.root) / NATIVE
        try:
            library = compile_library(folder)
        except Exception as error:  # compilers fail in many ways
            if wanted == "1":
                raise
            self.app.display_warning(f"rendering is not compiled and will be slower: {type(error).__name__}: {error}")
            return
        build_data["artifacts"].append(f"{NATIVE.as_posix()}/{library.name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compile_library(folder: Path) -> Path:
    """Compile the sources of a folder to a library beside them, which knows the SHA-256 of what it was made of."""
    from setuptools._distutils import ccompiler
    from setuptools._distutils import sysconfig as compiler_settings

    sources = sorted(folder.glob("*.c"))
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.[ch]")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    compiler = ccompiler.new_compiler()
    compiler_settings.customize_compiler(compiler)
    is_msvc = compiler.compiler_type == "msvc"
    options = ["/O2", "/std:c11"] if is_msvc else ["-O3", "-std=c11", "-fvisibility=hidden"]
    target = folder / ("lines.dll" if is_msvc else "lines.so")
    with tempfile.TemporaryDirectory() as scratch:
        # A header, for quotation marks in options mean something else to each compiler.
        (Path(scratch) / "sources.h").write_text(f'#define PIXEL_LM_SOURCES "{digest.hexdigest()}"\n')
        objects = compiler.compile(
            [str(source) for source in sources],
            output_dir=scratch,
            include_dirs=[scratch],
            extra_preargs=options,
        )
        built = Path(scratch) / target.name
        compiler.link_shared_object(objects, str(built))
        shutil.copy2(built, target.with_suffix(".new"))
        os.replace(target.with_suffix(".new"), target)  # a library in use keeps its file
    return target
