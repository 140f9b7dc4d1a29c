"""Password rules and hashing."""

import pytest

from web.passwords import LONGEST, Passwords, WeakPassword, check_new_password

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "password",
    ["", "short", "七个字的密码啊", "aaaaaaaaaa", "abababababab", "WangJianguo", "x" * (LONGEST + 1)],
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_new_password(password, login="wangjianguo")
    assert refused.value.field == "password"
    assert password == "" or password not in refused.value.message


@pytest.mark.parametrize("password", ["八个字的中文密码", "correct horse battery", "Zx9!Zx9!"])
def test_other_passwords_are_taken(password: str) -> None:
    check_new_password(password, login="wang")


async def test_only_the_right_password_matches() -> None:
    passwords = Passwords(time_cost=1, memory_kib=8)
    stored = await passwords.hash("正确的密码")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "正确的密码")
    assert not await passwords.verify(stored, "错误的密码")
    assert not await passwords.verify(None, "decoy of an unknown user")
    assert not await passwords.verify("not a hash", "x")
    assert not await passwords.verify(stored, "x" * 10_000_000)


async def test_an_unknown_user_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(time_cost=1, memory_kib=8)
    stored = await passwords.hash("正确的密码")
    checked: list[str] = []
    matches = passwords._matches

    def spy(hash_: str, password: str) -> bool:
        checked.append(hash_)
        return matches(hash_, password)

    monkeypatch.setattr(passwords, "_matches", spy)
    await passwords.verify(stored, "错")
    await passwords.verify(None, "错")
    assert len(checked) == 2
    assert checked[0].split("$")[:4] == checked[1].split("$")[:4]  # the same algorithm and cost


async def test_a_hash_of_other_parameters_is_outdated() -> None:
    old = await Passwords(time_cost=1, memory_kib=8).hash("x" * 8)
    assert Passwords(time_cost=2, memory_kib=8).is_outdated(old)
    assert not Passwords(time_cost=1, memory_kib=8).is_outdated(old)
    assert Passwords().is_outdated("not a hash")
