"""Calls of callbacks, placed the way the dialler places them but without it."""

import asyncio

from callback_campaigns.domain.attempt import Attempt
from tests.support.pbx import HOTLINE, Pbx


async def originate(
    pbx: Pbx, attempt: Attempt, number: str, *, agent: str | None = None, queue: str | None = None
) -> None:
    """Have the PBX call a customer: led by the survey, or for a queue, or for an agent, who is rung first."""
    config, local = pbx.config, number.removeprefix("+86")
    trunk = pbx.trunk
    wanted = {
        "Channel": f"PJSIP/{agent}" if agent else f"PJSIP/{local}@{trunk.endpoint}",
        "Context": "huifang-preview" if agent else "huifang-dialled",
        "Exten": local if agent else "person" if queue else "survey",
        "Priority": "1",
        "ChannelId": f"att-{attempt.attempt_id}",
        "Async": "true",
        "Timeout": "20000",
        "Variable": f"__HF_CALL={attempt.attempt_id},__HF_DIR=out,HF_TRUNK={trunk.name},HF_CALLER={HOTLINE}"
        + (f",__HF_QUEUE={queue}" if queue else ""),
    }
    login = {"Username": config.ami_user, "Secret": config.ami_secret, "Events": "off"}
    reader, writer = await asyncio.open_connection(config.ami_host, config.ami_port)
    try:
        writer.write(_action("Login", login) + _action("Originate", wanted))
        async with asyncio.timeout(20):
            while b"successfully queued" not in await reader.readuntil(b"\r\n\r\n"):
                continue
    finally:
        writer.close()


def _action(name: str, headers: dict[str, str]) -> bytes:
    lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
