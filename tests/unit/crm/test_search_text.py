"""How texts and names are spelt for the search, how a query is cut, and where the hits are."""

import pytest

from crm.domain.pinyin import readings
from crm.domain.search_match import Both, Either, of_term, written
from crm.domain.search_text import HEAD, PREFIX, Term, Token, marks, normalise, stored_text, terms_of
from crm.domain.snippet import shown, snippet
from crm.search_asked import SearchRefused, parse

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ＨＴ２０２６－０１", "ht2026-01"),
        ("漏 水\t\u3000管", "漏 水 管"),
        ("衛生間漏水", "卫生间漏水"),
        ("Crème BRÛLÉE", "creme brulee"),
        ("a\u200db\ufeff", "ab"),
        ("\0王\x01五\ue000", "王 五"),
        ("㈱①Ⅷ", "(株)1viii"),
        ("\ud800x", "x"),
    ],
)
def test_there_is_one_spelling_for_all(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("王秀英", {"wxy", "wangxiuying"}),
        ("单雄信", {"sxx", "shanxiongxin", "dxx", "danxiongxin"}),
        ("曾国藩", {"zgf", "zengguofan", "cgf", "cengguofan"}),
        ("欧阳修", {"oyx", "ouyangxiu"}),
        ("尉迟恭", {"ycg", "yuchigong"}),
        ("吕布", {"lb", "lvbu", "lyubu"}),
        ("張偉", {"zw", "zhangwei"}),
        ("John", set()),
        ("王", set()),
        ("某某某某某某某某某某某某某某有限公司", set()),
    ],
)
def test_names_are_typed_as_people_of_that_name_are_called(name: str, typed: set[str]) -> None:
    assert set(readings(name)) == typed


def test_a_name_of_many_readings_stays_small() -> None:
    assert len(readings("曾乐行重朝")) <= 24


def test_tokens_are_words_and_pairs_of_neighbours() -> None:
    text = stored_text(
        kind="article", title="3号楼AB12", numbers=(), names=(), texts=("漏水!",), phones=(), audience=()
    )
    tokens = text.tokens()
    plain = {token for token in tokens if token[0] < "\ue000" or token[0] > "\ue0ff"}
    assert plain == {"漏水", "水" + chr(0xE100 + ord("!"))}
    titled = {token[1:] for token in tokens if token.startswith(HEAD) and not token.startswith(HEAD + PREFIX)}
    assert titled == {"3", "3号", "号楼", "楼a", "ab12"}


def test_a_query_asks_for_no_more_than_is_there() -> None:
    assert Term("漏水").tokens() == (Token("漏水"),)
    assert set(Term("3号楼").tokens()) == {Token("3号"), Token("号楼"), Token("3")}
    assert Term("ab").tokens() == (Token(PREFIX + "ab"),)
    assert Term("abcd").tokens() == (Token("abcd", prefix=True),)
    assert set(Term("楼12").tokens()) == {Token("楼1"), Token(PREFIX + "12")}
    assert set(Term("楼1").tokens()) == {Token("楼1")}, "one digit begins half of all numbers"
    long = "a" * 60
    assert Term(long).tokens() == (Token("a" * 40),)


def test_no_character_of_a_query_is_an_operator() -> None:
    hostile = "漏水\"'*:&|!()<->\\^-+{}~"
    for term in terms_of(normalise(hostile)):
        for token in term.tokens():
            assert not set(token.text) & set("\"'*:&|!()<>\\^-+{}~ ")
    match = Both((Token("漏水"), Either((Token("ab", prefix=True), Token("水管")))))
    assert written(match, "sqlite") == '("漏水" AND ("ab"* OR "水管"))'
    assert written(match, "postgresql") == "('漏水' & ('ab':* | '水管'))"


def test_the_end_of_a_number_is_only_asked_for_by_who_may() -> None:
    assert parse("8000", tails=True).terms[0].tail
    assert not parse("8000", tails=False).terms[0].tail
    assert not parse("800", tails=True).terms[0].tail
    assert parse("138-0013-8000", tails=False).phone == "13800138000"
    assert parse("+86 138 0013 8000", tails=False).phone == "13800138000"
    assert isinstance(of_term(Term("8000", tail=True), in_head=False), Either)


@pytest.mark.parametrize(
    ("query", "reason"),
    [("", "empty"), (" \0 ", "empty"), ("!", "empty"), ("王", "short"), ("漏水 a", "short"),
     ("x" * 201, "long"), (" ".join(f"w{n}" for n in range(9)), "many")],
)  # fmt: skip
def test_refusals_say_why(query: str, reason: str) -> None:
    with pytest.raises(SearchRefused) as refused:
        parse(query, tails=True)
    assert refused.value.context["reason"] == reason and refused.value.field == "q"


def test_hits_are_marked_in_the_text_as_it_was_written() -> None:
    text = "１３号楼,3号楼 衛生間漏水漏水"
    found = marks(text, terms_of(normalise("3号楼 卫生间 漏水")))
    assert [text[start:end] for start, end in found] == ["3号楼", "衛生間漏水漏水"]
    assert "".join(piece for piece, _ in shown(text, terms_of("漏水")).pieces) == text


def test_a_snippet_shows_what_stands_around_the_hit() -> None:
    found = snippet(["没有的", "前" * 200 + "漏水" + "后" * 200], terms_of("漏水"))
    (start, end), *_ = found.marks
    assert found.text[start:end] == "漏水"
    assert found.text.startswith("…前") and found.text.endswith("后…") and len(found.text) <= 102
    assert snippet(["第一", "第二"], terms_of("漏水")).text == "第一"
    assert snippet([], terms_of("漏水")).text == ""
