"""Commands about the people: agents, queues, users, tokens, and what they did."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from app.command_line import group, run, settings
from app.console import console, done, fail
from kernel.access import Role
from telephony.asterisk.model import Strategy
from web.auth import Accounts

agents = group("Agents and their telephones.")
queues = group("Queues and how they ring.")
users = group("People who may sign in.")
tokens = group("Bearer tokens of the API.")
audit = group("The audit log.")

Seconds = Annotated[int | None, typer.Option(min=0, max=86400)]
ROLES = ", ".join(role.value for role in Role) + "."


@agents.command("set")
def agent_set(
    number: Annotated[str, typer.Argument(help="The agent's number, also that of their telephone.")],
    name: Annotated[str | None, typer.Option(help="Name shown on pages.")] = None,
    queue: Annotated[
        list[str] | None, typer.Option(help="A queue they work in, or QUEUE:PENALTY; again for each.")
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option("--browser/--desk-phone", help="They telephone in their page, or with a SIP telephone."),
    ] = None,
) -> None:
    """Add an agent, or change their name, their queues and what they telephone with."""
    from app.staff import put_agent

    done(run(put_agent(settings(), number, name=name, queues=queue or None, browser=browser)))


@agents.command("list")
def agent_list() -> None:
    """Show who works here."""
    from app.staff import agents as everybody

    for agent in run(everybody(settings())):
        console.print(f"{agent.number:<10} {agent.name}", markup=False)


@agents.command("retire")
def agent_retire(number: Annotated[str, typer.Argument(help="The agent's number.")]) -> None:
    """Take an agent off every list; what they did stays on record."""
    from app.staff import retire_agent

    done(run(retire_agent(settings(), number)))


@agents.command("phone")
def agent_phone(number: Annotated[str, typer.Argument(help="The agent's number.")]) -> None:
    """Print what to enter into the agent's SIP phone."""
    from app.accounts import phone_secret

    chosen = settings()
    secret = run(phone_secret(chosen, number))
    console.print(f"server    {chosen.pbx.sip_host}:{chosen.pbx.sip_port} (UDP)", markup=False)
    console.print(f"user      {number}", markup=False)
    console.print(f"password  {secret}", markup=False)


@queues.command("set")
def queue_set(
    name: Annotated[str, typer.Argument(help="Small letters, digits, - and _.")],
    label: Annotated[str | None, typer.Option(help="Chinese name shown on pages.")] = None,
    label_en: Annotated[str | None, typer.Option(help="English name shown on pages.")] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="Whom Asterisk rings next.")] = None,
    ring_seconds: Seconds = None,
    wrap_up_seconds: Seconds = None,
    max_wait_seconds: Seconds = None,
    answer_within_seconds: Seconds = None,
    weight: Annotated[int | None, typer.Option(min=0, help="Higher is served first.")] = None,
    live_text: Annotated[
        bool | None,
        typer.Option("--live-text/--no-live-text", help="Show what is said in its calls as text, live."),
    ] = None,
    rating: Annotated[
        bool | None,
        typer.Option("--rating/--no-rating", help="Ask customers after a call how it was, two keys."),
    ] = None,
) -> None:
    """Add a queue, or change what is given."""
    from app.staff import put_queue

    def span(seconds: int | None) -> timedelta | None:
        return None if seconds is None else timedelta(seconds=seconds)

    work = put_queue(
        settings(),
        name,
        label=label,
        label_en=label_en,
        strategy=strategy,
        ring=span(ring_seconds),
        wrap_up=span(wrap_up_seconds),
        max_wait=span(max_wait_seconds),
        answer_within=span(answer_within_seconds),
        weight=weight,
        live_text=live_text,
        rating=rating,
    )
    done(run(work))


@queues.command("list")
def queue_list() -> None:
    """Show the queues."""
    from app.staff import queues as all_queues

    for queue in run(all_queues(settings())):
        console.print(f"{queue.name:<20} {queue.label_zh}  {queue.strategy}", markup=False)


def _password() -> str:
    """Ask for a password, or read it from standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


@users.command("create")
def user_create(
    login: Annotated[str, typer.Option(help="Login.")],
    role: Annotated[str, typer.Option(help=ROLES)],
    name: Annotated[str, typer.Option(help="Name shown on pages.")] = "",
    agent: Annotated[str, typer.Option(help="Number of the agent this person is.")] = "",
    department: Annotated[str, typer.Option(help="Code of the person's department, such as ENG.")] = "",
) -> None:
    """Add a person; the password is asked for, or read from standard input."""
    from app.accounts import agent_id_of, check_department, parse_role, with_accounts

    chosen, password = settings(), _password()

    async def work(accounts: Accounts) -> None:
        agent_id = await agent_id_of(chosen, agent) if agent else None
        if department:
            await check_department(chosen, department)
        await accounts.users.create(
            login=login,
            password=password,
            role=parse_role(role),
            display_name=name,
            agent_id=agent_id,
            department=department or None,
        )

    run(with_accounts(chosen, work))
    done(f"{login} may sign in")


@users.command("list")
def user_list() -> None:
    """Show who may sign in."""
    from app.accounts import with_accounts

    for user in run(with_accounts(settings(), lambda accounts: accounts.users.list())):
        state = "" if user.active else "  (may not sign in)"
        console.print(f"{user.login:<20} {user.role.value:<14} {user.display_name}{state}", markup=False)


@users.command("password")
def user_password(login: Annotated[str, typer.Argument(help="Login.")]) -> None:
    """Set a person's password and sign them out everywhere."""
    from app.accounts import with_accounts

    chosen, password = settings(), _password()
    run(with_accounts(chosen, lambda accounts: accounts.users.set_password(login, password)))
    done(f"{login} has a new password")


@users.command("change")
def user_change(
    login: Annotated[str, typer.Argument(help="Login.")],
    role: Annotated[str | None, typer.Option(help=ROLES)] = None,
    name: Annotated[str | None, typer.Option(help="Name shown on pages.")] = None,
    active: Annotated[bool | None, typer.Option(help="Whether they may sign in.")] = None,
) -> None:
    """Change what is given; a new role, or none any more, ends their sessions."""
    from app.accounts import parse_role, with_accounts

    async def work(accounts: Accounts) -> None:
        wanted = parse_role(role) if role else None
        await accounts.users.change(login, role=wanted, display_name=name, active=active)

    run(with_accounts(settings(), work))
    done(f"{login} changed")


@tokens.command("create")
def token_create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    role: Annotated[str, typer.Option(help=ROLES)],
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Days it is good for; for ever by default.")
    ] = None,
    department: Annotated[
        str,
        typer.Option(help="Code of the department whose cases it sees; its roles need one."),
    ] = "",
) -> None:
    """Make a token for the API and print it; it is shown this once."""
    from app.accounts import check_department, parse_role, with_accounts

    chosen = settings()

    async def work(accounts: Accounts) -> str:
        expires = timedelta(days=days) if days else None
        if department:
            await check_department(chosen, department)
        made = await accounts.tokens.create(name, parse_role(role), expires, department=department or None)
        return made.plaintext

    print(run(with_accounts(chosen, work)))


@tokens.command("list")
def token_list() -> None:
    """Show the tokens, without their secrets."""
    from app.accounts import with_accounts

    for token in run(with_accounts(settings(), lambda accounts: accounts.tokens.list())):
        ends = f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "for ever"
        if token.revoked_at:
            ends = f"revoked {token.revoked_at:%Y-%m-%d}"
        whose = f"{token.role.value} {token.department or ''}".rstrip()
        console.print(f"{token.name:<24} {whose:<22} {ends}", markup=False)


@tokens.command("revoke")
def token_revoke(name: Annotated[str, typer.Option(help="Its name.")]) -> None:
    """End a token at once."""
    from app.accounts import with_accounts

    run(with_accounts(settings(), lambda accounts: accounts.tokens.revoke(name)))
    done(f"{name} is good for nothing any more")


@audit.command("verify")
def audit_verify() -> None:
    """Check that nothing in the audit log was changed or removed."""
    from app.accounts import with_accounts

    verdict = run(with_accounts(settings(), lambda accounts: accounts.audit.verify()))
    if verdict.broken_at is not None:
        raise typer.Exit(fail(f"record {verdict.broken_at}: {verdict.reason}"))
    done(f"{verdict.checked} records, the chain is whole: {verdict.head}")
