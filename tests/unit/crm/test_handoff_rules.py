"""Receipts: domain.md §1.3 C1, §4.4 Handoff."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from crm.domain.handoff import (
    SignatureKind,
    Signed,
    check_signer,
    read_signature,
    receipt_no,
    verification,
)
from crm.domain.line_steps import SamePerson
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

STROKES = (((0, 0), (10, 10), (20, 5), (30, 8)), ((5, 40), (9.6, 44), (14, 41), (20, 47)))


def sign(receipt: str = "TS202603200001-01", user: str = "U1", **given: Any) -> str:
    return read_signature(Signed(**given), receipt=receipt, user_id=user).hash


def test_a_drawn_signature_is_kept_with_its_hash() -> None:
    found = read_signature(Signed(kind=SignatureKind.DRAWN, strokes=STROKES), receipt="R", user_id="U")
    assert len(found.hash) == 64
    assert found.strokes[1][1] == (10, 44)
    assert sign(kind=SignatureKind.DRAWN, strokes=STROKES) == found.hash
    assert sign(kind=SignatureKind.DRAWN, strokes=STROKES[:1] * 2) != found.hash


def test_nothing_of_a_PIN_is_kept_its_hash_is_of_this_receipt_and_person() -> None:
    hashes = {
        sign(kind=SignatureKind.PIN, pin="2580"),
        sign("other", kind=SignatureKind.PIN, pin="2580"),
        sign(user="U2", kind=SignatureKind.PIN, pin="2580"),
        sign(kind=SignatureKind.PIN, pin="2581"),
    }
    assert len(hashes) == 3


def test_a_paper_scan_is_its_hash() -> None:
    assert sign(kind=SignatureKind.PAPER_SCAN, scan_sha256="AB" * 32) == "ab" * 32


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": SignatureKind.DRAWN}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": (((1, 1), (2, 2)),)}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": (((1, 1),) * 50,)}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": (((-1, 1),) * 10,)}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": (((1, 2, 3),) * 10,)}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": (((float("nan"), 1),) * 10,)}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": STROKES * 200}, "signature.strokes"),
        ({"kind": SignatureKind.DRAWN, "strokes": STROKES, "pin": "1234"}, "signature.pin"),
        ({"kind": SignatureKind.PIN}, "signature.pin"),
        ({"kind": SignatureKind.PIN, "pin": "12a4"}, "signature.pin"),
        ({"kind": SignatureKind.PIN, "pin": "１２３４"}, "signature.pin"),
        ({"kind": SignatureKind.PAPER_SCAN, "scan_sha256": "xyz"}, "signature.scan_sha256"),
    ],
)
def test_a_signature_that_is_none_is_refused_by_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        sign(**given)
    assert refused.value.field == field


def test_the_signer_is_not_the_sender() -> None:
    check_signer(sender_id="A", signer_id="B")
    with pytest.raises(SamePerson):
        check_signer(sender_id="A", signer_id="A")


def test_the_receipts_hash_covers_every_word_of_it() -> None:
    at = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
    content: dict[str, str | int | bool | datetime | None] = {
        "receipt_no": receipt_no("TS202603200001", 3),
        "cause": "空鼓",
        "sent_at": at,
        "copy_left": True,
    }
    assert content["receipt_no"] == "TS202603200001-03"
    shanghai = {**content, "sent_at": at.astimezone(timezone(timedelta(hours=8)))}
    assert (
        verification(content) == verification(dict(reversed(list(content.items())))) == verification(shanghai)
    )
    for name in content:
        assert verification({**content, name: "other"}) != verification(content)
