"""Which kind of scorer a checkpoint is, by its own configuration. Importing this takes a second or two: the thread does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from pagemind.errors import RerankerError, RerankerUnfit
from pagemind.model.checkpoint import SAFELY, device_of, local_folder, quietly
from pagemind.model.cross_encoder import CrossEncoder
from pagemind.model.scorer import Scorer
from pagemind.model.yes_no import YesNo

# transformers' functions are typed in part only.
auto_config: Any = AutoConfig
auto_causal: Any = AutoModelForCausalLM
auto_classifier: Any = AutoModelForSequenceClassification

CLASSIFIER, JUDGE = "ForSequenceClassification", "Qwen3ForCausalLM"


def load(name: str, device: str | None, pair_tokens: int) -> Scorer:
    """The scorer of a folder or a name on the hub. Raises ``RerankerError``.

    A sequence classifier with one label reads pairs, unless it is a converted Qwen3-Reranker; a Qwen3 language model is taken
    for a Qwen3-Reranker, whose configuration is that of any other.
    """
    quietly()
    folder = local_folder(name, RerankerError)
    try:
        return scorer_of(folder, device_of(device), pair_tokens)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise RerankerUnfit(name=name, reason=(str(error).splitlines() or [""])[0][:300]) from error


def scorer_of(folder: Path, device: torch.device, pair_tokens: int) -> Scorer:
    """The scorer of a checkpoint. Raises ValueError for one that is no reranker, and what transformers raises."""
    config = auto_config.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    [architecture] = (config.architectures or [""])[:1]
    qwen = config.model_type == "qwen3"
    if architecture.endswith(CLASSIFIER):
        if config.num_labels != 1:
            raise ValueError(f"it has {config.num_labels} labels, and a reranker has one")
        model = read(auto_classifier, folder, device)
        return YesNo(folder, model, device, pair_tokens) if qwen else CrossEncoder(folder, model, device, pair_tokens)
    if architecture == JUDGE:
        return YesNo(folder, read(auto_causal, folder, device), device, pair_tokens)
    raise ValueError(f"its architecture is {architecture or 'not stated'}, which has no head that scores a pair")


def read(family: Any, folder: Path, device: torch.device) -> Any:
    """The model: bf16 on a GPU, else fp32. ValueError where the checkpoint lacks weights, such as those of the head."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    model, found = family.from_pretrained(folder, dtype=dtype, output_loading_info=True, **SAFELY)
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"its file has no weights {', '.join(missing[:3])}")
    return model.eval().to(device)
