"""``python -m tests.support.message_process URL``: a worker of outgoing webhooks in a process of its own."""

import asyncio
import sys
from datetime import time
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import Channel, QuietHours, Rate, Scope
from crm.notices.senders.outside import Outside
from crm.notices.senders.webhook import HttpPoster, WebhookSender
from crm.notices.sending import MessageWorker, SendingRules
from kernel.clock import SystemClock
from kernel.db import create_database

ZONE = ZoneInfo("Asia/Shanghai")


async def nobody_minds(session: AsyncSession, phone: str, scope: Scope) -> bool:
    return False


async def main(url: str) -> None:
    clock, database = SystemClock(), create_database(url)
    sender = WebhookSender(HttpPoster(clock, Outside(("127.0.0.0/8",))), url="", secret=SecretStr("geheim"))
    rules = SendingRules(
        zone=ZONE, quiet=QuietHours(time(0), time(0), ZONE), rates={}, per_recipient=Rate(60, 10)
    )
    worker = MessageWorker(database, clock, {Channel.WEBHOOK: sender}, rules, nobody_minds, worker="process")
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
