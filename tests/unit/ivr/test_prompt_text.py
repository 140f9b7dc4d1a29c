"""Texts of prompts and numbers read aloud."""

import pytest

from ivr.domain.text import BadTemplate, Literal, Slot, SlotFormat, parse_template
from kernel.spoken import spoken_digits

pytestmark = pytest.mark.unit


def test_slots_constants_and_punctuation() -> None:
    template = parse_template("{greeting?}，您好，这里是{company}。", {"company": "慧家装饰"})
    assert template.pieces == (
        Slot("greeting", SlotFormat.TEXT, optional=True),
        Literal("您好，这里是慧家装饰。"),
    )
    assert parse_template("{n:digits}。", {}).pieces == (Slot("n", SlotFormat.DIGITS),)


@pytest.mark.parametrize("text", ["", "。。", "{", "}", "{Name}", "{a b}", "{n:roman}", "长" * 501])
def test_texts_that_cannot_be_spoken(text: str) -> None:
    with pytest.raises(BadTemplate):
        parse_template(text, {})


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        ("13800138000", "幺三八,零零幺三,八零零零"),
        ("01065551234", "零幺零,六五五五,幺二三四"),
        ("075588886666", "零七五五,八八八八,六六六六"),
        ("4001234567", "四零零,幺二三,四五六七"),
        ("95598", "九五五九八"),
        ("12345678", "幺二三四,五六七八"),
        ("7", "七"),
        ("", ""),
        ("+86-1", "八六幺"),
    ],
)
def test_numbers_are_read_in_groups(number: str, spoken: str) -> None:
    assert spoken_digits(number) == spoken
