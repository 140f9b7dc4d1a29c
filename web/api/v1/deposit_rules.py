"""``/api/v1/deposit-rules``: what is withheld of crews' pay and when it is paid out."""

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

from aiohttp import web
from pydantic import Field

from crm.deposit_rules import DepositRules
from crm.domain.deposit_rule import DepositRule
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit, Money
from web.api.v1.schemas import NoQuery, Out, Query
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "settlements"


class DepositRuleIn(ComplaintBody):
    """A rule from a day on."""

    valid_from: date = Field(description="Today or later; a project keeps the rule of its completion.")
    percent: Money = Field(description="Of the contract.")
    cap: Money = Field(description="What an account may hold after something was withheld.")
    initial: Money = Field(description="What a crew is to pay in at first.")
    release_months: int = Field(ge=0, le=120, description="After completion.")
    floor: Money = Field(description="What a release leaves in the account.")


class DepositRuleOut(Out):
    """A rule."""

    valid_from: date
    percent: Decimal
    cap: Decimal
    initial: Decimal
    release_months: int
    floor: Decimal


class DepositRuleList(Out):
    """The rules, the newest first: one a day at most, a few in a year; all in one answer."""

    items: tuple[DepositRuleOut, ...]


class CrewDepositOut(Out):
    """A crew's account in figures."""

    crew_id: str
    crew: str
    status: str
    balance: Decimal
    owed: Decimal
    projects: int = Field(description="Completed ones, of which something is withheld.")
    withheld: Decimal
    missing: Decimal = Field(description="Of the initial payment.")
    next_release: date | None


class CrewDepositList(Out):
    """The crews by name."""

    items: tuple[CrewDepositOut, ...]
    next_cursor: str | None


class CrewDepositsQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 200


class DepositRunOut(Out):
    """What a run did."""

    withheld: int
    withheld_sum: Decimal
    released: int
    released_sum: Decimal
    undone: int = Field(description="Projects whose completion was voided.")


def _service(call: Call[Any]) -> DepositRules:
    return call.request.app[CRM].repairs.deposit_rules


@operation(
    query=NoQuery,
    response=DepositRuleList,
    permission=Permission.DEPOSITS_VIEW,
    summary="List the rules for quality deposits, the newest first",
    tag=TAG,
)
async def list_deposit_rules(call: Call[NoQuery]) -> DepositRuleList:
    """Return the rules."""
    found = await _service(call).rules(call.actor)
    return DepositRuleList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=DepositRuleOut,
    permission=Permission.LIMITS_CONFIGURE,
    summary="Put a rule for quality deposits in force",
    tag=TAG,
    body=DepositRuleIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def set_deposit_rule(call: Call[NoQuery]) -> DepositRuleOut:
    """Set a rule."""
    rule = DepositRule(**call.body(DepositRuleIn).model_dump())
    return DepositRuleOut.model_validate(await _service(call).set(call.actor, rule))


@operation(
    query=NoQuery,
    response=DepositRunOut,
    permission=Permission.DEPOSITS_POST,
    summary="Withhold and release what the rules ask for",
    description="Each once per project; again, it does nothing.",
    tag=TAG,
    idempotent=Idempotency.OPTIONAL,
)
async def run_deposit_rules(call: Call[NoQuery]) -> DepositRunOut:
    """Carry the rules out."""
    return DepositRunOut.model_validate(await _service(call).run(call.actor))


@operation(
    query=CrewDepositsQuery,
    response=CrewDepositList,
    permission=Permission.DEPOSITS_VIEW,
    summary="Show every crew's deposit in figures",
    tag=TAG,
)
async def list_crew_deposits(call: Call[CrewDepositsQuery]) -> CrewDepositList:
    """Return the figures."""
    page = await _service(call).crews(call.actor, cursor=call.query.cursor, limit=call.query.limit)
    return CrewDepositList.model_validate(page)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/deposit-rules", list_deposit_rules),
    ("POST", "/deposit-rules", set_deposit_rule),
    ("POST", "/deposit-rules/run", run_deposit_rules),
    ("GET", "/crew-deposits", list_crew_deposits),
)
