"""``/api/v1/cases/…/attachments`` and ``/attachments``: photos and scans of any kind of case."""

from crm.attachments import Attachments
from crm.kept_files import StoredFile
from crm.pictures import MAX_BYTES, MediaType
from web.api.files import Upload, download, upload
from web.api.operation import Call, operation
from web.api.v1.attachments_schemas import Attachment, AttachmentForm, AttachmentList
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.permissions import Permission

CASE = (("case_id", "Id of the case."),)
FILE = (("attachment_id", "Id of the file."),)
TAG = "attachments"


def _attachments(call: Call[NoQuery]) -> Attachments:
    return call.request.app[CRM].repairs.attachments


@upload(
    form=AttachmentForm,
    response=Attachment,
    permission=Permission.CASES_VIEW,
    max_bytes=MAX_BYTES,
    summary="Put a photo or a scan into a case",
    description="JPEG, PNG or WebP of at most 15 MB; a scan may be a PDF. Pictures are decoded and written "
    "anew: nothing else in the file is kept, least of all where it was taken.",
    tag=TAG,
    path_parameters=CASE,
)
async def add_attachment(call: Call[NoQuery], sent: Upload) -> Attachment:
    """Put a photo or a scan into a case."""
    form = sent.form
    assert isinstance(form, AttachmentForm)
    view = await _attachments(call).add(
        call.actor,
        call.request.match_info["case_id"],
        content=sent.content,
        name=sent.name,
        purpose=form.purpose,
        visit_id=form.visit_id,
        line_id=form.line_id,
    )
    return Attachment.model_validate(view)


@operation(
    query=NoQuery,
    response=AttachmentList,
    permission=Permission.CASES_VIEW,
    summary="List the files of a case, oldest first",
    tag=TAG,
    path_parameters=CASE,
)
async def list_attachments(call: Call[NoQuery]) -> AttachmentList:
    """Return the files of a case."""
    found = await _attachments(call).of_case(call.actor, call.request.match_info["case_id"])
    return AttachmentList(items=tuple(Attachment.model_validate(item) for item in found))


@download(
    media_types=tuple(kind.value for kind in MediaType),
    permission=Permission.CASES_VIEW,
    summary="Fetch a file of a case",
    tag=TAG,
    path_parameters=FILE,
)
async def get_attachment(call: Call[NoQuery]) -> StoredFile:
    """Hand out a file."""
    return await _download(call, thumbnail=False)


@download(
    media_types=(MediaType.JPEG.value,),
    permission=Permission.CASES_VIEW,
    summary="Fetch the small picture of a photo",
    tag=TAG,
    path_parameters=FILE,
)
async def get_thumbnail(call: Call[NoQuery]) -> StoredFile:
    """Hand out a small picture."""
    return await _download(call, thumbnail=True)


async def _download(call: Call[NoQuery], *, thumbnail: bool) -> StoredFile:
    attachment_id = call.request.match_info["attachment_id"]
    return await _attachments(call).open(call.actor, attachment_id, thumbnail=thumbnail)


ROUTES = (
    ("POST", "/cases/{case_id}/attachments", add_attachment),
    ("GET", "/cases/{case_id}/attachments", list_attachments),
    ("GET", "/attachments/{attachment_id}", get_attachment),
    ("GET", "/attachments/{attachment_id}/thumbnail", get_thumbnail),
)
