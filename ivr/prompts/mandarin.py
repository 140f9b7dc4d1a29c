"""Mandarin text → syllables with tones: the characters with several readings, and the tones that change.

``pypinyin`` reads most words right; what it reads wrong in this trade stands in :data:`READINGS`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivr.prompts.phonemes import NotSpoken, of_pinyin

VERSION = 1
"""Part of a voice's identity."""

READINGS: Mapping[str, str] = {
    # 重 again, not heavy
    "重做": "chong2 zuo4", "重装": "chong2 zhuang1", "重听": "chong2 ting1", "重刷": "chong2 shua1",
    "重铺": "chong2 pu1", "重贴": "chong2 tie1", "重砌": "chong2 qi4", "重漆": "chong2 qi1",
    "重拨": "chong2 bo1", "重派": "chong2 pai4", "重修": "chong2 xiu1", "重开": "chong2 kai1",
    "重填": "chong2 tian2", "重签": "chong2 qian1", "重量": "zhong4 liang4",
    # 行
    "银行": "yin2 hang2", "行业": "hang2 ye4", "同行": "tong2 hang2", "行规": "hang2 gui1",
    "行不行": "xing2 bu4 xing2", "行吗": "xing2 ma5", "还行": "hai2 xing2",
    # 长
    "队长": "dui4 zhang3", "班长": "ban1 zhang3", "工长": "gong1 zhang3", "店长": "dian4 zhang3",
    "组长": "zu3 zhang3", "多长": "duo1 chang2", "长短": "chang2 duan3", "延长": "yan2 chang2",
    # 还 still; give back
    "还有": "hai2 you3", "还没": "hai2 mei2", "还是": "hai2 shi5", "还要": "hai2 yao4", "还在": "hai2 zai4",
    "还款": "huan2 kuan3", "还清": "huan2 qing1", "退还": "tui4 huan2", "归还": "gui1 huan2",
    "还给": "huan2 gei3", "返还": "fan3 huan2",
    # 得 地 着 了
    "做得": "zuo4 de5", "说得": "shuo1 de5", "讲得": "jiang3 de5", "修得": "xiu1 de5", "干得": "gan4 de5",
    "办得": "ban4 de5", "装得": "zhuang1 de5", "铺得": "pu1 de5", "刷得": "shua1 de5",
    "处理得": "chu3 li3 de5", "来得": "lai2 de5", "还得": "hai2 dei3", "总得": "zong3 dei3",
    "得等": "dei3 deng3", "得去": "dei3 qu4",
    "觉得": "jue2 de5", "获得": "huo4 de2", "得到": "de2 dao4", "取得": "qu3 de2", "得分": "de2 fen1",
    "地暖": "di4 nuan3", "地面": "di4 mian4", "接着": "jie1 zhe5", "着急": "zhao2 ji2", "着火": "zhao2 huo3",
    "了解": "liao3 jie3", "受不了": "shou4 bu5 liao3", "为了": "wei4 le5",
    # 都 all; 没 not
    "都到": "dou1 dao4", "都没": "dou1 mei2", "都是": "dou1 shi4", "都有": "dou1 you3",
    # 调 空 处 差 应 量 只 分
    "空鼓": "kong1 gu3", "空号": "kong1 hao4", "空调": "kong1 tiao2", "调整": "tiao2 zheng3",
    "调解": "tiao2 jie3", "调换": "diao4 huan4", "调查": "diao4 cha2", "调度": "diao4 du4",
    "处理": "chu3 li3", "处罚": "chu3 fa2", "处方": "chu3 fang1", "投诉处": "tou2 su4 chu4",
    "很差": "hen3 cha4", "太差": "tai4 cha4", "差价": "cha1 jia4", "误差": "wu4 cha1", "差评": "cha4 ping2",
    "应急": "ying4 ji2", "反应": "fan3 ying4", "供应": "gong1 ying4", "应该": "ying1 gai1",
    "响应": "xiang3 ying4",
    "量房": "liang2 fang2", "测量": "ce4 liang2", "丈量": "zhang4 liang2", "质量": "zhi4 liang4",
    "尽快": "jin3 kuai4", "尽量": "jin3 liang4", "尽管": "jin3 guan3", "尽力": "jin4 li4",
    "只到": "zhi3 dao4", "几只": "ji3 zhi1",
    # The house and its parts
    "背景": "bei4 jing3", "吊顶": "diao4 ding3", "铺贴": "pu1 tie1", "铺设": "pu1 she4", "店铺": "dian4 pu4",
    "美缝": "mei3 feng4", "裂缝": "lie4 feng4", "缝隙": "feng4 xi4", "勾缝": "gou1 feng4",
    "钉子": "ding1 zi5", "朝向": "chao2 xiang4", "水分": "shui3 fen4", "成分": "cheng2 fen4",
    "隔断": "ge2 duan4", "上下水": "shang4 xia4 shui3", "角阀": "jiao3 fa2", "一卡通": "yi4 ka3 tong1",
    "便宜": "pian2 yi5", "方便": "fang1 bian4", "称呼": "cheng1 hu5", "对称": "dui4 chen4",
    "干活": "gan4 huo2", "能干": "neng2 gan4", "晾干": "liang4 gan1", "风干": "feng1 gan1",
    "数量": "shu4 liang4", "无数": "wu2 shu4", "转接": "zhuan3 jie1", "转人工": "zhuan3 ren2 gong1",
    "好的": "hao3 de5", "的确": "di2 que4", "目的": "mu4 di4", "人工": "ren2 gong1", "请示": "qing3 shi4",
    "满意": "man3 yi4", "先生": "xian1 sheng5", "女士": "nv3 shi4", "我们": "wo3 men5", "你们": "ni3 men5",
    "他们": "ta1 men5", "时候": "shi2 hou5", "谢谢": "xie4 xie5", "师傅": "shi1 fu5", "意思": "yi4 si5",
    "清楚": "qing1 chu5", "关系": "guan1 xi5", "麻烦": "ma2 fan5", "地方": "di4 fang5", "告诉": "gao4 su5",
    "投诉": "tou2 su4", "约定": "yue1 ding4", "结束": "jie2 shu4", "结案": "jie2 an4", "星号": "xing1 hao4",
    "井号": "jing3 hao4", "滴声": "di1 sheng1", "挂机": "gua4 ji1",
    "装饰": "zhuang1 shi4", "客户": "ke4 hu4", "客服": "ke4 fu2", "热线": "re4 xian4",
    "回访": "hui2 fang3", "核对": "he2 dui4", "核查": "he2 cha2", "专员": "zhuan1 yuan2",
}  # fmt: skip
"""Words whose reading must not depend on a dictionary's choice."""

_SURNAMES: Mapping[str, str] = {
    "单": "shan4", "曾": "zeng1", "仇": "qiu2", "区": "ou1", "解": "xie4", "查": "zha1", "任": "ren2",
    "华": "hua4", "朴": "piao2", "盖": "ge3", "翟": "zhai2", "乐": "yue4", "纪": "ji3", "缪": "miao4",
    "宁": "ning4", "尹": "yin3", "覃": "qin2", "逄": "pang2", "万": "wan4", "召": "shao4", "种": "chong2",
    "黑": "he4", "尉": "wei4", "冼": "xian3", "牟": "mu4", "訾": "zi1", "葛": "ge3", "哈": "ha3",
    "长": "zhang3", "钭": "tou3", "繁": "po2", "秘": "bi4", "燕": "yan1", "应": "ying1", "於": "yu1",
    "员": "yun4", "祭": "zhai4", "折": "she2", "洗": "xian3", "盛": "sheng4", "臧": "zang1", "沈": "shen3",
}  # fmt: skip
_TITLES = "先生|女士|小姐|太太|阿姨|叔叔|师傅|经理|老师|队长|工长|设计师|总"
_NAME = re.compile(
    rf"(?<![\u3400-\u9fff])([{''.join(_SURNAMES)}])(?=[\u3400-\u9fff]{{0,2}}(?:{_TITLES}))|(?<=姓)([{''.join(_SURNAMES)}])(?![\u3400-\u9fff])"
)

# How the letters of the alphabet are called in Chinese.
_LETTERS: Mapping[str, str] = {
    "A": "ei1", "B": "bi4", "C": "xi1", "D": "di4", "E": "yi4", "F": "ai2 fu5", "G": "ji4",
    "H": "ei1 chi5", "I": "ai4", "J": "zhei4", "K": "kei4", "L": "ai2 lou5", "M": "ai2 mu5", "N": "en1",
    "O": "ou1", "P": "pi1", "Q": "kiu1", "R": "a4", "S": "ai2 si5", "T": "ti4", "U": "you1", "V": "wei4",
    "W": "da2 bu5 liu5", "X": "ai2 ke5 si5", "Y": "wai4", "Z": "zei4",
}  # fmt: skip

_CHINESE = r"[\u3400-\u9fff]"
_PIECES = re.compile(rf"({_CHINESE}+)|([A-Za-z]+)|([，、,：:；;。．.！!？?…—])|(.)", re.DOTALL)
_PAUSES = {
    **dict.fromkeys("，、,", ","),
    **dict.fromkeys("：:", ":"),
    **dict.fromkeys("；;", ";"),
    **dict.fromkeys("。．.", "."),
    **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"),
    "…": "…",
    "—": "—",
}
# Little words that stand alone between others.
_SMALL_WORDS = set(
    "的了是在请按和与或为您你我他有没吗吧呢啊这那就也都还被把给从到对将会再不能可使用想做约过由至及"
)
_LONGEST = max(map(len, READINGS))
_WHOLE_NUMBER = set("零幺一二三四五六七八九十百千万亿两点")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a pause.

    Attributes:
        text: as written.
        syllables: pinyin with tone numbers; of a pause none.
        pause: the mark, empty for a word.
    """

    text: str
    syllables: tuple[str, ...] = ()
    pause: str = ""


def words_of(text: str) -> list[Word]:
    """Cut a text, in which nothing is left in figures, into words and pauses."""
    found: list[Word] = []
    names = {match.start(1 if match[1] else 2) for match in _NAME.finditer(text)}
    for match in _PIECES.finditer(text):
        chinese, latin, mark, _ = match.groups()
        if chinese:
            found += _chinese(chinese, {at - match.start() for at in names})
        elif latin:
            found += [Word(letter, tuple(_LETTERS[letter].split())) for letter in latin.upper()]
        elif mark and found and not found[-1].pause:
            found.append(Word(mark, pause=_PAUSES[mark]))
    return found


def symbols_of(text: str) -> str:
    """Return a text in Kokoro's alphabet: words apart, pauses as marks."""
    said = ""
    for word in words_of(text):
        if word.pause:
            said = said.rstrip() + word.pause + " "
        else:
            said += "".join(map(_symbols, word.syllables)) + " "
    said = said.strip()
    # A sentence that stops without a pause ends in a noise.
    return said if said.endswith(tuple(_PAUSES.values())) or not said else said + ","


def _symbols(syllable: str) -> str:
    # 酷 of the letter Q is no Mandarin syllable.
    return "kʰjou→" if syllable == "kiu1" else of_pinyin(syllable)


def _chinese(run: str, names: set[int]) -> Iterator[Word]:
    parts: list[tuple[str, tuple[str, ...] | None]] = []
    at, plain = 0, ""
    while at < len(run):
        word = run[at]
        reading: tuple[str, ...] | None = None
        if at in names:
            reading = (_SURNAMES[run[at]],)
        else:
            for length in range(min(_LONGEST, len(run) - at), 1, -1):
                if (known := READINGS.get(run[at : at + length])) is not None:
                    word, reading = run[at : at + length], tuple(known.split())
                    break
        if reading is None:
            plain += word
        else:
            if plain:
                parts.append((plain, None))
                plain = ""
            parts.append((word, reading))
        at += len(word)
    if plain:
        parts.append((plain, None))
    made = [
        made
        for text, reading in parts
        for made in ([Word(text, reading)] if reading else map(_read, _cut(text)))
    ]
    yield from _with_changed_tones(made)


def _cut(text: str) -> list[str]:
    """Cut where words end, as far as the dictionary knows; what it does not know stays together."""
    # Slow to import, and not every process needs it.
    from pypinyin.contrib.mmseg import seg

    words: list[str] = []
    loose = False
    for word in map(str, seg.cut(text)):
        unknown = len(word) == 1 and word not in _SMALL_WORDS
        if unknown and loose:
            words[-1] += word
        else:
            words.append(word)
        loose = unknown
    return words


def _read(word: str) -> Word:
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")
    return Word(word, tuple(syllables))


def _with_changed_tones(words: list[Word]) -> list[Word]:
    """一 and 不 take their tone from what follows; numbers and ordinals keep theirs."""
    flat = [(char, index, place) for index, word in enumerate(words) for place, char in enumerate(word.text)]
    changed = [list(word.syllables) for word in words]
    for at, (char, index, place) in enumerate(flat):
        if char not in "一不" or place >= len(changed[index]):
            continue
        following = next(iter(flat[at + 1 : at + 2]), None)
        tone = (
            changed[following[1]][following[2]][-1:]
            if following and following[2] < len(changed[following[1]])
            else ""
        )
        before = flat[at - 1][0] if at else ""
        if char == "不":
            changed[index][place] = (
                "bu2" if tone == "4" else "bu4" if changed[index][place][-1:] != "5" else "bu5"
            )
        elif following is None or before in _FINAL_ONE or following[0] in _ORDINAL:
            changed[index][place] = "yi1"
        elif before and before == following[0]:
            changed[index][place] = "yi5"  # 看一看
        else:
            changed[index][place] = "yi2" if tone in "45" else "yi4"
    return [
        Word(word.text, tuple(syllables), word.pause) for word, syllables in zip(words, changed, strict=True)
    ]


_FINAL_ONE = _WHOLE_NUMBER | set("第统唯惟之周期")
_ORDINAL = _WHOLE_NUMBER - {"百", "千", "万", "亿", "两"} | set("月号楼日期单栋幢")


def check_readings() -> None:
    """Prove the table: every reading has a syllable for each character, and each is one.

    Raises:
        NotSpoken: names the word.
    """
    for word, reading in {**READINGS, **_SURNAMES}.items():
        if len(reading.split()) != len(word):
            raise NotSpoken(f"{word}: {reading}")
        for syllable in reading.split():
            of_pinyin(syllable)
