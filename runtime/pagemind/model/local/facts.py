"""What a model's own files say of it: its configuration, the bytes of its weights, the chat template it came with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx2 import HTTPError

# Its annotations are partial.
from huggingface_hub import HfApi, hf_hub_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from pagemind.errors import LocalModelUnknown
from pagemind.model.wire import Json, list_of, object_of, text_of

CONFIG, TOKENIZER, TEMPLATE = "config.json", "tokenizer_config.json", "chat_template.jinja"
MOST_BYTES = 20_000_000
"""Of one of these files; the largest known has a tenth of it."""
HUB_ERRORS = (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, HTTPError, OSError)


@dataclass(frozen=True)
class ModelFacts:
    """A model before it is served. ``weight_bytes`` is None where no file says it."""

    name: str
    config: Json = field(default_factory=dict[str, Any])
    weight_bytes: int | None = None
    template: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """The ``model_type`` and the architectures that the configuration names."""
        kinds = (self.config.get("model_type"), self.text.get("model_type"), *list_of(self.config.get("architectures")))
        return frozenset(kind for kind in kinds if isinstance(kind, str))

    @property
    def text(self) -> Json:
        """The configuration of the language model; models that also see keep it in a section of its own."""
        return {**self.config, **object_of(self.config.get("text_config"))}


def read_facts(model: str, revision: str | None = None) -> ModelFacts:
    """Read a folder, or the hub's files of a model by name. Blocks. Raises ``LocalModelUnknown``."""
    folder = Path(model).expanduser()
    try:
        return facts_of_folder(folder) if folder.is_dir() else facts_of_hub(model, revision)
    except (*HUB_ERRORS, ValueError) as error:
        raise LocalModelUnknown(str(error).splitlines()[0] if str(error) else type(error).__name__, model=model) from error


def facts_of_folder(folder: Path) -> ModelFacts:
    """The facts of a folder as ``save_pretrained`` or a download makes it. Raises OSError, ValueError."""
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return ModelFacts(folder.resolve().name, read_json(folder / CONFIG), size or None, own_template(folder))


def facts_of_hub(model: str, revision: str | None) -> ModelFacts:
    """The facts of a model on the hub, from its cache where the hub is out of reach. Raises ``HUB_ERRORS``, ValueError."""
    config = Path(hf_hub_download(model, CONFIG, revision=revision))
    for name in (TOKENIZER, TEMPLATE):
        try:
            hf_hub_download(model, name, revision=revision)
        except HUB_ERRORS:
            continue
    return ModelFacts(model, read_json(config), hub_bytes(model, revision), own_template(config.parent))


def hub_bytes(model: str, revision: str | None) -> int | None:
    """The bytes of the weights as the hub lists them; None where it is out of reach."""
    try:
        info = HfApi().model_info(model, revision=revision, files_metadata=True)
    except HUB_ERRORS:
        return None
    # Some models come in a second format for another program, in a folder or a file called "consolidated".
    files = [file for file in info.siblings or [] if "/" not in file.rfilename and "consolidated" not in file.rfilename]
    return sum(file.size or 0 for file in files if file.rfilename.endswith(".safetensors")) or None


def own_template(folder: Path) -> str:
    """The chat template that the model came with, or nothing."""
    if (folder / TEMPLATE).is_file():
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    template: object = read_json(folder / TOKENIZER).get("chat_template") if (folder / TOKENIZER).is_file() else None
    named = [text_of(object_of(entry).get("template")) for entry in list_of(template)]
    return "\n".join(filter(None, named)) or text_of(template)


def read_json(file: Path) -> Json:
    """A JSON object from a file. Raises OSError, ValueError."""
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file.name} has more than {MOST_BYTES} bytes")
    return object_of(json.loads(file.read_text(encoding="utf-8")))
