"""How a Chinese name may be typed in letters: initials (``wxy``) and whole pinyin (``wangxiuying``).

A character with several readings gets those that people of that name really use: family names from a table
of their own (单 is Shan or Dan, 曾 is Zeng or Ceng), given names from a second one, all others by their
commonest reading.
"""

import re
from functools import lru_cache
from itertools import islice, product

from crm.domain.customer import COMPOUND_SURNAMES

MAX_CHARACTERS = 12
MAX_READINGS = 8

_SURNAMES = (
    "单 shan dan|曾 zeng ceng|仇 qiu chou|解 xie jie|区 ou qu|查 zha cha|盖 ge gai|乐 yue le|朴 piao pu|"
    "翟 zhai di|缪 miao mou|种 chong zhong|召 shao zhao|折 she zhe|繁 po fan|秘 bi mi|员 yun yuan|"
    "覃 qin tan|车 che ju|沈 shen chen|郇 xun huan|郗 xi chi|祭 zhai ji|隗 wei kui|牟 mou mu|黑 he hei|"
    "能 nai neng|乜 nie mie|句 gou ju|角 jue jiao|卜 bu bo|贾 jia gu|重 chong zhong|谌 chen shen|柏 bai bo|"
    "薄 bo bao|宓 mi fu|洗 xian xi|长 chang zhang|藏 zang cang|阚 kan han|么 yao me|褚 chu zhu|尉 wei yu|"
    "單 shan dan|區 ou qu|蓋 ge gai|樂 yue le|員 yun yuan|車 che ju|繆 miao mou|賈 jia gu|種 chong zhong"
)
SURNAMES = {item.split()[0]: tuple(item.split()[1:]) for item in _SURNAMES.split("|")}
"""Family name → every reading in use, the commonest first."""

_GIVEN = (
    "乐 le yue|行 xing hang|重 chong zhong|朝 chao zhao|长 chang zhang|曾 zeng ceng|茜 qian xi|"
    "晟 sheng cheng|柏 bai bo|藏 zang cang|盛 sheng cheng|单 dan shan|参 shen can|阿 a e|覃 qin tan|"
    "樂 le yue|長 chang zhang|解 jie xie|都 du dou|卜 bu bo|沈 shen chen|娜 na nuo|翟 zhai di|便 bian pian|"
    "谷 gu yu|缪 miao mou"
)
GIVEN = {item.split()[0]: tuple(item.split()[1:]) for item in _GIVEN.split("|")}

_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003134f]+")


def readings(name: str) -> tuple[str, ...]:
    """Return what may be typed for a name: initials and whole pinyin of every reading, none twice.

    Only the Chinese characters count; a name without any, or with more than :data:`MAX_CHARACTERS`, has none.
    """
    han = "".join(_HAN.findall(name))
    if not 2 <= len(han) <= MAX_CHARACTERS:
        return ()
    found: dict[str, None] = {}
    for spelt in islice(product(*_syllables(han)), MAX_READINGS):
        found["".join(syllable[0] for syllable in spelt)] = None
        whole = "".join(spelt)
        found[whole] = None
        if "v" in whole:  # 吕: the keyboard's lv, the passport's lyu
            found[whole.replace("v", "yu")] = None
    return tuple(found)


def _syllables(han: str) -> list[tuple[str, ...]]:
    """For each character the syllables it may be read as."""
    columns: list[tuple[str, ...]] = []
    given = han
    if len(han) > 2 and (han[:2] in COMPOUND_SURNAMES or han[:2] in _COMPOUND):
        columns, given = _compound(han[:2]), han[2:]
    elif han[0] in SURNAMES:
        columns, given = [SURNAMES[han[0]]], han[1:]
    columns += [GIVEN.get(character) or _reading(character) for character in given]
    return [column for column in columns if column]


def _compound(surname: str) -> list[tuple[str, ...]]:
    """The two syllables of a compound surname, by its own table where a character is read otherwise."""
    spelt = _COMPOUND.get(surname)
    return list(spelt) if spelt else [_reading(surname[0]), _reading(surname[1])]


_COMPOUND = {
    "万俟": (("mo",), ("qi",)),
    "尉迟": (("yu",), ("chi",)),
    "长孙": (("zhang", "chang"), ("sun",)),
    "澹台": (("tan",), ("tai",)),
    "令狐": (("ling",), ("hu",)),
    "鲜于": (("xian",), ("yu",)),
    "单于": (("chan",), ("yu",)),
    "宰父": (("zai",), ("fu",)),
    "夏侯": (("xia",), ("hou",)),
    "公冶": (("gong",), ("ye",)),
}


@lru_cache(maxsize=8192)
def _reading(character: str) -> tuple[str, ...]:
    # Slow to import, and not every process needs it.
    from pypinyin import Style, lazy_pinyin

    spelt = lazy_pinyin(character, style=Style.NORMAL, errors="ignore")
    syllable = spelt[0] if spelt else ""
    return (syllable,) if syllable.isascii() and syllable.isalpha() else ()
