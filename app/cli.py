"""The command ``huifang``."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from app.cli_deposits import deposits
from app.cli_facts import facts
from app.cli_import import import_file
from app.cli_limits import calendar, limits
from app.cli_notices import notices
from app.cli_recordings import recordings
from app.cli_retention import retention
from app.cli_search import search
from app.cli_simulate import simulate
from app.cli_speech import speech
from app.cli_staff import agents, audit, queues, tokens, users
from app.cli_stats import stats
from app.cli_voices import voices
from app.command_line import group, run, settings
from app.console import console, done, fail
from kernel.errors import HuifangError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Huifang 回访 call centre.",
)
db_commands = group("The database.")
pbx_commands = group("Asterisk's configuration.")
flow_commands = group("Menus that callers hear.")
for _name, _commands in (
    ("db", db_commands),
    ("pbx", pbx_commands),
    ("flow", flow_commands),
    ("agent", agents),
    ("queue", queues),
    ("user", users),
    ("token", tokens),
    ("audit", audit),
    ("facts", facts),
    ("deposits", deposits),
    ("search", search),
    ("stats", stats),
    ("recordings", recordings),
    ("speech", speech),
    ("voices", voices),
    ("notice", notices),
    ("limits", limits),
    ("calendar", calendar),
):
    cli.add_typer(_commands, name=_name)


cli.command("import")(import_file)
cli.command("retention")(retention)
cli.command("simulate")(simulate)


@cli.command()
def up(
    demo: Annotated[bool, typer.Option(help="Create the demo company in an empty database.")] = False,
    phones: Annotated[bool, typer.Option(help="Play the demo agents' telephones.")] = True,
    phones_answer: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds a demo telephone rings before it answers.")
    ] = 6,
) -> None:
    """Start the whole centre on this machine: Redis, Asterisk and the service."""
    from app.up import run_up

    chosen = settings(**({"demo": True} if demo else {}))
    answer = timedelta(seconds=phones_answer) if phones and chosen.demo else None
    run(run_up(chosen, phones_answer=answer))


@cli.command()
def serve(
    roles: Annotated[str, typer.Option(help="Comma-separated: telephony, ivr, web.")] = "telephony,ivr,web",
) -> None:
    """Start the service alone, against an Asterisk and a Redis that run already."""
    from app.main import parse_roles, run_service

    try:
        wanted = parse_roles(roles)
    except HuifangError as error:
        raise typer.Exit(fail(error.message)) from None
    run(run_service(settings(), wanted))


@cli.command()
def doctor() -> None:
    """Say what is missing or wrong on this installation, one line each with its mend."""
    from app.doctor import format_finding, run_checks
    from app.doctor_inputs import doctor_inputs

    findings = run(run_checks(doctor_inputs(settings())))
    for finding in findings:
        console.print(format_finding(finding), markup=False, soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@cli.command()
def call(
    customer: Annotated[str, typer.Option(help="Name of a customer, or the number to call from.")] = "王建军",
    menu: Annotated[str, typer.Option(help="Keys to press; a comma waits two seconds more.")] = "1",
    say: Annotated[str, typer.Option(help="What to say, in Chinese, once through the menu.")] = "",
    hold: Annotated[float, typer.Option(min=0, help="Seconds to stay on the line after the keys.")] = 60.0,
    calls: Annotated[int, typer.Option(min=1, help="How many calls.")] = 1,
    rate: Annotated[float, typer.Option(help="Calls a second.")] = 1.0,
    to: Annotated[str, typer.Option(help="Number to call; the hotline by default.")] = "",
) -> None:
    """Play a customer who calls the hotline over the trunk."""
    from app.play_call import Wish, play_call

    wish = Wish(customer=customer, menu=menu, say=say, hold=hold, calls=calls, rate=rate, to=to)
    report = run(play_call(settings(), wish))
    if report.failed:
        raise typer.Exit(fail(f"{report.failed} of {report.failed + report.successful} calls failed"))


@db_commands.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version's schema, making it where there is none."""
    from app.store import bring_up_to_date

    run(bring_up_to_date(settings()))
    done("the database is up to date")


@pbx_commands.command("render")
def pbx_render(
    to: Annotated[Path, typer.Option(help="Folder that the files are written to.")],
    root: Annotated[
        Path | None, typer.Option(help="Asterisk's own folders lie under here; the system's by default.")
    ] = None,
) -> None:
    """Write Asterisk's configuration for an Asterisk of your own."""
    from app.render import render_to

    for path in run(render_to(settings(), to, root)):
        console.print(str(path), soft_wrap=True)


@flow_commands.command("check")
def flow_check(file: Annotated[Path, typer.Argument(help="YAML file of a flow.")]) -> None:
    """Find every mistake in a flow, with its place."""
    from app.flows import check_file

    problems = run(check_file(settings(), file))
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    done(f"{file}: no mistakes")


@flow_commands.command("publish")
def flow_publish(file: Annotated[Path, typer.Argument(help="YAML file of a flow.")]) -> None:
    """Check a flow, make its prompts and put it into service."""
    from app.flows import publish_file

    done(run(publish_file(settings(), file)))


@cli.command()
def docs() -> None:
    """Write the documents that are generated from the code again."""
    from app.docs import write_all

    for path in write_all(Path.cwd() / "docs"):
        console.print(str(path), soft_wrap=True)


def main() -> None:
    """Entry point of the command."""
    cli()


if __name__ == "__main__":
    main()
