"""Commands about limits and the calendar that they are measured by."""

from pathlib import Path
from typing import Annotated

import typer

from app.command_line import group, run, settings
from app.console import console, done
from kernel.holidays import CalendarKind

limits = group("Limits of cases: how long who may take.")
calendar = group("Holidays and make-up working days.")

From = Annotated[str | None, typer.Option("--from", help="First day, such as 2026-12-01; now by default.")]


@limits.command("show")
def limits_show(
    set_name: Annotated[str | None, typer.Option("--set", help="The set whose rules to show.")] = None,
) -> None:
    """Show the limit sets and the rules of the one in use."""
    from app.limits import show_limits

    for line in run(show_limits(settings(), set_name)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@limits.command("load")
def limits_load(
    file: Annotated[Path, typer.Argument(help="YAML file of a limit set.")], since: From = None
) -> None:
    """Load the next version of a set; what has begun keeps the version it began under."""
    from app.limits import load_limits

    done(run(load_limits(settings(), file, since)))


@limits.command("use")
def limits_use(
    set_name: Annotated[str, typer.Argument(metavar="SET", help="Name of the set.")], since: From = None
) -> None:
    """Use a set for new records."""
    from app.limits import use_limits

    done(run(use_limits(settings(), set_name, since)))


@calendar.command("show")
def calendar_show(
    year: Annotated[int, typer.Argument(min=2004, max=2199, help="Year.")],
) -> None:
    """Show the holidays and make-up working days of a year."""
    from app.limits import show_calendar

    for line in run(show_calendar(settings(), year)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@calendar.command("load")
def calendar_load(
    file: Annotated[Path, typer.Argument(help="JSON file of a year, as the data set holiday-cn has it.")],
) -> None:
    """Load the State Council's notice for a year."""
    from app.limits import load_calendar

    done(run(load_calendar(settings(), file)))


@calendar.command("set")
def calendar_set(
    day: Annotated[str, typer.Argument(metavar="DATE", help="Such as 2026-12-01.")],
    kind: Annotated[CalendarKind, typer.Argument(help="What the day is.")],
    name: Annotated[str, typer.Option(help="Why, as lists show it.")] = "",
) -> None:
    """Let one day outweigh the calendar."""
    from app.limits import set_calendar_day

    done(run(set_calendar_day(settings(), day, kind, name)))
