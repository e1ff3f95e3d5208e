"""Names for the shell's completion, from a small file: asking the database at every Tab would take too long."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pagemind.settings import Settings

KEYS = "keys.ids"
TENANTS = "tenants.names"


def agent_names(incomplete: str) -> list[str]:
    """The agents' names that begin so: as last seen in the home folder, else those that ship."""
    settings = Settings()
    try:
        names = _file(settings.home).read_text(encoding="utf-8").split("\n")
    except OSError:
        names = [path.stem for path in (settings.content_folder / "agents").glob("*.yaml")]
    return sorted(name for name in names if name.startswith(incomplete) and name)


def remember_agents(home: Path, names: Iterable[str]) -> None:
    """Keep the names for completion. A folder that cannot be written only costs the completion."""
    try:
        _file(home).write_text("\n".join(names), encoding="utf-8")
    except OSError:
        return


def key_ids(incomplete: str) -> list[str]:
    """The ids of keys that begin so, as last seen."""
    return _remembered(KEYS, incomplete)


def tenant_names(incomplete: str) -> list[str]:
    """The names of tenants that begin so, as last seen."""
    return _remembered(TENANTS, incomplete)


def remember_keys(home: Path, ids: Iterable[str], tenants: Iterable[str]) -> None:
    """Keep ids and names for completion. A folder that cannot be written only costs the completion."""
    with suppress(OSError):
        (home / KEYS).write_text("\n".join(ids), encoding="utf-8")
        (home / TENANTS).write_text("\n".join(tenants), encoding="utf-8")


def _remembered(file: str, incomplete: str) -> list[str]:
    try:
        names = (Settings().home / file).read_text(encoding="utf-8").split("\n")
    except OSError:
        return []
    return sorted(name for name in names if name and name.startswith(incomplete))


def _file(home: Path) -> Path:
    return home / "agents.names"
