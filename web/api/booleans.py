"""Finds `true` where a number is asked for: Python, and so the validation, takes it for 1."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

NUMBERS = (int, float, Decimal)


def as_numbers(asked: Any, given: object, place: str = "") -> Iterator[str]:
    """Yield the places of truth values that stand for numbers.

    Args:
        asked: a model, or the annotation of a member.
        given: the JSON that was sent for it.
    """
    kinds = tuple(_kinds(asked))
    if isinstance(given, bool):
        plain = [kind for kind in kinds if isinstance(kind, type)]
        if not {bool, object} & set(plain) and any(issubclass(kind, NUMBERS) for kind in plain):
            yield place
    elif isinstance(given, Mapping):
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                for name, field in kind.model_fields.items():
                    key = field.alias or name
                    if key in given:
                        yield from as_numbers(field.annotation, given[key], f"{place}.{key}".lstrip("."))
            elif get_origin(kind) is dict:
                for key, value in given.items():
                    yield from as_numbers(get_args(kind)[1], value, f"{place}.{key}".lstrip("."))
    elif isinstance(given, list):
        for kind in kinds:
            if get_origin(kind) in {list, tuple, set, frozenset}:
                for number, value in enumerate(given):
                    yield from as_numbers(get_args(kind)[0], value, f"{place}.{number}".lstrip("."))


def _kinds(asked: Any) -> Iterator[Any]:
    """Yield what a value may be: the members of unions, without their constraints."""
    if hasattr(asked, "__metadata__"):
        yield from _kinds(get_args(asked)[0])
    elif get_origin(asked) in {Union, UnionType}:
        for kind in get_args(asked):
            yield from _kinds(kind)
    elif asked is Any:
        yield object
    else:
        yield asked
