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

from aiohttp.web import Application
from aiohttp.web_urldispatcher import StaticResource
from pydantic import BaseModel, SecretStr
from redis.asyncio import Redis

import app
import callback_campaigns
import crm
import ivr
import kernel
import speech
import telephony
import web
from app.setting_sections import Section
from app.settings import PREFIX, Settings
from crm.service import CustomerDirectory
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import create_database
from kernel.events import Event, registered
from telephony.board_reader import BoardReader
from telephony.desk import AgentDesk
from telephony.history import CallHistory
from web.app import create_app
from web.deps import WebDeps, WebSettings
from web.permissions import GRANTS, Access, Permission, Role, access_of, routes_of

PACKAGES = (kernel, telephony, speech, crm, ivr, callback_campaigns, web, app)
NOT_IMPORTED = ("app.migrations", "app.runtime.child")
"""They act when they are imported: for Alembic within an upgrade, as a program of its own."""
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
    return {
        "configuration.md": _configuration(),
        "events.md": _events(),
        "metrics.md": _metrics(),
        "routes.md": _routes(),
    }


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
            if not module.name.startswith(NOT_IMPORTED):
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


def _application() -> Application:
    """The whole web application, complete but for anything behind it: nothing is connected or read."""
    database, clock, bus = create_database("sqlite://"), SystemClock(), Bus()
    return create_app(
        WebDeps(
            settings=WebSettings(),
            clock=clock,
            database=database,
            bus=bus,
            redis=None,
            history=CallHistory(database),
            board=BoardReader(Redis(), clock, bus, node="pbx1"),
            desk=AgentDesk(database, clock, bus, worker="documents"),
            customers=CustomerDirectory(database),
            tasks_health=dict,
        )
    )


def _who(access: Access) -> str:
    if access.is_public:
        return "anybody"
    return f"`{access.permission}`" if access.permission else "whoever is signed in"


def _routes() -> str:
    found: dict[str, list[str]] = {}
    for route in routes_of(_application()):
        access = access_of(route)
        if route.resource is None or access is None or route.method == "HEAD":
            continue
        if isinstance(route.resource, StaticResource):
            continue
        path = route.resource.canonical
        says = _first_line(route.handler.__doc__)
        found.setdefault(path, []).append(f"| {route.method} | `{path}` | {_who(access)} | {says} |")
    lines = [
        GENERATED,
        "# Routes",
        "",
        "Pages take the session's cookie; the API, which `/api/v1/openapi.json` describes, takes a bearer",
        "token as well. Whatever changes something must come from a page of ours or carry a token.",
        "",
        "| method | path | for | does |",
        "|---|---|---|---|",
        *(line for path in sorted(found) for line in found[path]),
        "",
        "## Roles",
        "",
        "| permission | " + " | ".join(Role) + " |",
        "|---|" + "---|" * len(Role),
    ]
    for permission in Permission:
        marks = " | ".join("yes" if permission in GRANTS[role] else "" for role in Role)
        lines.append(f"| `{permission}` | {marks} |")
    return "\n".join([*lines, ""])
