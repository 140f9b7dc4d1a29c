"""The recorder of AMI bytes."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.ami import AmiEvent
from telephony.ami.errors import AmiLoginRefused
from telephony.ami.record import read_recording, recording
from tests.support.fake_ami import FakeAmi
from tests.support.waiting import eventually

pytestmark = pytest.mark.contract


async def test_a_recording_is_what_a_link_would_have_read() -> None:
    out = io.BytesIO()
    async with FakeAmi() as pbx, recording(pbx.config(), out) as actions:
        await actions.queue_add("complaint", "PJSIP/1001", member_name="李静")
        await eventually(lambda: b"QueueMemberAdded" in out.getvalue())
    messages = read_recording(out.getvalue())
    added = [event for event in messages if isinstance(event, AmiEvent)][-1]
    assert (added.name, added.get("membername")) == ("QueueMemberAdded", "李静")


async def test_a_refused_login_records_nothing_more() -> None:
    async with FakeAmi() as pbx:
        with pytest.raises(AmiLoginRefused):
            async with recording(pbx.config(secret="falsch"), io.BytesIO()):
                pass


async def test_a_pbx_that_cannot_be_reached() -> None:
    async with FakeAmi() as pbx:
        config = pbx.config()
    with pytest.raises(OSError, match="Connect"):
        async with recording(config, io.BytesIO()):
            pass


def test_the_command_ends_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "telephony.ami.record", str(tmp_path / "x.ami"), "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nothing recorded:")
    assert len(done.stderr.splitlines()) == 1
