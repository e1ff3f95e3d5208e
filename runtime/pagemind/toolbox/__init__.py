"""Tools: what they are written with. A tool file needs ``from pagemind.toolbox import Syscalls, tool`` and nothing else."""

from pagemind.toolbox.marking import tool
from pagemind.toolbox.syscalls import Syscalls

__all__ = ["Syscalls", "tool"]
