"""The prefix: what two prompts have in common from their beginning, told from digests of the first alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pagemind.memory.prefix import Common, Ledger, Verdict, chain_of, common, ledger_of, same_frame
from pagemind.records import CallRequest, Prompt, PromptMessage, Segments, ToolSchema

TOOL = ToolSchema("note", "Note it.", {"type": "object", "properties": {"b": {}, "a": {}}})
HEAD = (100, 20, 30)
SYSTEM = PromptMessage("system", "You are a test.")
BLOCKS, SUMMARY = PromptMessage("user", "<memory_blocks/>"), PromptMessage("user", "<summary/>")

messages = st.lists(
    st.builds(
        PromptMessage,
        role=st.sampled_from(["user", "assistant", "tool"]),
        content=st.text(max_size=10),
        calls=st.lists(st.builds(CallRequest, st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)), max_size=2).map(
            tuple
        ),
        reasoning=st.text(max_size=5),
    ),
    max_size=8,
)


def prompt(history: list[PromptMessage], used: int = 1_000) -> Prompt:
    """A prompt with the head of these tests."""
    return Prompt((SYSTEM, BLOCKS, SUMMARY, *history), tools=(TOOL,), segments=Segments(messages=used))


def ledger(of: Prompt) -> Ledger:
    """Its ledger, in epoch 3."""
    return ledger_of(of, chain_of(of), 3, HEAD)


@given(messages, messages)
def test_a_prompt_that_goes_on_begins_with_the_whole_one_before(before: list[PromptMessage], more: list[PromptMessage]) -> None:
    found = common(ledger(prompt(before)), chain_of(prompt([*before, *more])), 3)
    assert (found.verdict, found.tokens) == (Verdict.kept, 1_000)


@given(messages.filter(bool), st.data())
def test_one_changed_message_breaks_it_down_to_what_stands_before_the_history(
    before: list[PromptMessage], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(before) - 1))
    changed = [*before[:at], replace(before[at], content=before[at].content + "x"), *before[at + 1 :]]
    found = common(ledger(prompt(before)), chain_of(prompt(changed)), 3)
    assert (found.verdict, found.tokens) == (Verdict.broken, sum(HEAD))


def test_the_first_prompt_has_nothing_before_it() -> None:
    assert common(None, chain_of(prompt([])), 1).verdict == Verdict.first


def test_a_new_epoch_keeps_what_it_has_in_common() -> None:
    before = ledger(prompt([PromptMessage("user", "Hello.")]))
    new = replace(prompt([]), messages=(SYSTEM, BLOCKS, PromptMessage("user", "<summary>more</summary>")))
    assert common(before, chain_of(new), 4) == Common(Verdict.rolled, 120)
    other_blocks = replace(new, messages=(SYSTEM, PromptMessage("user", "<memory_blocks>new</memory_blocks>"), SUMMARY))
    assert common(before, chain_of(other_blocks), 4).tokens == 100


def test_other_tools_or_another_system_text_leave_nothing_in_common() -> None:
    before = ledger(prompt([]))
    other_tools = replace(prompt([]), tools=(TOOL, replace(TOOL, name="other")))
    other_system = replace(prompt([]), messages=(replace(SYSTEM, content="You are another."), BLOCKS, SUMMARY))
    for changed in (other_tools, other_system):
        assert common(before, chain_of(changed), 4).tokens == 0
        assert not same_frame(before, chain_of(changed))
    assert same_frame(before, chain_of(prompt([PromptMessage("user", "Hello.")])))


def test_the_order_of_a_tools_properties_is_part_of_it() -> None:
    turned = replace(TOOL, parameters={"type": "object", "properties": {"a": {}, "b": {}}})
    assert chain_of(prompt([]))[0] != chain_of(replace(prompt([]), tools=(turned,)))[0]


@given(messages)
def test_a_ledger_is_the_same_after_it_was_stored(history: list[PromptMessage]) -> None:
    made = ledger(prompt(history))
    assert Ledger.from_json(made.as_json()) == made
