"""Domain events: facts in the past tense, and their JSON form on the wire between processes."""

import dataclasses
from datetime import datetime
from typing import Any, TypeVar, dataclass_transform

import pydantic

from kernel.errors import Invalid
from kernel.ids import new_ulid


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events.

    Attributes:
        event_id: ULID; consumers are idempotent on it.
        at: when it happened, aware UTC.
    """

    event_id: str = dataclasses.field(default_factory=new_ulid)
    at: datetime


E = TypeVar("E", bound=Event)

_types: dict[str, type[Event]] = {}
_adapters: dict[type[Event], pydantic.TypeAdapter[Any]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def event(cls: type[E]) -> type[E]:
    """Make ``cls`` a frozen, slotted, keyword-only dataclass and register it under its class name."""
    made = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
    known = _types.get(made.__name__)
    if known is not None and known.__module__ != made.__module__:
        raise TypeError(f"event {made.__name__} is defined twice: {known.__module__}, {made.__module__}")
    _types[made.__name__] = made
    return made


def registered() -> dict[str, type[Event]]:
    """Return all event classes by name."""
    return dict(_types)


def _adapter(cls: type[Event]) -> pydantic.TypeAdapter[Any]:
    adapter = _adapters.get(cls)
    if adapter is None:
        adapter = _adapters[cls] = pydantic.TypeAdapter(cls)
    return adapter


def encode(item: Event) -> bytes:
    """Return ``{"type": name, "event": {…}}`` as JSON bytes.

    Raises:
        Invalid: the class was not registered with :func:`event`.
    """
    cls = type(item)
    if _types.get(cls.__name__) is not cls:
        raise Invalid(f"event {cls.__name__} is not registered")
    body: bytes = _adapter(cls).dump_json(item)
    return b'{"type":"' + cls.__name__.encode() + b'","event":' + body + b"}"


_envelope = pydantic.TypeAdapter(dict[str, Any])


def decode(raw: bytes) -> Event:
    """Return the event that :func:`encode` wrote.

    Raises:
        Invalid: not JSON of that shape, or of a type this version does not know.
    """
    try:
        envelope = _envelope.validate_json(raw)
        cls = _types[envelope["type"]]
        made: Event = _adapter(cls).validate_python(envelope["event"])
    except KeyError as error:
        raise Invalid(f"unknown event type {error}") from error
    except pydantic.ValidationError as error:
        raise Invalid(f"not an event: {error.error_count()} errors") from error
    return made
