"""A hand-off to a department and the receipt for it (domain.md §1.3 C1, §4.4 Handoff).

A hand-off waits until the head of the department, or the named deputy, signs for it or rejects it. After that
it never changes: the receipt's hash covers everything on it, and the database refuses an update.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from crm.domain.line_steps import SamePerson
from kernel.errors import Invalid

MAX_STROKES = 200
MAX_POINTS = 4000
MIN_POINTS = 8
CANVAS = 4096
_PIN = re.compile(r"\d{4,12}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class HandoffForm(StrEnum):
    """On what the hand-off was given."""

    PAPER = "paper"
    ELECTRONIC = "electronic"


class HandoffState(StrEnum):
    """Where a hand-off stands."""

    WAITING = "waiting"
    SIGNED = "signed"
    REJECTED = "rejected"


class SignatureKind(StrEnum):
    """How somebody signs."""

    DRAWN = "drawn"
    PIN = "pin"
    PAPER_SCAN = "paper_scan"


Strokes = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature as it is kept.

    Attributes:
        hash: SHA-256 in hex: of the strokes, of the scan, or of the receipt and who signed with their PIN.
            Nothing of the PIN is in it: it was checked against the signer's own when they signed.
        strokes: what was drawn, in whole units of the pad, for the printed receipt.
    """

    kind: SignatureKind
    hash: str
    strokes: Strokes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What somebody gives as a signature; what belongs to the kind must be there, and nothing else."""

    kind: SignatureKind
    strokes: Sequence[Sequence[Sequence[float]]] | None = None
    pin: str | None = None
    scan_sha256: str | None = None


def read_signature(given: Signed, *, receipt: str, user_id: str) -> Signature:
    """Return a signature as it is kept.

    Args:
        receipt: number of the receipt; with ``user_id`` it is what a PIN signs.

    Raises:
        Invalid: nothing was drawn, the PIN or the hash is malformed, or parts of another kind were given.
    """
    wanted = {
        SignatureKind.DRAWN: "strokes",
        SignatureKind.PIN: "pin",
        SignatureKind.PAPER_SCAN: "scan_sha256",
    }
    for kind, name in wanted.items():
        present = getattr(given, name) is not None
        if present and kind is not given.kind:
            raise Invalid(f"belongs to a signature of the kind {kind}", field=f"signature.{name}")
        if not present and kind is given.kind:
            raise Invalid("is missing", field=f"signature.{name}")
    match given.kind:
        case SignatureKind.DRAWN:
            strokes = _read_strokes(given.strokes or ())
            drawn = json.dumps(strokes, separators=(",", ":")).encode()
            return Signature(kind=given.kind, hash=hashlib.sha256(drawn).hexdigest(), strokes=strokes)
        case SignatureKind.PIN:
            if not _PIN.fullmatch(given.pin or ""):
                raise Invalid("4 to 12 digits", field="signature.pin")
            signed = hashlib.sha256(f"{receipt}:{user_id}".encode())
            return Signature(kind=given.kind, hash=signed.hexdigest())
        case SignatureKind.PAPER_SCAN:
            scan = (given.scan_sha256 or "").lower()
            if not _SHA256.fullmatch(scan):
                raise Invalid("the SHA-256 of the scan in hex", field="signature.scan_sha256")
            return Signature(kind=given.kind, hash=scan)


def _read_strokes(strokes: Sequence[Sequence[Sequence[float]]]) -> Strokes:
    field = "signature.strokes"
    if len(strokes) > MAX_STROKES or sum(len(stroke) for stroke in strokes) > MAX_POINTS:
        raise Invalid(f"at most {MAX_STROKES} strokes and {MAX_POINTS} points", field=field)
    found: list[tuple[tuple[int, int], ...]] = []
    for stroke in strokes:
        points: list[tuple[int, int]] = []
        for point in stroke:
            if len(point) != 2 or not all(0 <= part <= CANVAS for part in point):
                raise Invalid(f"points are pairs of 0 to {CANVAS}", field=field)
            points.append((round(point[0]), round(point[1])))
        found.append(tuple(points))
    if sum(len(set(stroke)) for stroke in found) < MIN_POINTS:
        raise Invalid("nothing was drawn", field=field)
    return tuple(found)


def check_signer(*, sender_id: str, signer_id: str) -> None:
    """Refuse a receipt by who sent it (domain.md §4.4 Handoff). Raises SamePerson."""
    if sender_id == signer_id:
        raise SamePerson("who sent a hand-off does not sign for it", field="received_by")


def receipt_no(case_no: str, count: int) -> str:
    """Return the number of the case's ``count``-th receipt."""
    return f"{case_no}-{count:02d}"


def verification(content: Mapping[str, str | int | bool | datetime | None]) -> str:
    """Return the hash on a receipt: who holds a copy can see whether it is the one that is kept."""
    plain = {
        key: value.astimezone(UTC).isoformat(timespec="microseconds")
        if isinstance(value, datetime)
        else value
        for key, value in content.items()
    }
    canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
