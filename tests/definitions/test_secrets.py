"""A secret is fetched when it is needed, from the environment or from a file that only its owner can read."""

from pathlib import Path

import pytest

from pagemind.definitions.secrets import SecretExposed, SecretMissing, SecretRef, resolve_secret
from pagemind.settings import Settings

KEY = SecretRef("PAGEMIND_TEST_KEY")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv(KEY.name, raising=False)
    (tmp_path / "secrets").mkdir(mode=0o700)
    return Settings(home=tmp_path)


def test_the_environment_is_asked_first(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY.name, "sk-1")
    secret = resolve_secret(KEY, home)
    assert secret.get_secret_value() == "sk-1"
    assert "sk-1" not in repr(secret)


def test_a_file_of_mode_0600_is_asked_next(home: Settings) -> None:
    file = home.home / "secrets" / KEY.name
    file.write_text("sk-2\n")
    file.chmod(0o600)
    assert resolve_secret(KEY, home).get_secret_value() == "sk-2"


def test_a_file_that_others_can_read_is_refused(home: Settings) -> None:
    file = home.home / "secrets" / KEY.name
    file.write_text("sk-2\n")
    file.chmod(0o640)
    with pytest.raises(SecretExposed, match="chmod 600") as raised:
        resolve_secret(KEY, home)
    assert "sk-2" not in str(raised.value)


def test_a_secret_that_is_nowhere_is_named(home: Settings) -> None:
    with pytest.raises(SecretMissing, match=KEY.name):
        resolve_secret(KEY, home)
