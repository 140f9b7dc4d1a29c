"""Commands about facts that their receivers could not handle."""

from typing import Annotated

import typer

from app.command_line import group, run, settings
from app.console import console, done

facts = group("Facts that could not be handled.")

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Id of the fact.")]


@facts.command("list")
def facts_list() -> None:
    """Show the facts that failed: those set aside, and those that will be tried again."""
    from app.facts import list_failures

    for failed in run(list_failures(settings())):
        state = f"again {failed.due_at:%Y-%m-%d %H:%M:%S}Z" if failed.due_at else "set aside"
        console.print(
            f"{failed.event_id} {failed.consumer} {failed.kind}: {state} after {failed.tries} tries; "
            f"{failed.error.splitlines()[0]}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@facts.command("retry")
def facts_retry(
    event_id: Annotated[
        str | None, typer.Argument(metavar="[EVENT]", help="Id of one fact; all by default.")
    ] = None,
) -> None:
    """Have facts that are set aside tried once more."""
    from app.facts import try_again

    done(f"{run(try_again(settings(), event_id))} will be tried again")


@facts.command("drop")
def facts_drop(event_id: EventId) -> None:
    """Drop a fact that is set aside, for good."""
    from app.facts import forget

    done(f"dropped for {run(forget(settings(), event_id))}")
