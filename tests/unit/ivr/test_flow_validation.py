"""Every kind of mistake in a flow file is named with its place."""

import importlib.resources

import pytest

from ivr.domain.flow import Menu
from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow
from tests.unit.ivr.flows import ENDS, HEAD, MENU, QUEUES, load, problems

pytestmark = pytest.mark.unit


def node(text: str) -> list[str]:
    """Mistakes of a flow whose menu leads to the nodes in ``text`` by key 2."""
    return problems(HEAD + MENU.replace('"2": bye', '"2": extra, "3": bye') + ENDS + text)


def test_the_delivered_flows_are_sound() -> None:
    for name in ("hotline", "after_queue"):
        text = importlib.resources.files("ivr.flows").joinpath(f"{name}.yaml").read_bytes()
        assert load_flow(text, source=name, queues=QUEUES).nodes


def test_a_sound_flow_is_read_as_written() -> None:
    flow = load(HEAD + MENU + ENDS)
    menu = flow.nodes["menu"]
    assert isinstance(menu, Menu)
    assert menu.keys["1"].label == "投诉"
    assert menu.line == 10


class TestPlaces:
    def test_key_twice_names_file_line_and_node(self) -> None:
        text = HEAD + MENU.replace('"2": bye', '"1": bye') + ENDS
        found = problems(text)
        assert "test.yaml:13: node “menu”: key 1 appears twice (first in line 13)" in found

    def test_all_mistakes_are_listed_not_only_the_first(self) -> None:
        found = problems(
            HEAD + MENU.replace("say: ask", "say: aks").replace("to: complaint", "to: nowhere") + ENDS
        )
        assert found == [
            "test.yaml:10: node “menu”: key 1 leads to “nowhere”, which does not exist",
            "test.yaml:10: node “menu”: there is no prompt “aks”",
        ]

    def test_message_of_the_error_is_the_list(self) -> None:
        with pytest.raises(FlowInvalid) as caught:
            load(HEAD + MENU)
        assert "test.yaml:10: node “menu”: key 1 leads to “complaint”" in caught.value.message
        assert caught.value.code == "flow_invalid"


class TestGraph:
    def test_unreachable_node(self) -> None:
        found = problems(HEAD + MENU + ENDS + "  lost: {kind: hangup}\n")
        assert found == ["test.yaml:16: node “lost”: no way leads here from the start"]

    def test_loop_without_exit_that_never_asks_the_caller(self) -> None:
        found = node(
            "  extra: {kind: play, say: hello, next: again}\n  again: {kind: play, say: hello, next: extra}\n"
        )
        assert len(found) == 4
        assert any("node “extra”: loop without exit: it comes back here" in line for line in found)
        assert any("node “again”: loop without exit: no way from here ends" in line for line in found)

    def test_loop_of_menus_that_never_end(self) -> None:
        found = node(
            "  extra: {kind: menu, say: ask, failed: more, keys: {'1': more}}\n"
            "  more: {kind: menu, say: ask, failed: extra, keys: {'1': extra}}\n"
        )
        assert len(found) == 2
        assert all(
            "loop without exit: no way from here ends at a queue or a hang-up" in line for line in found
        )

    def test_what_leads_into_a_loop_is_not_itself_one(self) -> None:
        found = node(
            "  extra: {kind: play, say: hello, next: spin}\n"
            "  spin: {kind: switch, on: queue, cases: {a: spin}, otherwise: menu}\n"
        )
        assert found == [
            "test.yaml:17: node “spin”: loop without exit: it comes back here without asking the caller"
        ]

    def test_loop_through_a_menu_is_allowed(self) -> None:
        assert node("  extra: {kind: play, say: hello, next: menu}\n") == []


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "  extra: {kind: queue, queue: sales}\n",
                "there is no queue “sales”; there are complaint, repair, service",
            ),
            (
                "  extra: {kind: hours, schedule: night, open: bye, closed: bye}\n",
                "there is no schedule “night”",
            ),
            (
                "  extra: {kind: switch, on: mood, otherwise: bye}\n",
                "nothing in the flow gives the variable “mood”",
            ),
            ("  extra: {kind: callback_request, phone: x, next: bye}\n", "gives the variable “x”"),
            ("  extra: {kind: set, values: {a: '{b}'}, next: bye}\n", "gives the variable “b”"),
            (
                "  extra: {kind: lookup, ask: weather, next: bye}\n",
                "cannot ask for “weather”; it knows caller, case",
            ),
            ("  extra: {kind: lookup, ask: case, found: bye}\n", "outcome none leads nowhere"),
            ("  extra: {kind: play, say: [hello, gone], next: bye}\n", "there is no prompt “gone”"),
            ("  extra: {kind: play, say: hello, next: gone}\n", "next leads to “gone”, which does not exist"),
        ],
    )
    def test_names_that_do_not_exist(self, text: str, message: str) -> None:
        found = node(text)
        assert len(found) == 1
        assert found[0].startswith("test.yaml:16: node “extra”: ")
        assert message in found[0]

    def test_start_and_fallback(self) -> None:
        head = HEAD.replace("start: menu", "start: begin").replace("{queue: service}", "{queue: x, say: y}")
        found = problems(head + MENU + ENDS)
        assert len(found) == 3
        assert any("start: there is no node “begin”" in line for line in found)

    def test_prompt_with_a_variable_that_nothing_gives(self) -> None:
        found = problems(HEAD.replace("您好。", "'{mood}您好'") + MENU + ENDS)
        assert found == ["test.yaml:7: prompt “hello”: nothing gives the variable “mood”"]


class TestPersonalFacts:
    FACTS = HEAD.replace("您好。", "'目前{case_status}'")

    def flow(self, key: str) -> list[str]:
        return problems(
            self.FACTS
            + "  menu: {kind: menu, say: ask, keys: {'1': "
            + key
            + "}}\n"
            + "  case: {kind: lookup, ask: case, next: tell}\n  tell: {kind: hangup, say: hello}\n"
        )

    def test_are_refused_where_identity_was_not_confirmed(self) -> None:
        (found,) = self.flow("case")
        assert found.endswith("prompt “hello” speaks case_status before an identity key was pressed")

    def test_are_allowed_behind_an_identity_key(self) -> None:
        assert self.flow("{to: case, identity: true}") == []

    def test_stay_personal_when_copied(self) -> None:
        found = problems(
            HEAD.replace("您好。", "'目前{copy}'")
            + "  menu: {kind: menu, say: ask, keys: {'1': case}}\n"
            + "  case: {kind: lookup, ask: case, next: put}\n"
            + "  put: {kind: set, values: {copy: '{case_status}'}, next: tell}\n"
            + "  tell: {kind: hangup, say: hello}\n"
        )
        assert any("speaks copy before an identity key" in line for line in found)


class TestForm:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("  extra: {kind: dance}\n", "there is no node kind “dance”"),
            ("  extra: {}\n", "kind is missing"),
            ("  extra: 5\n", "the node must be a mapping"),
            ("  extra: [a]\n", "the node must be a mapping"),
            ("  extra: {kind: play, next: bye}\n", "say is missing"),
            ("  extra: {kind: play, say: hello}\n", "next is missing"),
            ("  extra: {kind: play, say: hello, next: [bye]}\n", "next must be the name of a node"),
            ("  extra: {kind: play, say: hello, next: }\n", "next must be the name of a node"),
            (
                "  extra: {kind: play, say: hello, next: bye, barge_in: maybe}\n",
                "barge_in must be true or false",
            ),
            ("  extra: {kind: play, say: {a: b}, next: bye}\n", "say must be a name or a list of names"),
            ("  extra: {kind: play, say: hello, next: bye, nxet: bye}\n", "the node has no “nxet”"),
            ("  extra: {kind: menu, say: ask, keys: {}}\n", "the menu has no keys"),
            ("  extra: {kind: menu, say: ask, keys: {'12': bye}}\n", "“12” is no telephone key"),
            ("  extra: {kind: menu, say: ask, keys: {'1': }}\n", "key 1 leads nowhere"),
            (
                "  extra: {kind: menu, say: ask, keys: {'1': bye}, retries: many}\n",
                "retries must be a whole number",
            ),
            ("  extra: {kind: menu, say: ask, keys: {'1': bye}, retries: 99}\n", "from 0 to 5"),
            (
                "  extra: {kind: menu, say: ask, keys: {'1': bye}, wait_seconds: '5'}\n",
                "wait_seconds must be",
            ),
            ("  extra: {kind: collect, say: ask, into: X, next: bye}\n", "“X” is no name for a variable"),
            (
                "  extra: {kind: collect, say: ask, into: x, next: bye, min_digits: 9, max_digits: 3}\n",
                "min_digits is larger",
            ),
            (
                "  extra: {kind: collect, say: ask, into: x, next: bye, format: iban}\n",
                "format must be one of digits, phone",
            ),
            ("  extra: {kind: set, values: {}, next: bye}\n", "values is missing"),
            ("  extra: {kind: queue, queue: repair, priority: 99}\n", "priority must be"),
            ("  Extra: {kind: hangup}\n", "“Extra” is no name for a node"),
        ],
    )
    def test_wrong_fields(self, text: str, message: str) -> None:
        found = node(text)
        assert any(message in line and ":16: " in line for line in found), found

    def test_node_defined_twice(self) -> None:
        found = problems(HEAD + MENU + ENDS + "  bye: {kind: hangup}\n")
        assert "test.yaml:16: node bye appears twice (first in line 15)" in found

    def test_prompt_twice_empty_too_long_or_with_a_stray_brace(self) -> None:
        head = HEAD.replace(
            "  ask:",
            "  hello: 再说一次\n  none:\n  dots: '……'\n  long: '"
            + "长" * 501
            + "'\n  brace: '{'\n  odd: '{queue:rot13}'\n  ask:",
        )
        found = "\n".join(problems(head + MENU + ENDS))
        assert "prompt hello appears twice (first in line 7)" in found
        assert "none must be a text" in found
        assert "prompt “dots”: text has nothing to say" in found
        assert "prompt “long”: text has 501 characters, the limit is 500" in found
        assert "prompt “brace”: a brace" in found
        assert "prompt “odd”: unknown format “rot13”" in found

    @pytest.mark.parametrize(
        ("hours", "message"),
        [
            ("{mon-fri: 8:30-18:00}", "“8:30-18:00” are no hours"),
            ("{mon-fri: 18:00-08:30}", "are no hours"),
            ("{mon-fri: 08:30-25:00}", "are no hours"),
            ("{mon-fri: [08:30-12:00, 11:00-18:00]}", "overlap"),
            ("{mon-fri: 08:30-18:00, fri: 08:30-17:00}", "fri has hours twice"),
            ("{someday: 08:30-18:00}", "“someday” is no day"),
            ("{sun-mon: 08:30-18:00}", "is no day"),
            ("{mon: closed}", "never open"),
            ("{mon: 08:30-18:00, holidays: maybe}", "holidays must be one of closed, open"),
            ("all day", "must be a mapping of days to hours"),
        ],
    )
    def test_bad_hours(self, hours: str, message: str) -> None:
        head = HEAD.replace("{mon-fri: [08:30-12:00, 13:30-18:00], holidays: closed}", hours)
        found = problems(head + MENU + ENDS)
        assert any(message in line and line.startswith("test.yaml:5:") for line in found), found

    def test_missing_parts(self) -> None:
        found = "\n".join(problems("title: x\n"))
        for part in ("flow is missing", "start is missing", "fallback is missing", "nodes is missing"):
            assert part in found


class TestFile:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "file is empty"),
            ("just words", "the flow must be a mapping"),
            ("- a\n- b\n", "the flow must be a mapping"),
            ("a: [1, 2\n", "not YAML"),
            ("a: b: c\n", "test.yaml:1: not YAML"),
            ("a: 1\n---\nb: 2\n", "several documents"),
            ("a: \x07\n", "control character"),
            ("flow: !!python/object/apply:os.system [ls]\n", "tags such as"),
            ("? [a, b]\n: c\n", "a key must be a word"),
            ("[" * 100, "nested deeper than 12 levels"),
            ("a: 1\n" * 60_000, "larger than 256 KiB"),
            ("a: [" + "1," * 50_000 + "]", "too many entries"),
        ],
    )
    def test_what_is_no_flow_file(self, text: str, message: str) -> None:
        found = problems(text)
        assert any(message in line for line in found), found

    def test_anchor_bomb_is_refused_at_its_first_anchor(self) -> None:
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(10)
        )
        (found,) = problems(bomb)
        assert found.startswith("test.yaml:1: anchors and aliases are not used here")

    def test_star_without_quotes_is_explained(self) -> None:
        (found,) = problems(HEAD + MENU.replace('"2": bye', "*: repeat") + ENDS)
        assert (
            found == 'test.yaml:13: anchors and aliases are not used here; write the star key in quotes: "*"'
        )

    def test_bytes_that_are_not_utf8(self) -> None:
        assert problems("flow: x\ntitle: 热线\n".encode("gbk")) == ["test.yaml:2: the file is not UTF-8"]
