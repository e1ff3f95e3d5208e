"""The commands, as a person or a script runs them: a process of its own, exit status and all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pagemind.definitions.schema import json_schema_text
from pagemind.settings import Settings

ADA = """\
version: 1
kind: agent
name: ada
instructions: |
  Be kind.
  Be brief.
blocks:
  persona: {owner: config, value: I am Ada.}
"""

Pagemind = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pagemind(settings: Settings, tmp_path: Path) -> Pagemind:
    """Run a command in an empty folder, against the session's server under this test's tenant."""
    environment = {
        **os.environ,
        "PAGEMIND_HOME": str(settings.home),
        "PAGEMIND_TENANT_ID": str(settings.tenant_id),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "COLUMNS": "200",
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pagemind.cli.main", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment | more, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    (tmp_path / "ada.yaml").write_text(ADA)
    return run


def test_plan_exits_2_for_changes_and_0_after_the_apply(pagemind: Pagemind) -> None:
    first = pagemind("plan", "ada.yaml")
    assert (first.returncode, first.stderr) == (2, "")
    assert "Plan: 1 agent to create, 0 to change." in first.stdout
    applied = pagemind("apply", "ada.yaml")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert applied.stdout.endswith("Applied: 1 agent created, 0 changed.\n")
    for command in ("plan", "apply"):
        again = pagemind(command, "ada.yaml")
        assert (again.returncode, again.stdout) == (0, "No changes.\n")


def test_diff_shows_the_changed_line(pagemind: Pagemind, tmp_path: Path) -> None:
    pagemind("apply", "ada.yaml")
    (tmp_path / "ada.yaml").write_text(ADA.replace("brief", "exact"))
    shown = pagemind("diff", "ada.yaml")
    assert shown.returncode == 2
    assert shown.stdout.splitlines()[3:6] == [" Be kind.", "-Be brief.", "+Be exact."]
    planned = json.loads(pagemind("plan", "ada.yaml", "--json").stdout)
    assert [change["path"] for change in planned["agents"][0]["changes"]] == ["instructions"]


def test_every_problem_is_one_line_and_plan_exits_1(pagemind: Pagemind, tmp_path: Path) -> None:
    (tmp_path / "ada.yaml").write_text(ADA.replace("instructions", "instuctions").replace("config", "me"))
    for command in ("plan", "diff", "validate", "apply"):
        said = pagemind(command, "ada.yaml")
        assert said.returncode == 1
        assert said.stderr.splitlines() == [
            "ada.yaml:1:1: the key 'instructions' is missing",
            "ada.yaml:4:1: unknown key 'instuctions': did you mean 'instructions'?",
            "ada.yaml:8:20: blocks.persona.owner: it must be 'config' or 'agent'",
        ]
    problems = json.loads(pagemind("validate", "ada.yaml", "--json").stdout)["problems"]
    assert problems[1] | {"message": ""} == {"file": "ada.yaml", "line": 4, "column": 1, "message": ""}


def test_a_mistake_on_the_command_line_is_no_2_where_2_means_changes(pagemind: Pagemind) -> None:
    assert pagemind("plan", "--bogus").returncode == 1
    assert pagemind("plan", "ada.yaml", PAGEMIND_WINDOW_TOKENS="many").returncode == 1


def test_validate_needs_no_database(pagemind: Pagemind, tmp_path: Path) -> None:
    home = tmp_path / "nothing-here"
    said = pagemind("validate", "ada.yaml", PAGEMIND_HOME=str(home), PAGEMIND_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert (said.returncode, said.stdout) == (0, "ada.yaml: agent 'ada' is valid\n")
    assert not (home / "postgres").exists()
    assert pagemind("validate", "--schema").stdout == json_schema_text()


def test_a_tool_that_is_not_there_is_a_warning_with_its_place(pagemind: Pagemind, tmp_path: Path) -> None:
    (tmp_path / "ada.yaml").write_text(ADA + "tools: [conversation_search, conversation_serch]\n")
    said = pagemind("validate", "ada.yaml")
    assert said.returncode == 0
    assert said.stderr.startswith("ada.yaml:9:30: warning: there is no tool 'conversation_serch': did you mean 'conversation_s")


def test_an_export_applies_without_changes(pagemind: Pagemind) -> None:
    pagemind("apply", "ada.yaml")
    assert pagemind("export", "ada", "-o", "copy.yaml").returncode == 0
    assert pagemind("plan", "copy.yaml").stdout == "No changes.\n"
    assert pagemind("export", "nobody").returncode == 2
