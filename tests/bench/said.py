"""Who said it: calls found by what was said in them, among two hundred thousand sentences.

Ten thousand calls of twenty sentences each over a year are made anew and indexed, on SQLite and on
PostgreSQL. Measured is all that a page of twenty calls needs below the HTML: the search, the sentences of the
calls found, the moment of each word that is shown. ``common`` stands in most calls, ``rare`` in a handful,
``two_words`` asks for both of two, ``speaker`` for what only the agents said, ``own`` is an agent who finds
the own calls only, ``month`` the last thirty days, ``nothing`` what nobody said. Both databases must find the
same calls.
"""

import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert

import app.models  # noqa: F401 - every table
from app.said import read_calls
from crm.domain.search_text import marks
from crm.said_search import SaidAsked, SaidSearch
from kernel.access import Actor, Role
from kernel.db import Database, create_database
from speech.said import sentences_of
from speech.spoken import moments
from speech.tables import SegmentRow
from telephony.tables import CallRow
from tests.bench.apart import percentile
from tests.bench.report import at_most, report
from tests.support import postgres

LIMIT_SECONDS = 1800
CALLS = int(os.environ.get("SAID_CALLS", "10000"))
SENTENCES = 20
ROUNDS = 8
LEADS = Actor(user_id="bench", name="bench", role=Role.SUPERVISOR)
TALKS = Actor(user_id="bench", name="bench", role=Role.AGENT)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PLACES = ("卫生间", "厨房", "主卧", "阳台", "客厅", "次卧", "玄关", "书房")
WRONG = ("漏水", "空鼓", "开裂", "起皮", "返潮", "堵了", "松动", "掉漆")
ENDS = ("你们什么时候来看", "已经两个星期了", "楼下邻居都找上来了", "师傅说好的没有来", "请尽快处理一下")
ANSWERS = ("好的我登记一下", "明天上午师傅上门", "请您稍等", "我帮您查一下进度", "给您添麻烦了")
ASKED = {
    "common": (SaidAsked(q="漏水"), SaidAsked(q="师傅")),
    "phrase": (SaidAsked(q="卫生间漏水了"), SaidAsked(q="楼下邻居都找")),
    "rare": (SaidAsked(q="红木地板"), SaidAsked(q="尾号七九九")),
    "two_words": (SaidAsked(q="阳台返潮 红木"), SaidAsked(q="书房 掉漆")),
    "speaker": (SaidAsked(q="明天上午", speaker="agent"), SaidAsked(q="登记", speaker="customer")),
    "month": (SaidAsked(q="开裂", since=NOW - timedelta(days=30)),),
    "nothing": (SaidAsked(q="火星移民"), SaidAsked(q="漏水 龘龘")),
}
MOST_MS = 150.0


def ident(number: int) -> str:
    """An id of the shape of ours, the same in every run."""
    return f"{number:026d}"


async def fill(database: Database) -> float:
    """Make the calls; return how many a second were indexed."""
    rng = random.Random(11)
    for first in range(0, CALLS, 500):
        calls: list[dict[str, Any]] = []
        said: list[dict[str, Any]] = []
        for n in range(first, min(first + 500, CALLS)):
            at = NOW - timedelta(days=365 * (CALLS - n) / CALLS)
            calls.append(
                {
                    "call_id": ident(n),
                    "node": "pbx1",
                    "direction": "in",
                    "from_name": "",
                    "menu_path": [],
                    "from_number": "+8613800138000",
                    "to_number": "+861065558800",
                    "queue": "complaint",
                    "agent_id": ident(n % 20),
                    "agent_number": str(1000 + n % 20),
                    "state": "ended",
                    "started_at": at,
                    "ended_at": at + timedelta(minutes=4),
                    "talk_ms": 1,
                    "hold_ms": 0,
                    "adopted": False,
                }
            )
            for place in range(SENTENCES):
                customer = place % 2 == 0
                text = rng.choice(PLACES) + rng.choice(WRONG) + "了" + rng.choice(ENDS)
                if n % 2000 == 999 and place == 4:
                    text = "红木地板也泡了尾号七九九"
                text = text if customer else rng.choice(ANSWERS) + rng.choice(ANSWERS)
                words = [
                    {"text": text[i : i + 4], "start": place * 5 + i / 5, "end": place * 5 + i / 5 + 0.8}
                    for i in range(0, len(text), 4)
                ]
                said.append(
                    {
                        "segment_id": ident(n * SENTENCES + place),
                        "call_id": ident(n),
                        "raw": text,
                        "text": text,
                        "speaker": "customer" if customer else "agent",
                        "words": words,
                        "engine": "bench",
                        "agent_number": None if customer else "1001",
                        "model": "bench",
                        "source": "after",
                        "started_ms": place * 5000,
                        "ended_ms": place * 5000 + 4000,
                        "created_at": at,
                    }
                )
        async with database.transaction() as session:
            await session.execute(insert(CallRow), calls)
            await session.execute(insert(SegmentRow), said)
    print(f"{database.dialect_name}: made", file=sys.stderr)
    began = time.perf_counter()
    for first in range(0, CALLS, 100):
        async with database.transaction() as session:
            await read_calls(session, [ident(n) for n in range(first, min(first + 100, CALLS))])
    return CALLS / (time.perf_counter() - began)


async def page(database: Database, search: SaidSearch, asked: SaidAsked, *, own: bool) -> tuple[str, ...]:
    """A page of twenty calls with three marked sentences of each."""
    actor, agent_id = (TALKS, ident(3)) if own else (LEADS, None)
    found = await search.find(actor, asked, agent_id=agent_id, limit=20)
    async with database.session() as session:
        said = await sentences_of(session, found.call_ids, speaker=asked.speaker)
        wanted: dict[str, int] = {}
        for lines in said.values():
            hits = [(one, at) for one in lines if (at := marks(one.text, found.terms))]
            wanted |= {one.segment_id: at[0][0] for one, at in hits[:3]}
        await moments(session, wanted)
    return found.call_ids


async def measure(database: Database) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
    """Every question several times."""
    figures = {"index_calls_per_second": await fill(database)}
    print(f"{database.dialect_name}: indexed", file=sys.stderr)
    search, all_taken, answers = SaidSearch(database), [], {}
    for kind, questions in {**ASKED, "own": ASKED["common"]}.items():
        taken = []
        for _ in range(ROUNDS):
            for number, asked in enumerate(questions):
                began = time.perf_counter()
                answers[f"{kind} {number}"] = await page(database, search, asked, own=kind == "own")
                taken.append((time.perf_counter() - began) * 1000)
        figures[f"{kind}_p95_ms"] = percentile(taken, 0.95)
        all_taken += taken
    figures["p95_ms"] = percentile(all_taken, 0.95)
    return figures, answers


@asynccontextmanager
async def databases() -> AsyncIterator[dict[str, Database]]:
    """Both, empty, with their tables."""
    with TemporaryDirectory() as folder:
        url = await postgres.create_test_database()
        opened = {
            "sqlite": create_database(f"sqlite+aiosqlite:///{Path(folder) / 'said.db'}"),
            "postgresql": create_database(url),
        }
        try:
            for database in opened.values():
                await database.create_all()
            yield opened
        finally:
            for database in opened.values():
                await database.dispose()
            await postgres.drop_test_database(url)


async def run() -> dict[str, Any]:
    """Run it on both."""
    figures: dict[str, float] = {"sentences": CALLS * SENTENCES}
    answers = []
    async with databases() as opened:
        for name, database in opened.items():
            measured, found = await measure(database)
            figures |= {f"{name}_{figure}": value for figure, value in measured.items()}
            answers.append(found)
    figures["same_answers"] = float(answers[0] == answers[1])
    goals = {f"{name}_p95": at_most(figures[f"{name}_p95_ms"], MOST_MS) for name in ("sqlite", "postgresql")}
    return report("said", figures, goals)
