"""How a file that somebody sent is handed out again: never guessed at, never run, kept by no shared cache."""

from aiohttp import hdrs, web

from callback_campaigns.answer_player import PlayedAnswer
from crm.kept_files import StoredFile

WAV = "audio/wav"
_SANDBOX = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def file_response(found: StoredFile | PlayedAnswer) -> web.FileResponse:
    """Return the answer: pictures and voices may stand in a page, anything else is stored by the browser."""
    if isinstance(found, PlayedAnswer):
        kind, media_type = "inline", WAV
    else:
        kind = "inline" if found.media_type.is_picture else "attachment"
        media_type = found.media_type.value
    return web.FileResponse(
        found.path,
        headers={
            hdrs.CONTENT_TYPE: media_type,
            hdrs.CONTENT_DISPOSITION: f'{kind}; filename="{found.filename}"',
            # Each time asked whether the viewer still may: somebody else may sit here next.
            hdrs.CACHE_CONTROL: "private, no-cache",
            "Content-Security-Policy": _SANDBOX,
            "X-Content-Type-Options": "nosniff",
        },
    )
