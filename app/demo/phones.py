"""The demo agents' telephones, played, so that a first look needs no telephone: they ring, then answer.

A call of a campaign asks the telephone to answer by itself, and it does at once: whoever was called waits for
two seconds only. One SIPp plays them all. Its calls are telephones that register again and again; what the
PBX sends them is answered by its out-of-call scenario. What the agent's side says is what it hears (an echo).
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from app.runtime.asterisk import AsteriskServer
from app.runtime.errors import ProcessFailed
from app.runtime.process import ManagedProcess, ProcessEnded, ProcessSpec
from app.runtime.tool import Tool
from app.secrets_file import write_private
from app.sipp import free_udp_port, render_scenario
from telephony.asterisk.model import AgentEndpoint

RING: Final = timedelta(seconds=6)
"""Long enough to read the page before the call is picked up, shorter than a queue lets ring."""
LONGEST_TALK: Final = timedelta(minutes=10)
REGISTER_EVERY: Final = timedelta(seconds=20)
EXPIRES: Final = timedelta(seconds=60)
REFUSALS: Final = (400, 403, 404, 408, 423, 480, 500, 503)


class DemoPhones(ManagedProcess):
    """Played telephones of agents; ready once the PBX knows where they are.

    Args:
        sipp: the program.
        asterisk: the PBX, which is asked whether the telephones are registered.
        pbx: its SIP address, as (host, port).
        agents: whose telephones; at least one.
        folder: for the scenarios and the passwords; made if it is not there.
        ring: how long a telephone rings before it answers.
        talk: it hangs up after so long at the latest.
    """

    def __init__(
        self,
        sipp: Tool,
        asterisk: AsteriskServer,
        *,
        pbx: tuple[str, int],
        agents: Sequence[AgentEndpoint],
        folder: Path,
        log_file: Path,
        ring: timedelta = RING,
        talk: timedelta = LONGEST_TALK,
        register_every: timedelta = REGISTER_EVERY,
        alert: Callable[[ProcessEnded], None] | None = None,
    ) -> None:
        self._asterisk = asterisk
        self._host, self._port = pbx[0], free_udp_port(pbx[0])
        self._numbers = [agent.number for agent in agents]
        folder.mkdir(parents=True, exist_ok=True)
        registers, rings, rows = folder / "registers.xml", folder / "rings.xml", folder / "telephones.csv"
        registers.write_text(
            render_scenario(
                "desk_registers",
                expires_seconds=_seconds(EXPIRES),
                every_seconds=_seconds(register_every),
                refusals=REFUSALS,
            ),
            encoding="utf-8",
        )
        rings.write_text(
            render_scenario("desk_rings", ring_ms=max(1, _ms(ring)), talk_ms=_ms(talk)), encoding="utf-8"
        )
        write_private(rows, "\n".join(["SEQUENTIAL", *map(_row, agents), ""]))
        count = str(len(agents))
        arguments: list[str | Path] = ["-sf", registers, "-oocsf", rings, "-inf", rows]
        arguments += ["-i", self._host, "-p", str(self._port)]
        arguments += ["-mi", self._host, "-mp", str(free_udp_port(self._host)), "-rtp_echo"]
        arguments += ["-m", count, "-l", count, "-r", count, "-aa", "-default_behaviors", "all,-abortunexp"]
        # its screen is a page of figures every second: once an hour is enough for a log
        arguments += ["-nostdin", "-f", "3600", f"{pbx[0]}:{pbx[1]}"]
        super().__init__(
            ProcessSpec(
                name="demo phones",
                command=sipp.command(*arguments),
                env={"TERM": "dumb", **sipp.env()},
                folder=folder,
                log_file=log_file,
                ready=self._registered,
                ready_within=timedelta(seconds=15),
            ),
            alert=alert,
        )

    async def _registered(self) -> bool:
        try:
            contacts = await self._asterisk.cli("pjsip show contacts")
        except ProcessFailed:
            return False
        return all(f"{number}/sip:{number}@{self._host}:{self._port}" in contacts for number in self._numbers)


def _row(agent: AgentEndpoint) -> str:
    return f"{agent.number};[authentication username={agent.number} password={agent.secret}]"


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())


def _ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
