"""A file becomes a definition, or everything that is wrong with it, each with its place."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.definitions import loader
from pagemind.definitions.interpolate import escape, fill
from pagemind.definitions.loader import MAX_FILE_BYTES, load, load_bytes, load_text
from pagemind.definitions.problems import InvalidDefinition, NoDefinition
from pagemind.definitions.schema import DEFAULT_TOOLS, AgentDefinition, json_schema_text
from pagemind.definitions.secrets import SecretRef
from pagemind.settings import content_folder

HEAD = "version: 1\nkind: agent\nname: ada\ninstructions: Be kind.\n"
FILE = Path("ada.yaml")


def read(text: str, **environment: str) -> AgentDefinition:
    return load_text(text, FILE, environment).definition


def problems(text: str, environment: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidDefinition) as raised:
        load_text(text, FILE, environment or {})
    return [str(problem) for problem in raised.value.problems]


def test_a_small_file_is_filled_with_defaults() -> None:
    definition = read(HEAD)
    assert definition.tools == DEFAULT_TOOLS
    assert definition.memory.high_watermark == 0.9
    assert definition.memory.write_policy == "write_back"
    assert definition.model.max_reply_tokens == 1024


def test_an_unknown_key_is_named_with_its_place_and_its_likely_meaning() -> None:
    assert problems(HEAD.replace("instructions", "instuctions"))[1] == (
        "ada.yaml:4:1: unknown key 'instuctions': did you mean 'instructions'?"
    )
    assert problems(HEAD + "blocks:\n  human:\n    owner: agent\n    discription: x\n") == [
        "ada.yaml:8:5: unknown key 'discription': did you mean 'description'?"
    ]
    assert problems(HEAD + "model: {limits: {max_step: 3}}\n") == [
        "ada.yaml:5:18: unknown key 'max_step': did you mean 'max_steps'?"
    ]


def test_all_problems_of_a_file_are_told_at_once() -> None:
    text = HEAD.replace("version: 1", "version: 2") + "memory: {low_watermark: 2}\nmodel: {window_tokens: 5}\ntags: [1]\n"
    places = [problem.split(" ")[0] for problem in problems(text)]
    assert places == ["ada.yaml:1:10:", "ada.yaml:5:25:", "ada.yaml:6:24:", "ada.yaml:7:8:"]


def test_every_block_must_state_its_owner() -> None:
    [problem] = problems(HEAD + "blocks:\n  human:\n    value: x\n")
    assert problem.startswith("ada.yaml:6:3: the block 'human' must state its owner")


def test_a_value_longer_than_its_block_is_refused() -> None:
    [problem] = problems(HEAD + "blocks:\n  human: {owner: agent, limit: 3, value: four}\n")
    assert problem == "ada.yaml:6:3: blocks.human: the value has 4 characters and the limit is 3"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("description: &x hi", "5:14: anchors are not allowed (&x)"),
        ("description: *x", "5:14: aliases are not allowed: write the value out (*x)"),
        ("memory: {<<: {a: 1}}", "5:10: merge keys ('<<') are not allowed: write the values out"),
        ("name: bob", "5:1: the key 'name' stands here twice, first in line 3"),
        ("tags: !!python/name:os.system x", "5:7: the tag !!python/name:os.system is not allowed here"),
        ("tags: !mine [x]", "5:7: the tag !mine is not allowed here"),
        ("---\nname: second", "5:1: one agent a file: a second document begins here"),
        ("? [a, b]\n: c", "5:3: a key must be a text"),
        ("1: x", "5:1: a key must be a text"),
        ('description: "a\\0b"', "5:14: the text holds the character U+0000, which cannot be stored"),
        ('description: "\\uD800"', "5:14: the text holds the character U+D800, which cannot be stored"),
        (f"model: {{window_tokens: {'9' * 5000}}}", "5:24: the number has too many digits"),
    ],
)
def test_what_yaml_can_do_and_a_definition_may_not_is_refused(line: str, said: str) -> None:
    assert f"ada.yaml:{said}" in problems(f"{HEAD}{line}\n")


def test_broken_yaml_is_told_with_its_place() -> None:
    [problem] = problems(HEAD + "tags: [a, b\nmodel: {}\n")
    assert problem.startswith("ada.yaml:6:6:")
    assert problems("")[0] == "ada.yaml:1:1: the file is empty"
    assert problems("just words")[0].startswith("ada.yaml:1:1: an agent is a mapping")
    assert problems(HEAD + "description: a\x07b\n") == ["ada.yaml:5:15: the character U+0007 is not allowed in YAML"]


def test_deep_nesting_is_refused_before_it_exhausts_the_stack() -> None:
    [problem] = problems(HEAD + "tags: " + "[" * 100_000)
    assert problem.startswith("ada.yaml:5:38: nested deeper than 32 levels")


def test_words_of_yaml_1_1_are_words() -> None:
    assert read(HEAD + "tags: [no, on, 12:30, 2026-01-01, 1_000]\n").tags == ("no", "on", "12:30", "2026-01-01", "1_000")


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    data = b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").replace("Be kind.", "|\r\n  one\r\n  two").encode()
    assert load_bytes(data, FILE, {}).definition.instructions == "one\ntwo\n"


def test_bytes_that_are_not_utf_8_and_files_too_large_are_told() -> None:
    for data, said in (
        (HEAD.encode() + b"description: caf\xe9\n", "ada.yaml:5:17: not UTF-8: the byte 0xe9"),
        (b"#" * (MAX_FILE_BYTES + 1), "ada.yaml:1:1: the file is larger than 1,048,576 bytes"),
    ):
        with pytest.raises(InvalidDefinition, match=said):
            load_bytes(data, FILE, {})


def test_variables_are_filled_in_after_the_yaml_is_parsed() -> None:
    text = HEAD + "description: ${WHO} at ${WHERE:-home}, $${WHO}\nmodel: {window_tokens: \"${WINDOW}\", name: '${MODEL:-}'}\n"
    definition = read(text, WHO="Ada: {tags: [x]}", WINDOW="8192")
    assert definition.description == "Ada: {tags: [x]} at home, ${WHO}"
    assert definition.model.window_tokens == 8192
    assert definition.model.name is None


def test_a_missing_variable_is_named_with_its_place() -> None:
    text = HEAD.replace("Be kind.", "|\n  Be kind to $${X}, ${FRIEND}\n  and ${WHO}.")
    assert problems(text, {"FRIEND": "Bob"}) == [
        "ada.yaml:6:7: the environment variable WHO is not set (set it, or write ${WHO:-default})"
    ]


@pytest.mark.parametrize("bad", ["${", "${}", "${1X}", "${X-y}", "${X", "${secret:}", "a ${secret:X}"])
def test_a_misspelt_reference_is_refused(bad: str) -> None:
    [problem] = problems(HEAD + f'description: "{bad}"\n', {"X": "x"})
    assert problem.startswith("ada.yaml:5:")


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_an_escaped_text_comes_back_as_it_was(text: str, environment: dict[str, str]) -> None:
    assert fill(escape(text), environment) == text


@given(st.text(alphabet="${}:-sX a"))
def test_a_value_put_in_is_not_looked_at_again(value: str) -> None:
    assert fill("<${X}>", {"X": value}) == f"<{value}>"


def test_a_secret_stays_a_reference() -> None:
    definition = read(HEAD + "model: {api_key: '${secret:OPENAI_API_KEY}'}\n", OPENAI_API_KEY="sk-12345")
    assert definition.model.api_key == SecretRef("OPENAI_API_KEY")
    assert "sk-12345" not in repr(definition) + definition.model_dump_json()
    assert AgentDefinition.model_validate_json(definition.model_dump_json()) == definition


def test_a_secret_written_out_is_refused_and_not_repeated() -> None:
    for key in ("sk-12345", "${KEY}"):
        [problem] = problems(HEAD + f"model: {{api_key: '{key}'}}\n", {"KEY": "sk-12345"})
        assert problem.startswith("ada.yaml:5:18: model.api_key: must be a reference such as ${secret:")
        assert "12345" not in problem


def test_a_secret_stands_only_where_one_is_asked_for() -> None:
    for line in ("description: ${secret:X}", "tags: ['${secret:X}']", "blocks: {a: {owner: agent, value: '${secret:X}'}}"):
        assert "a secret is not allowed here" in problems(f"{HEAD}{line}\n")[0]


def test_a_folder_means_its_yaml_files_and_an_agent_is_defined_once(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_text(HEAD.replace("ada", name[0]))
    assert [source.definition.name for source in load([tmp_path], {})] == ["a", "b"]
    (tmp_path / "c.yaml").write_text(HEAD.replace("ada", "a"))
    with pytest.raises(InvalidDefinition, match=r"c\.yaml:3:7: the agent 'a' is also in .*a\.yml"):
        load([tmp_path], {})


def test_the_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1")
    (tmp_path / "b.yaml").write_text(HEAD + "tag: x\n")
    with pytest.raises(InvalidDefinition) as raised:
        load([tmp_path], {})
    assert {Path(problem.file).name for problem in raised.value.problems} == {"a.yaml", "b.yaml"}


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.yaml"):
        with pytest.raises(NoDefinition):
            load([path], {})


def test_the_shipped_agents_are_valid_and_name_their_schema() -> None:
    folder = content_folder() / "agents"
    names = [source.definition.name for source in load([folder], {})]
    assert {"assistant", "researcher", "project"} <= set(names)
    for file in loader.files_of([folder]):
        assert file.read_text().startswith("# yaml-language-server: $schema=agent.schema.json\n")


def test_the_shipped_schema_is_the_one_of_the_models() -> None:
    assert (content_folder() / "agents" / "agent.schema.json").read_text() == json_schema_text()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_no_text_makes_the_loader_fail_in_another_way(text: str) -> None:
    for content in (text, HEAD + text, HEAD + "description: " + text):
        with suppress(InvalidDefinition):
            load_text(content, FILE, {})
