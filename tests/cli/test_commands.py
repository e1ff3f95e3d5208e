"""The commands on one home folder, each in a process of its own, while the database stays open as under a chat."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from pagemind import __version__
from pagemind.testing.shell import Shell


def test_a_piped_chat_remembers_and_prints_words_only(shell: Shell) -> None:
    done = shell.run("chat", given="my name is Ada\n\nwhat is my name?\n")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "* human +1 line"
    assert "Ada" in lines[-1]
    assert not any(mark in done.stdout for mark in ("\x1b", "│", "╭", "─", "›"))
    assert "not a language model" in done.stderr


def test_chat_is_meant_where_no_command_is_given(shell: Shell) -> None:
    assert "Ada" in shell.ok(given="what is my name?")


def test_a_message_too_long_is_one_clear_error_and_the_chat_goes_on(shell: Shell) -> None:
    done = shell.run(given="x" * 1_000_000 + "\nwhat is my name?\n")
    assert done.returncode == 2
    assert "error[message_too_long]" in done.stderr
    assert "fix:" in done.stderr
    assert "Ada" in done.stdout


def test_a_message_of_strange_characters_is_answered_or_refused_but_never_lost(shell: Shell) -> None:
    given = "remember that שלום 👩‍👩‍👧 is my sign\n".encode() + b"nul \0 and \xff\xfe bytes\n" + b"what is my name?\n"
    done = shell.run(given=given)
    assert "Ada" in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_slash_command_works_in_a_pipe_and_a_path_is_a_message(shell: Shell) -> None:
    done = shell.run(given="/memory human\n/etc/hosts is a file\n/nonsense\n/quit\nnever said\n")
    assert "Ada" in done.stdout
    assert "error[unknown_command]" in done.stderr
    said = shell.json("-p", "what is my name?", "--output", "json")
    transcript = shell.ok("chat", given="/history\n")
    assert "/etc/hosts is a file" in transcript
    assert "never said" not in transcript
    assert said["state"] == "completed"


def test_headless_json_tells_what_the_run_did(shell: Shell) -> None:
    said = shell.json("-p", "remember that my dentist is on Tuesday", "--output", "json")
    assert said["state"] == "completed"
    assert said["stop_reason"] == "end_turn"
    assert [tool["status"] for tool in said["tools"]] == ["ok"]
    assert said["usage"]["prompt_tokens"] > 0
    assert said["agent"] == "assistant"
    assert said["error"] is None


def test_headless_jsonl_is_one_event_a_line_and_appends_standard_input(shell: Shell) -> None:
    lines = shell.ok("-p", "archive", "--output", "jsonl", given="that the boat is called Ondine\n").splitlines()
    events = [json.loads(line) for line in lines]
    assert events[0]["type"] == "run_started"
    assert events[-1]["type"] == "run_ended"
    assert "Ondine" in shell.ok("chat", given="/history\n")


def test_the_exit_status_says_what_kind_of_end_it_was(shell: Shell) -> None:
    assert shell.run("-p", "hello", "--output", "nonsense").returncode == 2
    assert shell.run("-p", "").returncode == 2
    assert shell.run("chat", "nobody", "-p", "hello").returncode == 2
    assert shell.under(PAGEMIND_MAX_STEPS="1").run("-p", "my name is Ada Lovelace", "--new").returncode == 5
    assert shell.under(PAGEMIND_WORKERS="many").run("agents").returncode == 2


def test_a_reasoner_that_is_down_is_status_3_with_its_error(shell: Shell) -> None:
    away = shell.under(PAGEMIND_REASONER_RETRIES="0")
    done = away.run("-p", "hello", "--new", "--output", "json", "--reasoner", "http://127.0.0.1:9/v1", "--model", "none")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "reasoner_unreachable"


def test_an_interrupted_headless_run_is_cancelled_and_130(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        process = shell.start("-p", "hello", "--new", "--output", "jsonl", "--reasoner", url, "--model", "slow")
        assert process.stdout
        started = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        process.communicate()
    states = {run["id"]: run["state"] for run in shell.json("runs", "--json")}
    assert states[started["run_id"]] == "cancelled"


def test_a_reader_that_leaves_early_is_met_quietly(shell: Shell) -> None:
    process = shell.start("-p", "what is my name?")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.wait(60)
    assert "Traceback" not in process.stderr.read().decode()
    process.stderr.close()


def test_blocks_are_edited_by_a_person_with_history_and_undo(shell: Shell) -> None:
    edited = shell.json("memory", "edit", "assistant", "human", "--append", "Likes tea.", "--json")
    assert edited["value"].endswith("Likes tea.")
    shell.ok("memory", "edit", "assistant", "human", "--replace", "tea", "green tea")
    newest, before, *_ = shell.json("memory", "history", "assistant", "human", "--json")
    assert newest["author"].startswith("person:")
    assert (before["edit"]["kind"], newest["edit"]["kind"]) == ("append", "replace")
    shown = shell.ok("memory", "history", "assistant", "human")
    assert "- Likes tea." in shown
    assert "+ Likes green tea." in shown
    undone = shell.json("memory", "undo", "assistant", "human", "--json")
    assert undone["value"] == edited["value"]
    assert [block["label"] for block in shell.json("memory", "blocks", "assistant", "--json")][:1] == ["persona"]


def test_a_block_is_edited_in_the_persons_editor(shell: Shell) -> None:
    editor = shell.folder / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf "Likes coffee.\\n" >> "$1"\n')
    editor.chmod(0o700)
    edited = shell.under(EDITOR=str(editor)).json("memory", "edit", "assistant", "human", "--json")
    assert edited["value"].endswith("Likes coffee.")
    failing = shell.under(EDITOR="false").run("memory", "edit", "assistant", "human")
    assert "error[editor_failed]" in failing.stderr


def test_an_edit_that_cannot_be_is_explained(shell: Shell) -> None:
    assert "error[text_not_found]" in shell.run("memory", "edit", "assistant", "human", "--replace", "cocoa", "tea").stderr
    assert "error[unknown_block]" in shell.run("memory", "edit", "assistant", "hmuan", "--append", "x").stderr
    both = shell.run("memory", "edit", "assistant", "human", "--append", "x", "--set", "y")
    assert (both.returncode, "error[one_edit_only]" in both.stderr) == (2, True)
    told = json.loads(shell.run("memory", "blocks", "nobody", "--json").stdout)
    assert told["error"]["code"] == "unknown_agent"


def test_a_search_finds_by_meaning_and_says_how_it_scored(shell: Shell) -> None:
    given = "The trip to Porto cost 840 euros.\n\nThe cat is called Miso.\n"
    assert shell.json("memory", "insert", "assistant", "--tag", "note", "--json", given=given)["inserted"] == 2
    found = shell.json("memory", "search", "assistant", "name of the pet", "--json")
    assert found["passages"][0]["text"] == "The cat is called Miso."
    assert found["passages"][0]["scores"]["vector"] > 0
    assert "Archive" in shell.ok("memory", "search", "assistant", "Porto")
    tagged = shell.json("memory", "search", "assistant", "Porto", "--tag", "other", "--json")
    assert tagged["passages"] == []


def test_the_window_is_shown_by_segment(shell: Shell) -> None:
    window = shell.json("context", "assistant", "--json")
    assert sum(window["segments"].values()) == pytest.approx(window["window_tokens"], rel=0.05)
    assert window["messages_total"] >= len(window["resident"]) > 0
    shown = shell.ok("context", "assistant")
    assert "kept free for the reply" in shown
    assert "\x1b" not in shown
    stats = shell.json("memory", "stats", "assistant", "--json")
    assert stats["passages"] >= 2
    assert stats["messages_total"] == window["messages_total"]


def test_lists_of_agents_and_runs(shell: Shell) -> None:
    assert [agent["name"] for agent in shell.json("agents", "--json")] == ["assistant"]
    newest, *_ = shell.json("runs", "assistant", "--limit", "1", "--json")
    assert newest["state"] in {"queued", "running", "completed"}  # the reader that left early left its run to the next worker
    assert "assistant" in shell.ok("runs")
    assert shell.ok("version") == f"pagemind {__version__}\n"


def test_completion_offers_the_agents_names(shell: Shell) -> None:
    asked = shell.under(_PAGEMIND_COMPLETE="complete_bash", COMP_WORDS="pagemind context as", COMP_CWORD="2")
    assert shell.run("agents").returncode == 0
    assert asked.run().stdout.split() == ["assistant"]


def test_the_history_of_what_went_wrong_stays_private(shell: Shell) -> None:
    assert (shell.home / "logs" / "pagemind.log").stat().st_mode & 0o077 == 0


def test_doctor_finds_all_well_and_says_what_would_be_better(shell: Shell) -> None:
    told = shell.json("doctor", "--json")
    status = {finding["name"]: finding["status"] for finding in told["findings"]}
    assert told["ok"]
    assert status["reasoner"] == "warn"
    assert {status[name] for name in ("postgres", "vectors", "migrations", "embedder", "tools", "home folder")} == {"ok"}


def test_doctor_names_a_broken_tool_file(shell: Shell) -> None:
    tools = shell.home / "tools"
    tools.mkdir(exist_ok=True)
    broken = tools / "broken.py"
    broken.write_text("def broken(:\n")
    told = shell.json("doctor", "--json")
    broken.unlink()
    assert any(finding["name"] == "tool file" and "broken.py" in finding["evidence"] for finding in told["findings"])


def test_doctor_says_so_where_the_database_cannot_start(shell: Shell, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("not a folder")
    done = Shell(nowhere, tmp_path, {"PAGEMIND_EMBEDDER": "openai:none"}).run("doctor")
    assert done.returncode == 1
    assert "fail" in done.stdout
    assert "to mend it" in done.stdout
    assert "Traceback" not in done.stderr
