"""What a network says before anybody answers: read from what a recogniser wrote, or left alone."""

import pytest

from speech.announcements import Announced, Meaning, understand

pytestmark = pytest.mark.unit


def read(*texts: str, confidence: float | None = 0.7, announced: bool = False) -> Meaning | None:
    found = understand([(text, confidence) for text in texts], announced=announced)
    return found.meaning if found else None


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("您好，您拨打的号码是空号，请核对后再拨。", Meaning.EMPTY),
        ("对不起，您所拨打的号码不存在。", Meaning.EMPTY),
        ("您好，您拨打的电话已停机。", Meaning.SUSPENDED),
        ("您好，您拨叫的用户已暂停服务。", Meaning.SUSPENDED),
        ("您所呼叫的电话因欠费已停机", Meaning.SUSPENDED),
        ("对不起，您拨打的用户已关机，请稍后再拨。", Meaning.OFF),
        ("您拨打的用户手机已关机", Meaning.OFF),
        ("对不起，您拨打的电话暂时无法接通", Meaning.UNREACHABLE),
        ("您所拨打的用户不在服务区", Meaning.UNREACHABLE),
        ("您拨打的电话正在通话中，请稍后再拨", Meaning.BUSY),
        ("您拨打的用户正忙", Meaning.BUSY),
        ("您拨打的电话暂时无人接听", Meaning.NO_ANSWER),
        ("您好，网络繁忙，请稍后再拨", Meaning.CONGESTION),
        ("Sorry, the number you have dialed does not exist.", Meaning.EMPTY),
        ("Sorry, the number you dialed is out of service.", Meaning.SUSPENDED),
        ("The subscriber you dialed is out of the service area.", Meaning.UNREACHABLE),
        ("Sorry, the subscriber you dialed is powered off.", Meaning.OFF),
        ("Sorry, the subscriber you dialed can not be connected for the moment", Meaning.UNREACHABLE),
        ("The number you dialed is busy now.", Meaning.BUSY),
        ("there is no answer from the number you dialed", Meaning.NO_ANSWER),
        ("Sorry, the network is busy, please redial later.", Meaning.CONGESTION),
    ],
    ids=lambda value: value if isinstance(value, str) else value.value,
)
def test_the_wording_of_the_carriers(text: str, meaning: Meaning) -> None:
    assert read(text) is meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("您好您不打低电话一关机", Meaning.OFF),
        ("对不起您锁坡大地号码是空号,请查证后再播", Meaning.EMPTY),
        ("对不起您塑膜大地浩马一停急", Meaning.SUSPENDED),
        ("对不起,您不打地用护证盲", Meaning.BUSY),
        ("您好您播叫的右户以暂停服务", Meaning.SUSPENDED),
    ],
    ids=lambda value: value if isinstance(value, str) else value.value,
)
def test_a_recogniser_errs_by_sound(text: str, meaning: Meaning) -> None:
    assert read(text) is meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "您好，您的电话已欠费停机，请及时充值。",
        "尊敬的用户，您的号码已停机，请及时缴费。",
        "对不起，您拨打的号码有误，请在号码前加拨零。",
        "您拨打的分机号不存在，请重新输入。",
        "您拨打的电话正在接通中，请稍候。",
        "您拨打的电话请不要关机",
        "对不起，您拨打的用户已结婚。",
        "我们提供空号检测服务，手机停机关机都能查到。",
        "空号也好，停机也罢，我一直都在这里等你的电话。",
        "打电话给我，我的手机从不关机。",
        "当前客服正忙，请耐心等待。",
        "让我们荡起双桨，小船儿推开波浪。",
        "You are calling the office of Sunshine. All our lines are busy, please hold on.",
        "The number you dialed is being connected, please wait.",
    ],
    ids=str,
)
def test_what_is_no_announcement_about_a_number_is_left_alone(text: str) -> None:
    assert read(text) is None
    assert read(text, text) is None, "nor when it is said again"


def test_a_dead_number_takes_every_syllable_or_the_same_thing_twice() -> None:
    mumbled = "您不打低电话语听戏"
    assert read(mumbled) is None
    assert read(mumbled, mumbled) is Meaning.SUSPENDED
    assert read(mumbled, announced=True) is Meaning.SUSPENDED, "after the three tones"
    assert read("您拨打的号码是空号", confidence=0.3) is None, "the recogniser was not sure"
    assert read("您拨打的用户已关机", confidence=0.3) is Meaning.OFF, "no number is lost by that"


def test_both_languages_together_are_surer_than_one() -> None:
    mandarin, english = "您拨打的号码是空号", "the number you dialed does not exist"
    assert understand([(mandarin, None)]) == Announced(Meaning.EMPTY, 0.85)
    assert understand([(mandarin, None), (english, None)]) == Announced(Meaning.EMPTY, 0.95)
    assert understand([(mandarin, None)] * 9) == Announced(Meaning.EMPTY, 0.98)


def test_two_that_do_not_agree_are_unclear() -> None:
    assert read("您拨打的号码是空号", "您拨打的用户正在通话中") is None
    assert read("您拨打的用户已关机", "您拨打的用户不在服务区") in {Meaning.OFF, Meaning.UNREACHABLE}


def test_a_sentence_that_the_recogniser_cut_in_two() -> None:
    assert read("您好，您拨打的电话", "已停机") is Meaning.SUSPENDED
