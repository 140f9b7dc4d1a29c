"""The PIN that a head signs with: set in the account, checked against it, guessing slows down."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from kernel.clock import FakeClock
from tests.support.office import OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import PASSWORD, web_stage
from web.pins import WeakPin, WrongPin, is_easy
from web.tables import UserRow
from web.throttle import SlowDown

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_a_pin_is_the_persons_own_and_cannot_be_guessed(office: OfficeStage) -> None:
    pins, head, member = office.stage.accounts.pins, office.who("head"), office.who("member")
    for bad in ("", "123", "1" * 13, "12a4", "１２３４", "0000", "4567", "9876"):
        with pytest.raises(WeakPin):
            await pins.put(head.user_id, "head", bad)
    await pins.check(head.user_id, "2580")
    with pytest.raises(WrongPin):
        await pins.check(member.user_id, "2580")
    for _ in range(6):
        with pytest.raises(WrongPin):
            await pins.check(head.user_id, "1357")
    # Now not even the right one is looked at, until the pause is over.
    with pytest.raises(SlowDown):
        await pins.check(head.user_id, "2580")
    office.clock.advance(timedelta(minutes=2))
    await pins.check(head.user_id, "2580")
    assert is_easy("1234") and not is_easy("2580")


async def test_who_signs_sets_it_in_the_account_with_the_password(office: OfficeStage) -> None:
    form = {"pin_password": PASSWORD, "pin": "1379", "pin_again": "1379"}
    assert "签收密码" in (await get(office, "head", "/account"))[1]
    for login in ("spc", "member", "finance"):
        assert "签收密码" not in (await get(office, login, "/account"))[1]
        assert (await post(office, login, "/account/pin", form))[0] == 403
    for wrong in ({"pin_again": "1378"}, {"pin": "1234", "pin_again": "1234"}, {"pin_password": "no"}):
        status, _, page = await post(office, "head", "/account/pin", form | wrong)
        assert status == 422 and 'role="alert"' in page
    status, place, _ = await post(office, "head", "/account/pin", form)
    assert (status, place) == (303, "/account?pin")
    await office.stage.accounts.pins.check(office.who("head").user_id, "1379")
    async with office.stage.database.session() as session:
        kept = await session.scalar(select(UserRow.pin_hash).where(UserRow.login == "head"))
    assert kept is not None and "1379" not in kept
