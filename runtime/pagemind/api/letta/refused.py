"""What Letta's clients may ask for and this server does not have: 501, with what to use instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pagemind.api.problems import NO_RETRY

router = APIRouter(include_in_schema=False)
early = APIRouter(include_in_schema=False)
"""Those that another route would take for an id."""
TAKEN_FOR_IDS = "/v1/messages/"


@dataclass(frozen=True)
class Refused:
    """Endpoints that are refused: ``methods`` on ``path``, and below it where that ends with ``*``."""

    methods: str
    path: str
    what: str
    instead: str


SCHEDULES = "Schedules are kept outside: let cron or a job of yours send the message at its time."
TEMPLATES = "Keep the agent as a file: YAML that `pagemind apply` makes agents from, or an .af file to import."
ENVIRONMENTS = "Tools run on this machine; register an MCP server for those that run elsewhere."
TOKENS = "Make a key with the scope it needs: `pagemind keys create --scope chat`."
GROUPS = "Let agents share blocks and archives, and send each other messages by a tool."
SANDBOX = "Tools run in a process of their own on this machine; the operator allows it in the settings."
JOBS = "Use /v1/runs: each accepted message is a run."
LEGACY_MCP = "Use /v1/mcp-servers."
TRACES = "Use /v1/runs/{run_id}/steps and /v1/steps/{step_id}/metrics."
SIGN_IN = "Give the server's token when you register it."
WRITTEN = "Ask an agent for the source, look at it, and create the tool from it."
EXPORT = "Use GET on the same path."
GENERATE = "Ask the model's own server, or send the agent a message."
PREVIEW = "GET /v1/agents/{agent_id}/context tells what stands in the window."
RECOMPILE = "Use /v1/agents/{agent_id}/recompile."
INTERNAL = "It was never public. Use the endpoint of the same name without `_internal_`."
OPERATOR = "Use `pagemind keys`: tenants and keys are made on the server's own machine."
BATCHES = "Send each message with /v1/agents/{agent_id}/messages/async: its run goes behind those that somebody waits for."

TABLE = (
    Refused("GET POST", "/v1/agents/{agent_id}/schedule", "scheduled messages", SCHEDULES),
    Refused("GET DELETE", "/v1/agents/{agent_id}/schedule/{scheduled_message_id}", "scheduled messages", SCHEDULES),
    Refused("GET POST", "/v1/templates", "templates", TEMPLATES),
    Refused("PATCH DELETE GET POST", "/v1/templates/*", "templates", TEMPLATES),
    Refused("GET", "/v1/environments", "device environments", ENVIRONMENTS),
    Refused("GET POST", "/v1/environments/*", "device environments", ENVIRONMENTS),
    Refused("GET POST", "/v1/client-side-access-tokens", "access tokens", TOKENS),
    Refused("DELETE", "/v1/client-side-access-tokens/{token}", "access tokens", TOKENS),
    Refused("GET", "/v1/runs/{run_id}/trace", "traces of OpenTelemetry", TRACES),
    Refused("GET POST", "/v1/groups", "groups of agents", GROUPS),
    Refused("GET POST PUT PATCH DELETE", "/v1/groups/*", "groups of agents", GROUPS),
    Refused("GET", "/v1/agents/{agent_id}/groups", "groups of agents", GROUPS),
    Refused("POST", "/v1/voice-beta/*", "the voice endpoint", "Use /v1/chat/completions with the agent's name as the model."),
    Refused("GET POST", "/v1/sandbox-config", "sandbox settings", SANDBOX),
    Refused("GET POST PATCH DELETE", "/v1/sandbox-config/*", "sandbox settings", SANDBOX),
    Refused("GET", "/v1/jobs", "jobs", JOBS),
    Refused("GET PATCH DELETE", "/v1/jobs/*", "jobs", JOBS),
    Refused("GET POST", "/v1/messages/batches", "batches of messages", BATCHES),
    Refused("GET PATCH", "/v1/messages/batches/*", "batches of messages", BATCHES),
    Refused("GET PUT POST", "/v1/tools/mcp/servers", "the older MCP endpoints", LEGACY_MCP),
    Refused("GET PATCH POST DELETE", "/v1/tools/mcp/*", "the older MCP endpoints", LEGACY_MCP),
    Refused("GET", "/v1/mcp-servers/connect/{mcp_server_id}", "OAuth sign-in of MCP servers", SIGN_IN),
    Refused("POST", "/v1/tools/generate-tool", "tools written by a model", WRITTEN),
    Refused("PATCH", "/v1/steps/{step_id}/transaction/{transaction_id}", "billing transactions", "Nothing is billed here."),
    Refused("POST", "/v1/agents/{agent_id}/export", "the older export", EXPORT),
    Refused("POST", "/v1/agents/{agent_id}/generate", "completions without an agent's memory", GENERATE),
    Refused("POST", "/v1/agents/{agent_id}/messages/preview-raw-payload", "previews of requests", PREVIEW),
    Refused("POST", "/v1/conversations/{conversation_id}/messages/preview-raw-payload", "previews of requests", PREVIEW),
    Refused("POST", "/v1/agents/{agent_id}/system-prompt/recompile", "the older recompile", RECOMPILE),
    Refused("GET", "/v1/telemetry/{step_id}", "telemetry", TRACES),
    Refused("GET", "/v1/embeddings/total_storage_size", "the size of all embeddings", "See the database itself."),
    Refused("POST", "/v1/auth", "sign-in with a password", OPERATOR),
    Refused("GET POST PUT PATCH DELETE", "/v1/admin/*", "users and organisations", OPERATOR),
    Refused("GET POST PATCH DELETE", "/v1/_internal_agents/*", "internal endpoints", INTERNAL),
    Refused("GET POST", "/v1/_internal_blocks", "internal endpoints", INTERNAL),
    Refused("GET DELETE", "/v1/_internal_blocks/*", "internal endpoints", INTERNAL),
    Refused("GET", "/v1/_internal_runs", "internal endpoints", INTERNAL),
    Refused("GET POST DELETE", "/v1/_internal_templates/*", "internal endpoints", TEMPLATES),
    Refused("POST", "/v1/_internal_search/*", "internal endpoints", "Use /v1/messages/search or /v1/passages/search."),
    Refused("GET POST", "/v1/git/*", "memory in git", "Every block has a history: `pagemind memory history AGENT BLOCK`."),
)  # fmt: skip


def refuser(refused: Refused) -> Callable[[], Awaitable[JSONResponse]]:
    """A route that says so."""
    detail = f"This server does not have {refused.what}. {refused.instead}"

    async def refuse() -> JSONResponse:
        return JSONResponse({"detail": detail}, HTTPStatus.NOT_IMPLEMENTED, NO_RETRY)

    return refuse


for entry in TABLE:
    at = f"{entry.path.removesuffix('*')}{{rest:path}}" if entry.path.endswith("*") else entry.path
    where = early if entry.path.startswith(TAKEN_FOR_IDS) else router
    where.add_api_route(at, refuser(entry), methods=entry.methods.split(), name=entry.what)
