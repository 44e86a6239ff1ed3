"""From dataclasses of settings to the command line: one option for each field, explained by the field itself.

A field made by `setting` carries its explanation. From it and from its type come the option (`add_options`), the check on a value in
a recipe (`check_value`) and the names of types in messages (`type_name`). Knows nothing of the settings themselves, which are in
`arguments.py`.
"""

from __future__ import annotations

import argparse
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, Literal

__all__ = ["add_options", "check_value", "field_types", "given_options", "setting", "shown", "type_name"]


def setting(default: Any, help: str, *, metavar: str = "TEXT", positional: bool = False) -> Any:
    """A dataclass field with its explanation. Lists are given as tuples, since the classes are frozen."""
    return field(default=default, metadata={"help": help, "metavar": metavar, "positional": positional})


# ---------------------------------------------------------------------------------------------------------------------
# Types of fields


def field_types(cls: type[Any]) -> dict[str, Any]:
    """The resolved annotation of every field."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls)}


def _is_optional(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (types.UnionType, typing.Union) and type(None) in annotation.__args__


def _strip_optional(annotation: Any) -> Any:
    if _is_optional(annotation):
        return next(a for a in annotation.__args__ if a is not type(None))
    return annotation


def _element(annotation: Any) -> Any | None:
    """The element type of `tuple[X, ...]`, or None for a scalar."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is tuple else None


def type_name(annotation: Any) -> str:
    """How a type is called in messages: 'integer', 'list of texts', 'one of span, random' …"""
    annotation = _strip_optional(annotation)
    if (element := _element(annotation)) is not None:
        return f"list of {type_name(element)}s"
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(typing.get_args(annotation))
    if typing.get_origin(annotation) is Mapping:
        return "table of numbers"
    return {int: "integer", float: "number", str: "text", bool: "true or false"}[annotation]


def check_value(annotation: Any, value: Any) -> Any:
    """Return a value read from YAML in the form that the field has, or raise TypeError.

    An integer is accepted where a number is wanted, a single value where a list is wanted; nothing else is converted.
    """
    if value is None:
        if _is_optional(annotation):
            return None
        raise TypeError
    annotation = _strip_optional(annotation)
    if (element := _element(annotation)) is not None:
        return tuple(check_value(element, item) for item in (value if isinstance(value, list | tuple) else [value]))
    if typing.get_origin(annotation) is Literal:
        if value not in typing.get_args(annotation):
            raise TypeError
        return value
    if typing.get_origin(annotation) is Mapping:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise TypeError
        return {name: check_value(float, number) for name, number in value.items()}
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not annotation:
        raise TypeError
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Command line


def _number(kind: type[int | float]) -> Any:
    def parse(text: str) -> Any:
        return kind(text.replace("_", ""))

    parse.__name__ = "integer" if kind is int else "number"  # argparse shows it: "invalid integer value: 'x'"
    return parse


class _Numbers(argparse.Action):
    """`NAME=NUMBER …` → a dict."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        numbers = {}
        for text in values:
            name, _, number = text.partition("=")
            try:
                numbers[name] = float(number)
            except ValueError:
                parser.error(f"argument {option_string}: {text!r} is not NAME=NUMBER")
        setattr(namespace, self.dest, numbers)


def shown(value: Any) -> str:
    """A value as one would type it."""
    if value is None or value == () or value == "":
        return "none"
    if isinstance(value, dict):
        return " ".join(f"{name}={number:g}" for name, number in value.items())
    if isinstance(value, tuple):
        return " ".join(str(v) for v in value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _group(cls: type[Any], name: str) -> str:
    """The heading of a field in the help: the docstring of the group that declares it, `training` for the jobs' own."""
    owner = next(c for c in reversed(cls.__mro__) if name in inspect.get_annotations(c))
    made_of_groups = len(owner.__mro__) > 2  # as the jobs are
    return "training" if made_of_groups else owner.__doc__ or ""


def add_options(parser: argparse.ArgumentParser, cls: type[Any]) -> None:
    """Add one option per field: `--learning-rate NUMBER`, `--text FILE [FILE …]`, `--cpu`/`--no-cpu`.

    Options that are not given leave no trace in the parsed namespace, so that recipe and defaults stay visible.
    """
    hints = field_types(cls)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for f in fields(cls):
        if f.metadata["positional"]:
            continue
        annotation = _strip_optional(hints[f.name])
        required = f.name == "output_dir"
        help_text = f.metadata["help"].replace("%", "%%") + ("" if required else f" (default: {shown(f.default)})")
        options: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": f.name, "help": help_text}
        if typing.get_origin(annotation) is Mapping:
            options.update(nargs="+", action=_Numbers, metavar="NAME=NUMBER")
        elif annotation is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            element = _element(annotation)
            if element is not None:
                options["nargs"] = "*"
            kind = element or annotation
            if typing.get_origin(kind) is Literal:
                options["choices"] = typing.get_args(kind)
            elif kind in (int, float):
                options.update(type=_number(kind), metavar="INTEGER" if kind is int else "NUMBER")
            else:
                options["metavar"] = f.metadata["metavar"]
        title = _group(cls, f.name)
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        groups[title].add_argument("--" + f.name.replace("_", "-"), **options)


def given_options(cls: type[Any], namespace: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line, by field name."""
    return {f.name: getattr(namespace, f.name) for f in fields(cls) if hasattr(namespace, f.name)}
