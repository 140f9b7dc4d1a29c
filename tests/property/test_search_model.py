"""Any piece of a text finds it, and nothing else is found: both databases against a model in a few lines."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import crm.search_statements
from crm.domain.search_match import written
from crm.domain.search_text import kind_token, normalise
from crm.search import Document, Kind, SearchIndex
from crm.search_asked import SearchRefused
from crm.search_query import Search
from kernel.access import Actor
from kernel.db import Database

pytestmark = pytest.mark.property

ACTOR = Actor.system("test")
START = datetime(2026, 3, 2, tzinfo=UTC)
# Few characters, so that texts resemble each other; all that the databases could stumble over.
ALPHABET = "漏水管王秀英栋号楼abz019 \t-,.，。'\"%_*()&|!:<>\\\0😀ＡＢ１Éé①漢汉\u200d\ue000"
TEXTS = st.one_of(
    st.sampled_from(("漏水", "水管漏水", "3号楼", "13号楼", "王秀英", "ab01", "ab019", "ab 01")),
    st.text(st.sampled_from(ALPHABET), max_size=14),
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["sorted", "newest first"])
def plans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL goes other ways where there is much: here with little."""
    if request.param == "newest first":
        monkeypatch.setattr(crm.search_statements, "MANY", 0)
        monkeypatch.setattr(crm.search_statements, "WINDOW", 2)


class Model:
    """Documents in a list, searched by looking at every one."""

    def __init__(self, documents: list[Document]) -> None:
        self._documents = documents

    def search(self, query: str) -> list[str]:
        whole = self._plain(query)
        terms = [term for term in whole.split() if len(term) > 1]
        found = []
        for document in self._documents:
            head = [self._plain(field) for field in (document.title, *document.numbers)]
            texts = [*head, *(self._plain(field) for field in document.texts)]
            if not all(any(self._has(field, term) for field in texts) for term in terms):
                continue
            level = 1 if all(any(self._has(field, term) for field in head) for term in terms) else 2
            level = 0 if whole in head else level
            found.append((level, START - document.updated_at, document.ref_id))
        return [ref_id for _, _, ref_id in sorted(found)]

    @staticmethod
    def _plain(text: str) -> str:
        """Without the product's shortcuts: the whole text at once."""
        text = re.sub(r"[\x00-\x1f\ue000]", " ", text).replace("\u200d", "").replace("漢", "汉")
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
        return " ".join(text.replace("\u0301", "").split())

    @staticmethod
    def _has(field: str, term: str) -> bool:
        inner = r"(?<![0-9a-z])" if re.match("[0-9a-z]", term) else ""
        return re.search(inner + re.escape(term), field) is not None


def searchable(query: str) -> bool:
    """Between one and eight words, none of a single letter."""
    words = {word for word in normalise(query).split() if len(word) > 1 or word.isalnum()}
    return 0 < len(words) <= 8 and all(len(word) > 1 for word in words)


def document(n: int, title: str, texts: list[str]) -> Document:
    return Document(
        kind=Kind.REPAIR,
        ref_id=f"R{n}",
        title=title,
        texts=tuple(texts),
        updated_at=START + timedelta(minutes=n),
    )


DOCUMENTS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=2)), min_size=1, max_size=6)


@pytest.mark.usefixtures("plans")
@QUICK
@given(written=DOCUMENTS, piece=st.tuples(st.integers(0, 50), st.integers(0, 50)), other=TEXTS)
async def test_a_piece_finds_exactly_the_texts_that_have_it(
    database: Database, written: list[tuple[str, list[str]]], piece: tuple[int, int], other: str
) -> None:
    documents = [document(n, title, texts) for n, (title, texts) in enumerate(written)]
    index, search, model = SearchIndex(), Search(database), Model(documents)
    async with database.transaction() as session:
        await index.clear(session)
        for one in documents:
            await index.put(session, one)
    source = " ".join([written[0][0], *written[0][1]])
    start, end = sorted(number % (len(source) + 1) for number in piece)
    for query in (source[start:end], source, other):
        if not searchable(query):
            with pytest.raises(SearchRefused):
                await search.search(ACTOR, query)
            continue
        expected = model.search(query)
        found = await search.search(ACTOR, query)
        assert [hit.ref_id for hit in found.items] == expected
        assert found.next_cursor is None
        assert await pages(search, query) == expected


async def pages(search: Search, query: str) -> list[str]:
    """Turn the pages one hit at a time."""
    found: list[str] = []
    cursor = None
    while True:
        page = await search.search(ACTOR, query, limit=1, cursor=cursor)
        found += [hit.ref_id for hit in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), TEXTS), st.tuples(st.just("remove"), st.integers(0, 3))
    ),
    max_size=10,
)


@QUICK
@given(changes=CHANGES)
async def test_changed_and_removed_things_leave_nothing_behind(
    database: Database, changes: list[tuple[str, int, str] | tuple[str, int]]
) -> None:
    index, search = SearchIndex(), Search(database)
    now: dict[int, Document] = {}
    async with database.transaction() as session:
        await index.clear(session)
    for step, change in enumerate(changes):
        async with database.transaction() as session:
            if len(change) == 3:
                made = document(change[1], change[2], [])
                # Sometimes later, sometimes in the same second: the row keeps its place or moves.
                moved = timedelta(minutes=step if step % 2 else 0)
                made = Document(
                    kind=made.kind,
                    ref_id=made.ref_id,
                    title=made.title,
                    updated_at=made.updated_at + moved + timedelta(seconds=step),
                )
                now[change[1]] = made
                await index.put(session, made)
            else:
                now.pop(change[1], None)
                await index.remove(session, Kind.REPAIR, f"R{change[1]}")
    model = Model(list(now.values()))
    for query in [change[2] for change in changes if len(change) == 3]:
        if searchable(query):
            found = await search.search(ACTOR, query)
            assert [hit.ref_id for hit in found.items] == model.search(query)
    async with database.session() as session:
        assert await index.indexed(session, Kind.REPAIR) == len(now)
        assert await index_rows(session) == len(now)


async def index_rows(session: AsyncSession) -> int:
    """How many things the index itself knows of, also such as are gone."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    match = "search_fts MATCH :token" if on_sqlite else "tokens @@ CAST(:token AS tsquery)"
    token = written(kind_token(Kind.REPAIR), "sqlite" if on_sqlite else "postgresql")
    return int(
        await session.scalar(text(f"SELECT count(*) FROM search_fts WHERE {match}"), {"token": token}) or 0
    )
