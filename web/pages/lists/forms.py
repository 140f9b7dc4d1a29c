"""Forms that stand in the rows of a list: one that is refused keeps what was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from web.pages.office.parts import Attempt, ShownStep, Step, read_form, reader_of, show_step, take_refusal
from web.pages.step_taken import try_step


@dataclass(slots=True, kw_only=True)
class RowAttempt:
    """A form of the row ``key`` that was refused, if any was."""

    key: str = ""
    attempt: Attempt = field(default_factory=Attempt)


def row_step(
    step: Step,
    tried: RowAttempt,
    *,
    key: str,
    action: str,
    version: int = 0,
    start: Mapping[str, str] | None = None,
) -> ShownStep:
    """Return a row's form, as it was written where it is the one that was refused."""
    return show_step(
        step,
        tried.attempt if tried.key == key else Attempt(),
        action=action,
        version=version,
        ident=f"{step.name}-{key}",
        start=start,
    )


async def take_row(
    request: web.Request, step: Step, key: str, given: Mapping[str, Any]
) -> tuple[int, RowAttempt]:
    """Take a step with what was written; return 0, or the status of the refusal and what to show again.

    Args:
        given: what the step gets besides the form's values, which come as ``values``, and its ``version``.
    """
    form = await read_form(request)
    reader = reader_of(request, form)
    tried = RowAttempt(key=key, attempt=Attempt(step=step.name, form=form))

    async def run(values: dict[str, Any]) -> None:
        await step.run({**given, "values": values, "version": reader.number("version")})

    return await try_step(reader, step.fields, tried.attempt, run, take_refusal), tried
