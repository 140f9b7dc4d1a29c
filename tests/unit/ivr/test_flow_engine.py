"""The interpreter: what a caller does, what follows."""

import importlib.resources
from datetime import UTC, datetime, timedelta

import pytest

from ivr.domain.effects import (
    Ask,
    AskDigits,
    Broken,
    CallbackNoted,
    Clip,
    Effect,
    Heard,
    Input,
    LookedUp,
    LookUp,
    Pressed,
    Reason,
    ReportMenu,
    RequestCallback,
    Say,
    Silence,
    Spoken,
    Start,
    ToHangup,
    ToQueue,
    Typed,
)
from ivr.domain.engine import MAX_INPUTS, FlowRun, RunState
from ivr.domain.flow import Flow
from ivr.domain.validate import load_flow
from tests.unit.ivr.flows import ENDS, HEAD, MENU, QUEUES, load

pytestmark = pytest.mark.unit

# Wednesday 25 November 2026, 10:00 in Shanghai; the hotline is open.
OPEN = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
NATIONAL_DAY = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)


def flow_named(name: str) -> Flow:
    text = importlib.resources.files("ivr.flows").joinpath(f"{name}.yaml").read_bytes()
    return load_flow(text, source=name, queues=QUEUES)


HOTLINE = flow_named("hotline")
AFTER_QUEUE = flow_named("after_queue")


def walk(run: FlowRun, *inputs: Input, now: datetime = OPEN) -> tuple[Effect, ...]:
    effects: tuple[Effect, ...] = ()
    for item in inputs:
        effects = run.handle(item, now=now)
    return effects


def known_caller(*, greeting: str = "王先生", number: str = "13800138000", now: datetime = OPEN) -> FlowRun:
    """A run that has come to the first menu."""
    run = FlowRun(HOTLINE, {"caller_number": number, "called_number": "4001"})
    variables = {"greeting": greeting} if greeting else {}
    walk(run, Start(), LookedUp("found" if greeting else "none", variables), Heard(), now=now)
    return run


def prompts(effect: Effect) -> list[str]:
    pieces = getattr(effect, "pieces", ())
    return list(dict.fromkeys(piece.prompt if isinstance(piece, Clip) else piece.text for piece in pieces))


class TestHotline:
    def test_known_caller_is_greeted_by_family_name_and_title(self) -> None:
        run = FlowRun(HOTLINE, {"caller_number": "13800138000"})
        assert walk(run, Start()) == (LookUp(ask="caller"),)
        (say,) = walk(run, LookedUp("found", {"greeting": "王先生"}))
        assert prompts(say) == ["王先生", "welcome", "recording_notice", "for_english"]

    @pytest.mark.parametrize("outcome", ["none", "several"])
    def test_nobody_is_called_by_another_ones_name(self, outcome: str) -> None:
        run = FlowRun(HOTLINE, {"caller_number": "13800138000"})
        (say,) = walk(run, Start(), LookedUp(outcome, {}))
        assert prompts(say) == ["welcome", "recording_notice", "for_english"]

    @pytest.mark.parametrize(
        ("key", "label", "queue"),
        [("1", "投诉", "complaint"), ("2", "报修", "repair"), ("0", "人工服务", "service")],
    )
    def test_menu_leads_to_the_queue_and_reports_its_path(self, key: str, label: str, queue: str) -> None:
        run = known_caller()
        report, end = walk(run, Pressed(key))
        assert report == ReportMenu(node="main", key=key, label=label)
        assert isinstance(end, ToQueue)
        assert (end.queue, end.cause, end.timeout) == (queue, "flow", timedelta(minutes=5))
        assert run.state is RunState.ENDED

    def test_progress_of_my_case_needs_the_identity_key(self) -> None:
        run = known_caller()
        _report, ask = walk(run, Pressed("3"))
        assert prompts(ask) == ["identity", "王先生"]
        identity, look = walk(run, Pressed("1"))
        assert isinstance(identity, ReportMenu)
        assert look == LookUp(ask="case")
        facts = {
            "case_count": "1",
            "case_kind": "投诉",
            "case_status": "正在处理",
            "case_department": "工程部",
        }
        (told,) = walk(run, LookedUp("found", facts))
        assert {"投诉", "正在处理", "工程部"} <= set(prompts(told))

    def test_progress_for_a_stranger_goes_to_a_person(self) -> None:
        _, end = walk(known_caller(greeting=""), Pressed("3"))
        assert isinstance(end, ToQueue)
        assert end.queue == "service"

    def test_who_denies_to_be_the_customer_hears_nothing_personal(self) -> None:
        run = known_caller()
        walk(run, Pressed("3"))
        (end,) = walk(run, Pressed("2"))
        assert isinstance(end, ToQueue)
        assert prompts(end) == ["case_unknown"]

    def test_callback_to_the_callers_own_number(self) -> None:
        run = known_caller()
        _, ask = walk(run, Pressed("4"))
        assert isinstance(ask, Ask)
        assert Spoken("幺三八,零零幺三,八零零零", digits="13800138000") in ask.pieces
        (note,) = walk(run, Pressed("1"))
        assert note == RequestCallback(pieces=(), phone="13800138000", reason="热线请求回电")
        (end,) = walk(run, CallbackNoted())
        assert isinstance(end, ToHangup)

    def test_callback_to_another_number_is_read_back_and_confirmed(self) -> None:
        run = known_caller()
        walk(run, Pressed("4"))
        (ask,) = walk(run, Pressed("2"))
        assert isinstance(ask, AskDigits)
        (wrong,) = walk(run, Typed("99"))
        assert prompts(wrong)[0] == "wrong_number"
        walk(run, Typed("01065551234", "#"))
        (again,) = walk(run, Pressed("2"))
        assert isinstance(again, AskDigits)
        walk(run, Typed("13900139000"))
        (note,) = walk(run, Pressed("1"))
        assert isinstance(note, RequestCallback)
        assert note.phone == "13900139000"

    def test_caller_without_a_number_is_asked_for_one(self) -> None:
        _, ask = walk(known_caller(number=""), Pressed("4"))
        assert isinstance(ask, AskDigits)

    def test_closed_hours_and_holidays_say_so_and_offer_emergency_repair(self) -> None:
        run = FlowRun(HOTLINE, {"caller_number": ""})
        (say,) = walk(run, Start(), LookedUp("none"), Heard(), now=NIGHT)
        assert prompts(say) == ["closed_hours"]
        walk(run, Heard(), now=NIGHT)
        _, end = walk(run, Pressed("1"), now=NIGHT)
        assert isinstance(end, ToQueue)
        assert (end.queue, end.priority) == ("repair", 10)
        run = FlowRun(HOTLINE, {"caller_number": ""})
        (say,) = walk(run, Start(), LookedUp("none"), Heard(), now=NATIONAL_DAY)
        assert prompts(say) == ["closed_holiday"]


class TestAfterQueue:
    @pytest.mark.parametrize("status", ["TIMEOUT", "FULL", "JOINEMPTY", "LEAVEEMPTY"])
    def test_apologises_and_notes_a_callback(self, status: str) -> None:
        run = FlowRun(AFTER_QUEUE, {"queue_status": status, "caller_number": "13800138000"})
        (say,) = walk(run, Start())
        assert isinstance(say, Say)
        _, confirm = walk(run, Heard(), Pressed("1"))
        assert isinstance(confirm, Ask)
        (note,) = walk(run, Pressed("1"))
        assert isinstance(note, RequestCallback)

    @pytest.mark.parametrize("status", ["", "CONTINUE", "nonsense"])
    def test_says_farewell_when_there_is_nothing_to_offer(self, status: str) -> None:
        (end,) = walk(FlowRun(AFTER_QUEUE, {"queue_status": status}), Start())
        assert isinstance(end, ToHangup)

    def test_a_failure_ends_with_a_farewell(self) -> None:
        run = FlowRun(AFTER_QUEUE, {"queue_status": "TIMEOUT"})
        (end,) = walk(run, Start(), Broken(Reason.PROMPT))
        assert end == ToHangup(pieces=(Clip("stock_goodbye", 0),), cause=Reason.PROMPT)


class TestMenu:
    def run(self) -> FlowRun:
        run = FlowRun(load(HEAD + MENU + ENDS), {})
        walk(run, Start())
        return run

    def test_star_repeats_and_counts_as_no_failure(self) -> None:
        run = self.run()
        for _ in range(5):
            (ask,) = walk(run, Pressed("*"))
            assert prompts(ask) == ["ask"]
        (end,) = walk(run, Pressed("*"))
        assert isinstance(end, ToQueue)
        assert end.cause == Reason.TOO_LONG

    def test_wrong_key_and_silence_ask_again_then_a_person(self) -> None:
        run = self.run()
        (ask,) = walk(run, Pressed("7"))
        assert prompts(ask) == ["stock_wrong", "ask"]
        (ask,) = walk(run, Silence())
        assert prompts(ask) == ["stock_silence", "ask"]
        (end,) = walk(run, Silence())
        assert end == ToQueue(pieces=(Clip("stock_transfer", 0),), queue="service", cause=Reason.SILENCE)

    def test_own_way_out_after_the_retries(self) -> None:
        run = FlowRun(load(HEAD + MENU + "    retries: 0\n    failed: bye\n" + ENDS), {})
        (end,) = walk(run, Start(), Silence())
        assert isinstance(end, ToHangup)

    def test_key_pressed_during_a_prompt_answers_the_menu_after_it(self) -> None:
        flow = load(
            HEAD.replace("start: menu", "start: hi")
            + "  hi: {kind: play, say: hello, barge_in: true, next: menu}\n"
            + MENU
            + ENDS
        )
        run = FlowRun(flow, {})
        report, end = walk(run, Start(), Heard("1"))
        assert isinstance(report, ReportMenu)
        assert isinstance(end, ToQueue)


class TestCollect:
    def run(self, *, before: str = "") -> FlowRun:
        flow = load(
            HEAD.replace("start: menu", "start: hi")
            + "  hi: {kind: play, say: hello, barge_in: true, next: number}\n"
            + "  number: {kind: collect, say: ask, into: no, min_digits: 4, max_digits: 6, next: bye}\n"
            + ENDS.replace("  complaint: {kind: queue, queue: complaint}\n", "")
        )
        run = FlowRun(flow, {})
        walk(run, Start(), Heard(before or None))
        return run

    def test_digits_go_into_the_variable(self) -> None:
        run = self.run()
        walk(run, Typed("123456"))
        assert run.variables["no"] == "123456"

    @pytest.mark.parametrize("item", [Typed("123", "#"), Typed("1234567"), Typed(""), Typed("", "#")])
    def test_too_few_too_many_or_none_ask_again(self, item: Typed) -> None:
        run = self.run()
        (ask,) = walk(run, item)
        assert isinstance(ask, AskDigits)
        assert prompts(ask)[0].startswith("stock_")

    def test_star_starts_again(self) -> None:
        (ask,) = walk(self.run(), Typed("12", "*"))
        assert prompts(ask) == ["ask"]

    def test_first_digit_typed_early_is_kept(self) -> None:
        run = FlowRun(self.run().flow, {})
        (ask,) = walk(run, Start(), Heard("7"))
        assert isinstance(ask, AskDigits)
        assert ask.typed == "7"


class TestFailures:
    @pytest.mark.parametrize("reason", list(Reason))
    def test_whatever_breaks_ends_at_a_person(self, reason: Reason) -> None:
        run = known_caller()
        (end,) = walk(run, Broken(reason))
        assert isinstance(end, ToQueue)
        assert (end.queue, end.cause) == ("service", reason)

    def test_records_that_fail_where_the_flow_has_no_answer_end_at_a_person(self) -> None:
        run = known_caller()
        walk(run, Pressed("3"), Pressed("1"))
        (end,) = walk(run, LookedUp("failed"))
        assert isinstance(end, ToQueue)
        assert end.cause == Reason.RECORDS

    def test_a_call_that_lasts_too_long_goes_to_a_person(self) -> None:
        run = known_caller()
        (end,) = walk(run, Pressed("*"), now=OPEN + timedelta(minutes=16))
        assert isinstance(end, ToQueue)

    def test_walking_in_circles_ends_at_a_person(self) -> None:
        run = known_caller()
        walk(run, Pressed("4"), Pressed("2"))
        effects: tuple[Effect, ...] = ()
        for _ in range(MAX_INPUTS):
            if run.state is RunState.ENDED:
                break
            effects = walk(run, Typed("13900139000") if run.state is RunState.COLLECTING else Pressed("2"))
        assert isinstance(effects[-1], ToQueue)
        assert effects[-1].cause == Reason.TOO_LONG

    def test_an_answer_nobody_asked_for_is_an_error_of_the_caller(self) -> None:
        run = known_caller()
        with pytest.raises(ValueError, match="no answer while asking"):
            run.handle(Heard(), now=OPEN)
        walk(run, Pressed("0"))
        with pytest.raises(ValueError, match="ended"):
            run.handle(Silence(), now=OPEN)
