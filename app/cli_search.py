"""``huifang search``: the search's index, read again or counted."""

from typing import TYPE_CHECKING

import typer

from app.command_line import group, run, settings
from app.console import Step, console, done, fail, step
from app.settings import Settings

if TYPE_CHECKING:
    from crm.search_feed import Completeness

search = group("What the search knows.")


@search.command("rebuild")
def rebuild() -> None:
    """Forget the index and read everything again; searches find only a part until it has ended."""
    with step("reading everything that can be found") as shown:
        counted = run(_rebuild(settings(), shown))
        shown.result = f"{sum(one.indexed for one in counted)} things can be found"
    _tell(counted)


@search.command("check")
def check() -> None:
    """Count what there is and what can be found; status 1 when they differ."""
    _tell(run(_check(settings())))
    done("the index is complete")


async def _rebuild(chosen: Settings, shown: Step) -> "tuple[Completeness, ...]":
    from app.store import open_store
    from crm.search_whole import whole_feed

    feed = whole_feed()
    async with open_store(chosen) as database:
        await feed.rebuild(database, lambda kind, ready, total: shown.show(kind.value, ready, total))
        async with database.session() as session:
            return await feed.check(session)


async def _check(chosen: Settings) -> "tuple[Completeness, ...]":
    from app.store import open_store
    from crm.search_whole import whole_feed

    async with open_store(chosen) as database, database.session() as session:
        return await whole_feed().check(session)


def _tell(counted: "tuple[Completeness, ...]") -> None:
    for one in counted:
        console.print(
            f"{one.kind.value:10} {one.things} there, {one.documents} stored, {one.indexed} indexed"
        )
    if not all(one.complete for one in counted):
        raise typer.Exit(fail("the index is not complete: run «huifang search rebuild»"))
