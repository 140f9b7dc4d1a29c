"""Kokoro's alphabet: from pinyin, and from espeak-ng's English, to the symbols that the model was trained on.

The Mandarin table follows the IPA of misaki's ``ZHG2P`` (Apache-2.0; its mapping is pinyin-to-ipa's, MIT),
with tones as arrows; the English replacements follow misaki's ``EspeakFallback``. The numbers of the symbols
are those of Kokoro-82M 1.0.
"""

import re
from collections.abc import Iterable, Mapping

_SYMBOLS: Mapping[int, str] = {
    1: ";:,.!?",
    9: '—…"()“” ̃ʣʥʦʨᵝꭧAI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
VOCABULARY: Mapping[str, int] = {
    symbol: first + offset for first, run in _SYMBOLS.items() for offset, symbol in enumerate(run)
}
"""Symbol → number. 0 stands at both ends of what is spoken."""

MAX_TOKENS = 510
"""The model takes no more at once, without the two ends."""

_INITIALS: Mapping[str, str] = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l",
    "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ",
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
# 0 is where the tone goes.
_FINALS: Mapping[str, str] = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0",
    "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ", "er": "ɚ0", "ê": "ɛ0",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n",
    "ing": "i0ŋ", "io": "jɔ0", "iong": "jʊ0ŋ", "iou": "jou0",
    "o": "ɔ0", "ong": "ʊ0ŋ", "ou": "ou0",
    "u": "u0", "ua": "wa0", "uai": "wai0", "uan": "wa0n", "uang": "wa0ŋ", "uei": "wei0", "uen": "wə0n",
    "ueng": "wə0ŋ", "uo": "wo0",
    "ü": "y0", "üan": "ɥɛ0n", "üe": "ɥe0", "ün": "y0n",
    "m": "m0", "n": "n0", "ng": "ŋ0",
}  # fmt: skip
_TONES = ("", "→", "↗", "↓", "↘", "")
_SHORT = {"iu": "iou", "ui": "uei", "un": "uen", "v": "ü", "ve": "üe", "van": "üan", "vn": "ün", "ue": "üe"}
_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcs])?([a-zêü]+)([0-5])?")


class NotSpoken(ValueError):
    """Nothing in the text is a sound that the model knows."""


def of_pinyin(syllable: str) -> str:
    """Return the symbols of a syllable such as ``zhong4``, ``lv4`` or ``de5``.

    Raises:
        NotSpoken: it is no syllable of Mandarin.
    """
    spelled = syllable.lower().replace("u:", "v").replace("ü", "v")
    if spelled.rstrip("012345") in {"m", "n", "ng", "hm", "hng"}:
        spelled = spelled.removeprefix("h")
        return _FINALS[spelled.rstrip("012345")].replace(
            "0", _TONES[int(spelled[-1])] if spelled[-1].isdigit() else ""
        )
    found = _SYLLABLE.fullmatch(spelled)
    if found is None:
        raise NotSpoken(f"{syllable} is no syllable")
    initial, final, tone = found[1] or "", found[2], int(found[3] or 5)
    if initial in {"zh", "ch", "sh", "r", "z", "c", "s"} and final == "i":
        return _INITIALS[initial] + "ɨ" + _TONES[tone]
    if initial == "":
        final = _without_initial(final)
    elif initial in {"j", "q", "x"} and final.startswith("u"):
        final = "v" + final[1:]
    elif initial in {"b", "p", "m", "f"} and final == "o":
        final = "uo"
    final = _SHORT.get(final, final)
    if final not in _FINALS:
        raise NotSpoken(f"{syllable} is no syllable")
    return _INITIALS.get(initial, "") + _FINALS[final].replace("0", _TONES[tone])


def _without_initial(final: str) -> str:
    """``yi`` → ``i``, ``wo`` → ``uo``, ``yuan`` → ``üan``: y and w are only spelling."""
    if final.startswith("yu"):
        return "v" + final[2:]
    if final.startswith("y"):
        return final[1:] if final.startswith("yi") else _SHORT.get("i" + final[1:], "i" + final[1:])
    if final.startswith("w"):
        return final[1:] if final.startswith("wu") else "u" + final[1:]
    return final


_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BRITISH = (("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"))
_ENGLISH = (
    ("ʔˌn̩", "ʔn"), ("ʔn̩", "ʔn"),
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("ə^l", "ᵊl"),
    ("ʲo", "jo"), ("ʲə", "jə"), ("ʲ", ""),
    ("ɚɹ", "əɹ"), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɬ", "l"), ("̃", ""),
)  # fmt: skip


def of_english_ipa(ipa: str, *, british: bool) -> str:
    """Return the symbols of what ``espeak-ng --ipa --tie=^`` says of an English text."""
    said = ipa.strip()
    for old, new in _ENGLISH:
        said = said.replace(old, new)
    said = re.sub(r"(\S)̩", r"ᵊ\1", said)
    for old, new in _BRITISH if british else _AMERICAN:
        said = said.replace(old, new)
    # Only what is left of e and o is a vowel of its own.
    said = re.sub(r"e(?!\^)", "A", said)
    said = said.replace("o", "ɔ").replace("ɾ", "T").replace("ʔ", "t")
    return re.sub(r"\s+", " ", said.replace("^", "").replace("_:", ",").replace("-", ""))


def tokens(symbols: str) -> list[int]:
    """Return the numbers of the symbols; what the model does not know is left out."""
    return [VOCABULARY[symbol] for symbol in symbols if symbol in VOCABULARY]


def sentences(symbols: str) -> list[str]:
    """Cut at full stops, and at commas what is too long for the model.

    Raises:
        NotSpoken: nothing in it can be heard.
    """
    parts = [part.strip() for part in re.split(r"(?<=[.!?])\s+", symbols) if _heard(part)]
    if not parts:
        raise NotSpoken("there is nothing to say")
    return [piece for part in parts for piece in _short_enough(part)]


def _short_enough(part: str) -> Iterable[str]:
    if len(part) <= MAX_TOKENS:
        return [part]
    found: list[str] = [""]
    for word in re.split(r"(?<=[,;: ])", part):
        ends = found[-1].rstrip().endswith((",", ";", ":")) and len(found[-1]) > MAX_TOKENS // 2
        if len(found[-1]) + len(word) > MAX_TOKENS or ends:
            found.append("")
        found[-1] += word[:MAX_TOKENS]
    return [piece.strip() for piece in found if _heard(piece)]


def _heard(symbols: str) -> bool:
    return any(symbol.isalpha() and symbol in VOCABULARY for symbol in symbols)
