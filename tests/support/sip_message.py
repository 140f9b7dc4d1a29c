"""SIP messages as the test telephone reads and signs them."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field


class SipError(Exception):
    """The other side refused or did not answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


@dataclass
class SipMessage:
    """A request or an answer; header names are lower-cased, repeated ones kept in order."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @classmethod
    def parse(cls, raw: bytes) -> "SipMessage":
        head, _, body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            headers.append((name.strip().lower(), value.strip()))
        return cls(start, headers, body)

    def get(self, name: str, default: str = "") -> str:
        for key, value in self.headers:
            if key == name:
                return value
        return default

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def is_answer(self) -> bool:
        return self.start.startswith("SIP/2.0")

    @property
    def status(self) -> int:
        return int(self.start.split(" ", 2)[1])

    @property
    def method(self) -> str:
        return self.get("cseq").split()[-1] if self.is_answer else self.start.split(" ", 1)[0]

    @property
    def cseq(self) -> int:
        return int(self.get("cseq").split()[0])


def uri_in(header: str) -> str:
    """Return the address of a From, To or Contact."""
    found = re.search(r"<([^>]+)>", header)
    return found.group(1) if found else header.split(";", 1)[0].strip()


def tag_in(header: str) -> str:
    """Return its tag, empty when there is none."""
    found = re.search(r";tag=([^;>\s]+)", header)
    return found.group(1) if found else ""


def credentials(user: str, password: str, *, method: str, uri: str, challenge: str) -> str:
    """Return the value of an Authorization header that answers a Digest challenge (RFC 2617)."""
    known = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    first = md5(f"{user}:{known['realm']}:{password}")
    second = md5(f"{method}:{uri}")
    fields = f'username="{user}", realm="{known["realm"]}", nonce="{known["nonce"]}", uri="{uri}"'
    if "qop" in known:
        cnonce = secrets.token_hex(8)
        digest = md5(f"{first}:{known['nonce']}:00000001:{cnonce}:auth:{second}")
        fields += f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    else:
        digest = md5(f"{first}:{known['nonce']}:{second}")
    if "opaque" in known:
        fields += f', opaque="{known["opaque"]}"'
    return f'Digest {fields}, response="{digest}", algorithm=MD5'
