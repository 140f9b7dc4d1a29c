"""The command ``huifang``."""

import asyncio
import sys
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import console, done, fail, one_line
from app.settings import Settings, load_settings
from kernel.errors import HuifangError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Huifang 回访 call centre.",
)
db_commands = typer.Typer(no_args_is_help=True, help="The database.")
pbx_commands = typer.Typer(no_args_is_help=True, help="Asterisk's configuration.")
token_commands = typer.Typer(no_args_is_help=True, help="Bearer tokens of the API.")
user_commands = typer.Typer(no_args_is_help=True, help="People who may sign in.")
flow_commands = typer.Typer(no_args_is_help=True, help="Menus that callers hear.")
audit_commands = typer.Typer(no_args_is_help=True, help="The audit log.")
agent_commands = typer.Typer(no_args_is_help=True, help="Agents and their phones.")
for _name, _group in (
    ("db", db_commands),
    ("pbx", pbx_commands),
    ("token", token_commands),
    ("user", user_commands),
    ("flow", flow_commands),
    ("audit", audit_commands),
    ("agent", agent_commands),
):
    cli.add_typer(_group, name=_name)

EXPECTED = (HuifangError, OSError)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; what was foreseen ends in one line and status 1, Ctrl-C in status 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except EXPECTED as error:
        raise typer.Exit(fail(one_line(error))) from None
    except BaseExceptionGroup as group:
        if group.subgroup(EXPECTED) is None:
            raise
        raise typer.Exit(fail(one_line(group))) from None


def _settings(**overrides: Any) -> Settings:
    try:
        return load_settings(**overrides)
    except HuifangError as error:
        raise typer.Exit(fail(error.message)) from None


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

    settings = _settings(**({"demo": True} if demo else {}))
    answer = timedelta(seconds=phones_answer) if phones and settings.demo else None
    _run(run_up(settings, phones_answer=answer))


@cli.command()
def serve(
    roles: Annotated[str, typer.Option(help="Comma-separated: telephony, ivr, web.")] = "telephony,ivr,web",
) -> None:
    """Start the service alone, against an Asterisk and a Redis that run already."""
    from app.main import parse_roles, run_service

    settings = _settings()
    try:
        wanted = parse_roles(roles)
    except HuifangError as error:
        raise typer.Exit(fail(error.message)) from None
    _run(run_service(settings, wanted))


@cli.command()
def doctor() -> None:
    """Say what is missing or wrong on this installation, one line each with its mend."""
    from app.doctor import format_finding, run_checks
    from app.doctor_inputs import doctor_inputs

    findings = _run(run_checks(doctor_inputs(_settings())))
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
    report = _run(play_call(_settings(), wish))
    if report.failed:
        raise typer.Exit(fail(f"{report.failed} of {report.failed + report.successful} calls failed"))


@db_commands.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version's schema."""
    from app.schema import upgrade
    from kernel.db import create_database

    async def work() -> None:
        database = create_database(_settings().sql_url)
        try:
            await upgrade(database)
        finally:
            await database.dispose()

    _run(work())
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

    for path in _run(render_to(_settings(), to, root)):
        console.print(str(path), soft_wrap=True)


@token_commands.command("create")
def token_create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    role: Annotated[str, typer.Option(help="agent, supervisor or administrator.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days it is good for; for ever by default.")] = None,
) -> None:
    """Make a token for the API and print it; it is shown this once."""
    from app.accounts import parse_role, with_accounts
    from web.auth import Accounts

    async def work(accounts: Accounts) -> str:
        expires = timedelta(days=days) if days else None
        return (await accounts.tokens.create(name, parse_role(role), expires)).plaintext

    print(_run(with_accounts(_settings(), work)))


@user_commands.command("create")
def user_create(
    login: Annotated[str, typer.Option(help="Login.")],
    role: Annotated[str, typer.Option(help="agent, supervisor or administrator.")],
    name: Annotated[str, typer.Option(help="Name shown on pages.")] = "",
    agent: Annotated[str, typer.Option(help="Number of the agent this person is.")] = "",
) -> None:
    """Add a person; the password is asked for, or read from standard input."""
    from app.accounts import agent_id_of, parse_role, with_accounts
    from web.auth import Accounts

    asked = sys.stdin.isatty()
    password = typer.prompt("Password", hide_input=True) if asked else sys.stdin.readline().rstrip("\n")
    settings = _settings()

    async def work(accounts: Accounts) -> None:
        agent_id = await agent_id_of(settings, agent) if agent else None
        await accounts.users.create(
            login=login, password=password, role=parse_role(role), display_name=name, agent_id=agent_id
        )

    _run(with_accounts(settings, work))
    done(f"{login} may sign in")


@agent_commands.command("phone")
def agent_phone(number: Annotated[str, typer.Argument(help="The agent's number.")]) -> None:
    """Print what to enter into the agent's SIP phone."""
    from app.accounts import phone_secret

    settings = _settings()
    secret = _run(phone_secret(settings, number))
    console.print(f"server    {settings.pbx.sip_host}:{settings.pbx.sip_port} (UDP)", markup=False)
    console.print(f"user      {number}", markup=False)
    console.print(f"password  {secret}", markup=False)


@audit_commands.command("verify")
def audit_verify() -> None:
    """Check that nothing in the audit log was changed or removed."""
    from app.accounts import with_accounts
    from web.audit import AuditVerdict
    from web.auth import Accounts

    async def work(accounts: Accounts) -> AuditVerdict:
        return await accounts.audit.verify()

    verdict = _run(with_accounts(_settings(), work))
    if verdict.broken_at is not None:
        raise typer.Exit(fail(f"record {verdict.broken_at}: {verdict.reason}"))
    done(f"{verdict.checked} records, the chain is whole: {verdict.head}")


@flow_commands.command("check")
def flow_check(file: Annotated[Path, typer.Argument(help="YAML file of a flow.")]) -> None:
    """Find every mistake in a flow, with its place."""
    from app.flows import check_file

    problems = _run(check_file(_settings(), file))
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    done(f"{file}: no mistakes")


@flow_commands.command("publish")
def flow_publish(file: Annotated[Path, typer.Argument(help="YAML file of a flow.")]) -> None:
    """Check a flow, make its prompts and put it into service."""
    from app.flows import publish_file

    done(_run(publish_file(_settings(), file)))


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
