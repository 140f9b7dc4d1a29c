"""What a recogniser wrote, as people read it."""

import pytest

from speech.reading import read

pytestmark = pytest.mark.unit

DIGITS = """
我的手机号码是一三八零零一三八零零零 | 我的手机号码是13800138000
电话幺三九零零一幺二三四五 | 电话13900112345
座机是零一零六五八一二三四五 | 座机是01065812345
我打一二三一五 | 我打12315
我要打幺二三四五 | 我要打12345
你们再拖我就打一二三四五 | 你们再拖我就打12345
分机号八零二 | 分机号802
合同号二零二六零零八八 | 合同号20260088
验证码三七五九 | 验证码3759
请拨打四零零八八二零零零零 | 请拨打4008820000
138，0013，8000 | 13800138000
手机138 0013 8000 | 手机13800138000
１３８００１３８０００ | 13800138000
幺幺零 | 110
打幺幺九 | 打119
"""
MONEY = """
收了我三千五 | 收了我3500元
一共花了三千五百块钱 | 一共花了3500块钱
付了三万五 | 付了3.5万元
交了五万定金 | 交了5万元定金
退我两千 | 退我2000元
首付两百三十万 | 首付230万元
合同价十二万八千 | 合同价12.8万元
总价十二万五千三百六十块 | 总价125360块
一亿两千万 | 1.2亿
多收我一千八百块 | 多收我1800块
三块五 | 3.5元
十二块八一平米 | 12.8元1平米
五毛钱 | 5毛钱
两块钱 | 2块钱
一百二十八元 | 128元
误工费一天五百块 | 误工费一天500块
赔我一万二 | 赔我1.2万元
定金五千 | 定金5000元
三千两百零五块 | 3205块
一万零五百块 | 10500块
押金两千还没退 | 押金2000元还没退
一千零八十元 | 1080元
三百来块 | 300来块
一千多块钱 | 1000多块钱
打八折 | 打8折
八五折 | 85折
"""
PERCENT = """
百分之三十 | 30%
付了百分之九十五 | 付了95%
百分之三点五 | 3.5%
百分之百 | 百分之百
百分之一百 | 100%
千分之三 | 3‰
百分之七八十 | 百分之七八十
百分之几 | 百分之几
三分之一 | 三分之一
"""
DATES = """
十一月二十二号 | 11月22号
三月五号 | 3月5号
二零二六年十一月二十二日 | 2026年11月22日
二零一九年装的 | 2019年装的
一九年入住 | 19年入住
十月一号 | 10月1号
五月份签的合同 | 5月份签的合同
三个月了 | 三个月了
二十五号之前 | 25号之前
十号 | 10号
十天之内 | 10天之内
二十多天 | 20多天
周三上门 | 周三上门
星期五 | 星期五
下周二上午十点 | 下周二上午10点
正月初十 | 正月初十
十一放假 | 十一放假
双十一活动 | 双十一活动
两年零三个月 | 两年零三个月
保修五年 | 保修五年
九零后 | 90后
"""
TIMES = """
下午三点半 | 下午3点半
早上八点半来 | 早上8点半来
三点四十五 | 3点45
九点零五分 | 9点05分
十点二十分 | 10点20分
两点钟 | 2点钟
下午一点来 | 下午1点来
明天九点上门 | 明天9点上门
晚上十二点还在敲 | 晚上12点还在敲
八点到十点 | 8点到10点
周三三点 | 周三3点
二十四小时 | 24小时
十五分钟 | 15分钟
三点一刻 | 3点一刻
凌晨零点 | 凌晨0点
一点半 | 1点半
"""
ADDRESSES = """
三号楼二单元一零二 | 3号楼2单元102
朝阳区建国路八十八号三单元五零二室 | 朝阳区建国路88号3单元502室
十二号楼三单元二十一层 | 12号楼3单元21层
十一零二室 | 1102室
二十三零一 | 2301
五号楼三门六零一 | 5号楼3门601
我住六楼 | 我住6楼
一楼漏到负一楼 | 1楼漏到负1楼
三栋二单元 | 3栋2单元
幸福路一百二十三号 | 幸福路123号
九号线 | 9号线
三室两厅 | 三室两厅
北三环 | 北三环
八里庄 | 八里庄
五棵松附近 | 五棵松附近
十里堡 | 十里堡
"""
MEASURES = """
八十九平 | 89平
一百二十平米 | 120平米
三点五米 | 3.5米
一米八的床 | 1.8米的床
两米宽 | 2米宽
三厘米 | 3厘米
地砖少送了五十块 | 地砖少送了50块
四十公斤 | 40公斤
零点五 | 0.5
三十二寸 | 32寸
二十三箱 | 23箱
十二个插座 | 12个插座
第十二条 | 第12条
十遍 | 10遍
"""
WORDS = """
我有一点问题 | 我有一点问题
等一下 | 等一下
三三两两 | 三三两两
万一漏水怎么办 | 万一漏水怎么办
十分着急 | 十分着急
我们一起来 | 我们一起来
两三天没来了 | 两三天没来了
三五天 | 三五天
七八万 | 七八万
一百五六 | 一百五六
十七八个 | 十七八个
几十块 | 几十块
十几天 | 十几天
好几万 | 好几万
上百 | 上百
千万不要 | 千万不要
一块儿来 | 一块儿来
两块一起换 | 两块一起换
三块瓷砖 | 三块瓷砖
一点都没干 | 一点都没干
下午一点都没干 | 下午一点都没干
我提三点意见 | 我提三点意见
第三次打电话 | 第三次打电话
一天拖一天 | 一天拖一天
乱七八糟 | 乱七八糟
七上八下 | 七上八下
不管三七二十一 | 不管三七二十一
一五一十 | 一五一十
十全十美 | 十全十美
十有八九 | 十有八九
一百个不愿意 | 一百个不愿意
一二三四 | 一二三四
你就是个二百五 | 你就是个二百五
五六楼 | 五六楼
一二线城市 | 一二线城市
三心二意 | 三心二意
一家三口 | 一家三口
一个人 | 一个人
两个工人 | 两个工人
二手房 | 二手房
五金配件 | 五金配件
零件坏了 | 零件坏了
三方协议 | 三方协议
一直没人 | 一直没人
十天半个月 | 十天半个月
一点一点地修 | 一点一点地修
百里挑一 | 百里挑一
四舍五入 | 四舍五入
"""
WRITING = """
我 家 卫生间 漏水 了 | 我家卫生间漏水了
  我家  漏水   了  | 我家漏水了
我家衛生間漏水了，樓下鄰居找上來了 | 我家卫生间漏水了，楼下邻居找上来了
請問什麼時候來維修 | 请问什么时候来维修
乾燥的地方 | 干燥的地方
請 在 下午 三 點 半 來 | 请在下午3点半来
我 打 幺 三 八 零零 一三 八 零零零 | 我打13800138000
用 APP 报修 | 用APP报修
please call back | please call back
我家[unk]漏水 | 我家…漏水
你好。我要投诉！ | 你好。我要投诉！
漏水\x00了\u202e | 漏水了
两万块錢 | 2万块钱
三號樓兩單元 | 3号楼两单元
"""

TABLE = [
    tuple(part.strip("\n") for part in line.split(" | ", 1))
    for block in (DIGITS, MONEY, PERCENT, DATES, TIMES, ADDRESSES, MEASURES, WORDS, WRITING)
    for line in block.strip("\n").splitlines()
]


def test_the_table_is_a_table() -> None:
    assert len(TABLE) >= 150 and all(len(row) == 2 for row in TABLE)


@pytest.mark.parametrize(("raw", "text"), TABLE, ids=[row[0].strip().replace("\x00", "") for row in TABLE])
def test_reads(raw: str, text: str) -> None:
    reading = read(raw)
    assert reading.text == text
    assert reading.raw == raw
    assert read(reading.text).text == text


def test_a_click_on_a_figure_finds_all_that_was_said_of_it() -> None:
    reading = read("我 在 三号楼 二单元 一零二")
    assert reading.text == "我在3号楼2单元102"
    at = reading.text.index("102") + 1
    start, end = reading.raw_range(at, at + 1)
    assert reading.raw[start:end] == "一零二"
    assert reading.text_range(start, end) == (at - 1, at + 2)


def test_a_click_on_a_word_finds_the_word_only() -> None:
    reading = read("我家 衛生間 漏水 了")
    at = reading.text.index("漏水")
    start, end = reading.raw_range(at, at + 2)
    assert reading.raw[start:end] == "漏水"
    assert reading.text_range(start, end) == (at, at + 2)


def test_positions_outside_are_moved_inside() -> None:
    reading = read("漏水了")
    assert reading.raw_range(-5, 99) == (0, 3)
    assert reading.raw_range(7, 2) == (3, 3)
    assert reading.text_range(9, 99) == (0, 0)
    assert read("").raw_range(0, 1) == (0, 0)


def test_a_text_without_end_is_bounded() -> None:
    raw = "三千五百块" * 20_000 + "一" * 50_000
    reading = read(raw)
    assert reading.text.startswith("3500块3500块")
    assert reading.spans[-1].raw_end == len(raw)
    for hostile in ("一" * 100_000, "三点" * 50_000, "百分之" * 30_000, "十" * 100_000, "\x07" * 100_000):
        assert read(hostile).raw == hostile
