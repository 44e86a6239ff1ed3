"""Recipes: named settings of a job as YAML.

A recipe holds only what differs from the defaults of `PretrainArguments` or `FinetuneArguments`. Precedence is default,
then recipe, then command line. Nothing is ignored: an unknown or repeated key and a value of the wrong type are errors that
name the file and the line.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from pixel_lm.errors import UserError
from pixel_lm.training.arguments import JobArguments, to_dict
from pixel_lm.training.options import check_value, field_types, type_name

A = TypeVar("A", bound=JobArguments)


def recipes_dir() -> Path:
    """The folder of the recipes that come with pixel-lm: inside an installed package, beside `src` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / "recipes"


def recipe_names(job: str) -> list[str]:
    """Names of the recipes of a job (`pretrain`, `finetune/pos`), sorted."""
    folder = recipes_dir() / job
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_recipe(name_or_path: str, job: str) -> Path:
    """The file of a recipe, given as a path or as the name of one that comes with pixel-lm.

    Raises:
        UserError: there is no such file; the message lists near matches or all names.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix not in (".yaml", ".yml"):
        shipped = recipes_dir() / job / f"{name_or_path}.yaml"
        if shipped.is_file():
            return shipped
        names = recipe_names(job)
        close = difflib.get_close_matches(name_or_path, names) or names
        raise UserError(
            f"no recipe {name_or_path!r} for {job}: choose {_listed(close)}, or give the path of a .yaml file"
        )
    raise UserError(f"{name_or_path}: no such recipe file")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1] if names else "another"


class _Loader(yaml.SafeLoader):
    """YAML with two changes: numbers such as 5e-5 are numbers (YAML 1.1 wants 5.0e-5), and keys must not repeat."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_recipe(path: Path, cls: type[A]) -> dict[str, Any]:
    """Read a recipe as a dict from field name to value.

    Raises:
        UserError: unreadable file, broken YAML, unknown or repeated key, value of the wrong type.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{path}: a recipe consists of lines `key: value`")
        types = field_types(cls)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = f"{path}, line {key_node.start_mark.line + 1}"
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            if key not in types:
                close = difflib.get_close_matches(key, types, n=3)
                hint = (
                    f"did you mean {_listed(close)}?" if close else "see --help for the settings (with - in place of _)"
                )
                raise UserError(f"{where}: unknown setting {key!r}; {hint}")
            if key in values:
                raise UserError(f"{where}: {key!r} is given twice")
            value = loader.construct_object(value_node, deep=True)
            try:
                values[key] = check_value(types[key], value)
            except TypeError:
                raise UserError(f"{where}: {key} must be {_article(type_name(types[key]))}, not {value!r}") from None
        return values
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{place}: {error.problem or 'not valid YAML'}") from None
    finally:
        loader.dispose()


def _article(name: str) -> str:
    if name.startswith(("one of", "true", "text")):
        return name
    return ("an " if name[0] in "aeiou" else "a ") + name


def resolve(cls: type[A], job: str, recipe: str | None, given: Mapping[str, Any]) -> A:
    """Arguments of a job from defaults, recipe and command line, each overriding the one before.

    Args:
        cls: `PretrainArguments` or `FinetuneArguments`.
        job: folder below `recipes/` that named recipes are looked for in.
        recipe: name or path, or None.
        given: values from the command line, by field name; lists become tuples.
    """
    values = read_recipe(find_recipe(recipe, job), cls) if recipe else {}
    name = values.get("recipe")  # in the settings of a run, which may be used as a recipe
    values.update({key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    if name is not None:
        values["recipe"] = name
    return dataclasses.replace(cls(), **values)


def as_yaml(arguments: JobArguments) -> str:
    """All settings as YAML that `read_recipe` reads back."""
    return yaml.safe_dump(to_dict(arguments), sort_keys=False, allow_unicode=True)
