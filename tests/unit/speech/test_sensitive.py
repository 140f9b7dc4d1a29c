"""Identity and bank cards are found in text, also when they are spoken, misheard or said in pieces."""

import pytest

from speech.reading import legible
from speech.reading.sensitive import (
    Kind,
    Timed,
    Watch,
    hidden,
    is_bank_card,
    is_id_card,
    luhn,
    sensitive,
    silences,
)

pytestmark = pytest.mark.unit

ID = "11010519491231002X"  # the example of GB 11643-1999
CARD = "6222021234567890128"
SPOKEN = dict(zip("0123456789X", "零幺二三四五六七八九叉", strict=True))


def spoken(number: str) -> str:
    return "".join(SPOKEN[char] for char in number)


def check_digit(front: str) -> str:
    return next(front + digit for digit in "0123456789" if luhn(front + digit))


def kinds(text: str) -> list[Kind]:
    return [one.kind for one in sensitive(text)]


def test_the_examples_are_what_they_should_be() -> None:
    assert is_id_card(ID) and is_id_card("110101199003074514") is by_the_book("110101199003074514")
    assert not is_id_card("110105194912310021") and not is_id_card("990105194912310021")
    assert is_bank_card(check_digit("622202123456789012")) and not is_bank_card("622202123456789012" + "x")


def by_the_book(number: str) -> bool:
    """The check character of GB 11643 worked out the long way."""
    total = sum(int(char) * (2 ** (17 - place) % 11) for place, char in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17]


@pytest.mark.parametrize(
    "text",
    [
        f"我的身份证是{ID}",
        f"身份证号{spoken(ID)}您记一下",
        "一一零一零五 一九四九 一二三一 零零二叉",
        "一一零一零五，嗯，一九四九一二三一，然后是零零二，艾克斯",
        f"{ID[:6]} {ID[6:14]} {ID[14:]}",
    ],
)
def test_an_identity_card_is_found(text: str) -> None:
    assert kinds(text) == [Kind.ID_CARD]
    assert sensitive(text)[0].proven
    assert "〔身份证号已隐藏〕" in hidden(text, sensitive(text))
    assert "二叉" not in hidden(text, sensitive(text)) and "2X" not in hidden(text, sensitive(text))


@pytest.mark.parametrize("length", [16, 18, 19])
def test_a_bank_card_is_found(length: int) -> None:
    card = check_digit("622202123456789012"[: length - 1])
    for text in (
        f"卡号是{card}",
        f"我念给你{spoken(card)}好了",
        " ".join(spoken(card)[at : at + 4] for at in range(0, length, 4)),
        "，嗯，".join(spoken(card)[at : at + 4] for at in range(0, length, 4)),
    ):
        assert kinds(text) == [Kind.BANK_CARD], text


def test_a_number_that_was_misheard_is_hidden_where_it_was_announced() -> None:
    found = sensitive("你记一下我的卡号六二二二零二幺二三四五六七八九零幺二吧")
    assert [one.kind for one in found] == [Kind.BANK_CARD]
    assert sensitive("身份证号是一一零一零五一九四九一二三一零零三九")[0].proven is False


def test_digits_that_sound_so_count_among_digits() -> None:
    card = check_digit("622202123456789")
    text = spoken(card).replace("九", "酒")
    assert kinds(f"念给你{text}") == [Kind.BANK_CARD]


def test_three_zeros_are_three() -> None:
    card = check_digit("622200012345678")
    text = spoken(card).replace("零零零", "三个零")
    assert kinds(f"卡号{text}") == [Kind.BANK_CARD]


@pytest.mark.parametrize(
    "text",
    [
        "我的手机号码是一三八零零一三八零零零",
        "13800138000 13900112345",
        "一三八零零一三八零零零，一三八零零一三八零零零",
        "投诉单号TS202611220001",
        "朝阳区建国路八十八号三单元五零二室",
        "合同二零二六年十一月二十二号签的一共十二万八千",
        "一个两个三个四个五个六个七个八个九个十个",
        "我打了一次两次三次四次五次六次七次八次九次一次两次三次四次五次",
        "",
        "卡号",
        "我的卡号是一二三",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert sensitive(text) == ()
    assert hidden(text, sensitive(text)) == text


def test_a_card_said_in_two_texts_is_found_in_both() -> None:
    card = check_digit("622202123456789")
    watch = Watch()
    first, second = f"卡号是{spoken(card)[:8]}", f"{spoken(card)[8:]}就这个"
    assert watch.feed("a", first) == ()
    assert watch.suspect
    (found,) = watch.feed("b", second)
    assert [place.piece for place in found.places] == ["a", "b"]
    assert hidden(first, [found], "a") == "卡号是〔银行卡号已隐藏〕"
    assert hidden(second, [found], "b") == "〔银行卡号已隐藏〕就这个"
    assert watch.feed("c", "好的谢谢您还有什么需要帮您处理的吗请说") == ()
    assert not watch.suspect


def test_a_number_is_found_once() -> None:
    card = check_digit("622202123456789")
    watch = Watch()
    assert len(watch.feed("a", f"卡号{card}")) == 1
    assert watch.feed("b", "对") == ()


def test_a_long_silence_ends_a_number() -> None:
    card = check_digit("622202123456789")
    watch = Watch()
    watch.feed("a", spoken(card)[:8], [Timed(start=0, end=8, since=0, until=4)])
    assert watch.feed("b", spoken(card)[8:], [Timed(start=0, end=8, since=60, until=64)]) == ()


def test_the_seconds_to_silence_come_from_the_words() -> None:
    card = check_digit("622202123456789")
    text = f"卡号{spoken(card)}对"
    times = [Timed(start=at, end=at + 1, since=at * 0.5, until=at * 0.5 + 0.5) for at in range(len(text))]
    found = Watch().feed("a", text, times)
    ((since, until),) = silences(found)
    assert since == pytest.approx(0.8) and until == pytest.approx(9.2)


def test_a_hundred_thousand_digits_are_bounded() -> None:
    assert len(sensitive("一二" * 50_000)) < 20_000
    sensitive("卡号" * 50_000)
    sensitive("六二二二零二 嗯 " * 10_000)


def test_a_legible_text_holds_no_card() -> None:
    card = check_digit("622202123456789")
    assert legible(f"卡号 是 {spoken(card)} 收了 我 三千五") == "卡号是〔银行卡号已隐藏〕收了我3500元"
    assert legible("我 打 一二三一五") == "我打12315"
