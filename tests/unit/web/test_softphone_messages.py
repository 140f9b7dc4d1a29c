"""Which of a browser's SIP messages go on to the PBX."""

import pytest

from web.softphone import is_own

REGISTER = (
    "REGISTER sip:huifang.invalid SIP/2.0\r\nFrom: <sip:{}@huifang.invalid>;tag=a\r\nTo: <sip:1001@h>\r\n\r\n"
)
BYE = (
    "BYE sip:asterisk@1.2.3.4 SIP/2.0\r\nTo: <sip:13800@h>;tag=x\r\nFrom: <sip:k3j@abc.invalid>;tag=b\r\n\r\n"
)


@pytest.mark.parametrize(
    ("message", "passes"),
    [
        (REGISTER.format("1001"), True),
        (REGISTER.format("1002"), False),
        (REGISTER.format("10010"), False),
        (REGISTER.format("1001").replace("From:", "f :"), True),
        (REGISTER.format("1001").replace("From", "Frum"), False),
        ('INVITE sip:1@h SIP/2.0\r\nFrom: "1001" <sip:9999@h>;tag=a\r\nTo: <sip:1@h>\r\n\r\n', False),
        (BYE, True),
        ("SIP/2.0 200 OK\r\nFrom: <sip:138@h>;tag=a\r\nTo: <sip:k@abc>;tag=b\r\n\r\n", True),
        ("\r\n\r\n", True),
        ("hello", False),
    ],
    ids=[
        "own",
        "another",
        "longer",
        "short-form",
        "nameless",
        "display-name",
        "in-call",
        "answer",
        "ping",
        "noise",
    ],
)
def test_requests_are_the_agents_own(message: str, passes: bool) -> None:
    assert is_own(message, "1001") is passes
