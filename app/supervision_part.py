"""What supervisors do to calls and agents, in the process that follows the PBX."""

from app.pbx import trunk_of
from app.settings import Settings
from app.telephony_part import TelephonyPart
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.supervise import Supervisor
from telephony.listening_keeper import EVENTS, ListeningKeeper
from telephony.listenings import Listenings
from telephony.pause_limits import PauseLimits
from telephony.trunks import TrunkDesk


def start_supervision(
    settings: Settings,
    telephony: TelephonyPart,
    database: Database,
    clock: Clock,
    bus: Bus,
    tasks: Supervisor,
) -> None:
    """Keep the ears of supervisors."""
    keeper = ListeningKeeper(
        settings.pbx.node,
        telephony.ingest.book,
        telephony.link.actions,
        Listenings(database, clock, bus),
        live=lambda: telephony.ingest.status.state == "live",
        database=database,
        bus=bus,
        clock=clock,
    )
    telephony.ingest.add_sink(keeper.sink, *EVENTS)
    tasks.spawn("listening", keeper.run)
    trunks = TrunkDesk(
        lambda: telephony.link.actions,
        (trunk_of(settings),),
        bus,
        clock,
        node=settings.pbx.node,
        user=settings.centre.hotline,
    )
    tasks.spawn("trunks", trunks.run)
    tasks.spawn("pause-limits", PauseLimits(database, clock, bus, telephony.desk).run)
