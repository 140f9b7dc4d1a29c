"""Articles: hostile text stays text, keywords, validity, which articles fit (domain.md §1.15)."""

from datetime import date

import pytest

from app.demo.articles import demo_articles
from crm.domain.knowledge import (
    MAX_KEYWORDS,
    Area,
    Block,
    BlockKind,
    Candidate,
    Conversation,
    Span,
    blocks_of,
    check_validity,
    choose,
    fits,
    is_valid,
    plain_of,
    tidy_keywords,
)
from kernel.errors import Invalid

pytestmark = pytest.mark.unit


def candidate(article_id: str = "a", **changes: object) -> Candidate:
    known: dict[str, object] = {
        "article_id": article_id,
        "question": "家里突然漏水，应该先做什么？",
        "keywords": ("漏水", "渗水"),
        "area": Area.AFTER_SALE,
        "classes": (1, 8),
        "votes": 0,
    }
    return Candidate(**(known | changes))  # type: ignore[arg-type]


def test_an_answer_is_paragraphs_headings_and_lists() -> None:
    assert blocks_of("先关阀\n再拍照\n\n## 我们做\n- 登记\n\n- 通知**队长**\n1. 一\n2、二") == (
        Block(BlockKind.PARAGRAPH, ((Span("先关阀"),), (Span("再拍照"),))),
        Block(BlockKind.HEADING, ((Span("我们做"),),)),
        Block(BlockKind.BULLETS, ((Span("登记"),), (Span("通知"), Span("队长", bold=True)))),
        Block(BlockKind.NUMBERS, ((Span("一"),), (Span("二"),))),
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[点我](javascript:alert(1))",
        "![](https://example.org/x.png)",
        "<img src=x onerror=alert(1)>",
        "{{ 7*7 }} {% raw %}",
        "</p><iframe src=//x>",
        "** ** ***",
        "=HYPERLINK(1)",
    ],
)
def test_hostile_text_stays_text(hostile: str) -> None:
    found = blocks_of(hostile)
    assert "".join(span.text for block in found for line in block.lines for span in line) in {
        hostile,
        hostile.replace("**", ""),
    }
    assert {block.kind for block in found} == {BlockKind.PARAGRAPH}


def test_a_bold_run_is_found_in_linear_time() -> None:
    assert len(plain_of("*" * 8000)) == 8000
    assert len(plain_of("**a" * 2600)) > 2000


def test_an_answer_read_out_has_no_marks() -> None:
    assert plain_of("## 先做\n- 关**总阀**\n1. 拍照") == "先做\n关总阀\n拍照"


def test_keywords_lose_blanks_and_repetitions() -> None:
    assert tidy_keywords([" 漏 水 ", "漏水", "", "渗水\u200b"]) == ("漏水", "渗水")


@pytest.mark.parametrize("words", [["水"], ["水" * 21], ["水" * 1_000_000], [f"词{n}" for n in range(21)]])
def test_keywords_that_say_nothing_or_too_much_are_refused(words: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        tidy_keywords(words)
    assert caught.value.field == "keywords"
    assert MAX_KEYWORDS == 20


def test_an_article_holds_on_its_last_day() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    assert is_valid(first, last, first) and is_valid(first, last, last) and is_valid(first, None, last)
    assert not is_valid(first, last, date(2026, 4, 1)) and not is_valid(first, None, date(2026, 2, 28))
    with pytest.raises(Invalid) as caught:
        check_validity(last, first)
    assert caught.value.field == "valid_to"


def test_the_longer_keyword_says_more() -> None:
    short, long = candidate(keywords=("漏水",)), candidate(keywords=("卫生间漏水",))
    told = Conversation(text="客户说卫生间漏水两天了")
    assert fits(long, told) > fits(short, told) > 0


def test_what_has_nothing_to_do_with_it_is_not_offered() -> None:
    assert choose([candidate(classes=())], Conversation(text="你们在哪里上班"), 5) == []
    assert fits(candidate(votes=50), Conversation(text="发票")) == 0


def test_class_and_menu_help_and_votes_decide_between_equals() -> None:
    told = Conversation(text="漏水", menu_path=("报修", "渗水漏水"), class_code=1)
    plain = Conversation(text="漏水")
    assert fits(candidate(), told) > fits(candidate(), plain)
    assert choose([candidate("a"), candidate("b", votes=3)], plain, 5) == ["b", "a"]
    assert choose([candidate("a"), candidate("b", votes=3)], plain, 1) == ["b"]


ASKED = {
    "我家厨房水管爆了一直在滴水": "家里突然漏水，应该先做什么？",
    "一开空调就跳闸还有焦味": "插座冒火花、有焦味或跳闸怎么办？",
    "厨房好像有煤气的味道": "闻到燃气味怎么办？",
    "做完一个月了甲醛还是很大": "装修后有异味，怎样检测和处理？",
    "中期款要交多少": "合同款分几次付？每次付多少？",
    "他们没让我签字就做了增项": "施工中增加了项目，怎样算钱？",
    "再不解决我就打12345": "客户说要找媒体、12315 或 12345",
    "你们师傅私下收钱": "客户反映师傅私下收钱",
    "还在保修期里吗": "保修期是多久？从哪一天算起？",
}


@pytest.mark.parametrize(("said", "wanted"), ASKED.items())
def test_the_demo_articles_fit_what_customers_say(said: str, wanted: str) -> None:
    articles = demo_articles()
    known = [
        candidate(
            article.question,
            question=article.question,
            keywords=article.keywords,
            area=article.area,
            classes=article.classes,
        )
        for article in articles
    ]
    assert choose(known, Conversation(text=said), 3)[0] == wanted


def test_the_demo_has_articles_of_every_area() -> None:
    articles = demo_articles()
    assert len(articles) >= 25
    assert {article.area for article in articles} == set(Area)
    assert len({article.question for article in articles}) == len(articles)
    assert all(tidy_keywords(article.keywords) for article in articles)
