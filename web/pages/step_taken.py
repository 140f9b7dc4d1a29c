"""A step that somebody takes with a form: refused, the page comes back with what was written."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from kernel.errors import HuifangError, StaleVersion
from web.i18n import gettext
from web.pages.case_forms import LONGEST, Field, Reader, refusal
from web.pages.case_shown import Attempt
from web.problems import status_of


class Refusable(Protocol):
    """What the page shows of a step that was refused."""

    problems: Any
    problem: str


A = TypeVar("A", bound=Refusable)


async def try_step(
    reader: Reader,
    fields: tuple[Field, ...],
    attempt: A,
    run: Callable[[dict[str, Any]], Awaitable[object]],
    note: Callable[[HuifangError, A, frozenset[str]], int],
) -> int:
    """Read the fields, and take the step with their values.

    Args:
        note: notes a refusal of the step in ``attempt`` and returns the status to answer with.

    Returns:
        0 when it was taken; otherwise the status to answer with, and ``attempt`` says why.
    """
    values = reader.read(fields)
    if reader.problems:
        attempt.problems, attempt.problem = reader.problems, gettext("请检查标红的地方。")
        return 400
    try:
        await run(values)
    except HuifangError as error:
        return note(error, attempt, frozenset(item.name for item in fields))
    return 0


def note_refusal(error: HuifangError, attempt: Attempt, names: frozenset[str]) -> int:
    """Note why a step of a case was refused; what is not a person's to mend goes on."""
    status = int(status_of(error))
    if status >= 500 or status == 404:
        raise error
    attempt.problem, attempt.problems = refusal(error, names)
    if isinstance(error, StaleVersion):
        seen = attempt.form.get("seen", "")
        attempt.seen = seen[:LONGEST] if isinstance(seen, str) else ""
    return status
