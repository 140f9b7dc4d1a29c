"""The models of cases' files."""

from pydantic import BaseModel, ConfigDict, Field

from crm.attachments import Purpose
from crm.pictures import MediaType
from web.api.v1.schemas import Out, SiteTime

ULID = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


class AttachmentForm(BaseModel):
    """What comes with a file."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    purpose: Purpose = Field(Purpose.PHOTO, description="Only a `scan` may be a PDF.")
    visit_id: str | None = Field(None, pattern=ULID, description="The visit it was taken at.")
    line_id: str | None = Field(
        None,
        pattern=ULID,
        description="The line of a complaint that it belongs to; without it the department's only line, "
        "or the case as a whole.",
    )


class Attachment(Out):
    """A file of a case."""

    attachment_id: str
    case_id: str
    purpose: Purpose
    name: str = Field(description="As the sender called it.")
    media_type: MediaType
    size: int
    width: int | None
    height: int | None
    has_thumbnail: bool
    visit_id: str | None
    line_id: str | None
    sha256: str
    uploaded_at: SiteTime
    uploaded_by: str


class AttachmentList(Out):
    """The files of a case, oldest first."""

    items: tuple[Attachment, ...]
