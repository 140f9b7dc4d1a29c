"""Recorded answers are heard by whoever works on callbacks, and every time is written down (CB-10)."""

from array import array
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, update

from callback_campaigns.answer_files import MOST_FILES, AnswerFiles
from callback_campaigns.answer_player import AnswerPlayer, PlayedAnswer
from callback_campaigns.talk_tables import CallbackVoiceRow
from crm.domain.spoken import NOTICED_WITHIN, StillListening
from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from kernel.ids import new_ulid
from telephony.audio import write_wav
from tests.support.surveys import SurveyCentre, survey_centre
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.integration


def actor(role: Role) -> Actor:
    return Actor(user_id=new_ulid(), name=role.value, role=role)


async def left_message(site: SurveyCentre, keys: str = "13vX") -> str:
    await site.survey(await site.called(), keys)
    async with site.centre.database.session() as session:
        voice_id: str = (await session.scalars(select(CallbackVoiceRow.id))).one()
    return voice_id


async def test_an_agent_hears_it_and_that_is_written_down(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    async with survey_centre(tmp_path, sqlite, clock) as site:
        voice_id = await left_message(site)
        player = AnswerPlayer(site.centre.desk.office, site.talks, AnswerFiles(site.answers))
        with pytest.raises(StillListening):  # there may be the number of a card in it
            await player.open(actor(Role.AGENT), voice_id)
        clock.advance(NOTICED_WITHIN)
        found = await player.open(actor(Role.AGENT), voice_id)
        assert found.path.read_bytes()[:4] == b"RIFF"
        assert found.filename == f"KG1-{voice_id}.wav"
        async with sqlite.session() as session:
            rows = await session.scalars(select(AuditRow).where(AuditRow.action == "callback.voice_played"))
            assert [row.actor for row in rows] == [Role.AGENT.value]
        for role in (Role.FINANCE, Role.DEPARTMENT_MEMBER):
            with pytest.raises(Forbidden):
                await player.open(actor(role), voice_id)
        for unknown in (new_ulid(), "../../etc/passwd", ""):
            with pytest.raises(NotFound):
                await player.open(actor(Role.AGENT), unknown)
        found.path.unlink()
        with pytest.raises(NotFound):
            await player.open(actor(Role.AGENT), voice_id)
        # Whatever stands in the database, nothing outside the folder is handed out.
        (tmp_path / "secret.wav").write_bytes(b"RIFF")
        async with sqlite.transaction() as session:
            await session.execute(update(CallbackVoiceRow).values(path="../secret.wav"))
        with pytest.raises(NotFound):
            await player.open(actor(Role.AGENT), voice_id)


def test_a_recording_is_never_written_over_and_a_talk_has_only_so_many(tmp_path: Path) -> None:
    files, talk_id = AnswerFiles(tmp_path), new_ulid()
    names = []
    while (path := files.fresh(talk_id, "KG1")) is not None:
        path.with_suffix(".wav").touch()
        names.append(path.name)
    assert names[:2] == ["KG1", "KG1-2"]
    assert len(names) == MOST_FILES
    assert files.fresh(new_ulid(), "") is not None


async def test_pages_and_the_api_hand_out_a_wav_to_those_who_work_callbacks(
    tmp_path: Path, sqlite: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(sqlite, clock, tmp_path)
    await stage.seed()
    await stage.start()
    try:
        assert stage.app is not None
        write_wav(tmp_path / "KG1.wav", array("h", [1000] * 8000))
        heard: list[tuple[str, str]] = []

        async def opened(actor: Actor, voice_id: str) -> PlayedAnswer:
            heard.append((str(actor.role), voice_id))
            return PlayedAnswer(tmp_path / "KG1.wav", "KG1.wav")

        monkeypatch.setattr(stage.app[CALLBACKS].player, "open", opened)
        voice_id = new_ulid()
        cookies = {SESSION_COOKIE: await stage.session_secret("agent")}
        async with aiohttp.ClientSession(cookies=cookies) as client:
            for path in (f"/answers/{voice_id}.wav", f"/api/v1/callback-voices/{voice_id}"):
                async with client.get(stage.url + path, headers={"Range": "bytes=0-3"}) as answer:
                    assert (answer.status, answer.content_type) == (206, "audio/wav")
                    assert await answer.read() == b"RIFF"
                    assert answer.headers["Cache-Control"] == "private, no-cache"
            assert heard == [("agent", voice_id)] * 2
            async with client.get(f"{stage.url}/api/v1/callback-voices/KG1") as answer:
                assert answer.status == 404
        async with aiohttp.ClientSession() as stranger:
            path = f"{stage.url}/answers/{voice_id}.wav"
            async with stranger.get(path, allow_redirects=False) as answer:
                assert answer.status in {303, 401}
    finally:
        await stage.stop()
