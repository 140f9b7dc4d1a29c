"""AGI bytes and lines, without I/O."""

import pytest

from telephony.agi.codec import (
    HANGUP,
    AgiEnvironment,
    AgiReply,
    ReplyDecoder,
    argument_text,
    encode_command,
)
from telephony.agi.errors import AgiError, AgiValueRefused
from tests.support.fake_agi import environment_bytes

pytestmark = pytest.mark.unit


def replies(raw: bytes) -> list[object]:
    return list(ReplyDecoder().feed(raw))


def one(raw: bytes) -> AgiReply:
    (reply,) = ReplyDecoder().feed(raw)
    assert isinstance(reply, AgiReply)
    return reply


class TestEnvironment:
    def test_reads_what_asterisk_sends(self) -> None:
        environment = AgiEnvironment.parse(environment_bytes(agi_arg_1="a", agi_arg_2="乙"))
        assert environment.script == "flow/4001"
        assert environment.caller_number == "13800138000"
        assert environment.caller_name == "张三"
        assert environment.arguments == ("a", "乙")

    def test_hazard_11_caller_name_cut_in_mid_character_is_survived(self) -> None:
        cut = "王小明".encode()[:-1]
        environment = AgiEnvironment.parse(environment_bytes(agi_calleridname=cut))
        assert environment.caller_name == "王小�"
        assert environment["agi_extension"] == "4001"

    def test_ten_kilobytes_of_name_are_bounded(self) -> None:
        environment = AgiEnvironment.parse(environment_bytes(agi_calleridname="名" * 10_000))
        assert len(environment.caller_name) == 128

    def test_hazard_10_line_feed_in_a_name_cannot_replace_a_header(self) -> None:
        environment = AgiEnvironment.parse(
            environment_bytes(agi_calleridname=b"x\nagi_network_script: admin\nagi_callerid: 110")
        )
        assert environment.script == "flow/4001"
        assert environment.caller_number == "13800138000"

    def test_a_line_feed_cannot_bring_arguments_of_its_own(self) -> None:
        block = environment_bytes(agi_callerid=b"1\nagi_arg_1: CONTINUE", agi_arg_1="TIMEOUT")
        assert AgiEnvironment.parse(block).arguments == ("TIMEOUT",)

    def test_withheld_and_absurd_numbers_are_empty(self) -> None:
        assert AgiEnvironment.parse(environment_bytes(agi_callerid="unknown")).caller_number == ""
        assert AgiEnvironment.parse(environment_bytes(agi_callerid="1" * 500)).caller_number == ""

    def test_carriage_returns_and_garbage_lines_are_left_out(self) -> None:
        environment = AgiEnvironment.parse(b"agi_network_script: /flow/1?x=2\r\n\xff\xfe\nGET / HTTP/1.1\n")
        assert environment.script == "flow/1"
        assert list(environment) == ["agi_network_script"]

    def test_control_characters_in_a_value_become_spaces(self) -> None:
        environment = AgiEnvironment.parse(b"agi_network_script: a\nagi_calleridname: A\x00\x1b[31mB\x7f\n")
        assert environment.caller_name == "A  [31mB "


class TestCommand:
    def test_quotes_only_what_needs_it(self) -> None:
        assert encode_command("STREAM", "FILE", "/a b", "") == 'STREAM FILE "/a b" ""'
        assert (
            encode_command("SET", "VARIABLE", "X", 'say "好" \\ ok')
            == 'SET VARIABLE X "say \\"好\\" \\\\ ok"'
        )

    @pytest.mark.parametrize("bad", ["a\nHANGUP", "a\rb", "\x00", "\x85", "\u2028", "\ud800"])
    def test_hazard_10_control_characters_are_refused(self, bad: str) -> None:
        with pytest.raises(AgiValueRefused):
            encode_command("SET", "VARIABLE", "X", bad)

    def test_what_would_overflow_asterisks_buffer_is_refused(self) -> None:
        with pytest.raises(AgiValueRefused):
            encode_command("SET", "VARIABLE", "X", "好" * 700)
        with pytest.raises(AgiValueRefused):
            encode_command(*["x"] * 121)
        with pytest.raises(AgiValueRefused):
            encode_command()

    def test_free_text_cannot_break_an_applications_arguments(self) -> None:
        assert argument_text('a,b\r\n"c" (${D}) [e]\\') == "a，b  ”c” （＄{D}） ［e］＼"
        assert len(argument_text("长" * 1000)) == 200


class TestReplies:
    def test_result_and_data(self) -> None:
        assert one(b"200 result=0\n").number == 0
        assert one(b"200 result=1 (hello)\n").data == "hello"
        assert one(b"200 result=1 ()\n").data == ""
        assert one(b"200 result=12 (timeout)\n") == AgiReply(
            200, "12", "timeout", None, "200 result=12 (timeout)"
        )
        assert one(b"200 result= (timeout)\n").result == ""
        reply = one(b"200 result=49 endpos=8160\n")
        assert (reply.number, reply.endpos) == (49, 8160)

    def test_brackets_and_line_feeds_inside_a_value(self) -> None:
        assert one("200 result=1 (王(先生))\n".encode()).data == "王(先生)"
        assert one(b"200 result=1 (a\nb\nc)\n").data == "a\nb\nc"

    def test_hazard_11_usage_text_of_a_520_is_one_reply(self) -> None:
        raw = (
            b"520-Invalid command syntax.  Proper usage follows:\n"
            b" Usage: STREAM FILE <filename> <escape digits>\n"
            b"200 result=1 looks like a reply but is usage text\n"
            b"520 End of proper usage.\n200 result=7\n"
        )
        first, second = ReplyDecoder().feed(raw)
        assert isinstance(first, AgiReply)
        assert first.code == 520
        assert isinstance(second, AgiReply)
        assert second.number == 7

    def test_520_without_usage(self) -> None:
        assert one(b"520 Invalid command syntax.  Proper usage not available.\n").code == 520

    def test_hangup_trying_and_refusals(self) -> None:
        found = replies(
            b"100 result=0 Trying...\n510 Invalid or unknown command\nHANGUP\n511 Command Not Permitted\n"
        )
        assert [getattr(item, "code", item) for item in found] == [100, 510, HANGUP, 511]

    def test_rest_of_an_environment_is_left_out(self) -> None:
        found = replies(b"agi_callingpres: 0\nagi_dnid: 4001\n\n200 result=0\r\n")
        assert [getattr(item, "code", item) for item in found] == [200]

    @pytest.mark.parametrize(
        "raw", [b"2" * 70_000, b"520-x\n" + b"usage\n" * 20_000, b"200 result=1 (" + b"a\n" * 50_000]
    )
    def test_endless_reply_is_refused(self, raw: bytes) -> None:
        with pytest.raises(AgiError):
            ReplyDecoder().feed(raw)

    def test_number_of_nonsense_is_zero(self) -> None:
        assert one(b"200 result=abc\n").number == 0
        assert one(b"200\x20\n").result == ""
