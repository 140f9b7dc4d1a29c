"""How far the texts of recordings are: what waits, what is listened to, what failed and is tried again."""

from dataclasses import dataclass
from datetime import datetime, time
from urllib.parse import urlencode

from aiohttp import web

from kernel.errors import Conflict, Invalid, NotFound
from speech.after import JobState, Priority, progress_of
from speech.after_work import TextJob, TextWork
from web import labels
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

PAGE = 50
TABS = {JobState.FAILED: N_("没有做成"), JobState.WAITING: N_("等待中")}
PRIORITIES = {Priority.COMPLAINT: N_("投诉"), Priority.CALLBACK: N_("回访"), Priority.OTHER: N_("其他")}
REASONS = {
    "recording_unreadable": N_("录音文件读不出来"),
    "model_missing": N_("还没有安装语音识别模型"),
    "model_damaged": N_("语音识别模型已损坏，请管理员重新安装"),
    "engine_missing": N_("语音识别程序没有装好"),
    "recogniser_lost": N_("语音识别程序停了，会自动再试"),
    "recogniser_busy": N_("语音识别正忙，会自动再试"),
    "recogniser_behind": N_("语音识别太慢，没有按时做完"),
    "audio_invalid": N_("录音不是能识别的声音"),
    "language_unknown": N_("没有这种语言的语音识别模型"),
}
DONE = {"again": N_("已重新排队。")}
PROBLEMS = {
    "busy": N_("正在做，或已经做完，不用重试。"),
    "gone": N_("没有这通电话的转文字任务。"),
    "cursor": N_("这一页已经过期，请从第一页开始。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/transcripts", show)
    app.router.add_post("/transcripts/{call_id}/retry", retry)


def work_of(request: web.Request) -> TextWork:
    """Return the work on texts."""
    deps = request.app[DEPS]
    return TextWork(deps.database, deps.clock)


@dataclass(frozen=True, slots=True)
class Row:
    """A call in a list; ``share`` is how much of it is heard, in percent."""

    job: TextJob
    kind: str
    reason: str
    share: int


@requires(Permission.RECORDINGS_PLAY)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the figures, what is listened to right now, and a list of what failed or waits."""
    deps, actor = request.app[DEPS], current_actor(request)
    now, zone = deps.clock.now(), deps.settings.timezone
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    progress = await progress_of(deps.database, since=midnight, now=now)
    work = work_of(request)
    state = JobState.WAITING if request.query.get("state") == JobState.WAITING.value else JobState.FAILED
    problem, status, cursor = request.query.get("problem", ""), 200, request.query.get("cursor")
    try:
        page = await work.page(actor, state, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status, cursor = "cursor", 400, None
        page = await work.page(actor, state, limit=PAGE)
    waiting = await work.waiting_by_priority(actor)
    kept = {"state": state.value}
    context = {
        "progress": progress,
        "reason": _reason(progress.reason),
        "waiting": [(gettext(label), waiting.get(kind, 0)) for kind, label in PRIORITIES.items()],
        "working": [
            (one, _share(one.heard_seconds, one.audio_seconds), gettext(PRIORITIES[one.priority]))
            for one in progress.working
        ],
        "rows": [_row(job) for job in page.items],
        "state": state.value,
        "tabs": [(one.value, gettext(label)) for one, label in TABS.items()],
        "done": labels.word(DONE, request.query.get("done", "")) if request.query.get("done") in DONE else "",
        "problem": gettext(PROBLEMS[problem]) if problem in PROBLEMS else "",
        "first": "/transcripts?" + urlencode(kept) if cursor else "",
        "more": "/transcripts?" + urlencode({**kept, "cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "transcripts.html", context, status=status)


@requires(Permission.RECORDINGS_PLAY)
async def retry(request: web.Request) -> web.StreamResponse:
    """Have a text made once more."""
    try:
        await work_of(request).retry(current_actor(request), request.match_info["call_id"][:40])
    except Conflict:
        return see_other("/transcripts?problem=busy")
    except NotFound:
        return see_other("/transcripts?problem=gone")
    return see_other("/transcripts?done=again")


def _row(job: TextJob) -> Row:
    return Row(
        job=job,
        kind=gettext(PRIORITIES[job.view.priority]),
        reason=_reason(job.view.reason),
        share=_share(job.view.heard_seconds, job.view.audio_seconds),
    )


def _reason(code: str) -> str:
    """Return why, in words; of an error that has none its code, for who runs the system."""
    return gettext(REASONS[code]) if code in REASONS else code


def _share(heard: float, whole: float | None) -> int:
    return min(100, round(100 * heard / whole)) if whole else 0
