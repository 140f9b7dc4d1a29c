"""``huifang pbx render``: Asterisk's configuration for an Asterisk of one's own."""

from pathlib import Path

from app.pbx import build_pbx_config
from app.settings import Settings
from app.store import open_store
from telephony.asterisk.model import AsteriskPaths
from telephony.asterisk.render import music_directories, write
from telephony.asterisk.sounds import write_sounds

MODULE_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu/asterisk/modules",
    "/usr/lib/aarch64-linux-gnu/asterisk/modules",
    "/usr/lib64/asterisk/modules",
    "/usr/lib/asterisk/modules",
)


def system_paths(config: Path) -> AsteriskPaths:
    """Return the folders of an Asterisk that the distribution installed."""
    modules = next((path for path in map(Path, MODULE_FOLDERS) if path.is_dir()), Path(MODULE_FOLDERS[-1]))
    varlib = Path("/var/lib/asterisk")
    data = Path("/usr/share/asterisk")
    return AsteriskPaths(
        config=config,
        modules=modules,
        data=data if data.is_dir() else varlib,
        varlib=varlib,
        keys=varlib,
        agi=varlib / "agi-bin",
        spool=Path("/var/spool/asterisk"),
        run=Path("/run/asterisk"),
        log=Path("/var/log/asterisk"),
        sbin=Path("/usr/sbin"),
    )


async def render_to(settings: Settings, folder: Path, root: Path | None) -> tuple[Path, ...]:
    """Write the configuration to ``folder``, waiting music and chime to their places; return changed files.

    Args:
        root: where Asterisk's own folders lie; the distribution's places by default.
    """
    folder = folder.absolute()
    places = system_paths(folder)
    if root is not None:
        under = AsteriskPaths.under(
            root.absolute(), modules=places.modules, data=places.data, sbin=places.sbin
        )
        places = under
    async with open_store(settings) as database:
        config = await build_pbx_config(settings, database, places)
    config.recordings_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_sounds(config.prompts_dir, music_directories(config))
    return write(config, folder)
