"""Asterisk's files: what is in them, and that no value can write anything else into them."""

import dataclasses
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from telephony.asterisk.checks import RULES, InvalidPbxConfig, check
from telephony.asterisk.model import (
    AgentEndpoint,
    AsteriskPaths,
    Codec,
    PbxConfig,
    QueueConfig,
    TrunkConfig,
)
from telephony.asterisk.modules import MODULES
from telephony.asterisk.render import PRIVATE, file_names, prepare, render, write

pytestmark = pytest.mark.unit

ROOT = Path("/srv/huifang")


def config(root: Path = ROOT, **changes: Any) -> PbxConfig:
    values: dict[str, Any] = {
        "node": "pbx1",
        "paths": AsteriskPaths.under(
            root / "asterisk",
            modules=Path("/usr/lib/asterisk/modules"),
            data=Path("/usr/share/asterisk"),
            sbin=Path("/usr/sbin"),
        ),
        "sip_host": "127.0.0.1",
        "sip_port": 5060,
        "http_host": "127.0.0.1",
        "http_port": 8088,
        "rtp_start": 10000,
        "rtp_end": 10999,
        "ami_host": "127.0.0.1",
        "ami_port": 5038,
        "ami_user": "huifang",
        "ami_secret": "ami-Secret_1",
        "agi_host": "127.0.0.1",
        "agi_port": 4573,
        "trunks": (TrunkConfig(name="main", host="127.0.0.2", port=5070, dids=("4008001234",)),),
        "agents": (
            AgentEndpoint(number="1001", display_name="李静", secret="pw-1001"),
            AgentEndpoint(number="1002", display_name="张伟", secret="pw-1002", webrtc=True),
        ),
        "queues": (
            QueueConfig(name="repair", label="报修", ring_seconds=15, service_level_seconds=30, weight=2),
            QueueConfig(name="service", label="人工", music="service-music"),
        ),
        "default_queue": "service",
        "hotline_number": "4008001234",
        "prompts_dir": root / "prompts",
        "music_dir": root / "music",
        "recordings_dir": root / "recordings",
    }
    return PbxConfig(**{**values, **changes})


def section(text: str, name: str, kind: str = "") -> dict[str, str]:
    """One section of a rendered file; with ``kind`` the one of several with that ``type``."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        if line.startswith("["):
            found.append({"": line[1 : line.index("]")]})
        elif "=" in line and not line.startswith(";") and found:
            key, _, value = line.partition("=")
            found[-1][key.strip()] = value.removeprefix(">").strip()
    return next(one for one in found if one[""] == name and (not kind or one.get("type") == kind))


def test_every_template_becomes_a_file_with_a_final_line_break() -> None:
    files = render(config())
    assert set(files) == set(file_names())
    assert {"asterisk.conf", "extensions.conf", "pjsip.conf", "manager.conf", "queues.conf"} <= set(files)
    assert all(text.endswith("\n") and "{{" not in text and "{%" not in text for text in files.values())


def test_every_directory_is_named() -> None:
    found = section(render(config())["asterisk.conf"], "directories")
    assert found["astetcdir"] == "/srv/huifang/asterisk/etc"
    assert found["astmoddir"] == "/usr/lib/asterisk/modules"
    assert len(found) == 13


def test_modules_are_listed_once_and_those_not_installed_left_out() -> None:
    assert len(set(MODULES)) == len(MODULES)
    text = render(config(), available={"chan_pjsip", "app_queue"})["modules.conf"]
    loads = [line for line in text.splitlines() if line.startswith("load")]
    assert loads == ["load => chan_pjsip.so", "load => app_queue.so"]
    assert "autoload = no" in text


def test_ami_has_the_least_classes_and_says_which_call_an_event_belongs_to() -> None:
    text = render(config())["manager.conf"]
    user = section(text, "huifang")
    assert user["secret"] == "ami-Secret_1"
    assert user["read"] == "system,call,agent,user"
    assert user["write"] == "system,call,agent,originate,reporting"
    assert user["deny"] == "0.0.0.0/0.0.0.0"
    assert user["permit"] == "127.0.0.1/255.255.255.255"
    assert section(text, "general")["channelvars"] == "HF_CALL,HF_DIR,HF_QUEUE,HF_TO,QUEUESTATUS"


def test_agents_are_phones_or_browsers() -> None:
    files = render(config())
    text = files["pjsip_agents.conf"]
    assert "#include pjsip_agents.conf\n" in files["pjsip.conf"]
    assert "[1001](agent-phone)" in text
    assert "[1002](agent-browser)" in text
    assert section(text, "1001", "auth")["password"] == "pw-1001"
    assert 'callerid = "李静" <1001>' in text
    assert "endpoint_identifier_order = ip,username" in files["pjsip.conf"]


def test_a_trunk_is_known_by_its_addresses_and_registers_when_asked() -> None:
    plain = render(config())["pjsip.conf"]
    assert section(plain, "trunk-main", "identify")["match"] == "127.0.0.2"
    assert "type = registration" not in plain

    trunk = TrunkConfig(
        name="carrier",
        host="sip.carrier.example",
        username="huifang",
        secret="s3cret",
        register=True,
        match=("198.51.100.0/24", "2001:db8::1"),
        codecs=(Codec.ULAW,),
        dids=("4008005678",),
        trust_identity=True,
    )
    text = render(config(trunks=(trunk,)))["pjsip.conf"]
    assert (
        section(text, "trunk-carrier", "registration")["client_uri"] == "sip:huifang@sip.carrier.example:5060"
    )
    assert section(text, "trunk-carrier", "registration")["contact_user"] == "4008005678"
    assert "match = 198.51.100.0/24\nmatch = 2001:db8::1\n" in text
    assert "from_user" not in section(text, "trunk-carrier")
    own = render(config(trunks=(dataclasses.replace(trunk, from_user="acc-77"),)))["pjsip.conf"]
    assert section(own, "trunk-carrier")["from_user"] == "acc-77"
    assert section(own, "trunk-carrier")["send_pai"] == "yes"
    assert "trust_id_inbound = yes" in text


def test_queues_have_their_figures() -> None:
    found = section(render(config())["queues.conf"], "repair")
    assert found["timeout"] == "15"
    assert found["servicelevel"] == "30"
    assert found["weight"] == "2"
    assert found["strategy"] == "leastrecent"


def test_each_music_class_has_its_directory() -> None:
    text = render(config())["musiconhold.conf"]
    assert section(text, "default")["directory"] == "/srv/huifang/music"
    assert section(text, "service-music")["directory"] == "/srv/huifang/music/service-music"


def test_the_dialplan_has_the_contexts_and_a_caller_is_no_applications_argument() -> None:
    files = render(config())
    assert "#include extensions_queues.conf\n" in files["extensions.conf"]
    text = files["extensions.conf"] + files["extensions_queues.conf"]
    for context in ("from-trunk", "from-agent", "huifang-queue", "huifang-fallback", "huifang-outbound"):
        assert f"[{context}]" in text
    # A preview and a masked call show the company's number, in an expression of its own.
    for shown in ("Set(CALLERID(num)=${FILTER(0-9+,${HF_CALLER})})", "Set(CALLERID(name)=)"):
        text = text.replace(shown, "")
    filtered = re.sub(r"(LEN|FILTER)\(([^${}]*,)?\$\{CALLERID\(num\)\}\)", "", text)
    assert filtered.count("CALLERID") == filtered.count("Set(CALLERID(num)=${})") == 1
    assert "agi://127.0.0.1:4573/flow/" in text
    assert "agi://127.0.0.1:4573/after-queue" in text
    assert "exten => repair,1,Set(__HF_QUEUE=repair)" in text


def test_calls_are_recorded_only_when_asked() -> None:
    assert "MixMonitor(" not in render(config())["extensions.conf"]
    text = render(config(record=True))["extensions.conf"]
    assert "Set(HF_FILE=/srv/huifang/recordings/${HF_CALL}-" in text


def test_a_full_trunk_is_passed_over() -> None:
    trunks = (
        TrunkConfig(name="one", host="192.0.2.1", max_channels=2),
        TrunkConfig(name="two", host="192.0.2.2"),
    )
    text = render(config(trunks=trunks))["extensions.conf"]
    assert "GotoIf($[${GROUP_COUNT(one@huifang-trunk)} >= 2]?after-one)" in text
    assert text.index("@trunk-one") < text.index("@trunk-two")


def test_an_ipv6_address_is_bracketed() -> None:
    files = render(config(sip_host="::1", agi_host="::1"))
    assert "bind = [::1]:5060" in files["pjsip.conf"]
    assert "agi://[::1]:4573/flow/" in files["extensions.conf"]


@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "a;b", "a[b", "a]b", "${X}", "$[1]", 'a"b', "a\\b", "", " a", "a\x00"]
)
@pytest.mark.parametrize("rule", ["name", "number", "secret", "host", "label"])
def test_no_rule_lets_configuration_through(rule: str, value: str) -> None:
    assert RULES[rule](value) is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"node": "Pbx 1"}, "node"),
        ({"sip_port": 0}, "sip_port"),
        ({"ami_secret": "x\nread = all"}, "ami_secret"),
        ({"hotline_number": "400;800"}, "hotline_number"),
        ({"prompts_dir": Path("/srv/a,b")}, "prompts_dir"),
        ({"prompts_dir": Path("prompts")}, "prompts_dir"),
        ({"rtp_end": 10001}, "rtp_end"),
        ({"default_queue": "nowhere"}, "default_queue"),
        ({"ami_permit": ("everybody",)}, "ami_permit[0]"),
        (
            {"agents": (AgentEndpoint(number="1001", display_name="李\n[x]", secret="p"),)},
            "agents[0].display_name",
        ),
        ({"agents": (AgentEndpoint(number="10;1", display_name="李静", secret="p"),)}, "agents[0].number"),
        (
            {"agents": (AgentEndpoint(number="1001", display_name="李静", secret="p"),) * 2},
            "agents",
        ),
        ({"queues": (QueueConfig(name="service", label="${SHELL(x)}"),)}, "queues[0].label"),
        ({"queues": (QueueConfig(name="service", label="人工", weight=-1),)}, "queues[0].weight"),
        ({"trunks": (TrunkConfig(name="main", host="a b"),)}, "trunks[0].host"),
        ({"trunks": (TrunkConfig(name="main", host="h", register=True),)}, "trunks[0].username"),
        ({"trunks": (TrunkConfig(name="main", host="h", codecs=()),)}, "trunks[0].codecs"),
    ],
)
def test_a_bad_value_is_refused_and_its_field_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPbxConfig) as caught:
        render(config(**changes))
    assert caught.value.field == field
    assert caught.value.code == "pbx_config_invalid"


def test_a_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidPbxConfig) as caught:
        check(config(ami_secret="top;secret"))
    assert "top" not in str(caught.value)


def test_a_control_socket_that_is_too_long_is_refused() -> None:
    paths = dataclasses.replace(config().paths, run=Path("/srv") / ("x" * 120))
    with pytest.raises(InvalidPbxConfig, match="too long"):
        check(config(paths=paths))


def test_written_files_are_private_where_they_hold_secrets_and_unchanged_ones_are_left(
    tmp_path: Path,
) -> None:
    wanted = config(tmp_path)
    changed = prepare(wanted)
    assert {path.name for path in changed} == set(file_names())
    for name in file_names():
        mode = stat.S_IMODE((wanted.paths.config / name).stat().st_mode)
        assert mode & 0o077 == 0 if name in PRIVATE else mode & 0o004
    assert (wanted.prompts_dir / "huifang-chime.wav").stat().st_size > 1000
    assert (wanted.music_dir / "huifang-music.wav").stat().st_size > 100_000
    assert (wanted.music_dir / "service-music" / "huifang-music.wav").exists()
    assert wanted.paths.event_log.parent.is_dir()

    assert write(wanted) == ()
    more = dataclasses.replace(wanted.queues[0], weight=5)
    assert [path.name for path in write(config(tmp_path, queues=(more, wanted.queues[1])))] == ["queues.conf"]
    assert not [path for path in wanted.paths.config.iterdir() if path.name.startswith(".")]


def test_nothing_is_written_when_a_value_is_refused(tmp_path: Path) -> None:
    bad = config(tmp_path, node="Bad Node")
    with pytest.raises(InvalidPbxConfig):
        prepare(bad)
    assert not (tmp_path / "asterisk").exists()


def test_music_that_somebody_put_there_is_kept(tmp_path: Path) -> None:
    wanted = config(tmp_path)
    wanted.music_dir.mkdir(parents=True)
    (wanted.music_dir / "ours.wav").write_bytes(b"RIFF")
    prepare(wanted)
    assert not (wanted.music_dir / "huifang-music.wav").exists()


def test_whoever_is_silent_or_unclear_to_the_machine_detection_is_a_person() -> None:
    settings = section(render(config())["amd.conf"], "general")
    assert int(settings["total_analysis_time"]) <= 2500
    # So the look ends unsure, not with «a machine, because it said nothing».
    assert int(settings["initial_silence"]) > int(settings["total_analysis_time"])
    dialled = render(config())["extensions.conf"].partition("[huifang-detect]")[2].partition("\n[")[0]
    assert '"${AMDSTATUS}" != "MACHINE"]?done' in dialled


def test_who_was_called_waits_two_seconds_from_the_answer_for_a_person() -> None:
    text = render(config())["extensions.conf"].partition("[huifang-dialled]")[2].partition("\n[")[0]
    person = text.partition("exten => person,1,")[2]
    assert person.startswith("Set(HF_ANSWERED=${EPOCH})")  # before anything that takes time
    assert "Set(HF_LEFT=$[${HF_ANSWERED} + 2 - ${EPOCH}])" in person
    assert "Queue(${HF_QUEUE},cb(huifang-at-once^s^1),,,${IF($[${HF_LEFT} > 1]?${HF_LEFT}:1)})" in person
    assert text.count("Goto(huifang-call-again,s,1)") == 3


def test_who_calls_a_customer_without_their_number_learns_nothing_of_whom_the_network_reached() -> None:
    text = render(config())["extensions.conf"].partition("[huifang-masked]")[2].partition("\n[")[0]
    for pattern in ("exten => _X.,1,", "exten => _+X.,1,"):
        steps = text.partition(pattern)[2].partition("exten =>")[0]
        assert steps.index("UserEvent(HuifangStaff,") < steps.index("Dial(PJSIP/")
        assert ",Ib(huifang-shown" in steps.partition("Dial(PJSIP/")[2].partition("\n")[0]
        # Nobody there: a word, never silence.
        assert steps.index("Dial(PJSIP/") < steps.index("huifang-no-customer)") < steps.index("Hangup()")


def test_whom_the_service_was_taking_leave_of_when_it_died_the_dialplan_tells_goodbye() -> None:
    text = render(config())["extensions.conf"].partition("[huifang-dialled]")[2].partition("\n[")[0]
    survey = text.partition("exten => person,1,")[0]
    assert '"${HF_NEXT}" = "parting"]?parting' in survey
    assert survey.index("n(parting),Playback(") < survey.index("n(bye),Hangup()")
    assert "huifang-goodbye)" in survey
