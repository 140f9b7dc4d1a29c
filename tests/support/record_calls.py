"""Makes the recorded morning of a small call centre: real Asterisk, menu over FastAGI, agents, customers.

    python -m tests.support.record_calls FILE

Agents answer, hold, transfer, reject and let it ring; customers wait, give up and hang up in the menu. The
unit tests and the throughput bench read the result (``tests/data/ami/morning.ami``).
"""

import asyncio
import contextlib
import io
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from app.caller import CallPlan, Press, Wait
from app.sipp import SippFailed
from app.sipp.phone import AgentPhone, PhoneCall
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig
from telephony.ami.record import recording
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import agent_phone, plan, play
from tests.support.waiting import eventually

QUEUES = {"1": "complaint", "2": "repair", "0": "service"}
LABELS = {"1": "投诉", "2": "报修", "0": "人工"}


async def menu(agi: AgiSession) -> None:
    """Greeting, one key, the queue of that key."""
    await agi.answer()
    call = await agi.get_variable("HF_CALL") or ""
    key = await agi.wait_for_digit(timedelta(seconds=3))
    if key is None:
        await agi.set_variable("HF_NEXT", "hangup")
        return
    await agi.user_event("HuifangMenu", Call=call, Node="root", Key=key, Label=LABELS.get(key, "?"))
    await to_queue(agi, QUEUES.get(key, "service"), 20)


async def answer(phone: AgentPhone, *, after: str) -> None:
    """Take one call after another: talk, and do what this agent is known for."""
    while True:
        call = await phone.rings(within=3600)
        if after == "reject":
            await call.reject()
            after = "talk"
            continue
        # the customer may hang up at any moment
        with contextlib.suppress(SippFailed, TimeoutError):
            await call.answer()
            await asyncio.sleep(0.2)
            await talk(call, after)
        await call.ended(within=30)


async def talk(call: PhoneCall, after: str) -> None:
    """What happens in the conversation."""
    if after == "hold":
        await call.hold()
        await asyncio.sleep(0.2)
        await call.unhold()
    elif after == "transfer":
        await call.transfer("1001")
    await asyncio.sleep(0.4)
    await call.hang_up()


def customer(name: str, number: str, *steps: Press | Wait, hold: float = 4.0) -> CallPlan:
    """One customer."""
    return plan(caller_name=name, from_number=number, steps=steps, hold_seconds=hold)


async def morning(pbx: Pbx) -> None:
    """All the calls, some at the same time."""
    press = (Wait(0.1), Press("1"))
    await together(
        pbx,
        customer("王建军", "13800138000", *press),
        customer("李 <b>秀英</b>", "13900139001", Wait(0.2), Press("2")),
        customer("", "anonymous", Wait(0.3), Press("0")),
    )
    await together(
        pbx,
        customer("赵丽华", "02087654321", *press),
        customer("孙伟", "13700137002", Wait(0.1), hold=0.5),
        customer("周杰 & 家人", "13600136003", Wait(0.1), Press("2"), hold=0.3),
    )
    await together(pbx, customer("吴昊", "13500135004", *press, hold=5.0))


async def together(pbx: Pbx, *customers: CallPlan) -> None:
    """Play some customers at the same time."""
    async with asyncio.timeout(30):
        await asyncio.gather(*(play(pbx, each) for each in customers))


async def record(path: Path) -> None:
    """Make the recording."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        async with running_pbx(Path(folder)) as pbx, contextlib.AsyncExitStack() as stack:
            config = pbx.config
            await stack.enter_async_context(
                agi_routes(config.agi_port, {"flow": menu, "after-queue": hang_up_after_queue})
            )
            ami = AmiConfig(port=config.ami_port, username=config.ami_user, secret=config.ami_secret)
            actions = await stack.enter_async_context(recording(ami, out))
            tasks = stack.enter_context(contextlib.ExitStack())
            habits = ("hold", "transfer", "reject")
            for agent, habit in zip(config.agents, habits, strict=True):
                phone = await stack.enter_async_context(agent_phone(pbx, agent.number))
                task = asyncio.create_task(answer(phone, after=habit))
                tasks.callback(task.cancel)
                for queue in config.queues:
                    await actions.queue_add(
                        queue.name, f"PJSIP/{agent.number}", member_name=agent.display_name
                    )
            await morning(pbx)

            async def quiet() -> bool:
                return not await actions.core_show_channels()

            await eventually(quiet, timeout=20)
    path.write_bytes(out.getvalue())
    print(f"{len(out.getvalue())} bytes in {path}")


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
