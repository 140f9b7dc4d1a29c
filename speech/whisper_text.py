"""Whisper's tokens and what to make of them: text, words with their times, and what it only imagined. Pure.

A token is a piece of UTF-8, written with one printable character for each byte (GPT-2's table); a Chinese
character may be spread over several.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speech.ports import Word

SPECIAL_FROM = 50257
"""Tokens from here on are no text."""

LANGUAGES = {"en": 50259, "zh": 50260, "ko": 50264, "ja": 50266, "yue": 50358}
START_OF_TEXT = 50258
TRANSCRIBE = 50359
NO_TIMESTAMPS = 50363


def _table() -> dict[str, int]:
    """Return GPT-2's table: printable character → byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in plain}
    free = 256
    for byte in range(256):
        if byte not in plain:
            table[chr(free)] = byte
            free += 1
    return table


TABLE = _table()


class Vocabulary:
    """Tokens and their bytes."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._bytes = [
            bytes(TABLE.get(character, 0x3F) for character in token) for token in tokens[:SPECIAL_FROM]
        ]

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """Read ``vocabulary.txt``: a token a line."""
        return cls(path.read_text(encoding="utf-8").split("\n"))

    def bytes_of(self, token: int) -> bytes:
        """Return the token's bytes; none for a special one."""
        return self._bytes[token] if token < len(self._bytes) else b""

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text; bytes that make no character are left out."""
        return b"".join(self.bytes_of(token) for token in tokens).decode("utf-8", "ignore")

    def words(self, tokens: Sequence[int], starts: Sequence[float], ends: Sequence[float],
              probabilities: Sequence[float]) -> tuple[Word, ...]:  # fmt: skip
        """Join tokens to words: at blanks, and at each Chinese character. Times are the tokens'."""
        words: list[Word] = []
        held = b""
        begun = 0
        for index, token in enumerate(tokens):
            if not held:
                begun = index
            held += self.bytes_of(token)
            try:
                text = held.decode("utf-8")
            except UnicodeDecodeError:
                continue  # a character goes on in the next token
            sure = sum(probabilities[begun : index + 1]) / (index + 1 - begun)
            word = Word(text=text, start=starts[begun], end=ends[index], confidence=round(sure, 3))
            if words and not _stands_alone(words[-1].text, text):
                words[-1] = _joined(words[-1], word)
            else:
                words.append(word)
            held = b""
        return tuple(
            Word(text=word.text.strip(), start=word.start, end=word.end, confidence=word.confidence)
            for word in words
            if word.text.strip()
        )


def _stands_alone(before: str, text: str) -> bool:
    """Whether ``text`` begins a word after ``before``."""
    if text[0].isspace() or before[-1].isspace():
        return True
    if not any(character.isalnum() for character in text):
        return False  # punctuation belongs to the word before it
    return _is_han(text[0]) or _is_han(before[-1]) or not before[-1].isalnum()


def _is_han(character: str) -> bool:
    return "㐀" <= character <= "鿿" or "豈" <= character <= "﫿"


def _joined(one: Word, other: Word) -> Word:
    known = [word.confidence for word in (one, other) if word.confidence is not None]
    return Word(
        text=one.text + other.text,
        start=one.start,
        end=max(one.end, other.end),
        confidence=min(known) if known else None,
    )


# What it says when nobody speaks: it learnt from films with subtitles.
IMAGINED = re.compile(
    r"(?:字幕(?:由|by|製作|制作|提供|志愿者|志願者|组|組)?|中文字幕|amara\.?org|请不吝点赞|請不吝點贊|"
    r"(?:点赞|點贊).{0,8}(?:订阅|訂閱)|(?:订阅|訂閱).{0,8}(?:转发|轉發|打赏|打賞)|明镜与点点|明鏡與點點|"
    r"(?:谢谢|謝謝|感谢|感謝)(?:大家|您|你|各位)?(?:的)?(?:观看|觀看|收看|收聽|收听)|下期再见|下期再見|"
    r"(?:词曲|作词|作曲|編曲|编曲)|优优独播|by索兰娅|subtitles? by|thanks? (?:you )?for watching|"
    r"please subscribe)",
    re.IGNORECASE,
)
PUNCTUATION = re.compile(r"[\s\W_]+")
MOST_CHARACTERS_A_SECOND = 14.0
"""Nobody speaks faster: some eight Chinese characters a second is very fast; Latin letters come faster."""

MOST_LETTERS_A_SECOND = 32.0
LOWEST_LOGPROB = -1.3
SILENT = 0.75
UNSURE = -0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the model made of an utterance.

    Attributes:
        logprob: mean of the tokens' logarithmic probability.
        no_speech: how likely it takes this for no speech.
        seconds: length of the utterance.
    """

    text: str
    logprob: float
    no_speech: float
    seconds: float


def imagined(guess: Guess) -> str | None:
    """Return why the text was not heard but imagined, or ``None``."""
    bare = PUNCTUATION.sub("", guess.text)
    if not bare:
        return "empty"
    if guess.no_speech > SILENT and guess.logprob < UNSURE:
        return "no_speech"
    if guess.logprob < LOWEST_LOGPROB:
        return "unsure"
    if IMAGINED.search(guess.text) and len(bare) <= 40:
        return "subtitles"
    most = MOST_CHARACTERS_A_SECOND if any(map(_is_han, bare)) else MOST_LETTERS_A_SECOND
    if len(bare) > most * max(guess.seconds, 0.5) + 4:
        return "too_fast"
    return None


def loops(text: str) -> bool:
    """Whether the text runs in a circle: the same one to twelve characters six times over."""
    bare = PUNCTUATION.sub("", text)
    return re.search(r"(.{1,12}?)\1{5,}", bare) is not None and len(bare) > 11


def cut_loop(text: str) -> str:
    """Return the text with what goes round said twice only."""
    return re.sub(r"(.{1,12}?)\1{5,}", r"\1\1", text)
