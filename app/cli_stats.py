"""``huifang stats``: the figures of the queues' days, computed once more from the stored events."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from app.command_line import group, run, settings
from app.console import Step, console, done, fail, step
from app.settings import Settings
from kernel.errors import Invalid

if TYPE_CHECKING:
    from telephony.rebuild import Difference, Rebuilt

stats = group("Figures of the queues' days.")
SHOWN = 20
MOST_DAYS = 400


@stats.command("rebuild")
def rebuild(
    day: Annotated[str, typer.Option(help="The day, as 2026-03-02; today without.")] = "",
    since: Annotated[str, typer.Option(help="Every day from this one to --day.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; change nothing. Status 1 when a day differs.")
    ] = False,
) -> None:
    """Compute stored figures from the calls' time lines and the agents' log, and say what differed.

    A day begins at midnight of the site, and a call counts in the day in which it came to the queue. Of the
    day that is running the service stores its figures once a minute: the last calls may be missing there.
    """
    chosen = settings()
    title = "comparing figures with the events" if check else "computing figures from the events"
    with step(title) as shown:
        found = run(_rebuild(chosen, day, since, write=not check, shown=shown))
        calls = sum(one.calls for one in found)
        shown.result = f"{len(found)} day(s), {calls} calls read"
    for one in found:
        _tell(one, chosen)
    differing = [one for one in found if one.differences and one.over]
    if check and differing:
        raise typer.Exit(fail(f"{len(differing)} day(s) differ: run «huifang stats rebuild»"))
    done("stored figures are those of the events" if not differing else "figures stored anew")


async def _rebuild(chosen: Settings, day: str, since: str, *, write: bool, shown: Step) -> "list[Rebuilt]":
    from app.command_bus import open_bus
    from app.store import open_store
    from kernel.clock import SystemClock
    from telephony.agent_events import FiguresRebuilt
    from telephony.rebuild import DayRebuild
    from telephony.roster import Roster

    clock = SystemClock()
    async with open_store(chosen) as database, open_bus(chosen) as shared:
        queues = await Roster(database, clock, shared.bus).queues()
        made = DayRebuild(
            database,
            clock,
            node=chosen.pbx.node,
            zone=chosen.zone,
            short_abandon=timedelta(seconds=chosen.centre.short_abandon_seconds),
            answer_within={queue.name: queue.answer_within for queue in queues},
        )
        found = []
        for one in _days(day, since, made.today()):
            found.append(await made.run(one, write=write, told=partial(shown.show, str(one))))
            if write:
                shared.bus.publish(FiguresRebuilt(at=clock.now(), day=one.isoformat()))
        if write:
            await shared.told()
        return found


def _days(day: str, since: str, today: date) -> list[date]:
    last = _day(day, "--day") if day else today
    first = _day(since, "--since") if since else last
    if first > last:
        raise Invalid(f"--since {first} comes after {last}", field="since")
    if (last - first).days >= MOST_DAYS:
        raise Invalid(f"at most {MOST_DAYS} days at a time", field="since")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _day(text: str, name: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Invalid(f"{name}: a day as 2026-03-02", field="day") from None


def _tell(found: "Rebuilt", chosen: Settings) -> None:
    total = found.total
    console.print(
        f"{found.day}  {total.offered} offered, {total.answered} answered, {total.abandoned} abandoned"
        f" ({total.abandoned_short} short), {total.handled} handled"
        + ("" if found.over else "  (the day is running)")
    )
    for one in found.differences[:SHOWN]:
        console.print(f"  {_difference(one, chosen)}", markup=False, soft_wrap=True)
    if len(found.differences) > SHOWN:
        console.print(f"  … and {len(found.differences) - SHOWN} more")


def _difference(one: "Difference", chosen: Settings) -> str:
    at = one.slot_at.astimezone(chosen.zone)
    return f"{at:%H:%M} {one.queue or 'all agents'}: {one.figure} was {one.stored}, is {one.computed}"
