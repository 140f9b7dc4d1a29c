"""The documents that are made from the code: settings, events, metrics and routes.

``huifang docs`` writes them; a test fails when one is out of date.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

import crm
import ivr
import kernel
import telephony
import web
from app.settings import PREFIX, Section, Settings
from kernel.events import Event, registered

PACKAGES = (kernel, telephony, crm, ivr, web)
GENERATED = "<!-- Written by `huifang docs`; change the code, not this file. -->\n"


def write_all(folder: Path) -> tuple[Path, ...]:
    """Write every generated document into ``folder``; return the paths."""
    written = []
    for name, text in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)


def documents() -> dict[str, str]:
    """Return file name → text of every generated document."""
    return {"configuration.md": _configuration(), "events.md": _events(), "metrics.md": _metrics()}


def _sections(
    model: type[BaseModel], path: tuple[str, ...], meaning: str
) -> Iterator[tuple[tuple[str, ...], type[BaseModel], str]]:
    yield path, model, meaning
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _sections(kind, (*path, name), (kind.__doc__ or "").strip())


def _kind(annotation: Any) -> str:
    if annotation is SecretStr:
        return "secret"
    if annotation == tuple[str, ...]:
        return "list"
    if isinstance(annotation, type) and not isinstance(annotation, UnionType):
        return {
            "str": "text",
            "int": "number",
            "float": "number",
            "bool": "true or false",
            "Path": "path",
        }.get(annotation.__name__, annotation.__name__)
    return " / ".join(f"`{choice}`" for choice in get_args(annotation))


def _default(value: Any) -> str:
    if isinstance(value, SecretStr) or value == "":
        return ""
    if isinstance(value, tuple):
        return f"`{', '.join(value)}`" if value else ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _configuration() -> str:
    lines = [
        GENERATED,
        "# Configuration",
        "",
        f"Each setting can stand in the environment (`{PREFIX}` and the name, `__` between section and",
        "name, lists with commas) or in a TOML file (`huifang.toml` in the working directory, or the file",
        f"that `{PREFIX}CONFIG` names). The environment outweighs the file. A name that does not exist is an",
        "error.",
        "",
    ]
    for path, model, meaning in _sections(Settings, (), "General."):
        fields = [
            (name, field)
            for name, field in model.model_fields.items()
            if not (isinstance(field.annotation, type) and issubclass(field.annotation, Section))
        ]
        lines += [f"## {'[' + '.'.join(path) + ']' if path else 'General'}", "", meaning if path else "", ""]
        lines += ["| setting | environment | kind | default | meaning |", "|---|---|---|---|---|"]
        for name, field in fields:
            variable = PREFIX + "__".join((*path, name)).upper()
            lines.append(
                f"| `{name}` | `{variable}` | {_kind(field.annotation)} | {_default(field.default)} "
                f"| {field.description} |"
            )
        lines.append("")
    return "\n".join(lines)


def _import_everything() -> None:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n\n")[0].replace("\n", " ")


def _events() -> str:
    _import_everything()
    inherited = {field.name for field in dataclasses.fields(Event)}
    lines = [
        GENERATED,
        "# Events",
        "",
        "Told on the bus when they happen; facts also go through the outbox and arrive at least once.",
        "Every event has `event_id` (ULID; consumers are idempotent on it) and `at`.",
        "",
        "| event | package | says | fields |",
        "|---|---|---|---|",
    ]
    for name, cls in sorted(registered().items()):
        if cls.__module__.startswith("tests."):
            continue
        fields = ", ".join(
            f"`{field.name}`" for field in dataclasses.fields(cls) if field.name not in inherited
        )
        lines.append(f"| `{name}` | `{cls.__module__}` | {_first_line(cls.__doc__)} | {fields} |")
    return "\n".join([*lines, ""])


def _metrics() -> str:
    from prometheus_client import REGISTRY

    _import_everything()
    lines = [GENERATED, "# Metrics", "", "`GET /metrics`.", "", "| metric | kind | says |", "|---|---|---|"]
    families = sorted(REGISTRY.collect(), key=lambda family: family.name)
    lines += [
        f"| `{family.name}` | {family.type} | {family.documentation} |"
        for family in families
        if family.name.startswith("huifang_")
    ]
    return "\n".join([*lines, ""])
