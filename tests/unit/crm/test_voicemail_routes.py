"""Whose a message is, by what was said."""

from datetime import UTC, datetime

import pytest

from crm.classification import shipped
from crm.domain.spoken import Opinion, Spoken, TextProgress
from crm.domain.voicemail import Route, route_of
from speech.rules.opinion import judge

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SAID = {
    "你们这个工期一拖再拖，我要投诉": Route.COMPLAINT,
    "项目经理态度太差了，我很不满意": Route.COMPLAINT,
    "我家厨房的水龙头漏水，麻烦派人来修一下": Route.REPAIR,
    "卫生间的插座没电了": Route.REPAIR,
    "我想问一下你们的套餐价格": Route.OTHER,
    "请给我回个电话": Route.OTHER,
    "": Route.OTHER,
}


@pytest.mark.parametrize("said", SAID, ids=[f"said{number}" for number in range(len(SAID))])
def test_a_message_goes_to_whom_it_concerns(said: str) -> None:
    judged = judge(said, AT)
    spoken = Spoken(
        state=TextProgress.DONE,
        text=said,
        opinion=Opinion(judged.opinion.value),
        sure=judged.sure,
        class_code=judged.class_code,
        severity=judged.severity,
    )
    assert route_of(spoken, shipped()).route is SAID[said]


def test_danger_is_urgent() -> None:
    assert route_of(Spoken(state=TextProgress.DONE, text="家里漏电了"), shipped()).urgent
