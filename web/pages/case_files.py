"""The form with which photos and scans are put into a complaint, and what the files of a case are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm.attachments import AttachmentView, may_add
from crm.complaint_views import ComplaintView, LineView
from kernel.access import Actor, Permission
from web import labels
from web.i18n import gettext
from web.pages import case_words as words

STEP = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadForm:
    """The form.

    Attributes:
        lines: where a file may go: line id → its name; "" is the case as a whole.
        chosen: what is chosen at first.
        line_id: the line whose page it stands on.
    """

    action: str
    lines: Mapping[str, str]
    purposes: Mapping[str, str]
    chosen: str = ""
    line_id: str = ""
    problem: str = ""


def upload_form(
    actor: Actor, view: ComplaintView, *, line_id: str = "", chosen: str = "", problem: str = ""
) -> UploadForm | None:
    """Return the form, ``None`` where the actor puts nothing into the case, or it is closed."""
    if view.header.closed_at is not None or not may_add(actor):
        return None
    everything = actor.can(Permission.CASES_VIEW_ALL)
    lines = {"": gettext("整件投诉")} if everything else {}
    lines |= {
        line.line_id: line_name(line)
        for line in view.lines
        if everything or line.department == actor.department
    }
    if not lines:
        return None
    return UploadForm(
        action=f"/cases/{view.case_id}/files",
        lines=lines,
        purposes=labels.words(words.FILE_PURPOSES),
        chosen=chosen if chosen in lines else next(iter(lines)),
        line_id=line_id,
        problem=problem,
    )


def line_name(line: LineView) -> str:
    """Return what a line is called where several stand together."""
    return f"{line.position}. {line.department_name} · {labels.word(words.CLASSES, line.class_code)}"


def places_of(files: Sequence[AttachmentView], view: ComplaintView) -> dict[str, str]:
    """Return file → the line that it belongs to; what belongs to the case as a whole is not there."""
    names = {line.line_id: line_name(line) for line in view.lines}
    return {item.attachment_id: names[item.line_id] for item in files if item.line_id in names}


def photos_of(lines: Sequence[LineView], files: Sequence[AttachmentView]) -> dict[str, list[AttachmentView]]:
    """Return visit or record → its pictures."""
    known = {item.attachment_id: item for item in files}
    named = [(visit.visit_id, visit.photos) for line in lines for visit in line.visits]
    named += [(record.record_id, record.photos) for line in lines for record in line.records]
    return {key: [known[photo] for photo in photos if photo in known] for key, photos in named}
