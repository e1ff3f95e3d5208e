"""What doctor says of the local model server."""

from __future__ import annotations

from pagemind.errors import LocalModelMissing
from pagemind.model.check import CheckResult
from pagemind.model.local.hardware import find_build
from pagemind.model.local.state import running_server
from pagemind.settings import Settings


def look_at_local(settings: Settings) -> CheckResult | None:
    """Whether the home folder's server runs, and whether a configured one could; None where there is neither. Blocks."""
    name, model = "local model", settings.model.local.model
    if state := running_server(settings.home):
        words = "serves" if state.ready else "is starting with"
        return CheckResult(name, True, f"process {state.pid} {words} {state.model} at {state.url}")
    if model is None:
        return None
    try:
        build = find_build(settings)
    except LocalModelMissing as error:
        return CheckResult(name, False, f"{error.cause} {error.evidence}", error.fix)
    return CheckResult(name, False, f"{model} is configured and does not run (vLLM {build.version} is here)", "`pagemind up`")
