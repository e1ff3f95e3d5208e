"""From flags to values: settings, where a flag goes before the environment, ``.env`` and ``pagemind.toml``; ids."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tomllib import TOMLDecodeError
from uuid import UUID

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from pagemind.errors import UnknownRecord, UsageError
from pagemind.settings import Settings


class BadSettings(UsageError):
    """The configuration is not valid. Fix: correct it where it is set: a flag, PAGEMIND_*, .env or pagemind.toml."""

    code = "bad_settings"


@dataclass(frozen=True)
class Flags:
    """The flags that every command takes; None where one was not given. The names are those of ``Settings``."""

    home: Path | None = None
    reasoner_url: str | None = None
    reasoner_model: str | None = None
    embedder: str | None = None
    window_tokens: int | None = None

    def settings(self) -> Settings:
        """The settings under these flags; BadSettings where they, or what stands behind them, make no sense."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        try:
            return Settings(**given)
        except ValidationError as error:
            places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise BadSettings(places) from error
        except (SettingsError, TOMLDecodeError) as error:
            raise BadSettings(str(error)) from error


def settings_of(context: typer.Context) -> Settings:
    """The settings of the command that is being run."""
    flags = context.find_root().obj
    return (flags if isinstance(flags, Flags) else Flags()).settings()


def conversation_id(text: str) -> UUID:
    """The id of a conversation as a person gave it. UnknownRecord where it is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise UnknownRecord(kind="conversation", id=text) from error


def at_endpoint(settings: Settings, url: str, model: str | None = None) -> Settings:
    """The settings with the reasoner at ``url`` and the window it has. A key goes to the server it is set for only."""
    known = settings.reasoner_url in (None, url)
    return settings.model_copy(
        update={
            "reasoner_url": url,
            "reasoner_model": model or (settings.reasoner_model if known else None),
            "reasoner_api_key": settings.reasoner_api_key if known else None,
            "window_tokens": None,
        }
    )
