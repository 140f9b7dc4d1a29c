"""Forms that stand in the rows of a list: one that is refused keeps what was written."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from aiohttp import web

from web.pages.office.parts import Attempt, ShownStep, Step, read_form, reader_of, show_step, take_refusal
from web.pages.shell import see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, requires

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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


class ShowList(Protocol):
    """Shows the list, with the form that was refused."""

    async def __call__(
        self, request: web.Request, tried: RowAttempt, *, status: int = 200
    ) -> web.StreamResponse: ...


async def take_row(
    request: web.Request,
    step: Step,
    key: str,
    given: Mapping[str, Any],
    show: ShowList,
    *,
    here: str,
    kept: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Take a step with what was written: the list again, or a way to it when it was done.

    Args:
        given: what the step gets besides the form's values, which come as ``values``, and its ``version``.
        here: the address of the list; ``kept`` is what was asked of it.
    """
    form = await read_form(request)
    reader = reader_of(request, form)
    tried = RowAttempt(key=key, attempt=Attempt(step=step.name, form=form))

    async def run(values: dict[str, Any]) -> None:
        await step.run({**given, "values": values, "version": reader.number("version")})

    status = await try_step(reader, step.fields, tried.attempt, run, take_refusal)
    if status:
        return await show(request, tried, status=status)
    return see_other(f"{here}?" + urlencode({**(kept or {}), "done": step.name}))


def back_to(here: str, permission: Permission) -> Handler:
    """Return what leads to the list: a refused form has its step's address, which somebody may reload."""

    @requires(permission)
    async def back(request: web.Request) -> web.StreamResponse:
        return see_other(here)

    return back
