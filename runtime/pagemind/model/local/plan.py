"""From the settings to what is to be started: reads the model's files, asks the machine, chooses device and family."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pagemind.errors import LocalModelMissing, LocalModelUnknown
from pagemind.model.local.command import Launch
from pagemind.model.local.facts import ModelFacts, read_facts
from pagemind.model.local.families import family_of, reasoning_parser
from pagemind.model.local.fit import Fit, fit
from pagemind.model.local.hardware import Build, Hardware, find_build, first_gpu, this_machine
from pagemind.settings import LocalModelSettings, Settings

CACHE_VARIABLE = "VLLM_CPU_KVCACHE_SPACE"
TEMPLATES = Path("prompts") / "chat"


@dataclass(frozen=True)
class Plan:
    """What will be started, on what, and how it fits."""

    launch: Launch
    fit: Fit
    hardware: Hardware
    build: Build


def plan_launch(settings: Settings) -> Plan:
    """Decide how to serve the configured model. Blocks for a second or so.

    Raises LocalModelUnknown, LocalModelMissing, LocalModelTooBig.
    """
    local = settings.model.local
    if not local.model:
        raise LocalModelUnknown("no model is configured", model="")
    facts = read_facts(local.model, local.revision)
    build = find_build(settings)
    hardware = choose_hardware(local, build)
    given = os.environ.get(CACHE_VARIABLE, "")
    fits = fit(
        facts,
        hardware,
        window_tokens=local.window_tokens,
        slots=local.max_agents,
        cache_gib=int(given) if given.isdigit() else None,
    )
    return Plan(launch_of(settings, facts, fits, build, gpu=hardware.gpu), fits, hardware, build)


def choose_hardware(local: LocalModelSettings, build: Build) -> Hardware:
    """The GPU if there is one and vLLM is built for it, else this machine. LocalModelMissing where a GPU is demanded."""
    gpu = None if local.gpu is False or build.cpu else first_gpu()
    if local.gpu is True and gpu is None:
        why = f"{build.python} has vLLM for the CPU" if build.cpu else "nvidia-smi lists no GPU"
        raise LocalModelMissing(f"a GPU is demanded, and {why}")
    return gpu or this_machine()


def launch_of(settings: Settings, facts: ModelFacts, fits: Fit, build: Build, *, gpu: bool) -> Launch:
    """The launch of a model whose fit is known."""
    local = settings.model.local
    family = family_of(facts)
    folder = Path(local.model or "").expanduser()
    is_folder = folder.is_dir()
    return Launch(
        python=build.python,
        model=str(folder.resolve()) if is_folder else local.model or "",
        served_name=facts.name,
        port=local.port,
        family=family,
        gpu=gpu,
        window_tokens=fits.window_tokens,
        slots=fits.slots,
        template=template_file(settings, family.template) if family.template else None,
        reasoning_parser=reasoning_parser(family, facts),
        revision=None if is_folder else local.revision,
        gpu_share=fits.gpu_share,
        cpu_cache_gib=fits.cache_gib,
        extra_args=local.extra_args,
    )


def template_file(settings: Settings, name: str) -> Path:
    """A chat template: the home folder's own of that name, else the shipped one."""
    own = settings.home / TEMPLATES / name
    return own if own.is_file() else settings.content_folder / TEMPLATES / name
