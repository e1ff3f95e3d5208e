"""The program that runs one call of a tool that came as source, in a process of its own. It imports nothing of Pagemind.

Started as ``python -I source_child.py RESULT_FD``. Standard input brings one JSON object: ``source``, ``function`` (a name, or
empty for the last public function), ``arguments``, and ``limits`` by the names of ``resource``. One JSON object goes out by the
descriptor: ``ok``, then ``value`` (JSON as it is, else a text) or ``error``. What the tool prints goes to the usual streams.
"""

import asyncio
import dataclasses
import inspect
import json
import linecache
import os
import resource
import sys
import traceback
import types
import typing

FILE = "<tool>"
SPARE_PROCESSES = 32


def main() -> None:
    """Read the call, run it, write what came of it."""
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as out:
        os.set_inheritable(out.fileno(), False)
        call = json.loads(sys.stdin.buffer.read())
        limit(call["limits"])
        answer = outcome(call["source"], call["function"], call["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        json.dump(answer, out, ensure_ascii=True, default=plain)


def limit(limits: "dict[str, int]") -> None:
    """Put the process under the limits, which it cannot raise again."""
    for name, most in limits.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
    own = own_tasks()
    if own:
        resource.setrlimit(resource.RLIMIT_NPROC, (own + SPARE_PROCESSES, own + SPARE_PROCESSES))


def own_tasks() -> int:
    """How many processes and threads the user has: the limit on them counts them all. 0 where that cannot be told."""
    count = 0
    try:
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if os.stat(f"/proc/{name}").st_uid == os.getuid():
                        count += len(os.listdir(f"/proc/{name}/task"))
                except OSError:
                    continue
    except OSError:
        return 0
    return count


def outcome(source: str, name: str, arguments: "dict[str, object]") -> "dict[str, object]":
    """Run the source, then the function with the arguments."""
    module = types.ModuleType("tool")
    sys.modules["tool"] = module
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    try:
        exec(compile(source, FILE, "exec"), vars(module))  # noqa: S102 - this process is there for it
        function = chosen(module, name)
        result = function(**filled(function, arguments))
        if inspect.isawaitable(result):
            result = asyncio.run(awaited(result))
        return {"ok": True, "value": jsonable(result)}
    except BaseException as error:  # noqa: BLE001 - whatever the tool raised is told to whoever called it
        traceback.print_exception(type(error), error, outside(error))
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def outside(error: BaseException) -> "types.TracebackType | None":
    """The error's trace from the tool's own lines on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE:
        trace = trace.tb_next
    return trace


def chosen(module: types.ModuleType, name: str) -> "typing.Any":
    """The function of that name, else the last public one."""
    found = getattr(module, name, None) if name else None
    if callable(found):
        return found
    own = [each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == "tool"]
    public = [each for each in own if not each.__name__.startswith("_")]
    if not own:
        raise NameError(f"the source has no function {name}")
    return (public or own)[-1]


def filled(function: "typing.Any", arguments: "dict[str, object]") -> "dict[str, object]":
    """The arguments, those of pydantic models made from their JSON; ``agent_state`` is nothing here."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - an annotation that cannot be read is no reason not to call
        hints = {}
    given = {name: made(hints.get(name), value) for name, value in arguments.items()}
    if "agent_state" in inspect.signature(function).parameters:
        given.setdefault("agent_state", None)
    return given


def made(hint: "typing.Any", value: object) -> object:
    """The value as its annotation has it, where that is a pydantic model, a list of them, or one that may be missing."""
    if hasattr(hint, "model_validate") and isinstance(value, dict):
        return hint.model_validate(value)
    inner = [each for each in typing.get_args(hint) if hasattr(each, "model_validate")]
    if inner and isinstance(value, list):
        return [made(inner[0], each) for each in value]  # pyright: ignore
    return made(inner[0], value) if inner and isinstance(value, dict) else value  # pyright: ignore


async def awaited(result: "typing.Awaitable[object]") -> object:
    """What an async function gives back."""
    return await result


def jsonable(value: object) -> object:
    """The value if JSON can hold it, else its text."""
    try:
        json.dumps(value, default=plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    return value


def plain(value: object) -> object:
    """What stands for a value that JSON has no form for."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")  # pyright: ignore
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore
    return str(value)


if __name__ == "__main__":
    main()
