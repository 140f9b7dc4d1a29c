"""A caller says what they want instead of pressing a key, on a running centre with a real recogniser."""

from array import array
from pathlib import Path

import pytest

from telephony.history import CallHistory
from telephony.views import CallFilter
from tests.support.centre import running_centre
from tests.support.models import installed, models_folder, sentences
from tests.support.sipp import customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

COMPLAINT = next(sentence for sentence in sentences() if sentence.text.startswith("我要投诉"))


async def test_who_says_that_they_complain_waits_for_the_complaint_desk(tmp_path: Path) -> None:
    await installed("whisper-base")
    speech = {"models_dir": str(models_folder()), "engine": "whisper"}
    hotline = {"hotline": "4008001234"}
    async with running_centre(tmp_path, users=False, centre=hotline, speech=speech) as centre:
        calls = CallHistory(centre.database)

        async def ears() -> int:
            return sum(name.startswith("AudioSocket/") for name in await centre.pbx.channels())

        async def listened() -> bool:
            return await ears() == 1

        async def alone() -> bool:
            return await ears() == 0

        async def queued() -> bool:
            found = await calls.page(CallFilter(number="+8613800138001"))
            return [call.queue for call in found.items] == ["complaint"]

        async with customer(centre.pbx, number="13800138001") as caller:
            await eventually(listened, timeout=40, what="the menu listens")
            samples = array("h")
            samples.frombytes(COMPLAINT.pcm)
            caller.handset.say(samples)
            await eventually(queued, timeout=60, what="the caller waits in the queue of complaints")
            # Nobody is listened to once the menu is left.
            await eventually(alone, timeout=20, what="the ear is gone")
            assert caller.up
            await caller.hang_up()

        async def chosen() -> bool:
            (one,) = (await calls.page(CallFilter(number="+8613800138001"))).items
            return one.menu_path == ("投诉",)

        await eventually(chosen, timeout=20, what="what they chose is on the call")
        (call,) = (await calls.page(CallFilter(number="+8613800138001"))).items
        (told,) = [entry.detail for entry in (await calls.get(call.call_id)).timeline if entry.kind == "menu"]
        assert "投诉" in told["said"]
        assert (told["understood"], told.get("key", "")) == ("投诉", "")
        assert float(told["confidence"]) >= 0.85
        assert centre.pbx.log("ERROR") == []
