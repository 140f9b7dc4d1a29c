"""Messages that callers left after the tone: each is a wish to be called back, with its text in it.

The wish is there from the moment that the caller hangs up; the text comes when somebody has listened by
machine, and says whose the message is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.classification import shipped
from crm.domain.complaint import CONFIDENTIAL
from crm.domain.spoken import Spoken, TextProgress, Transcript, check_playable, corrected
from crm.domain.voicemail import Route, route_of
from crm.events_voicemail import MessageLeft
from crm.notices.events import NoticeWanted
from crm.notices.store import insert_new
from crm.notices.tables import Notice
from crm.office import Office
from crm.spoken_tables import to_transcript, write_spoken
from crm.tables import CallbackRequest, Customer
from crm.timeline import Channel
from crm.timeline import add as add_line
from crm.voicemail_tables import VoiceMessageRow
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Forbidden, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact
from kernel.phone import Phone

REASON = "电话留言"
NO_NUMBER = "号码未显示"
MAX_SHOWN = 200
MAX_PAGE = 100
UNHEARD = "voicemail.unheard"
HEARD_WITHIN = timedelta(hours=4)
LOOKED_BACK = timedelta(days=14)
SECRET = frozenset(int(one) for one in CONFIDENTIAL)
LINK = "/callbacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftMessage:
    """A message as it was recorded.

    Attributes:
        path: below the folder of messages.
        phone: ``None`` where it was withheld, or is none that can be called.
        origin: where in the menus it was left.
    """

    call_id: str
    path: str
    seconds: float
    at: datetime
    phone: Phone | None = None
    customer_id: str | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMessage:
    """A message as it is shown. Of integrity only the managers see the text, and hear it."""

    message_id: str
    request_id: str | None
    call_id: str
    at: datetime
    seconds: float
    route: Route | None
    urgent: bool
    transcript: Transcript
    hidden: bool
    heard_at: datetime | None
    heard_by: str
    version: int


class VoiceMail:
    """Keeps messages."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def keep(self, left: LeftMessage) -> str:
        """Keep a message, and put its caller on the list of those to be called back.

        Told twice, it is one message. Returns its id.
        """
        async with self._office.database.transaction() as session:
            known = select(VoiceMessageRow.id).where(VoiceMessageRow.path == left.path)
            if (found := await session.scalar(known)) is not None:
                return found
            row = VoiceMessageRow(
                id=new_ulid(),
                call_id=left.call_id,
                customer_id=left.customer_id,
                e164=left.phone.e164 if left.phone is not None else "",
                path=left.path,
                seconds=left.seconds,
                at=left.at,
                origin=left.origin[:48],
            )
            row.request_id = await self._wish(session, row)
            session.add(row)
            await session.flush()
            if row.customer_id is not None:
                await self._on_timeline(session, row)
            add_fact(session, MessageLeft(at=left.at, message_id=row.id, path=row.path))
            await self._tell(session, row, "voicemail.left")
            return row.id

    async def waits(self, session: AsyncSession, message_id: str) -> bool:
        """Note that text is being made of a message; return whether it is there, and has none yet."""
        row = await session.get(VoiceMessageRow, message_id, with_for_update=True)
        if row is None or row.text_state:
            return False
        row.text_state = TextProgress.WAITING.value
        return True

    async def keep_text(self, session: AsyncSession, message_id: str, spoken: Spoken) -> None:
        """Keep the text of a message, and tell those whose it is. Of one that was erased nothing is kept."""
        row = await session.get(VoiceMessageRow, message_id, with_for_update=True)
        if row is None:
            return
        if spoken.state is TextProgress.LATER:
            row.text_state = TextProgress.LATER.value
            return
        write_spoken(row, spoken)
        row.class_code = spoken.class_code
        routed = route_of(spoken, shipped())
        row.route, row.urgent = routed.route.value, routed.urgent
        await session.flush()
        if row.customer_id is not None:
            await self._on_timeline(session, row)
        if row.route != Route.OTHER.value:
            await self._tell(session, row, "voicemail.urgent" if row.urgent else f"voicemail.{row.route}")

    async def of_requests(self, actor: Actor, ids: Sequence[str]) -> Mapping[str, tuple[VoiceMessage, ...]]:
        """Return the messages of wishes to be called back, by the wishes' ids. Raises Forbidden."""
        actor.need(Permission.CALLBACKS_WORK)
        query = select(VoiceMessageRow).where(VoiceMessageRow.request_id.in_(ids))
        found: dict[str, tuple[VoiceMessage, ...]] = {}
        async with self._office.database.session() as session:
            for row in await session.scalars(query.order_by(VoiceMessageRow.at, VoiceMessageRow.id)):
                key = row.request_id or ""
                found[key] = (*found.get(key, ()), _view(actor, row))
        return found

    async def page(
        self,
        actor: Actor,
        *,
        route: Route | None = None,
        unheard: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[tuple[VoiceMessage, ...], str | None]:
        """Return messages, newest first, and the cursor of the next page.

        Raises:
            Forbidden: the role calls nobody back.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CALLBACKS_WORK)
        row, limit = VoiceMessageRow, max(1, min(limit, MAX_PAGE))
        query = select(row).order_by(row.at.desc(), row.id.desc()).limit(limit + 1)
        if route is not None:
            query = query.where(row.route == route.value)
        if unheard:
            query = query.where(row.heard_at.is_(None))
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(row.at < at, and_(row.at == at, row.id < key)))
        async with self._office.database.session() as session:
            found = (await session.scalars(query)).all()
        last = found[limit - 1] if len(found) > limit else None
        return (
            tuple(_view(actor, one) for one in found[:limit]),
            write_cursor(last.at, last.id) if last is not None else None,
        )

    async def tell_unheard(self) -> int:
        """Tell customer service once of messages that nobody has heard for too long (domain.md §2.1)."""
        now, row = self._office.now(), VoiceMessageRow
        told = exists().where(Notice.dedupe_key == literal(f"{UNHEARD}|") + row.id)
        query = select(row).where(
            row.heard_at.is_(None),
            row.at < now - HEARD_WITHIN,
            row.at > now - LOOKED_BACK,
            exists().where(CallbackRequest.id == row.request_id, CallbackRequest.open_key.is_not(None)),
            ~told,
        )
        async with self._office.database.transaction() as session:
            found = (await session.scalars(query.order_by(row.at).limit(MAX_PAGE))).all()
            for one in found:
                await self._tell(session, one, UNHEARD)
        return len(found)

    async def get(self, actor: Actor, message_id: str) -> VoiceMessage:
        """Return a message. Raises Forbidden, NotFound."""
        actor.need(Permission.CALLBACKS_WORK)
        async with self._office.database.session() as session:
            return _view(actor, await _row(session, message_id))

    async def play(self, actor: Actor, message_id: str) -> str:
        """Return where a message lies, and write down that it is heard.

        Raises:
            Forbidden: the role calls nobody back, or the message is about integrity and not for it.
            NotFound: no such message.
            StillListening: it is being looked through for card numbers.
        """
        actor.need(Permission.CALLBACKS_WORK)
        async with self._office.database.transaction() as session:
            row = await _row(session, message_id, for_change=True)
            _check_seen(actor, row)
            check_playable(TextProgress(row.text_state), row.at, self._office.now())
            if row.heard_at is None:
                row.heard_at, row.heard_by = self._office.now(), actor.name[:80]
            await self._office.journal.note(
                session,
                actor,
                "voice_message.played",
                entity="voice_message",
                entity_id=row.id,
                after={"call_id": row.call_id},
            )
            return row.path

    async def correct(
        self, actor: Actor, message_id: str, text: str, *, expected: int | None
    ) -> VoiceMessage:
        """Put the text of a message right; what the recogniser wrote stays readable.

        Raises:
            Forbidden: the role calls nobody back, or the message is not for it.
            NotFound: no such message.
            Invalid: no text, or a too long one.
            StaleVersion: somebody else changed it since.
        """
        actor.need(Permission.CALLBACKS_WORK)
        said = corrected(text)
        async with self._office.database.transaction() as session:
            row = await _row(session, message_id, for_change=True)
            _check_seen(actor, row)
            if row.transcript != said:
                if expected is not None and row.version != expected:
                    raise StaleVersion("somebody else was faster; read it again", field="If-Match")
                row.transcript, row.corrected_by = said, actor.name[:80]
                row.corrected_at = self._office.now()
                await session.flush()
                if row.customer_id is not None:
                    await self._on_timeline(session, row)
                await self._office.journal.note(
                    session, actor, "voice_message.corrected", entity="voice_message", entity_id=row.id
                )
            return _view(actor, row)

    async def _wish(self, session: AsyncSession, row: VoiceMessageRow) -> str:
        """Return the wish that the message belongs to: the number's open one, or a new one."""
        # Who shows no number waits on the list as well: what they say may name it.
        key = row.e164 or f"?{row.id[-19:]}"
        wish = {
            "id": new_ulid(),
            "e164": row.e164,
            "customer_id": row.customer_id,
            "call_id": row.call_id,
            "reason": REASON if row.e164 else f"{REASON}（{NO_NUMBER}）",
            "requested_at": row.at,
            "open_key": key,
        }
        await insert_new(session, CallbackRequest, wish)
        open_ = select(CallbackRequest.id).where(CallbackRequest.open_key == key)
        return str(await session.scalar(open_))

    @staticmethod
    async def _on_timeline(session: AsyncSession, row: VoiceMessageRow) -> None:
        assert row.customer_id is not None
        shown = "" if row.class_code in SECRET else row.transcript[:MAX_SHOWN]
        await add_line(
            session,
            row.customer_id,
            at=row.at,
            channel=Channel.VOICEMAIL,
            direction="in",
            ref=row.call_id,
            result=row.route or None,
            detail={"message_id": row.id, "text": shown},
        )

    async def _tell(self, session: AsyncSession, row: VoiceMessageRow, code: str) -> None:
        name = None
        if row.customer_id is not None:
            name = await session.scalar(select(Customer.name).where(Customer.id == row.customer_id))
        phone = Phone.parse_caller(row.e164) if row.e164 else None
        caller = name or (phone.masked if phone is not None else NO_NUMBER)
        add_fact(
            session,
            NoticeWanted(
                at=self._office.now(),
                code=code,
                key=f"{code}|{row.id}",
                parameters={"caller": caller},
                link=LINK,
            ),
        )


def _view(actor: Actor, row: VoiceMessageRow) -> VoiceMessage:
    hidden = _is_hidden(actor, row)
    return VoiceMessage(
        message_id=row.id,
        request_id=row.request_id,
        call_id=row.call_id,
        at=row.at,
        seconds=row.seconds,
        route=Route(row.route) if row.route else None,
        urgent=row.urgent,
        transcript=Transcript(state=TextProgress(row.text_state)) if hidden else to_transcript(row),
        hidden=hidden,
        heard_at=row.heard_at,
        heard_by=row.heard_by or "",
        version=row.version,
    )


def _is_hidden(actor: Actor, row: VoiceMessageRow) -> bool:
    return row.class_code in SECRET and not actor.can(Permission.CASES_CONFIDENTIAL)


def _check_seen(actor: Actor, row: VoiceMessageRow) -> None:
    if _is_hidden(actor, row):
        raise Forbidden("this message is about integrity", field="message_id")


async def _row(session: AsyncSession, message_id: str, *, for_change: bool = False) -> VoiceMessageRow:
    row = (
        await session.get(VoiceMessageRow, message_id, with_for_update=for_change)
        if is_ulid(message_id)
        else None
    )
    if row is None:
        raise NotFound("no such message", field="message_id")
    return row
