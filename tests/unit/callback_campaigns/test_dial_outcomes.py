"""From how a call ended to how the attempt did."""

from dataclasses import replace

import pytest

from callback_campaigns.dial_outcomes import CallOver, NobodyListens, outcome_of
from callback_campaigns.domain.early_media import OUTCOMES, Announcement, HeardBefore
from callback_campaigns.domain.terms import CALL_RESULTS, Outcome
from telephony.call_news import CallNews
from telephony.domain.call import CallResult, EndReason
from tests.support.transcripts import ended_calls, play
from tests.unit.callback_campaigns.tasks import MONDAY

pytestmark = pytest.mark.unit

OVER = CallOver(
    call_id="01JNA0000000000000000000CA",
    result="NO_ANSWER",
    end_reason="hangup",
    cause=19,
    answered_at=None,
    agent_number=None,
)


@pytest.mark.parametrize(
    ("story", "outcome"),
    [
        ("dialled_survey", Outcome.ANSWERED),
        ("dialled_human", Outcome.ANSWERED),
        ("dialled_person", Outcome.ANSWERED),
        ("dialled_service_away", Outcome.ANSWERED),
        ("dialled_preview_answered", Outcome.ANSWERED),
        ("dialled_machine", Outcome.MACHINE),
        ("dialled_nobody_free", Outcome.ABANDONED),
        ("dialled_busy", Outcome.BUSY),
        ("dialled_preview_busy", Outcome.BUSY),
        ("dialled_declined", Outcome.REJECTED),
        ("dialled_no_answer", Outcome.NO_ANSWER),
        ("dialled_off", Outcome.OFF),
        ("dialled_empty", Outcome.EMPTY),
        ("dialled_no_way", Outcome.CONGESTION),
        # The agent did not take the call to their own telephone: nobody outside was rung.
        ("dialled_preview_agent_busy", Outcome.FAILED),
    ],
)
def test_what_the_real_asterisk_said(story: str, outcome: Outcome) -> None:
    (call,) = ended_calls(play(story)[1])
    over = CallOver.of(CallNews(lambda number: None).ended(call))
    assert outcome_of(over) is outcome
    expected = CALL_RESULTS[outcome]
    assert over.result == expected


def test_an_end_that_nobody_saw_counts_as_unknown_unless_somebody_had_answered() -> None:
    for reason in (EndReason.GAP, EndReason.PBX_RESTART):
        for result in (CallResult.NO_ANSWER, CallResult.FAILED):
            unseen = replace(OVER, end_reason=reason.value, result=result.value)
            assert outcome_of(unseen) is Outcome.UNKNOWN
            assert outcome_of(replace(unseen, answered_at=MONDAY)) is Outcome.ANSWERED


def test_without_a_channel_nothing_left_our_switch() -> None:
    assert outcome_of(replace(OVER, result="FAILED", cause=None)) is Outcome.FAILED
    assert outcome_of(replace(OVER, result="FAILED", cause=0)) is Outcome.FAILED
    assert outcome_of(replace(OVER, result="FAILED", cause=41)) is Outcome.CONGESTION


@pytest.mark.parametrize("said", list(Announcement))
def test_the_networks_voice_knows_more_than_its_causes(said: Announcement) -> None:
    heard = HeardBefore(announcement=said, text="…", sure=0.9)
    assert outcome_of(OVER, heard) is OUTCOMES[said]
    assert outcome_of(replace(OVER, result="EMPTY", cause=1), heard) is OUTCOMES[said]
    assert outcome_of(replace(OVER, result="FAILED", cause=41), heard) is OUTCOMES[said]
    assert outcome_of(OVER, HeardBefore(text="月亮代表我的心")) is Outcome.NO_ANSWER, "music says nothing"
    assert outcome_of(OVER) is Outcome.NO_ANSWER
    # Whoever answered has answered, and what nobody saw nobody heard.
    for result in ("ANSWERED", "ABANDONED_QUEUE"):
        assert outcome_of(replace(OVER, result=result), heard) is outcome_of(replace(OVER, result=result))
    assert outcome_of(replace(OVER, end_reason="machine"), heard) is Outcome.MACHINE
    assert outcome_of(replace(OVER, end_reason="gap"), heard) is Outcome.UNKNOWN
    assert NobodyListens().heard(OVER.call_id) is None


def test_who_declined_is_not_busy_whatever_the_network_says_of_it() -> None:
    declined = replace(OVER, result="REJECTED", cause=21)
    for said in (Announcement.BUSY, Announcement.NO_ANSWER):
        assert outcome_of(declined, HeardBefore(announcement=said)) is Outcome.REJECTED
    assert outcome_of(declined, HeardBefore(announcement=Announcement.OFF)) is Outcome.OFF


def test_every_result_leads_somewhere() -> None:
    for result in CallResult:
        for reason in EndReason:
            assert outcome_of(replace(OVER, result=result.value, end_reason=reason.value)) in Outcome
