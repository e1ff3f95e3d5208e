"""Names for the shell's completion, from a small file: asking the database at every Tab would take too long."""

from collections.abc import Iterable
from pathlib import Path

from pagemind.settings import Settings


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


def _file(home: Path) -> Path:
    return home / "agents.names"
