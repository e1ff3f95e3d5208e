"""The command line as a person uses it: in a process of its own, on a home folder that is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pagemind

SOURCE = Path(pagemind.__file__).parents[1]
MOST_SECONDS = 120.0


@dataclass(frozen=True)
class Shell:
    """Runs ``pagemind`` as a person would, from an empty folder."""

    home: Path
    folder: Path
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        """This process' environment, with no setting but the home folder, the demo reasoner and patience with the embedder."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAGEMIND_")}
        paths = os.pathsep.join([str(SOURCE), *filter(None, [inherited.get("PYTHONPATH")])])
        ours = {"PYTHONPATH": paths, "PAGEMIND_HOME": str(self.home), "PAGEMIND_REASONER_URL": "demo", "TERM": "xterm-256color"}
        # Each command loads it anew, and on a busy machine that takes longer than a search waits by default.
        ours["PAGEMIND_EMBED_SECONDS"] = "60"
        return {**inherited, **ours, **self.settings}

    def command(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "pagemind.cli.main", *words]

    def under(self, **settings: str) -> Shell:
        """The same with these environment variables."""
        return Shell(self.home, self.folder, {**self.settings, **settings})

    def run(self, *words: str, given: str | bytes = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end with this standard input."""
        data = given.encode() if isinstance(given, str) else given
        done = subprocess.run(
            self.command(*words), input=data, env=self.environment, cwd=self.folder, capture_output=True, timeout=MOST_SECONDS
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str, given: str | bytes = "") -> str:
        """Run it, expect success, and give what it printed."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def json(self, *words: str, given: str = "") -> Any:
        """Run it, expect success, and give the JSON value it printed."""
        return json.loads(self.ok(*words, given=given))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start it and let it run."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*words), env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
