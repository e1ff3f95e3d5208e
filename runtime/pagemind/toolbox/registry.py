"""The tools that there are: functions found in folders, loaded by path, each with its schema."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from pagemind.records import ToolSchema
from pagemind.toolbox.marking import AnyFunction, Effect, effect_of, tool
from pagemind.toolbox.schemas import Arguments, NotATool, describe

__all__ = ["Effect", "Registry", "ToolProblem", "ToolSpec", "load_tools", "tool"]

Stamp = tuple[int, int]
"""A file's time of change in nanoseconds and its size."""
Glance = tuple[tuple[str, str, Stamp], ...]
"""Each tool file: its folder, its name, its stamp."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ToolSpec:
    """A tool: the function, what the model sees of it, and how its arguments are checked."""

    name: str
    function: AnyFunction
    schema: ToolSchema
    effect: Effect
    arguments: Arguments
    path: Path
    needs_approval: bool = False
    """Whether a person approves of each call before it runs."""
    client: bool = False
    """Whether the caller of the run runs it: then ``function`` is never called."""
    result_limit_chars: int | None = None
    """The longest result; None: as the settings say."""

    @property
    def waits(self) -> bool:
        """Whether a call of it waits for somebody's answer."""
        return self.needs_approval or self.client


@dataclass(frozen=True)
class ToolProblem:
    """A file or function that is no tool though it seems meant as one. ``message`` ends in one fix."""

    path: Path
    message: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class ToolFile:
    """What one file gave when it was loaded."""

    stamp: Stamp
    tools: tuple[ToolSpec, ...] = ()
    problems: tuple[ToolProblem, ...] = ()


@dataclass(frozen=True)
class Registry:
    """The tools by name. It never changes; ``refreshed`` gives a newer one."""

    tools: Mapping[str, ToolSpec]
    problems: tuple[ToolProblem, ...]
    folders: tuple[Path, ...]
    files: Mapping[Path, ToolFile]
    glance: Glance
    """The files as they were found."""

    def __getitem__(self, name: str) -> ToolSpec:
        return self.tools[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tools

    def __iter__(self) -> Iterator[str]:
        return iter(self.tools)

    def __len__(self) -> int:
        return len(self.tools)

    def of_folder(self, folder: Path) -> tuple[str, ...]:
        """The names of the tools that come from the folder, sorted."""
        return self._by_folder.get(folder, ())

    @cached_property
    def _by_folder(self) -> Mapping[Path, tuple[str, ...]]:
        folders = {spec.path.parent for spec in self.tools.values()}
        return {
            folder: tuple(sorted(spec.name for spec in self.tools.values() if spec.path.parent == folder)) for folder in folders
        }

    def refreshed(self) -> Registry:
        """This registry, or a newer one if a file came, went or changed since; only such files are loaded."""
        return self if _glance(self.folders) == self.glance else _loaded(self.folders, self.files)


def load_tools(folders: Sequence[Path]) -> Registry:
    """Load each ``*.py`` of the folders; a tool of a later folder replaces one of the same name from an earlier one.

    A function is a tool if it is marked with ``@tool``, or, in a file that marks none, if it is public and defined there.
    Nothing that a file does wrong is raised: it stands in ``problems``. A folder that is not there is an empty one.
    """
    given = tuple(folder.resolve() for folder in folders)
    return _loaded(given, {})


def _loaded(folders: tuple[Path, ...], known: Mapping[Path, ToolFile]) -> Registry:
    glance = _glance(folders)
    stamps = {Path(folder) / name: stamp for folder, name, stamp in glance}
    files = {
        path: known[path] if path in known and known[path].stamp == stamp else _load_file(path, stamp)
        for path, stamp in stamps.items()
    }
    tools: dict[str, ToolSpec] = {}
    problems = [problem for file in files.values() for problem in file.problems]
    for spec in (spec for file in files.values() for spec in file.tools):
        earlier = tools.get(spec.name)
        if earlier is not None and earlier.path.parent == spec.path.parent:
            problems.append(_problem(spec, f"{earlier.path.name} has a tool {spec.name} too. Fix: rename one of them."))
        else:
            tools[spec.name] = spec
    return Registry(tools, tuple(problems), folders, files, glance)


def _glance(folders: Sequence[Path]) -> Glance:
    """Every tool file with its stamp, in the order of loading; one that vanishes meanwhile is left out."""
    return tuple((str(folder), *each) for folder in folders for each in sorted(_files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, Stamp]]:
    # Each run looks: this takes a tenth of what `Path.glob` and a `Path` for each file do.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py") and not entry.name.startswith((".", "_")):
                with suppress(OSError):
                    status = entry.stat()
                    yield entry.name, (status.st_mtime_ns, status.st_size)


def _load_file(path: Path, stamp: Stamp) -> ToolFile:
    try:
        # the tool boundary: a file of the user's may fail in any way, and even call exit()
        module = _run_file(path)
    except (Exception, SystemExit) as error:
        log.info("the tool file %s cannot be loaded", path, exc_info=True)
        return ToolFile(stamp, problems=(_broken(path, error),))
    tools: list[ToolSpec] = []
    problems: list[ToolProblem] = []
    for function in _candidates(module):
        try:
            schema, arguments = describe(function)
        except NotATool as reason:
            problems.append(ToolProblem(path, str(reason), inspect.unwrap(function).__code__.co_firstlineno))
        else:
            effect = effect_of(function) or "at_most_once"
            tools.append(ToolSpec(schema.name, function, schema, effect, arguments, path))
    return ToolFile(stamp, tuple(tools), tuple(problems))


class _FreshLoader(SourceFileLoader):
    """Compiles the source anew: byte code is kept by the second, and would hide a second save within one."""

    def get_code(self, fullname: str) -> CodeType:
        """The file's code, from its present text."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run_file(path: Path) -> ModuleType:
    """Run the file as a module of a private name, which dataclasses and annotations in it are looked up by."""
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = f"_pagemind_tools_{digest}_{path.stem}"
    spec = spec_from_file_location(name, path, loader=_FreshLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _candidates(module: ModuleType) -> list[AnyFunction]:
    """The functions that are meant as tools: the marked ones, or, where none is, the public ones."""
    own = [each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == module.__name__]
    unique = list(dict.fromkeys(own))
    marked = [each for each in unique if effect_of(each) is not None]
    return marked or [each for each in unique if not each.__name__.startswith(("_", "<"))]


def _broken(path: Path, error: BaseException) -> ToolProblem:
    """Why the file cannot be loaded, with the line of it where that shows."""
    message = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError) and error.filename == str(path):
        message, line = f"SyntaxError: {error.msg}", error.lineno or 1
    else:
        frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = (frames[-1] if frames else None) or 1
    return ToolProblem(path, f"{message}. Fix: mend this line; the file is loaded again at the next run.", line)


def _problem(spec: ToolSpec, message: str) -> ToolProblem:
    return ToolProblem(spec.path, message, inspect.unwrap(spec.function).__code__.co_firstlineno)
