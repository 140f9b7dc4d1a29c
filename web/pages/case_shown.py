"""Forms and happenings of cases as the pages show them, whatever the kind of the case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from crm.case_history import Happening
from crm.confidential import HIDDEN
from web import labels
from web.deps import DEPS
from web.i18n import gettext
from web.pages import case_words as words
from web.pages import repair_words, ticket_words
from web.pages.case_forms import Field
from web.pages.case_parts import CASE_HISTORY
from web.pages.case_steps import StepForm, kinds

ACTIONS = {**words.AUDIT_ACTIONS, **repair_words.ACTIONS, **ticket_words.ACTIONS}
FOLLOWS = frozenset({"complaint.status", "complaint.line_waived"})
"""What the log has besides what somebody did: it follows from that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownField:
    """A field with what stands in it; ``groups`` are the options of a choice by heading."""

    field: Field
    name: str
    ident: str
    value: str
    groups: Mapping[str, Mapping[str, str]]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownForm:
    """A form of a step on the page."""

    form: StepForm
    ident: str
    line_id: str
    version: int
    fields: Sequence[ShownField]
    is_open: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHappening:
    """Something that happened, in words."""

    at: datetime
    what: str
    who: str
    line: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A step that somebody tried and that was refused: what they wrote stays on the page."""

    step: str = ""
    line_id: str = ""
    form: Mapping[str, object] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    changed: Sequence[ShownHappening] = ()
    seen: str = ""


def shown_form(
    form: StepForm,
    fields: Sequence[Field],
    attempt: Attempt,
    *,
    version: int,
    line_id: str = "",
    call_id: str = "",
) -> ShownForm:
    """Return a form as it stands on the page: after a refusal with what was written."""
    tried = attempt.step == form.step and attempt.line_id == line_id
    ident = f"step-{form.step}" + (f"-{line_id}" if line_id else "")
    return ShownForm(
        form=form,
        ident=ident,
        line_id=line_id,
        version=version,
        fields=[_field(item, ident, attempt if tried else None, call_id) for item in fields],
        is_open=tried,
        problem=attempt.problem if tried else "",
    )


def _field(item: Field, ident: str, attempt: Attempt | None, call_id: str) -> ShownField:
    value = attempt.form.get(item.name, "") if attempt else item.start
    if item.name == "call_id" and not attempt:
        value = call_id
    groups: Mapping[str, Mapping[str, str]] = {}
    if item.kind == "choice":
        groups = kinds() if item.name == "kind" else {"": item.choices}
    return ShownField(
        field=item,
        name=item.name,
        ident=f"{ident}-{item.name}",
        value=value if isinstance(value, str) else "",
        groups=groups,
        problem=attempt.problems.get(item.name, "") if attempt else "",
    )


async def history_of(
    request: web.Request,
    entity: str,
    case_id: str,
    lines: Mapping[str, str],
    *,
    part: str = "line",
    texts_hidden: bool = False,
) -> list[ShownHappening]:
    """Return what happened to a case, newest first; ``lines``: id → what the page calls it.

    ``texts_hidden``: what was written about the case as a whole is not for who reads it.
    """
    happened = await request.app[CASE_HISTORY].of(entity, case_id, list(lines), part=part)
    shown = [item for item in happened if item.action not in FOLLOWS]
    zone = request.app[DEPS].settings.timezone
    return [_happening(_without_texts(item) if texts_hidden else item, lines, zone) for item in shown]


def _without_texts(item: Happening) -> Happening:
    if item.line_id:
        return item
    after = {key: value for key, value in item.after.items() if key != "root_cause"}
    return replace(item, after=after, why=HIDDEN if item.why else "")


def since(history: Sequence[ShownHappening], seen: str) -> list[ShownHappening]:
    """Return what happened after the page was written; ``seen`` is the page's own word of when."""
    try:
        written = datetime.fromisoformat(seen)
    except ValueError:
        return []
    return [item for item in history if item.at > written] if written.tzinfo else []


def _happening(item: Happening, names: Mapping[str, str], zone: ZoneInfo) -> ShownHappening:
    parts: list[str] = []
    for key, value in item.after.items():
        if key == "backdated":
            parts.append(_backdated(value, zone))
        elif text := _detail(key, value, item.before.get(key)):
            parts.append(text)
    if item.why:
        parts.append(item.why)
    return ShownHappening(
        at=item.at,
        what=labels.word(ACTIONS, item.action),
        who=item.actor,
        line=names.get(item.line_id, ""),
        detail=" · ".join(parts),
    )


def _backdated(value: object, zone: ZoneInfo) -> str:
    at = datetime.fromisoformat(str(value)).astimezone(zone)
    return gettext("补录，发生在 %(at)s") % {"at": f"{at:%m-%d %H:%M}"}


def _detail(key: str, value: Any, before: Any) -> str:
    match key:
        case "status":
            table = {**labels.CASE_STATUSES, **words.LINE_STATUSES}
            new = labels.word(table, value)
            return f"{labels.word(table, before)} → {new}" if before else new
        case "severity":
            new = labels.word(words.SEVERITIES, value)
            return f"{labels.word(words.SEVERITIES, before)} → {new}" if before else new
        case "verdict":
            return labels.word(words.VERDICTS, value)
        case "problem":
            return labels.word(words.PROBLEMS, value)
        case "leads_to":
            return labels.word(words.NEXT_STEPS, value)
        case "call_count":
            return gettext("第 %(n)s 次来电") % {"n": value}
        case "person" | "receipt_no" | "external_no" | "root_cause":
            return str(value or "")
        case _:
            return ""
