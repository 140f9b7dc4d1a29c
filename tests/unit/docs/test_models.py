"""Every state machine has a model of its own among the property tests."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PACKAGES = ("kernel", "crm", "callback_campaigns", "telephony", "ivr")
MACHINE = re.compile(r"^class (\w*(?:State|Status))\(StrEnum\)", re.MULTILINE)
ELSEWHERE = {
    "CrewStatus": "three words that a person chooses among, in any order",
    "LinkState": "tests/contract/test_ami_link.py, against a telephone system that misbehaves",
    "ProblemStatus": "what a customer answers",
    "TimerState": "tests/property/test_limits_model.py, which asks the service",
}
"""Machines that no property test imports → where they are tested, or why they are none."""


def test_every_state_machine_has_a_model() -> None:
    """Somebody who adds states fails here until a property test drives them."""
    models = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/property").glob("*.py"))
    found = [
        (".".join(path.relative_to(ROOT).with_suffix("").parts), name)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in MACHINE.findall(path.read_text(encoding="utf-8"))
    ]
    bare = [one for one in found if one[1] not in ELSEWHERE and f"from {one[0]} import" not in models]
    assert bare == []
    assert set(ELSEWHERE) <= {name for _, name in found}
