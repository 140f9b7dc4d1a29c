"""The knowledge articles of the demo company (``articles.yaml``)."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from crm.domain.knowledge import Area
from crm.journal import Journal
from crm.knowledge import Knowledge
from crm.knowledge_views import ArticleText
from crm.search_feed import SearchFeed
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database

PATH = Path(__file__).with_name("articles.yaml")


def demo_articles() -> tuple[ArticleText, ...]:
    """Return the articles."""
    tree: list[dict[str, Any]] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return tuple(ArticleText(**{**item, "area": Area(item["area"])}) for item in tree)


async def seed_articles(database: Database, clock: Clock, *, zone: ZoneInfo) -> int:
    """Write the articles unless there are some already; return how many were written."""
    actor = Actor.system("演示公司")
    feed = SearchFeed()
    knowledge = Knowledge(database, clock, Journal(AuditLog(database, clock)), feed, zone=zone)
    if await knowledge.articles(actor, valid_only=False, limit=1):
        return 0
    articles = demo_articles()
    for article in articles:
        await knowledge.write(actor, article)
    return len(articles)
