"""What the doctor asks of the database, Redis, FastAGI, the prompts and the voice."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app import schema
from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs
from app.runtime.espeak import find_espeak, reads_chinese
from kernel.clock import Clock
from kernel.db import Database, create_database
from kernel.errors import ConfigurationError, HuifangError
from kernel.failed_facts import FailedFacts

KOKORO = "voice-zh"
NO_MENUS = "callers of a menu without prompts hear a chime and go to the default queue"
START = "start the centre: «huifang up» (make run)"


async def check_database(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the database answers and has this version's schema."""
    name = "database"
    try:
        url = make_url(inputs.database_url)
        database = create_database(inputs.database_url)
    except (ConfigurationError, SQLAlchemyError) as error:
        return [Finding.error(name, str(error), "correct HUIFANG_DATABASE_URL")]
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database and not _exists(url.database):
        return [Finding.warning(name, f"{url.database} is not there yet", "«huifang up» (make run) makes it")]
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()):
            revision = await schema.current_revision(database)
            if revision is None:
                mend = "run «huifang db upgrade» (make run does)"
                return [Finding.warning(name, f"{shown} is empty", mend)]
            await schema.check(database)
            served_by = await database.product()
            aside = await _facts_set_aside(database, inputs.clock)
    except schema.DatabaseNewer as error:
        said, _, mend = error.message.partition("; ")
        return [Finding.error(name, said, mend or "start the newer version")]
    except HuifangError:
        newest = schema.newest_revision()
        said = f"its schema is at revision {revision}, this version needs {newest}"
        return [Finding.error(name, said, "run «huifang db upgrade» (make run does)")]
    except (OSError, SQLAlchemyError, TimeoutError) as error:
        said = f"{shown} does not answer ({_first_line(error)})"
        return [Finding.error(name, said, "start it, or correct HUIFANG_DATABASE_URL")]
    else:
        return [Finding.good(name, f"{shown}, {served_by}, schema revision {revision}"), *aside]
    finally:
        await database.dispose()


async def _facts_set_aside(database: Database, clock: Clock) -> Sequence[Finding]:
    counted = await FailedFacts(database, clock).set_aside()
    if not counted:
        return []
    shown = ", ".join(f"{count} by {consumer}" for consumer, count in sorted(counted.items()))
    mend = "«huifang facts list» says why; then «huifang facts retry» or «huifang facts drop»"
    return [Finding.warning("facts", f"some could not be handled and were set aside: {shown}", mend)]


async def check_redis(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether Redis answers."""
    name = "Redis"
    shown = inputs.redis_url.split("@")[-1]
    try:
        client = Redis.from_url(inputs.redis_url, socket_timeout=inputs.deadline.total_seconds())
    except ValueError as error:
        return [Finding.error(name, f"HUIFANG_REDIS_URL: {error}", "write redis://host:port/0")]
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()):
            info = await client.info("server")
    except AuthenticationError:
        return [Finding.error(name, f"{shown} refuses the password", "correct HUIFANG_REDIS_URL")]
    except (RedisError, OSError, TimeoutError) as error:
        if inputs.private_redis:
            return [Finding.warning(name, "not running", START)]
        said = f"{shown} does not answer ({_first_line(error)})"
        return [Finding.error(name, said, "start it, or correct HUIFANG_REDIS_URL")]
    finally:
        await client.aclose()
    return [Finding.good(name, f"{info.get('redis_version', '?')} answers at {shown}")]


async def check_fastagi(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether somebody takes connections where Asterisk asks for the menu."""
    name, (host, port) = "FastAGI", inputs.agi
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        said = f"nobody listens on {host}:{port}; callers hear the fallback prompt and go to a person"
        return [Finding.warning(name, said, START)]
    writer.close()
    return [Finding.good(name, f"{host}:{port} takes connections")]


async def check_prompts(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether every text that the flows speak has its sound file."""
    if inputs.missing_prompts is None:
        return []
    missing = await inputs.missing_prompts()
    if not missing:
        return [Finding.good("prompts", "all there")]
    some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
    return [Finding.warning("prompts", f"{len(missing)} not made yet: {some}", START)]


async def check_espeak(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether there is an espeak-ng, and whether it reads Chinese characters."""
    espeak = await find_espeak(inputs.espeak, inputs.runtime_dir)
    if espeak is None and inputs.espeak:
        mend = "correct HUIFANG_VOICE__ESPEAK; a running centre finds it by itself"
        return [Finding.error("voice", f"{inputs.espeak} is no espeak-ng that runs; {NO_MENUS}", mend)]
    if espeak is None:
        mend = "install espeak-ng 1.52 or newer; a running centre finds it by itself"
        return [Finding.warning("voice", f"no espeak-ng; {NO_MENUS}", mend)]
    try:
        good = await reads_chinese(espeak)
    except (OSError, TimeoutError) as error:
        said = f"{espeak.program} does not run ({_first_line(error)})"
        return [Finding.error("voice", said, f"delete {inputs.runtime_dir} and start again")]
    if good:
        return [Finding.good("voice", f"espeak-ng reads Chinese characters; {_natural(inputs)}")]
    said = f"espeak-ng {espeak.version} cannot read Chinese characters; prompts are made from pinyin"
    return [Finding.warning("voice", said, "install espeak-ng 1.52 or newer")]


def _natural(inputs: DoctorInputs) -> str:
    if inputs.models is not None and any(one.name == KOKORO for one in inputs.models.installed()):
        return "Kokoro speaks texts of your own"
    return f"texts of your own sound natural after «huifang speech install {KOKORO}»"


def _exists(path: str) -> bool:
    return path == ":memory:" or Path(path).exists()


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
