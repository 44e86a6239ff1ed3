"""How the package hangs together: import directions, what an import costs, what is declared as a dependency."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pixel_lm

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "pixel_lm"
HEAVY = {"accelerate", "datasets", "matplotlib", "pandas", "pyarrow", "torch", "transformers"}


def loaded_by(statements: str) -> set[str]:
    """Top-level names of all modules that a new interpreter has loaded after these statements."""
    code = statements + "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split())


def test_imports_run_one_way() -> None:
    """The contracts of [tool.importlinter] in pyproject.toml, which also forbid cycles and rooms that have no place.

    In a process of its own: the linter switches off the loggers of its process.
    """
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout


def test_package_alone_loads_nothing() -> None:
    third_party = set(packages_distributions()) - {"pixel_lm"}
    # Editable installs and coverage tools load themselves at start-up: subtract what a bare interpreter has.
    assert not loaded_by("import pixel_lm") & third_party - loaded_by("")


@pytest.mark.parametrize(
    "statements",
    [
        "import pixel_lm.rendering",
        "from pixel_lm import TextRenderer; TextRenderer()('Any script: ไทย, العربية')",
        "import pixel_lm.data.conllu",
        "import pixel_lm.data.nli, pixel_lm.data.questions, pixel_lm.tasks.answers, pixel_lm.tasks.metrics.parsing",
        "from pixel_lm.cli.main import build_parser; build_parser()",
    ],
)
def test_loads_neither_torch_nor_transformers(statements: str) -> None:
    assert not loaded_by(statements) & HEAVY


def test_lazy_exports() -> None:
    assert set(pixel_lm.__all__) <= set(dir(pixel_lm))
    for name in pixel_lm.__all__:
        assert getattr(pixel_lm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Tokenizer'"):
        pixel_lm.Tokenizer  # noqa: B018


def imported_names() -> Iterator[tuple[str, Path]]:
    """Top-level name of every absolute import in the package, those inside functions included."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module
                yield node.module.partition(".")[0], path


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # What only some users need is imported where it is used, and its absence explained there.
    optional = project["optional-dependencies"]["onnx"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"] + optional}
    distributions = packages_distributions()
    for name, path in imported_names():
        if name != "pixel_lm" and name not in sys.stdlib_module_names:
            found = {canonicalize_name(distribution) for distribution in distributions.get(name, [name])}
            assert found & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not require"
