"""How a file that somebody sent is handed out again: never guessed at, never run, kept by no shared cache."""

from aiohttp import hdrs, web

from crm.attachments import StoredFile

_SANDBOX = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def file_response(found: StoredFile) -> web.FileResponse:
    """Return the answer: pictures may stand in a page, anything else is stored by the browser."""
    kind = "inline" if found.media_type.is_picture else "attachment"
    return web.FileResponse(
        found.path,
        headers={
            hdrs.CONTENT_TYPE: found.media_type.value,
            hdrs.CONTENT_DISPOSITION: f'{kind}; filename="{found.filename}"',
            # Each time asked whether the viewer still may: somebody else may sit here next.
            hdrs.CACHE_CONTROL: "private, no-cache",
            "Content-Security-Policy": _SANDBOX,
            "X-Content-Type-Options": "nosniff",
        },
    )
