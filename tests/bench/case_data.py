"""A company of any size for ``case_load``: customers, telephone numbers, projects and cases with texts.

The same numbers always make the same rows. Workers make them in blocks; they go into the databases by the
drivers' own bulk ways, past the services: a million of them would take an hour.
"""

import json
import os
import random
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import Table

from crm.domain.case import PREFIXES, CaseKind, CaseStatus
from crm.domain.complaint_line import LineStatus
from crm.search import Document, prepare
from crm.search_feed import case_document, customer_document, project_document
from crm.tables import ServiceCase
from kernel.db import Base

BLOCK = 1000
AHEAD = 8
"""Blocks that are made before they are written."""
CASES_EACH = 5
"""One case for so many customers."""
FIRST_DAY = datetime(2021, 1, 4, 1, tzinfo=UTC)
DAYS = 1800
OPEN_SHARE = 0.05
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华玉红梅建国志文海波辉鹏飞宇浩欣怡佳雪婷晨阳思雨梓涵"
    "子轩一诺博文俊峰春生永福德全凤珍淑贞宝琴金凯旋立新世忠晓东慧莹瑞琪"
)
DISTRICTS = (
    "朝阳区",
    "海淀区",
    "西城区",
    "东城区",
    "丰台区",
    "通州区",
    "昌平区",
    "大兴区",
    "石景山区",
    "顺义区",
)
STREETS = (
    "建国路",
    "望京街",
    "中关村大街",
    "学院路",
    "安定门外大街",
    "方庄路",
    "云景东路",
    "回龙观西大街",
    "黄村东大街",
)
ESTATES_FIRST = "金紫碧翠绿锦御龙万华阳光天和润保龙湖首开远洋富力"
ESTATES_LAST = ("花园", "家园", "小区", "公馆", "苑", "嘉园", "国际城", "新村", "府邸", "雅居")
ROOMS = ("卫生间", "厨房", "主卧", "次卧", "客厅", "阳台", "餐厅", "书房", "玄关", "地下室")
THINGS = (
    "水管",
    "瓷砖",
    "地板",
    "墙面",
    "吊顶",
    "防水层",
    "橱柜",
    "开关",
    "插座",
    "门套",
    "窗台石",
    "踢脚线",
)
TROUBLES = (
    "漏水",
    "空鼓",
    "开裂",
    "起皮",
    "发霉",
    "松动",
    "变形",
    "掉漆",
    "堵塞",
    "短路",
    "渗水",
    "异响",
    "脱落",
)
SAYINGS = (
    "客户要求今天之内给答复",
    "已经影响到楼下邻居",
    "施工队一直没有联系客户",
    "约好的时间没有人上门",
    "客户情绪比较激动请尽快处理",
    "材料和合同上写的不一样",
    "工期已经拖了两个星期",
    "上次维修之后又出现同样的问题",
    "家里有老人和孩子不方便",
    "客户表示可以周末上门查看",
)
DEPARTMENTS = (
    ("ENG", "工程部"),
    ("DES", "设计部"),
    ("MAT", "材料部"),
    ("STO", "店面"),
    ("QC", "质检部"),
    ("CS", "客服监察部"),
)
OPEN_STATES = {
    CaseKind.COMPLAINT: (CaseStatus.REGISTERED, CaseStatus.ACCEPTED, CaseStatus.ON_SITE),
    CaseKind.REPAIR: (CaseStatus.REGISTERED, CaseStatus.ROUTED, CaseStatus.APPOINTED),
    CaseKind.TICKET: (CaseStatus.OPEN, CaseStatus.IN_HAND),
}
LINE_STATES = {
    CaseStatus.REGISTERED: LineStatus.HANDED_OFF,
    CaseStatus.ACCEPTED: LineStatus.ACCEPTED,
    CaseStatus.ON_SITE: LineStatus.PLANNED,
    CaseStatus.CLOSED: LineStatus.CLOSED,
}
TABLES = (
    "customer",
    "customer_phone",
    "project",
    "service_case",
    "case_party",
    "complaint",
    "complaint_line",
)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Rows = list[dict[str, Any]]
Block = dict[str, Rows]
Indexed = list[tuple[int, dict[str, Any], list[str]]]


def ulid(at: datetime, letter: str, n: int) -> str:
    """Return an id that is a ULID and tells what it belongs to."""
    value, text = int(at.timestamp() * 1000), ""
    for _ in range(10):
        value, digit = divmod(value, 32)
        text = _CROCKFORD[digit] + text
    return f"{text}{letter}{n:015d}"


def name_of(rng: random.Random) -> str:
    """Return a name; two thirds have three characters, common family names are common."""
    surname = SURNAMES[min(int(rng.paretovariate(1.1) * 4) - 4, len(SURNAMES) - 1)]
    return surname + "".join(rng.choices(GIVEN, k=2 if rng.random() < 0.67 else 1))


def address_of(rng: random.Random) -> str:
    """Return an address in Beijing."""
    estate = "".join(rng.choices(ESTATES_FIRST, k=2)) + rng.choice(ESTATES_LAST)
    place = f"北京市{rng.choice(DISTRICTS)}{rng.choice(STREETS)}{rng.randint(1, 199)}号{estate}"
    return f"{place}{rng.randint(1, 30)}号楼{rng.randint(1, 6)}单元{rng.randint(1, 28)}0{rng.randint(1, 4)}室"


def content_of(rng: random.Random) -> str:
    """Return what somebody complained about."""
    said = "。".join(rng.sample(SAYINGS, k=rng.randint(1, 3)))
    return f"{rng.choice(ROOMS)}{rng.choice(THINGS)}{rng.choice(TROUBLES)},{said}。"


def phone_of(n: int, second: bool = False) -> str:
    """Return the number of customer ``n``."""
    # A step that is coprime to the range scatters neighbours; no two customers share one.
    scattered = (n * 7_654_321 + (5 if second else 0)) % 100_000_000
    return f"+86{'139' if second else '138'}{scattered:08d}"


def block(number: int, customers: int) -> tuple[Block, Indexed]:
    """Make one block of a company: rows by table, and the search's documents."""
    rng = random.Random(number)
    made: Block = {name: [] for name in TABLES}
    documents: list[Document] = []
    for n in range(number * BLOCK, (number + 1) * BLOCK):
        _customer(rng, n, customers, made, documents)
    indexed: Indexed = []
    for document in documents:
        ready = prepare(document)
        indexed.append((ready.wanted_id, ready.row, ready.stored.tokens()))
    return made, indexed


def _customer(rng: random.Random, n: int, customers: int, made: Block, documents: list[Document]) -> None:
    # They came one after the other, as rows do.
    created = FIRST_DAY + timedelta(seconds=DAYS * 86400 * n // customers)
    customer_id, name = ulid(created, "C", n), name_of(rng)
    level = rng.choices("ABC", weights=(1, 4, 15))[0]
    made["customer"].append({"id": customer_id, "name": name, "level": level, "created_at": created})
    phones = [phone_of(n)] + ([phone_of(n, second=True)] if rng.random() < 0.1 else [])
    made["customer_phone"] += [
        {"customer_id": customer_id, "e164": e164, "position": place} for place, e164 in enumerate(phones)
    ]
    documents.append(customer_document(customer_id, name, phones, created))
    project_id, address = ulid(created + timedelta(days=1), "P", n), address_of(rng)
    contract = f"HT{created:%Y}-{n:07d}"
    made["project"].append(
        {
            "id": project_id,
            "contract_no": contract,
            "customer_id": customer_id,
            "address": address,
            "stage": rng.choice((20, 50, 70, 90, 95)),
        }
    )
    documents.append(project_document(project_id, contract, address, customer_id, name))
    if n % CASES_EACH == 0:
        a_day = -(-customers // CASES_EACH // DAYS)
        _case(rng, divmod(n // CASES_EACH, a_day), (customer_id, name, project_id), made, documents)


def _case(
    rng: random.Random,
    numbered: tuple[int, int],
    owner: tuple[str, str, str],
    made: Block,
    documents: list[Document],
) -> None:
    customer_id, name, project_id = owner
    kind = rng.choices(tuple(CaseKind), weights=(4, 5, 1))[0]
    day, place = numbered
    k = day * 10_000 + place
    opened = FIRST_DAY + timedelta(days=day, minutes=place)
    is_open = rng.random() < OPEN_SHARE
    content = content_of(rng)
    department = rng.choice(DEPARTMENTS)[0]
    row = {
        "id": ulid(opened, "S", k),
        "no": f"{PREFIXES[kind]}{opened:%Y%m%d}{place + 1:04d}",
        "kind": kind.value,
        "customer_id": customer_id,
        "project_id": project_id,
        "department_code": department,
        "status": (rng.choice(OPEN_STATES[kind]) if is_open else CaseStatus.CLOSED).value,
        "summary": content[:80],
        "content": content,
        "opened_at": opened,
        "updated_at": opened,
        "closed_at": None if is_open else opened + timedelta(days=3),
    }
    made["service_case"].append(row)
    made["case_party"].append({"case_id": row["id"], "department_code": department})
    if kind is CaseKind.COMPLAINT:
        made["complaint"].append(
            {"case_id": row["id"], "complained_at": opened, "registered_by_id": ulid(FIRST_DAY, "U", k % 8)}
        )
        made["complaint_line"].append(_line(rng, k, row, department))
    documents.append(case_document(ServiceCase(**row), name, [department]))


def _line(rng: random.Random, k: int, case: dict[str, Any], department: str) -> dict[str, Any]:
    opened = case["opened_at"]
    # As a company keeps up with its work: a part of the open lines is late, most are due in the future.
    due = FIRST_DAY + timedelta(days=DAYS + rng.randint(-2, 20))
    return {
        "id": ulid(opened, "N", k),
        "case_id": case["id"],
        "position": 1,
        "status": LINE_STATES[CaseStatus(case["status"])].value,
        "class_code": 1,
        "cause": case["summary"],
        "department_code": department,
        "registered_at": opened,
        "accept_due_at": due,
        "plan_due_at": due,
        "planned_solve_at": due,
    }


# Into the databases


class SqliteLoader:
    """Fills an SQLite file whose tables are there."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("BEGIN")

    def insert(self, table: Table, rows: Rows) -> None:
        """Add rows of a table."""
        names = [column.name for column in table.columns]
        marks = ", ".join("?" * len(names))
        filled = ([_plain(value) for value in row] for row in _filled(table, rows))
        columns = ", ".join(f'"{name}"' for name in names)
        self._connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", filled)

    def index(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        """Add to the search's index."""
        self._connection.executemany(
            "INSERT INTO search_fts(rowid, tokens) VALUES (?, ?)",
            ((number, " ".join(tokens)) for number, tokens in rows),
        )

    def finish(self) -> None:
        """Make it as it would be after some time of use."""
        self._connection.execute("COMMIT")
        self._connection.execute("ANALYZE")
        self._connection.close()


class PostgresLoader:
    """Fills a PostgreSQL database whose tables are there."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        # Made at the end: that is many times faster than row by row.
        self._connection.execute("DROP INDEX search_fts_tokens, search_fts_id")
        self._connection.execute("SET session_replication_role = replica")

    def insert(self, table: Table, rows: Rows) -> None:
        """Add rows of a table."""
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        with self._connection.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in _filled(table, rows):
                copy.write_row(
                    [json.dumps(value) if isinstance(value, list | dict) else value for value in row]
                )

    def index(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        """Add to the search's index; tokens have no quotes, spaces or backslashes."""
        with self._connection.cursor().copy("COPY search_fts (id, tokens) FROM STDIN") as copy:
            for number, tokens in rows:
                copy.write_row([number, " ".join(f"'{token}'" for token in tokens)])

    def finish(self) -> None:
        """Make it as it would be after some time of use."""
        self._connection.execute("SET maintenance_work_mem = '512MB'")
        self._connection.execute(
            "CREATE INDEX search_fts_tokens ON search_fts USING gin (tokens) WITH (fastupdate = off)"
        )
        self._connection.execute("CREATE INDEX search_fts_id ON search_fts USING hash (id)")
        self._connection.execute("VACUUM ANALYZE")
        self._connection.close()


Loader = SqliteLoader | PostgresLoader


def _filled(table: Table, rows: Rows) -> Iterator[list[Any]]:
    """Yield the values of every column, with the tables' own defaults."""
    defaults = []
    for column in table.columns:
        default = getattr(column.default, "arg", None)
        defaults.append((column.name, {} if callable(default) else default))
    for row in rows:
        yield [row.get(name, default) for name, default in defaults]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return json.dumps(value) if isinstance(value, list | dict) else value


def _in_order(pool: ProcessPoolExecutor, customers: int) -> Iterator[tuple[Block, Indexed]]:
    """Yield blocks in order, never many more than are written: a million customers do not fit in memory."""
    waiting: deque[Future[tuple[Block, Indexed]]] = deque()
    for number in range(customers // BLOCK):
        waiting.append(pool.submit(block, number, customers))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def fill(loaders: Sequence[Loader], customers: int, *, workers: int | None = None) -> None:
    """Write a company of so many customers (a multiple of :data:`BLOCK`) through every loader."""
    tables = Base.metadata.tables
    for loader in loaders:
        loader.insert(tables["department"], [{"code": code, "name": name} for code, name in DEPARTMENTS])
    taken: set[int] = set()
    with ProcessPoolExecutor(workers or max(1, len(os.sched_getaffinity(0)))) as pool:
        for made, indexed in _in_order(pool, customers):
            documents: Rows = []
            words: list[tuple[int, list[str]]] = []
            for wanted, row, tokens in indexed:
                while wanted in taken:
                    wanted += 1
                taken.add(wanted)
                documents.append({"id": wanted, **row})
                words.append((wanted, tokens))
            for loader in loaders:
                for name, rows in made.items():
                    loader.insert(tables[name], rows)
                loader.insert(tables["search_document"], documents)
                loader.index(words)
    for loader in loaders:
        loader.finish()
