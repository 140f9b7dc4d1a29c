"""What agents may say became of a call: the tree, and the forms that change it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from kernel.errors import Invalid
from telephony.dispositions import MAX_LABEL, DispositionText
from telephony.domain.disposition import Disposition, DispositionTree, Need
from web import labels
from web.dispositions import dispositions_of
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import Step
from web.pages.shell import ROSTER, render
from web.permissions import Permission, requires

HERE = "/lists/dispositions"
NEW = "new"
QUEUE = "queue:"
"""Prefix of the box of a queue."""
NEED = "need:"
NEEDS = {Need.NOTES: N_("要写备注"), Need.FOLLOW_UP: N_("要约回电时间")}
assert set(NEEDS) == set(Need)


async def _put(taken: dict[str, Any]) -> object:
    values, key = taken["values"], taken["key"]
    position = values["position"]
    if not (position.isascii() and position.isdigit() and len(position) < 6):
        raise Invalid("a whole number", field="position")
    text = DispositionText(
        label_zh=values["label_zh"],
        label_en=values["label_en"],
        parent=values["parent"],
        position=int(position),
        active=values["active"],
        queues=frozenset(name.removeprefix(QUEUE) for name in values if name[:6] == QUEUE and values[name]),
        needs=frozenset(need for need in Need if values[NEED + need]),
    )
    code = None if key == NEW else key
    return await taken["book"].put(taken["actor"], code, text, expected=taken["version"] if code else None)


PUT = Step(
    name="put",
    title=N_("修改"),
    button=N_("保存"),
    done=N_("已保存。坐席下次打开页面时生效；以前的记录不变。"),
    run=_put,
    hint=N_("放在一组里的，坐席只选最下面一层。队列都不勾，就是所有来电都可以选。"),
)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{code}/steps/put", take)
    app.router.add_get(HERE + "/{code}/steps/put", back_to(HERE, Permission.DESK_CONFIGURE))


@requires(Permission.DESK_CONFIGURE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the tree."""
    return await _page(request, RowAttempt())


@requires(Permission.DESK_CONFIGURE)
async def take(request: web.Request) -> web.StreamResponse:
    """Add a disposition, or change one."""
    key, book = request.match_info["code"][:40], dispositions_of(request.app)
    given = {"book": book, "actor": current_actor(request), "key": key}
    step = _step(await book.tree(), await _queues(request), key)
    return await take_row(request, step, key, given, _page, here=HERE)


async def _queues(request: web.Request) -> dict[str, str]:
    return labels.queue_names(await request.app[ROSTER].queues())


def _step(tree: DispositionTree, queues: Mapping[str, str], key: str) -> Step:
    """Return the form of a disposition: its groups may be those that do not stand within it."""
    names = labels.disposition_names(tree)
    groups = {
        item.code: names[item.code]
        for item, depth in tree.walk()
        if depth < 2 and item.active and all(one.code != key for one in tree.path(item.code))
    }
    return replace(
        PUT,
        title=N_("新增处理结果") if key == NEW else PUT.title,
        fields=(
            Field(name="label_zh", label=N_("名称"), limit=MAX_LABEL),
            Field(name="label_en", label=N_("英文名称"), limit=MAX_LABEL),
            Field(
                name="parent",
                label=N_("放在哪一组"),
                kind="choice",
                options=groups,
                required=False,
                blank=N_("不分组"),
            ),
            Field(name="position", label=N_("顺序"), limit=5, start="0"),
            *(
                Field(name=QUEUE + name, label=label, kind="check", required=False)
                for name, label in queues.items()
            ),
            *(
                Field(name=NEED + need, label=label, kind="check", required=False)
                for need, label in NEEDS.items()
            ),
            Field(name="active", label=N_("可选"), kind="check", required=False),
        ),
    )


def _start(item: Disposition) -> dict[str, str]:
    return {
        "label_zh": item.label_zh,
        "label_en": item.label_en,
        "parent": item.parent,
        "position": str(item.position),
        "active": "1" if item.active else "",
        **{QUEUE + queue: "1" for queue in item.queues},
        **{NEED + need: "1" for need in item.needs},
    }


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    tree, queues = await dispositions_of(request.app).tree(), await _queues(request)
    names = labels.choices(item for item, _ in tree.walk())
    rows = []
    for item, depth in tree.walk():
        action = f"{HERE}/{item.code}/steps/put"
        form = row_step(
            _step(tree, queues, item.code),
            tried,
            key=item.code,
            action=action,
            version=item.version,
            start=_start(item),
        )
        rows.append(
            {
                "name": names[item.code],
                "depth": depth,
                "group": tree.is_group(item.code),
                "active": tree.active(item.code),
                "queues": [queues.get(queue, queue) for queue in sorted(item.queues)],
                "needs": [gettext(NEEDS[need]) for need in sorted(item.needs)],
                "form": form,
                "key": item.code,
            }
        )
    last = max((item.position for item, _ in tree.walk()), default=0)
    new = row_step(
        _step(tree, queues, NEW),
        tried,
        key=NEW,
        action=f"{HERE}/{NEW}/steps/put",
        start={"active": "1", "position": str(min(last + 1, 999))},
    )
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": rows,
        "new": new,
        "done_text": gettext(PUT.done) if request.query.get("done") == "put" else "",
    }
    return render(request, "lists/dispositions.html", context, status=status)
