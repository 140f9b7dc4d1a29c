"""Phone numbers: domain.md §6.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.phone import InvalidPhone, Phone, PhoneKind, mask

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("raw", "e164", "kind"),
    [
        ("13800138000", "+8613800138000", PhoneKind.MOBILE),
        ("138 0013 8000", "+8613800138000", PhoneKind.MOBILE),
        ("138-0013-8000", "+8613800138000", PhoneKind.MOBILE),
        ("１３８００１３８０００", "+8613800138000", PhoneKind.MOBILE),
        ("+8613800138000", "+8613800138000", PhoneKind.MOBILE),
        ("008613800138000", "+8613800138000", PhoneKind.MOBILE),
        ("8613800138000", "+8613800138000", PhoneKind.MOBILE),
        ("013800138000", "+8613800138000", PhoneKind.MOBILE),
        ("(010) 6555-1234", "+861065551234", PhoneKind.LANDLINE),
        ("+861065551234", "+861065551234", PhoneKind.LANDLINE),
        ("861065551234", "+861065551234", PhoneKind.LANDLINE),
        ("0755-26881234", "+8675526881234", PhoneKind.LANDLINE),
        ("0311-6551234转803", "+863116551234", PhoneKind.LANDLINE),
        ("4008001234", "4008001234", PhoneKind.SERVICE),
        ("8008101234", "8008101234", PhoneKind.SERVICE),
        ("95598", "95598", PhoneKind.SHORT),
        ("955981", "955981", PhoneKind.SHORT),
        ("96156", "96156", PhoneKind.SHORT),
        ("961234", "961234", PhoneKind.SHORT),
        ("9501234567", "9501234567", PhoneKind.SHORT),
        ("95012345678", "95012345678", PhoneKind.SHORT),
        ("010-96156", "01096156", PhoneKind.SHORT),
        ("0571 961234", "0571961234", PhoneKind.SHORT),
        ("12345", "12345", PhoneKind.SHORT),
        ("10086", "10086", PhoneKind.SHORT),
        ("+14155550123", "+14155550123", PhoneKind.FOREIGN),
        ("0085221234567", "+85221234567", PhoneKind.FOREIGN),
    ],
)
def test_what_people_write(raw: str, e164: str, kind: PhoneKind) -> None:
    phone = Phone.parse(raw)
    assert (phone.e164, phone.kind) == (e164, kind)
    assert Phone.parse(phone.e164) == phone


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "abc",
        "12",
        "1380013800",
        "138001380000",
        "2380013800",
        "9501234",
        "13800",
        "19999",
        "10000000",
        "010-95598",
        "010-9612",
        "950123456",
        "950123456789",
        "80081012345",
        "+86",
        "++8613800138000",
        "1" * 41,
        "😀",
        "13800\r\n138000",
    ],
)
def test_what_is_no_number(raw: str) -> None:
    with pytest.raises(InvalidPhone):
        Phone.parse(raw)
    assert Phone.parse_caller(raw) is None


@pytest.mark.parametrize("raw", [None, "", "anonymous", "unknown", "Anonymous <sip:x>"])
def test_anonymous_callers_have_no_number(raw: str | None) -> None:
    assert Phone.parse_caller(raw) is None


def test_local_number_takes_the_default_area() -> None:
    assert Phone.parse("65551234", default_area="010").e164 == "+861065551234"


def test_masking_and_dialling_forms() -> None:
    mobile, landline = Phone.parse("13800138000"), Phone.parse("010-65551234")
    assert (mobile.masked, mobile.national) == ("138****8000", "13800138000")
    assert landline.national == "01065551234"
    assert mobile.dialable and landline.dialable


@pytest.mark.parametrize("number", ["110", "119", "120", "122", "114", "12345", "12315", "12321"])
def test_emergency_and_public_numbers_are_never_dialled(number: str) -> None:
    phone = Phone.parse(number)
    assert (phone.kind, phone.dialable) == (PhoneKind.SHORT, False)


@pytest.mark.parametrize(
    "number", ["4008001234", "8008101234", "95598", "96156", "95012345678", "+14155550123"]
)
def test_service_and_foreign_numbers_are_for_people_only(number: str) -> None:
    assert not Phone.parse(number).dialable


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    Phone.parse_caller(text)
    assert len(mask(text)) <= max(len(text), 1) + 1


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_a_masked_number_hides_four_digits(number: str) -> None:
    assert Phone.parse(number).masked.count("*") == 4
