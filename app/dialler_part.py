"""The dialler in the telephony role: it needs the link to the PBX, so it runs where that is."""

from dataclasses import dataclass, replace
from datetime import timedelta

from app.callback_tasks import Ground
from app.queue_place_part import build_place_caller, taken_by
from app.settings import Settings
from app.telephony_part import TelephonyPart
from app.web_settings import web_settings
from callback_campaigns.attempt_keeper import AttemptKeeper, KeeperConfig, StoredCalls
from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.dial_outcomes import EarlyMedia
from callback_campaigns.dialler import Dialler, DiallerConfig
from callback_campaigns.domain.attempt import AttemptLimits
from callback_campaigns.exchange_ami import AmiExchange
from callback_campaigns.masked_calls import OWN_RING, MaskedCalls
from callback_campaigns.number_calls import NumberCalls, NumberRules
from callback_campaigns.place_caller import PlaceCaller
from callback_campaigns.placing import Placing
from callback_campaigns.preview import PreviewCalls, PreviewConfig
from callback_campaigns.preview_wire import PreviewDesk
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import ConfigurationError
from kernel.events import Event
from kernel.outbox import FactHandler
from kernel.supervise import Supervisor
from telephony.events import CallEnded
from telephony.history import CallHistory
from telephony.live_pages import LivePages
from web.callback_part import build_callbacks
from web.crm_part import build_crm
from web.members import UserMembers

ATTEMPT_FACTS: tuple[type[Event], ...] = (CallEnded,)
RING_MARGIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiallerPart:
    """What dials, what follows attempts, and what places agents' calls."""

    keeper: AttemptKeeper
    dialler: Dialler
    preview: PreviewCalls
    masked: MaskedCalls
    numbers: NumberCalls
    preview_desk: PreviewDesk
    pages: LivePages
    places: PlaceCaller
    enabled: bool

    @property
    def on_fact(self) -> FactHandler:
        """The receiver of :data:`ATTEMPT_FACTS`."""
        return self.keeper.take


def build_dialler(
    settings: Settings,
    telephony: TelephonyPart,
    *,
    clock: Clock,
    database: Database,
    bus: Bus,
    early: EarlyMedia | None = None,
) -> DiallerPart:
    """Build the dialler over the PBX of this process; nothing runs yet.

    Args:
        early: who hears what networks say before anybody answers.

    Raises:
        ConfigurationError: no rules for the carrier of agents' calls.
    """
    wanted = settings.dialler
    ground = Ground(settings=web_settings(settings), database=database, clock=clock, bus=bus)
    crm = build_crm(ground)
    callbacks = build_callbacks(crm, ground)
    office = crm.people.office
    rules = ground.settings.dialling
    if wanted.carrier not in rules.carriers:
        known = ", ".join(sorted(rules.carriers))
        raise ConfigurationError(f"dialler.carrier: no rules for it; known: {known}", field="dialler.carrier")
    attempts = DialAttempts(office, callbacks.tasks, crm.people.do_not_call, rules)
    pages = LivePages(database, clock)
    exchange = AmiExchange(
        telephony.link.actions,
        telephony.ingest.book,
        status=lambda: telephony.ingest.status,
        board=telephony.board.snapshot,
        bus=bus,
        clock=clock,
        page_open=pages.open,
        answer_within=timedelta(seconds=settings.ami.action_seconds),
    )
    telephony.ingest.add_sink(exchange.sink, "OriginateResponse")
    ring = timedelta(seconds=wanted.ring_seconds)
    keeper = AttemptKeeper(
        attempts,
        exchange,
        StoredCalls(CallHistory(database)),
        bus=bus,
        clock=clock,
        early=early,
        config=KeeperConfig(
            limits=AttemptLimits(
                # Some ring twice: a telephone of ours, then the customer's.
                ring=ring
                + max(timedelta(seconds=wanted.agent_ring_seconds), OWN_RING)
                + timedelta(seconds=settings.ami.action_seconds),
                margin=RING_MARGIN,
                talk=timedelta(minutes=wanted.talk_minutes),
                settle=timedelta(seconds=wanted.settle_seconds),
            )
        ),
    )
    placing = Placing(exchange, keeper, clock)
    stale_after = timedelta(seconds=wanted.stale_seconds)
    dialler = Dialler(
        office,
        attempts,
        callbacks.campaigns,
        exchange,
        keeper,
        placing,
        bus=bus,
        config=DiallerConfig(ring=ring, stale_after=stale_after),
    )
    trunk = settings.pbx.trunk
    config = PreviewConfig(
        trunk=trunk.name,
        caller_id=(trunk.caller_ids or (settings.centre.hotline,))[0],
        carrier=wanted.carrier,
        ring=timedelta(seconds=wanted.agent_ring_seconds),
        stale_after=stale_after,
    )
    lines = callbacks.campaigns.lines
    preview = PreviewCalls(office, attempts, lines, exchange, placing, config)
    masked = MaskedCalls(
        office,
        callbacks.tasks,
        rules,
        crm.people.do_not_call,
        UserMembers(),
        lines,
        exchange,
        placing,
        replace(config, ring=OWN_RING),
    )
    numbers = NumberCalls(
        office,
        callbacks.tasks,
        rules,
        crm.people.do_not_call,
        UserMembers(),
        lines,
        exchange,
        placing,
        config,
        NumberRules(
            per_hour=settings.number_calls.per_hour,
            refused_prefixes=settings.number_calls.refused_prefixes,
        ),
        bus=bus,
        connected=taken_by(telephony, clock),
    )
    return DiallerPart(
        keeper=keeper,
        dialler=dialler,
        preview=preview,
        masked=masked,
        numbers=numbers,
        preview_desk=PreviewDesk(
            preview,
            callbacks.campaigns,
            bus,
            clock,
            node=settings.pbx.node,
            masked=masked,
            numbers=numbers,
        ),
        pages=pages,
        places=build_place_caller(
            telephony,
            office,
            callbacks.tasks,
            rules,
            crm.people.do_not_call,
            lines,
            exchange,
            placing,
            config,
            bus=bus,
        ),
        enabled=wanted.enabled,
    )


def start_dialler(part: DiallerPart, tasks: Supervisor) -> None:
    """Start its tasks. Attempts are followed also where nothing is dialled: agents' calls are some."""
    tasks.spawn("dial-moves", part.keeper.moves.run)
    tasks.spawn("dial-keeper", part.keeper.run)
    tasks.spawn("dial-watch", part.dialler.watch.run)
    tasks.spawn("dial-pages", part.pages.run)
    tasks.spawn("preview-desk", part.preview_desk.run)
    tasks.spawn("queue-places", part.places.run)
    tasks.spawn("number-calls", part.numbers.run)
    if part.enabled:
        tasks.spawn("dialler", part.dialler.run)
