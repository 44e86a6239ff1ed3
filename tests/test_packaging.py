"""What users install: the wheel, and what the constraints pin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pixel_lm.rendering.native import LIBRARY

ROOT = Path(__file__).resolve().parents[1]


def platform_tag() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(directory), versions=["standard"])))


def test_wheel_holds_package_data_and_recipes(wheel: Path) -> None:
    """The compiled part makes it a wheel for one platform, and for any version of Python there."""
    assert wheel.name.endswith(f"-py3-none-{platform_tag()}.whl" if LIBRARY.exists() else "-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "pixel_lm").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    recipes = {f"pixel_lm/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "recipes").rglob("*.*")}
    assert recipes
    assert names == source | recipes


def test_installed_wheel_finds_its_recipes(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-m", "pixel_lm", "pretrain", "pixel-base", "--show-settings"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stderr
    assert "precision: fp16" in result.stdout
    where = subprocess.run(
        [sys.executable, "-c", "import pixel_lm; print(pixel_lm.__file__)"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(tmp_path), "the checkout was tested instead of the wheel"
    command = [sys.executable, "-m", "pixel_lm", "--version"]
    version = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert version.stdout.endswith("rendering: compiled\n" if LIBRARY.exists() else "rendering: Python alone\n")


def build(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, **environment}
    )


def test_without_a_compiler_the_wheel_is_for_any_platform(tmp_path: Path) -> None:
    for number, environment in enumerate(({"PIXEL_LM_COMPILE": "0"}, {"CC": "/no/such/compiler", "LDSHARED": "none"})):
        result = build(tmp_path / str(number), **environment)
        assert result.returncode == 0, result.stderr
        assert ("rendering is not compiled and will be slower" in result.stderr) == (number == 1)
        (made,) = (tmp_path / str(number)).glob("*.whl")
        assert made.name.endswith("-py3-none-any.whl")
        with zipfile.ZipFile(made) as archive:
            assert not [name for name in archive.namelist() if name.endswith((".so", ".dll"))]


def test_a_wheel_that_is_to_be_compiled_is_not_made_without_it(tmp_path: Path) -> None:
    result = build(tmp_path, CC="/no/such/compiler", LDSHARED="none", PIXEL_LM_COMPILE="1")
    assert result.returncode != 0 and not list(tmp_path.glob("*.whl"))


def test_constraints_are_exact_and_cover_the_dependencies() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pattern = re.compile(r"[\w.-]+==[\w.]+")  # neither ranges nor addresses nor local suffixes such as +cpu
    assert not [pin for pin in pins if not pattern.fullmatch(pin)]
    pinned = {canonicalize_name(name): version for name, version in (pin.split("==") for pin in pins)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(line) for line in project["dependencies"] + extras["dev"] + extras["docs"]]
    assert {canonicalize_name(requirement.name) for requirement in wanted} <= pinned.keys()
    for requirement in wanted:
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, (
            f"{requirement} excludes the tested version"
        )
