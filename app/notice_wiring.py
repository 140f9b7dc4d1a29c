"""Joins notices to the people who may sign in, to the refusals of customers, and to the way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from redis.asyncio import Redis
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.setting_sections import NoticeSettings
from app.settings import Settings
from callback_campaigns.regular_reports import RegularReports
from crm.journal import Journal
from crm.notices.domain import Channel, QuietHours, Rate, Scope, Target
from crm.notices.facts import NoticeFacts
from crm.notices.later import LaterWorker
from crm.notices.messages import MessageQueue
from crm.notices.ports import FilesOf, MessageSender, Person
from crm.notices.senders.outside import Outside
from crm.notices.senders.smtp import SmtpConfig, SmtpSender
from crm.notices.senders.webhook import HttpPoster, SmsSender, WebhookSender, WecomSender
from crm.notices.sending import MessageWorker, SendingRules
from crm.notices.service import Notices, seed_rules
from crm.notices.tidy import NoticeTidier
from crm.people_tables import DoNotCallNumber, DoNotCallRow
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import ConfigurationError
from kernel.outbox import FactConsumer
from kernel.supervise import Supervisor
from web.report_file import ReportAttachments
from web.tables import UserRow

REFUSED_FROM_LEVEL = {Scope.SURVEY: 1, Scope.MARKETING: 2, Scope.OTHER: 3}
"""Level of a refusal from which a message is unwanted (domain.md §6.4); about one's own case, none is."""


class Staff:
    """The people who may sign in, as notices look for them."""

    async def find(self, session: AsyncSession, targets: Sequence[Target]) -> Sequence[Person]:
        """Return the active ones whom the targets mean."""
        meant = [
            UserRow.user_id == target.user_id
            if target.user_id is not None
            else and_(
                *([UserRow.role == target.role.value] if target.role else []),
                *([UserRow.department == target.department] if target.department else []),
            )
            for target in targets
        ]
        if not meant:
            return ()
        rows = await session.execute(
            select(UserRow.user_id, UserRow.locale).where(UserRow.active, or_(*meant))
        )
        return [Person(user_id, locale) for user_id, locale in rows]


async def unwanted(session: AsyncSession, phone: str, scope: Scope) -> bool:
    """Tell whether a customer's number refuses messages of this scope."""
    if scope is Scope.CASE:
        return False
    query = (
        select(DoNotCallRow.id)
        .join(DoNotCallNumber, DoNotCallNumber.entry_id == DoNotCallRow.id)
        .where(
            DoNotCallNumber.e164 == phone,
            DoNotCallRow.lifted_at.is_(None),
            DoNotCallRow.level >= REFUSED_FROM_LEVEL[scope],
        )
        .limit(1)
    )
    return (await session.execute(query)).first() is not None


def build_senders(settings: Settings, clock: Clock) -> dict[Channel, MessageSender]:
    """Return the adapters of the channels that the settings name.

    Raises:
        ConfigurationError: a setting does not fit.
    """
    given, found = settings.notices, dict[Channel, MessageSender]()
    poster = HttpPoster(clock, Outside(given.allowed_networks))
    if given.smtp_host:
        found[Channel.EMAIL] = SmtpSender(
            SmtpConfig(
                host=given.smtp_host,
                port=given.smtp_port,
                encryption=given.smtp_tls,
                username=given.smtp_username,
                password=given.smtp_password,
                sender=given.smtp_from,
                sender_name=settings.centre.company,
            ),
            clock,
        )
    if given.wecom_url.get_secret_value():
        found[Channel.WECOM] = WecomSender(poster, url=given.wecom_url)
    if given.sms_url:
        found[Channel.SMS] = SmsSender(
            poster, url=given.sms_url, secret=given.sms_secret, sign=settings.centre.company
        )
    if given.webhook_secret.get_secret_value():
        found[Channel.WEBHOOK] = WebhookSender(poster, url=given.webhook_url, secret=given.webhook_secret)
    elif given.webhook_url:
        raise ConfigurationError("notices.webhook_secret: webhooks are signed; give a secret of your own")
    return found


def sending_rules(settings: Settings) -> SendingRules:
    """Return how fast and when messages go out."""
    given = settings.notices
    return SendingRules(
        zone=settings.zone,
        quiet=QuietHours(
            time.fromisoformat(given.quiet_from), time.fromisoformat(given.quiet_until), settings.zone
        ),
        rates=_rates(given),
        per_recipient=Rate(per_minute=given.recipient_per_minute, burst=5),
        base_url=given.page_url.rstrip("/"),
    )


def report_files(settings: Settings, database: Database, clock: Clock) -> FilesOf | None:
    """Return what makes the files that reports are sent with; ``None`` where they are to be linked alone."""
    if not settings.notices.attach_reports:
        return None
    reports = RegularReports(database, clock, zone=settings.zone)
    return ReportAttachments(database, Journal(AuditLog(database, clock)), reports).of


def _rates(given: NoticeSettings) -> dict[Channel, Rate]:
    per_minute = {
        Channel.EMAIL: given.email_per_minute,
        Channel.SMS: given.sms_per_minute,
        Channel.WECOM: given.wecom_per_minute,
        Channel.WEBHOOK: given.webhook_per_minute,
    }
    # A tenth of a minute's worth may go at once.
    return {
        channel: Rate(per_minute=rate, burst=max(1, round(rate / 10))) for channel, rate in per_minute.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePart:
    """The services of notices in one process."""

    notices: Notices
    queue: MessageQueue
    worker: MessageWorker
    consumer: FactConsumer
    tidier: NoticeTidier
    later: LaterWorker


def build_notices(
    settings: Settings, *, clock: Clock, database: Database, redis: "Redis", bus: Bus, worker: str
) -> NoticePart:
    """Return the services, not yet running.

    Raises:
        ConfigurationError: a setting does not fit.
    """
    sender = MessageWorker(
        database,
        clock,
        build_senders(settings, clock),
        sending_rules(settings),
        unwanted,
        worker=worker,
        files=report_files(settings, database, clock),
    )
    standing = {"company": settings.centre.company, "hotline": settings.centre.hotline}
    queue = MessageQueue(clock, Staff(), unwanted, on_messages=sender.wake, standing=standing)
    notices = Notices(clock, bus, queue)
    facts = NoticeFacts(notices, queue, clock)
    consumer = FactConsumer(
        "crm.notices", facts.types, facts.take, database=database, redis=redis, clock=clock, worker=worker
    )
    tidier = NoticeTidier(database, clock)
    return NoticePart(
        notices=notices,
        queue=queue,
        worker=sender,
        consumer=consumer,
        tidier=tidier,
        later=LaterWorker(database, clock, notices.give, worker=worker),
    )


async def start_notices(part: NoticePart, database: Database, tasks: Supervisor) -> None:
    """Store the rules that are new and start the tasks."""
    async with database.transaction() as session:
        await seed_rules(session)
    tasks.spawn("notices", part.consumer.run)
    tasks.spawn("messages", part.worker.run)
    tasks.spawn("notices-later", part.later.run)
    tasks.spawn("notices-tidy", part.tidier.run)
