"""Secrets that are shown once and stored hashed: session cookies, device cookies, API tokens."""

import hashlib
import secrets

TOKEN_PREFIX = "hf_"  # noqa: S105 - a mark for secret scanners, not a secret


def new_secret() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def new_api_token() -> str:
    """Return an API token: the prefix lets people and secret scanners recognise it."""
    return TOKEN_PREFIX + new_secret()


def fingerprint(secret: str) -> str:
    """Return what is stored for ``secret``.

    A plain SHA-256 is right here: the input has 256 random bits, there is nothing to guess.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
