"""``pagemind agents`` and ``pagemind runs``."""

from __future__ import annotations

from rich.text import Text

from pagemind.cli import views
from pagemind.cli.completion import remember_agents
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import one_line
from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings


async def agents(settings: Settings, *, as_json: bool) -> None:
    """Print the agents by name."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agents()
    remember_agents(settings.home, [agent.name for agent in found])
    if as_json:
        kept = {"id", "name", "description", "tools", "tags", "created_at", "updated_at"}
        print_json([agent.model_dump(include=kept) for agent in found])
    else:
        printer().print(views.agents_table(found))


async def runs(settings: Settings, *, agent: str | None, limit: int, as_json: bool) -> None:
    """Print the newest runs, newest first."""
    async with await Runtime.open(settings, work=False) as runtime:
        names = {one.id: one.name for one in await runtime.agents()}
        only = (await runtime.agent(agent)).id if agent is not None else None
        found = await runtime.runs(agent_id=only, limit=limit)
    if as_json:
        left_out = {"tenant_id", "request_hash", "worker_id", "lease_until"}
        print_json([run.model_dump(exclude=left_out) for run in found])
        return
    rows = [
        (str(run.id), names.get(run.agent_id, "?"), run.state, run.stop_reason or "", str(run.steps), f"{run.prompt_tokens:,}",
         f"{run.completion_tokens:,}", views.moment(run.created_at), Text(one_line((run.error or {}).get("cause", ""), 80)))
        for run in found
    ]  # fmt: skip
    columns = ("run", "agent", "state", "stop reason", "#steps", "#tokens in", "#out", "accepted", "error")
    printer().print(views.table(*columns, rows=rows) if rows else Text("Nothing has been run yet."))
