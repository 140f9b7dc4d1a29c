"""Which espeak-ng speaks, and whether it reads Chinese: told from the phonemes it makes, not its version."""

import asyncio
from pathlib import Path

from app.runtime.command import run
from app.runtime.host import version_of
from app.runtime.packages import Runtime
from app.runtime.tool import Tool

DEADLINE_SECONDS = 10
GREETING = "您好"
# nín hǎo in espeak-ng's phonemes; one that cannot read the characters says "Chinese letter" for each.
GREETING_PHONEMES = "ni35nX'Au214"


async def find_espeak(program: str, runtime_dir: Path) -> Tool | None:
    """Return the program named, else the host's or the unpacked one; fetches nothing."""
    if not program:
        return (await Runtime.present(runtime_dir)).tools.get("espeak")
    version = await asyncio.to_thread(version_of, "espeak", [program])
    return Tool(name="espeak", program=Path(program), version=version) if version else None


async def reads_chinese(espeak: Tool) -> bool:
    """Return whether the voice ``cmn`` turns characters into Mandarin.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it did not end in time.
    """
    command = espeak.command("-v", "cmn", "-q", "-x", GREETING)
    said = await run(command, env=espeak.env(), deadline_seconds=DEADLINE_SECONDS)
    return said.output.strip().startswith(GREETING_PHONEMES)
