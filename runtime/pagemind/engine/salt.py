"""The salt of a tenant's prompts in a model server's prefix cache."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pagemind.settings import DEFAULT_TENANT, Settings

FILE_NAME = "cache.key"
KEY_BYTES = 32


def cache_salt(settings: Settings) -> str:
    """HMAC-SHA-256 of the tenant's id, in hex; nothing for the default tenant, whom having no salt sets apart from all others.

    How fast a prompt is answered tells whether its beginning was cached; with a salt of their own, tenants learn that of their
    own prompts alone. Nobody can guess another tenant's salt.
    """
    if settings.tenant_id == DEFAULT_TENANT:
        return ""
    key = settings.secret.get_secret_value().encode() if settings.secret else own_secret(settings.home / FILE_NAME)
    return hmac.new(key, settings.tenant_id.bytes, hashlib.sha256).hexdigest()


def own_secret(path: Path) -> bytes:
    """The home folder's secret, made at first use; only its owner may read it."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        # A link is there whole or not at all, and the first one stays: two processes may come here at once.
        with suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    return path.read_bytes()
