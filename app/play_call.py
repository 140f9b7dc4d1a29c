"""``huifang call``: from a customer's name to a played call."""

from array import array
from dataclasses import dataclass
from ipaddress import ip_network

from sqlalchemy import select

from app.caller import CallerReport, CallPlan, Say, Step, Wait, menu_steps, run
from app.console import console
from app.doctor.sockets import try_bind
from app.runtime import Runtime
from app.settings import Settings
from app.store import open_store
from app.voice import espeak_voice, needed_espeak
from crm.tables import Customer, CustomerPhone
from kernel.db import Database
from kernel.errors import Invalid, NotFound, Unavailable
from kernel.phone import Phone

SPEECH_SPEED = 160
"""Words a minute, as espeak-ng counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person at the terminal asked for."""

    customer: str
    menu: str
    say: str
    hold: float
    calls: int
    rate: float
    to: str


async def play_call(settings: Settings, wish: Wish) -> CallerReport:
    """Play the call and show what happens, line by line.

    Raises:
        NotFound: no customer has that name.
        Invalid: the keys or the rate are no keys or no rate.
        Unavailable: no PBX listens where the call would go.
    """
    unknown = [key for key in wish.menu if key not in "0123456789*#,"]
    if unknown:
        raise Invalid(f"--menu: {unknown[0]} is no telephone key", field="menu")
    number, name = await _caller(settings, wish.customer)
    host, port = settings.pbx.sip_host, settings.pbx.sip_port
    if try_bind(host, port, "udp") == 0:  # a port of this machine that is free to take
        raise Unavailable(f"nobody answers at {host}:{port}: start the centre first, in another terminal")
    runtime = await Runtime.ensure(settings.runtime_dir, need={"sipp"})
    steps: list[Step] = [*menu_steps(wish.menu)]
    if wish.say:
        steps += [Wait(2.0), Say(wish.say, await _speech(settings, wish.say))]
    plan = CallPlan(
        from_number=number,
        caller_name=name,
        did=wish.to or settings.centre.hotline,
        steps=tuple(steps),
        hold_seconds=wish.hold,
        calls=wish.calls,
        rate=wish.rate,
    )
    console.print(f"{name or number} → {plan.did}", markup=False)
    return await run(
        plan,
        sipp=runtime.sipp.command(),
        host=settings.pbx.sip_host,
        port=settings.pbx.sip_port,
        local_host=_network_address(settings),
        env=dict(runtime.sipp.env()),
        progress=lambda line: console.print(f"  {line}", markup=False),
    )


def _network_address(settings: Settings) -> str:
    """Return the address that the trunk takes calls from, which must be one of this machine's own.

    Raises:
        Invalid: the trunk is a real one; nobody can be played on it.
    """
    for network in settings.pbx.trunk.match:
        address = ip_network(network, strict=False).network_address
        if address.is_loopback:
            return str(address)
    raise Invalid("calls are played only over a trunk on this machine: pbx.trunk.match has no 127.… address")


async def _speech(settings: Settings, text: str) -> "array[int]":
    """Return the text as a voice on the telephone says it."""
    voice = espeak_voice(await needed_espeak(settings))
    return await voice.synthesise(text, voice="cmn", speed=SPEECH_SPEED)


async def _caller(settings: Settings, wanted: str) -> tuple[str, str]:
    """Return number and name as the network would show them."""
    phone = Phone.parse_caller(wanted)
    if phone is not None:
        return phone.national, ""
    async with open_store(settings) as database:
        return await _number_of(database, wanted), wanted


async def _number_of(database: Database, name: str) -> str:
    query = (
        select(CustomerPhone.e164)
        .join(Customer)
        .where(Customer.name == name)
        .order_by(CustomerPhone.position)
        .limit(1)
    )
    async with database.session() as session:
        found = (await session.execute(query)).scalar_one_or_none()
        if found is not None:
            return Phone.parse(found).national
        known = (await session.execute(select(Customer.name).order_by(Customer.id).limit(12))).scalars().all()
    others = f"one of {', '.join(known)}, or a number" if known else "a number"
    raise NotFound(f"no customer is called {name}; try {others}", field="customer")
