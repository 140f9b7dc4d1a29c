"""``huifang search``: the search's index, read again or counted."""

from typing import TYPE_CHECKING

import typer

from app.command_line import group, run, settings
from app.console import Step, console, done, fail, step
from app.settings import Settings

if TYPE_CHECKING:
    from app.said import SaidCount
    from crm.search_feed import Completeness

search = group("What the search knows.")


@search.command("rebuild")
def rebuild() -> None:
    """Forget the index and read everything again; searches find only a part until it has ended."""
    with step("reading everything that can be found") as shown:
        counted, said = run(_rebuild(settings(), shown))
        things = sum(one.indexed for one in counted) + said.found
        shown.result = f"{things} things can be found"
    _tell(counted, said)


@search.command("check")
def check() -> None:
    """Count what there is and what can be found; status 1 when they differ."""
    _tell(*run(_check(settings())))
    done("the index is complete")


async def _rebuild(chosen: Settings, shown: Step) -> "tuple[tuple[Completeness, ...], SaidCount]":
    from app import said
    from app.store import open_store
    from crm.search_whole import whole_feed

    feed = whole_feed()
    async with open_store(chosen) as database:
        await feed.rebuild(database, lambda kind, ready, total: shown.show(kind.value, ready, total))
        await said.rebuild(database, lambda ready, total: shown.show("said", ready, total))
        async with database.session() as session:
            return await feed.check(session), await said.check(database)


async def _check(chosen: Settings) -> "tuple[tuple[Completeness, ...], SaidCount]":
    from app import said
    from app.store import open_store
    from crm.search_whole import whole_feed

    async with open_store(chosen) as database, database.session() as session:
        return await whole_feed().check(session), await said.check(database)


def _tell(counted: "tuple[Completeness, ...]", said: "SaidCount") -> None:
    for one in counted:
        console.print(
            f"{one.kind.value:10} {one.things} there, {one.documents} stored, {one.indexed} indexed"
        )
    console.print(f"{'said':10} {said.calls} calls there, {said.found} indexed, {said.waiting} wait")
    if not said.complete or not all(one.complete for one in counted):
        raise typer.Exit(fail("the index is not complete: run «huifang search rebuild»"))
