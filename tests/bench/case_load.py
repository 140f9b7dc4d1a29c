"""Customers, cases and the search in a company of ten thousand customers and one of a million.

Both are made anew (``case_data``): a project and at least one number for every customer, a case with a text
for every fifth. Measured on SQLite and on PostgreSQL, through the services as the pages use them, one request
after the other: ``lookup`` is who a ringing number is (with projects, open cases and the last contacts),
``search`` a page of twenty hits for what people type: names, pinyin, parts of addresses and of texts,
numbers; ``search_head`` is the same for a department's head, who finds only the department's.
``work_list`` is a page of fifty of what is open, late or closed, for customer service; ``work_list_head`` the
same for departments; ``page`` whole pages of work lists (and ``page_search`` of hits) from the request to the
last byte of HTML, for a specialist, the manager and a head. ``create`` is a complaint of two causes with its
limits, journal, facts and index entry; ``limits`` the worker's round with a hundred thousand limits open,
idle and with five hundred due at once.
``growth`` is how many times longer the large company takes than the small one.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import app.models  # noqa: F401 - every table
from crm.search_query import Search
from crm.service import CustomerDirectory
from kernel.access import Actor
from kernel.db import Database, create_database
from kernel.phone import Phone
from tests.bench.apart import percentile
from tests.bench.case_data import PostgresLoader, SqliteLoader, fill, phone_of
from tests.bench.case_pages import Pages
from tests.bench.case_work import HEADS, Office, timed
from tests.bench.report import at_most, report
from tests.support import postgres

LIMIT_SECONDS = 3600
SMALL = 10_000
LARGE = int(os.environ.get("CASE_LOAD_CUSTOMERS", "1000000"))
LOOKUPS = 2000
ROUNDS = 4
ACTOR = Actor.system("bench")
QUERIES = {
    "name": ("王秀英", "李伟", "张文", "欧阳娜", "陈子涵", "周敏静", "刘建国", "赵雪"),
    "pinyin": ("wxy", "zhangwei", "lijg", "chenzih", "wangx", "zhaox", "lw", "zengzhi"),
    "address": (
        "朝阳区",
        "望京街",
        "金紫花园",
        "建国路12号",
        "12号楼3单元",
        "翠锦雅居 5号楼",
        "海淀区学院路",
        "2803室",
    ),
    "text": (
        "漏水",
        "卫生间水管漏水",
        "瓷砖空鼓",
        "施工队一直没有",
        "楼下邻居",
        "主卧 地板 开裂",
        "插座短路",
        "拖了两个星期",
    ),
    "number": (
        "HT2023-00",
        "HT2024-0004321",
        "TS20251101-0004",
        "20251101-0012",
        "13800000005",
        "0005",
        "ht2022",
    ),
    "nothing": ("火星移民", "qqqzzz", "朝阳区 望京街 不存在的", "龘龘"),
}


GOALS = {
    "lookup_p99": 5.0,
    "work_list_p95": 150.0,
    "work_list_head_p95": 150.0,
    "page_agent_p95": 150.0,
    "page_manager_p95": 150.0,
    "page_department_head_p95": 150.0,
    "search_p95": 200.0,
    "search_number_p95": 200.0,
    "search_head_p95": 200.0,
    "page_search_p95": 200.0,
}
"""Of the large company, in milliseconds."""


class Prober:
    """Runs requests one after the other and keeps how long each took, in milliseconds."""

    def __init__(self, database: Database) -> None:
        self._directory = CustomerDirectory(database)
        self._search = Search(database)

    async def lookups(self, customers: int) -> list[float]:
        """Who is calling, for numbers all over the company; one in ten is unknown."""
        rng = random.Random(7)
        phones = [phone_of(rng.randrange(int(customers * 1.1))) for _ in range(LOOKUPS)]
        parsed = [Phone.parse(phone) for phone in phones]
        await self._directory.find_by_phone(parsed[0])
        return [await timed(self._directory.find_by_phone(phone)) for phone in parsed]

    async def searches(self, actor: Actor) -> dict[str, list[float]]:
        """Every kind of query, several rounds."""
        taken: dict[str, list[float]] = {kind: [] for kind in QUERIES}
        for _ in range(ROUNDS):
            for kind, queries in QUERIES.items():
                for query in queries:
                    taken[kind].append(await timed(self._search.search(actor, query)))
        return taken


@asynccontextmanager
async def companies(customers: int, folder: Path) -> AsyncIterator[dict[str, Database]]:
    """Make one company on both databases."""
    file = folder / f"company-{customers}.db"
    url = await postgres.create_test_database()
    name = url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    databases = {"sqlite": create_database(f"sqlite+aiosqlite:///{file}"), "postgresql": create_database(url)}
    try:
        for database in databases.values():
            await database.create_all()
            await database.dispose()
        server = postgres.shared_postgres().conninfo(name)
        await asyncio.to_thread(_fill_both, file, server, customers)
        yield databases
    finally:
        for database in databases.values():
            await database.dispose()
        await postgres.drop_test_database(url)
        file.unlink(missing_ok=True)


def _fill_both(file: Path, server: str, customers: int) -> None:
    fill([SqliteLoader(str(file)), PostgresLoader(server)], customers)


async def measure(customers: int, folder: Path) -> dict[str, float]:
    """Make a company and measure it on both databases."""
    figures: dict[str, float] = {}
    started = time.monotonic()
    async with companies(customers, folder) as databases:
        figures["build_seconds"] = time.monotonic() - started
        for name, database in databases.items():
            prober = Prober(database)
            lookups = await prober.lookups(customers)
            figures[f"{name}_lookup_p50_ms"] = percentile(lookups, 0.5)
            figures[f"{name}_lookup_p99_ms"] = percentile(lookups, 0.99)
            searches = await prober.searches(ACTOR)
            for kind, taken in searches.items():
                figures[f"{name}_search_{kind}_p95_ms"] = percentile(taken, 0.95)
            figures[f"{name}_search_p95_ms"] = percentile(_all(searches), 0.95)
            figures[f"{name}_search_head_p95_ms"] = percentile(_all(await prober.searches(HEADS[0])), 0.95)
            office = Office(database)
            figures[f"{name}_work_list_p95_ms"] = percentile(await office.work_lists(), 0.95)
            figures[f"{name}_work_list_head_p95_ms"] = percentile(await office.work_lists_of_heads(), 0.95)
            created = await office.registrations()
            figures[f"{name}_create_p50_ms"] = percentile(created, 0.5)
            figures[f"{name}_create_p95_ms"] = percentile(created, 0.95)
            pages = await Pages(database).taken()
            for who, taken in pages.items():
                figures[f"{name}_page_{who}_p95_ms"] = percentile(taken, 0.95)
            for what, value in (await office.limits()).items():
                figures[f"{name}_limits_{what}"] = value
    return figures


def _all(taken: dict[str, list[float]]) -> list[float]:
    return [one for some in taken.values() for one in some]


async def run() -> dict[str, Any]:
    """Measure the small company and the large one."""
    # As an installation of this size would be set; the tests' own server is as small as can be.
    postgres.OPTIONS |= {"shared_buffers": "512MB", "work_mem": "16MB", "max_wal_size": "4GB"}
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        small = await measure(SMALL, Path(folder))
        large = await measure(LARGE, Path(folder))
    figures = {f"small_{name}": value for name, value in small.items()}
    figures |= {f"large_{name}": value for name, value in large.items()}
    for name in ("sqlite", "postgresql"):
        for what in ("lookup_p99", "search_p95", "work_list_p95", "create_p95"):
            figures[f"{name}_{what}_growth"] = large[f"{name}_{what}_ms"] / small[f"{name}_{what}_ms"]
    goals = {
        f"{name}_{what}_ms": at_most(large[f"{name}_{what}_ms"], goal)
        for name in ("sqlite", "postgresql")
        for what, goal in GOALS.items()
    }
    return report("case_load", figures, goals)
