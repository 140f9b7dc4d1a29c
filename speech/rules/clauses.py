"""Whether something said is so: not denied, not merely feared or asked, not somebody else's, not over.

Recognisers write no punctuation, so that what counts is what stands near.
"""

import re
from enum import StrEnum

NEAR = 12


class Said(StrEnum):
    """How something is said."""

    SO = "so"
    DENIED = "denied"
    SUPPOSED = "supposed"
    """Feared, asked, or somebody else's."""
    OVER = "over"


_FILL = (
    "(?:再|要|想|说|什么|任何|发现|出现|发生|看到|过|是|去|找|有|让|你们|你|提|真的|打算|继续|这个|这种|那种|所谓的?"
    "|要求|太|很|很大的)"
)
_DENIED = re.compile(
    "(?:没有|没|不是|并不是|并非|不存在|不会|未|不用|不需要|不想|不要|不打算|不要求|不至于|不算|谁说|用不着|犯不着"
    f"|没必要|还没到){_FILL}{{0,3}}$"
)
_ASKED_FIRST = re.compile(
    "(?:有没有|是不是有|会不会|有无|是否|要不要|能不能|可不可以|用不用)" + f"{_FILL}{{0,2}}$"
)
_NOT = re.compile("(?:不|别|不再|没再)(?:会|再|怎么|太)?$")
_SUPPOSED = re.compile(
    "(?:如果|要是|万一|假如|假设|就怕|怕|担心|免得|以免|防止|避免|预防|比如|例如|是不是都)[^，。！？；]{0,8}$"
)
_OTHERS = re.compile(
    "(?:朋友|同事|亲戚|别人|人家|网上说|听说有人|(?:邻居|隔壁|楼上)(?:家|说)他?们?家?)[^，。！？；]{0,6}$"
)
_DENIED_AFTER = re.compile(
    "(?:了|的)?(?:情况|现象|问题|那些)?(?:倒是|倒|也|都|是|就)?(?:没有(?!人|来|修|解决|处理|给|办法|得到)|不存在|没发生|没再|不再|没了)"
)
_ASKED_AFTER = re.compile("(?:了|的)?(?:情况|现象|问题)?(?:吗|没有$|怎么办|怎么算|咋办|还保修吗)")
_OVER = re.compile(
    "(?:的|了)?(?:问题|事|那个|这个|地方|那块)?(?:已经|都|早就|昨天|上次|上周|后来|师傅|你们|我们|给)*(?:修好|解决|处理好|弄好|补好|搞定|好了|不漏|停了|处理完)"
)
_AGAIN = re.compile("又|还是|但是|可是|不过|没几天|结果")
_CLAUSE = re.compile("[，。！？；,!?;]")


def how(text: str, start: int, end: int, *, bare_not: bool) -> Said:
    """Return how the words from ``start`` to ``end`` are said.

    Args:
        bare_not: «不» before them denies them (不漏水); not a wish (不退款 says that one is wanted).
    """
    left = _CLAUSE.split(text[max(0, start - NEAR) : start])[-1]
    rest = text[end : end + 2 * NEAR]
    right = _CLAUSE.split(rest)[0]
    if _ASKED_FIRST.search(left) or _SUPPOSED.search(left) or _OTHERS.search(left):
        return Said.SUPPOSED
    if _DENIED.search(left) or (bare_not and _NOT.search(left)):
        return Said.DENIED
    if _DENIED_AFTER.match(right):
        return Said.DENIED
    over = _OVER.match(rest.lstrip("，,"))
    if over and not _AGAIN.search(rest[over.end() :]):
        return Said.OVER
    if bare_not and _ASKED_AFTER.match(right) and not text[:start].endswith(("已经", "现在")):
        return Said.SUPPOSED
    return Said.SO
