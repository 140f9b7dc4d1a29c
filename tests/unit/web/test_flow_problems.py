"""Mistakes in flows in the language of the reader: every sentence of the readers is known."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow
from tests.support.sentences import sentences
from web.i18n import SOURCE_LANGUAGE, use_language
from web.pages import questionnaires_structure
from web.pages.flow_problems import told

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
READERS = (
    *("parse", "parse_wishes", "validate", "opening", "text", "wishes", "yaml_tree"),
    *("../flow_book", "../service", "../../kernel/yaml_tree", "../../kernel/yaml_fields"),
)
SPEAKS = {
    "Problem": (2,),
    "complain": (1,),
    "BadTemplate": (0,),
    "PhraseRefused": (0,),
    "_refuse": (1,),
    "YamlRefused": (1,),
}
"""Who takes a sentence, and as which argument."""
CHINESE = re.compile(r"[\u4e00-\u9fff：]")
LEFT = re.compile(r"[a-z]{3,}(?: [a-z]{2,}){2,}")
"""Three English words in a row."""


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use_language(SOURCE_LANGUAGE)
    yield
    use_language(SOURCE_LANGUAGE)


def test_every_sentence_is_known() -> None:
    found = {
        text for name in READERS for text in sentences((ROOT / "ivr/domain" / f"{name}.py").resolve(), SPEAKS)
    }
    assert len(found) > 70
    unknown = [text for text in sorted(found) if not CHINESE.search(told(text)) or LEFT.search(told(text))]
    assert unknown == []
    use_language("en")
    assert [text for text in found if told(text) != text] == []


BROKEN = """
flow: hotline
start: mian
nodes:
  main:
    kind: menu
    say: hello
    keys: {1: nowhere, 12: main}
    wait_seconds: many
  lost: {kind: quue, queue: repair}
prompts:
  hello: "{x:roman}"
hours:
  work: {mon-fri: [18:00-08:30], someday: [08:30-12:00]}
"""


def test_a_text_full_of_mistakes_is_explained_in_chinese() -> None:
    with pytest.raises(FlowInvalid) as refused:
        load_flow(BROKEN, source="hotline.yaml", queues={"repair"})
    told_of = {told(one.message) for one in refused.value.problems}
    assert {
        "start：没有节点“mian”。",
        "key 1 指向“nowhere”，但没有这个节点。",
        "“12”不是电话按键；请写 0 到 9、* 或 #，并加引号。",
        "wait_seconds 的写法不对，应当是1 到 30 的整数。",
        "“someday”不是日子；请写 mon 到 sun，或 mon-fri 这样的范围。",
        "“18:00-08:30”不是时段；请写成 08:30-18:00，先开始，后结束。",
        "提示音“hello”：{x:roman} 里的“roman”不对，可以写 text、digits 或 count。",
        "缺少 fallback：出了差错时转到哪个队列。",
    } <= told_of
    assert [text for text in told_of if not CHINESE.search(text) or LEFT.search(text)] == []


def test_what_nobody_knows_stays_as_it_is() -> None:
    assert told("a gremlin sits in the third node") == "a gremlin sits in the third node"
    missing = told("fallback: there is no queue “x”; there are repair")
    assert missing == "fallback：没有队列“x”；现有的是 repair。"
    assert told("prompt “a{0}”: text has nothing to say") == "提示音“a{0}”：没有可以念的内容。"
    assert questionnaires_structure.told("ask must be a text") == "ask 的写法不对，应当是 文字。"
