"""Is the data folder on an encrypted disk? Told from the kernel's own tables."""

from pathlib import Path

import pytest

from app.doctor import DoctorInputs, Level, ManagerLogin
from app.doctor.encryption import check_encryption, is_encrypted

pytestmark = pytest.mark.unit


class Machine:
    """Tables of a machine with one mount."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data with space"
        self.data.mkdir()
        self.mounts = root / "mountinfo"
        self.blocks = root / "block"
        self.blocks.mkdir()
        self._lines = ["20 1 8:1 / / rw - ext4 /dev/sda1 rw"]

    def mount(self, device: str, kind: str, source: str = "/dev/none") -> None:
        point = str(self.data).replace(" ", "\\040")
        self._lines.append(f"30 20 {device} / {point} rw,relatime shared:1 - {kind} {source} rw")

    def device(self, number: str, *, uuid: str = "", below: tuple[str, ...] = ()) -> None:
        folder = self.blocks / number
        (folder / "dm").mkdir(parents=True)
        (folder / "slaves").mkdir()
        if uuid:
            (folder / "dm" / "uuid").write_text(uuid + "\n")
        for one in below:
            (folder / "slaves" / one).symlink_to(self.blocks / one)

    def told(self) -> bool | None:
        self.mounts.write_text("\n".join(self._lines))
        return is_encrypted(self.data / "recordings" / "deep", mounts=self.mounts, blocks=self.blocks)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_plain_disk(machine: Machine) -> None:
    machine.device("8:2")
    machine.mount("8:2", "ext4")
    assert machine.told() is False


def test_luks(machine: Machine) -> None:
    machine.device("254:0", uuid="CRYPT-LUKS2-0123-data")
    machine.mount("254:0", "ext4")
    assert machine.told() is True


def test_a_volume_on_luks(machine: Machine) -> None:
    machine.device("254:0", uuid="CRYPT-LUKS2-0123-pv")
    machine.device("254:1", uuid="LVM-abc", below=("254:0",))
    machine.mount("254:1", "xfs")
    assert machine.told() is True


def test_half_of_a_volume_on_luks(machine: Machine) -> None:
    machine.device("254:0", uuid="CRYPT-LUKS2-0123-pv")
    machine.device("8:3")
    machine.device("254:1", uuid="LVM-abc", below=("254:0", "8:3"))
    machine.mount("254:1", "xfs")
    assert machine.told() is False


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("fuse.gocryptfs", True), ("ecryptfs", True), ("zfs", None), ("nfs4", None), ("btrfs", None)],
)
def test_other_file_systems(machine: Machine, kind: str, wanted: bool | None) -> None:
    machine.mount("0:44", kind, "pool/data")
    assert machine.told() is wanted


def test_the_last_mount_at_a_place_counts(machine: Machine) -> None:
    machine.device("254:0", uuid="CRYPT-LUKS2-0123-data")
    machine.device("8:2")
    machine.mount("254:0", "ext4")
    machine.mount("8:2", "ext4")
    assert machine.told() is False


def test_no_tables_at_all(machine: Machine) -> None:
    assert is_encrypted(machine.data, mounts=machine.mounts, blocks=machine.blocks) is None


async def test_the_doctor_tells_only_where_it_is_wanted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.device("8:2")
    machine.mount("8:2", "ext4")
    machine.told()
    monkeypatch.setattr(
        "app.doctor.encryption.is_encrypted",
        lambda folder: is_encrypted(folder, mounts=machine.mounts, blocks=machine.blocks),
    )
    assert await check_encryption(inputs(machine.data, encrypted=False)) == ()
    (found,) = await check_encryption(inputs(machine.data, encrypted=True))
    assert found.level is Level.ERROR
    assert "not encrypted" in found.message


def inputs(folder: Path, *, encrypted: bool) -> DoctorInputs:
    return DoctorInputs(
        data_dir=folder,
        runtime_dir=folder,
        database_url="",
        redis_url="",
        manager=ManagerLogin(host="", port=0, username="", secret=""),
        agi=("", 0),
        encrypted=encrypted,
    )
