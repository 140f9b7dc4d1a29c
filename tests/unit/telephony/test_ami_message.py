"""Headers of one AMI message."""

import pytest

from telephony.ami import AmiEvent, AmiResponse, CallerId, OriginateReason, OriginateResult

pytestmark = pytest.mark.unit


def test_lookup_knows_no_case() -> None:
    found = AmiEvent.of("Hangup", {"CallerIDNum": "13800138000", "Cause-txt": "Normal Clearing"})
    assert found.name == "Hangup"
    assert found.get("calleridnum") == found.get("CALLERIDNUM") == found["CallerIDNum"] == "13800138000"
    assert "cause-txt" in found
    assert "Cause" not in found
    assert 7 not in found
    assert found.get("Cause") == ""
    assert found.get("Cause", "?") == "?"
    assert dict(found.items())["event"] == "Hangup"
    with pytest.raises(KeyError):
        found["Cause"]


def test_the_first_of_repeated_headers_counts_and_all_are_kept() -> None:
    found = AmiEvent.of("UserEvent", {"Uniqueid": ["1", "2", "3"], "Other": "x"})
    assert found.get("Uniqueid") == "1"
    assert found.get_all("uniqueid") == ("1", "2", "3")
    assert found.get_all("other") == ("x",)
    assert found.get_all("none") == ()


def test_channel_variables() -> None:
    found = AmiEvent.of(
        "Hangup",
        {
            "ChanVariable": ["HF_CALL=01J", "HF_DIR=", "HF_NOTE=a=b", "HF_CALL=spoof", "nothing"],
            "DestChanVariable": "HF_CALL=01K",
        },
    )
    assert found.chan_variables == {"HF_CALL": "01J", "HF_DIR": "", "HF_NOTE": "a=b"}
    assert found.variables("DestChanVariable") == {"HF_CALL": "01K"}


def test_escapes_of_channel_variables_are_undone_without_new_lines() -> None:
    found = AmiEvent.of("Hangup", {"ChanVariable": [r"A=say \"hi\"", r"B=C:\\x", r"C=one\r\ntwo"]})
    assert found.chan_variables == {"A": 'say "hi"', "B": "C:\\x", "C": "one  two"}


def test_odd_lines() -> None:
    raw = b"Event: X\r\nEmpty: \r\nTight:\r\nNoSpace:value\r\nno colon\r\nKey: a: b\r\nSpaced :  c"
    found = AmiEvent("X", raw)
    assert found.get("empty") == ""
    assert "tight" in found
    assert found.get("nospace") == "value"
    assert found.get("key") == "a: b"
    assert found.get("spaced") == " c"


def test_control_characters_do_not_travel() -> None:
    found = AmiEvent("X", b"Event: X\r\nCallerIDName: a\0b\nc\rd\x1be\r\nUniqueid: 1")
    assert found.get("calleridname") == "a b c d e"
    assert found.get("uniqueid") == "1"


def test_no_personal_data_in_its_text_form() -> None:
    found = AmiEvent.of("Hangup", {"CallerIDName": "王芳"})
    assert "王芳" not in repr(found)
    assert "王芳" not in repr(AmiResponse(b"Response: Success\r\nValue: \xe7\x8e\x8b"))


def test_tagged_events_answer_an_action() -> None:
    assert AmiEvent.of("CoreShowChannel", {"ActionID": "7"}).tagged
    assert not AmiEvent.of("Hangup").tagged


@pytest.mark.parametrize(
    ("word", "success"),
    [("Success", True), ("Follows", True), ("Goodbye", True), ("Error", False), ("", False)],
)
def test_success_is_what_the_response_says(word: str, success: bool) -> None:
    assert AmiResponse(f"Response: {word}\r\nActionID: 1".encode()).success is success


def test_output_of_a_command() -> None:
    answer = AmiResponse(b"Response: Success\r\nOutput: one\r\nOutput: \r\nOutput: three: 3")
    assert answer.output == ("one", "", "three: 3")


@pytest.mark.parametrize(
    ("response", "code", "reason"),
    [
        ("Success", "4", OriginateReason.ANSWERED),
        ("Success", "0", OriginateReason.ANSWERED),
        ("Failure", "4", OriginateReason.FAILED),
        ("Failure", "5", OriginateReason.BUSY),
        ("Failure", "1", OriginateReason.NO_ANSWER),
        ("Failure", "nonsense", OriginateReason.FAILED),
    ],
)
def test_the_end_of_an_originate(response: str, code: str, reason: OriginateReason) -> None:
    found = AmiEvent.of(
        "OriginateResponse", {"Response": response, "Reason": code, "Uniqueid": "att-1", "ActionID": "7"}
    )
    result = OriginateResult.from_event(found)
    assert result == OriginateResult(
        channel_id="att-1", success=response == "Success", reason=reason, action_id="7"
    )


def test_caller_id_cannot_leave_its_quotes() -> None:
    assert CallerId(number="13800138000").header() == "<13800138000>"
    assert CallerId(number="1>2", name='王"芳<x>\\').header() == '"王芳x" <12>'
