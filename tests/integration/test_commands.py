"""The commands as a person at a terminal meets them: a centre without the demo, and one line per mistake."""

import asyncio
import contextlib
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from app.cli import cli
from app.runtime.redis_server import RedisServer
from app.settings import load_settings
from app.staff import put_agent
from app.store import bring_up_to_date
from kernel.bus import Bus
from kernel.supervise import end_tasks
from telephony.agent_events import RosterChanged
from tests.support.runtime import runtime_folder, shared_runtime
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

Huifang = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with no settings but the data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUIFANG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def huifang(here: Path) -> Huifang:
    def command(*arguments: str, typed: str = "") -> Result:
        result = CliRunner().invoke(cli, arguments, input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


@pytest.fixture
def centre(huifang: Huifang) -> Huifang:
    """The commands over a database that has no queue and nobody in it yet."""
    assert huifang("db", "upgrade").exit_code == 0
    return huifang


def test_a_centre_of_ones_own_from_nothing_to_asterisks_files(centre: Huifang, here: Path) -> None:
    assert "«huifang queue set»" in centre("pbx", "render", "--to", "asterisk").output
    for queue, label in (("service", "综合服务"), ("complaint", "投诉热线"), ("repair", "报修热线")):
        assert "added" in centre("queue", "set", queue, "--label", label, "--wrap-up-seconds", "30").output
    assert "changed" in centre("queue", "set", "repair", "--strategy", "leastrecent").output
    added = centre("agent", "set", "1001", "--name", "周晓梅", "--queue", "complaint", "--queue", "service:5")
    assert "agent 1001 added" in added.output
    secret = centre("agent", "phone", "1001").output.split()[-1]
    assert "changed" in centre("agent", "set", "1001", "--name", "周晓梅梅").output
    assert centre("agent", "phone", "1001").output.split()[-1] == secret
    rendered = centre("pbx", "render", "--to", "asterisk")
    assert rendered.exit_code == 0
    assert secret in (here / "asterisk" / "pjsip_agents.conf").read_text()
    assert "changed" in centre("agent", "set", "1001", "--browser").output
    refused = centre("agent", "phone", "1001")
    assert refused.exit_code == 1
    assert "agent 1001 telephones in their page" in refused.output
    assert "changed" in centre("agent", "set", "1001", "--desk-phone").output
    assert centre("agent", "phone", "1001").output.split()[-1] == secret
    assert "strategy = leastrecent" in (here / "asterisk" / "queues.conf").read_text()
    # what the files name is there: the music of who waits, the folder of recordings
    assert list((here / "data" / "music").glob("*.wav"))
    assert stat.S_IMODE((here / "data" / "recordings").stat().st_mode) == 0o700
    assert centre("flow", "check", str(Path(__file__).parents[2] / "ivr/flows/hotline.yaml")).exit_code == 0


def test_defaults_of_new_queues_are_settings(centre: Huifang, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIFANG_CENTRE__SERVICE_LEVEL_SECONDS", "15")
    monkeypatch.setenv("HUIFANG_CENTRE__WRAP_UP_SECONDS", "77")
    centre("queue", "set", "service")
    with contextlib.closing(sqlite3.connect(load_settings().data_dir / "huifang.db")) as database:
        query = "SELECT label_zh, wrap_up_seconds, answer_within_seconds FROM queue"
        row = database.execute(query).fetchone()
    assert row == ("service", 77, 15)


def test_who_leaves_is_off_the_lists(centre: Huifang) -> None:
    centre("agent", "set", "1001", "--name", "周晓梅")
    assert "周晓梅" in centre("agent", "list").output
    assert "works here no more" in centre("agent", "retire", "1001").output
    assert centre("agent", "list").output == ""
    assert "no agent 1001" in centre("agent", "phone", "1001").output


def test_people_who_may_sign_in(centre: Huifang) -> None:
    centre("agent", "set", "1001", "--name", "周晓梅")
    made = centre(
        "user", "create", "--login", "zhouxm", "--role", "agent", "--agent", "1001", typed="天天向上2026\n"
    )
    assert made.exit_code == 0
    assert centre("user", "password", "zhouxm", typed="好好学习2026\n").exit_code == 0
    assert "needs at least" in centre("user", "password", "zhouxm", typed="短\n").output
    assert centre("user", "change", "zhouxm", "--role", "supervisor", "--no-active").exit_code == 0
    assert "supervisor" in (listed := centre("user", "list").output)
    assert "may not sign in" in listed
    assert "chain is whole" in centre("audit", "verify").output


def test_a_token_is_shown_once_and_can_be_ended(centre: Huifang) -> None:
    made = centre("token", "create", "--name", "报表", "--role", "supervisor", "--days", "30")
    assert made.stdout.startswith("hf_")
    assert made.stdout.count("\n") == 1
    assert "hf_" not in centre("token", "list").output
    assert centre("token", "revoke", "--name", "报表").exit_code == 0
    assert "revoked" in centre("token", "list").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("agent", "set", "1001"), "give a name"),
        (("agent", "set", "12345678901", "--name", "x"), "3 to 6 digits"),
        (("agent", "set", "1001", "--name", "周", "--queue", "nowhere"), "no queue nowhere"),
        (("agent", "set", "1001", "--name", "周", "--queue", "service:x"), "name:penalty"),
        (("agent", "retire", "1009"), "no agent 1009"),
        (("queue", "set", "投诉"), "small letters"),
        (("token", "create", "--name", "x", "--role", "boss"), "role: one of"),
        (("token", "create", "--name", "x", "--role", "captain"), "the role captain needs one"),
        (("token", "create", "--name", "x", "--role", "captain", "--department", "NOPE"), "NOPE"),
        (("token", "revoke", "--name", "[/red]"), "no token named [/red]"),
        (("user", "password", "nobody"), "needs at least"),
        (("flow", "check", "nowhere.yaml"), "No such file"),
    ],
)
def test_a_mistake_is_one_line(centre: Huifang, arguments: tuple[str, ...], said: str) -> None:
    result = centre(*arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_name_that_nobody_has_is_said_as_it_was_written(
    centre: Huifang, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_runtime()
    monkeypatch.setenv("HUIFANG_RUNTIME_DIR", str(runtime_folder()))
    result = centre("call", "--customer", "[/]王")
    assert "no customer is called [/]王; try a number" in result.output


def test_before_there_is_a_database(huifang: Huifang) -> None:
    result = huifang("user", "list")
    assert result.exit_code == 1
    assert "huifang db upgrade" in result.output


def test_a_database_that_does_not_answer_hides_its_password(
    huifang: Huifang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUIFANG_DATABASE_URL", "postgresql://huifang:geheim@127.0.0.1:1/huifang")
    result = huifang("user", "list")
    assert result.exit_code == 1
    assert "the database cannot be used" in result.output
    assert "geheim" not in result.output


def test_the_database_is_its_owners_alone(centre: Huifang, here: Path) -> None:
    assert stat.S_IMODE((here / "data" / "huifang.db").stat().st_mode) == 0o600


async def test_a_change_reaches_the_centre_that_runs(
    here: Path, redis: Redis, redis_server: RedisServer
) -> None:
    settings = load_settings(redis_url=redis_server.url)
    await bring_up_to_date(settings)
    service = Bus(redis)
    pump = asyncio.create_task(service.run())
    async with service.subscribe(RosterChanged, name="service") as changes:

        async def heard() -> bool:
            # The service reads from «now»; what is told before it is ready is not for it.
            await put_agent(settings, "1001", name="周晓梅", queues=None)
            with contextlib.suppress(TimeoutError):
                return isinstance(await asyncio.wait_for(changes.get(), 0.2), RosterChanged)
            return False

        await eventually(heard, timeout=10)
    assert await end_tasks([pump]) == ()
