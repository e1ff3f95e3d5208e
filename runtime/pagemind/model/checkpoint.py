"""A model's folder, as Hugging Face lays it out: found, read without running anything of its own. Imported where torch is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from tokenizers import Tokenizer
from transformers.utils import logging as transformers_logging

from pagemind.errors import PagemindError

LONGEST = 8192
"""Tokens of the longest input, whatever more a model may take."""
FILES = ["*.json", "*.safetensors", "*.txt", "1_Pooling/*", "2_Normalize/*", "1_LogitScore/*"]
SAFELY: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
"""How weights are read: from safetensors only (no pickle), running no code of the model's own."""

# transformers' and the hub's functions are typed in part only: what comes from them is Any up to this module's own edge.
hub: Any = huggingface_hub


def quietly() -> None:
    """Keep transformers from writing to the terminal."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def local_folder(name: str, refusal: type[PagemindError]) -> Path:
    """The folder of a model given by path, else by name from the hub's cache or the hub itself. Raises ``refusal``."""
    given = Path(name).expanduser()
    if given.is_dir():
        return given
    try:
        return Path(hub.snapshot_download(name, allow_patterns=FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
        raise refusal(f"{name} is neither a folder nor could it be fetched: give a local path ({reason})") from error


def device_of(name: str | None) -> torch.device:
    """The device of that name; None: the GPU where there is one. On a CPU all cores are used."""
    device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cpu":
        torch.set_num_threads(os.cpu_count() or 1)
    return device


def read_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer, which pads and cuts nothing. FileNotFoundError where there is none."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(f"No such file: {file}")
    tokenizer: Any = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file's object; empty where there is no file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def sound(text: str) -> str:
    """The text as a tokenizer takes it: halves of characters become question marks."""
    return text.encode("utf-8", "replace").decode()
