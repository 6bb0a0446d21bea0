"""Opening a home's keyring and vault, and making them in a new one."""

from __future__ import annotations

import os

from preceptor.errors import UsageError
from preceptor.keys import ENV_FILE, ENV_KEY, KEYRING, key_file, master_key
from preceptor.locks import exclusive
from preceptor.private_files import make_private_folder
from preceptor.settings import VaultSettings, Workspace, load_settings
from preceptor.vault.errors import VaultError
from preceptor.vault.keyring import Header, Keyring, Secrets, read_header, unlock
from preceptor.vault.providers import ENV_IDENTITY, KeyProvider, LocalKey, TransitKey, age_key
from preceptor.vault.store import Vault


def open_vault(workspace: Workspace, settings: VaultSettings | None = None) -> Vault:
    """Open the workspace's vault, making it if it is not there.

    `settings` say what keeps the keyring of a new home; left out, the environment's settings do.
    """
    return Vault(workspace.vault, open_keyring(workspace, settings).secrets)


def open_keyring(workspace: Workspace, settings: VaultSettings | None = None) -> Keyring:
    """Open the keyring with whatever it was made for, making it if it is not there.

    A home made before there were keyrings gets one that holds what was derived from its master key until then, so
    that its references and surrogates stay. Raises `VaultError` for the wrong key, `UsageError` for none.
    """
    path = workspace.vault / KEYRING
    if not path.exists():
        # Another process may be making the same home: what it has made so far must not look like a home of old.
        busy = VaultError(f"Another process has been making the keyring {path} for two minutes.")
        with exclusive(workspace.vault / "keyring.lock", busy, patience=120):
            if not path.exists():
                make_private_folder(workspace.vault)
                made = _upgraded(workspace) if _is_old(workspace) else _new(workspace, settings)
                made.create(path)
    return unlock(path, provider_of(workspace, read_header(path)))


def provider_of(workspace: Workspace, header: Header) -> KeyProvider:
    """What opens a keyring with this header. Raises `UsageError` or `VaultError` if it is not at hand."""
    match header.provider:
        case "local":
            return _local_key(workspace, header.key.get("id", ""))
        case "age":
            return age_key()
        case "transit":
            return TransitKey(header.key.get("name", ""), header.key.get("mount", ""))
    raise VaultError(
        f"The keyring names a provider of keys that this version does not know: {header.provider!r}."
    )


def configured_kind(settings: VaultSettings) -> str:
    """What shall keep the keyring: as the settings say, or age where the environment names an identity."""
    if settings.keys != "auto":
        return settings.keys
    return "age" if os.environ.get(ENV_IDENTITY) else "local"


def transit_key(settings: VaultSettings) -> TransitKey:
    """The Transit key that the settings name."""
    if not settings.transit_key:
        raise UsageError("vault.keys is transit, but vault.transit_key names no key.")
    return TransitKey(settings.transit_key, settings.transit_mount)


def _local_key(workspace: Workspace, wanted: str) -> LocalKey:
    path = key_file(workspace)
    # A rotation that was killed may have left the new key beside the old one.
    beside = path.with_name(f"{path.name}.next") if path else None
    if beside and beside.exists():
        key = LocalKey.in_file(beside)
        if key.id == wanted:
            return key
    where = str(path) if path else f"the variable {ENV_KEY}"
    key = LocalKey(master_key(workspace), where)
    if key.id != wanted:
        raise VaultError(
            f"The master key in {where} ({key.id}) is not the one this vault was made with or rotated to ({wanted}). "
            f"Name the right one in {ENV_FILE}; after a rotation that is the new one."
        )
    return key


def _is_old(workspace: Workspace) -> bool:
    """Whether something may have been made with keys derived from the master key itself."""
    made = (workspace.vault / "vault.db", workspace.release / "release.db", workspace.keys / "master.key")
    return any(path.exists() for path in made)


def _upgraded(workspace: Workspace) -> Keyring:
    master = master_key(workspace)
    secrets = Secrets.derived(master)
    if (workspace.vault / "vault.db").exists():
        try:
            Vault(workspace.vault, secrets).close()
        except VaultError:
            raise VaultError(
                f"{workspace.vault / KEYRING} is missing, and the master key by itself does not open the vault. "
                "Restore the keyring from a backup; if there never was one, this is not the vault's master key."
            ) from None
    path = key_file(workspace)
    return Keyring.make(secrets, LocalKey(master, str(path or ENV_KEY)))


def _new(workspace: Workspace, settings: VaultSettings | None) -> Keyring:
    chosen = settings or load_settings().vault
    provider: KeyProvider
    match configured_kind(chosen):
        case "age":
            provider = age_key(chosen.age_recipients)
        case "transit":
            provider = transit_key(chosen)
        case _:
            provider = LocalKey(master_key(workspace), str(key_file(workspace) or ENV_KEY))
    return Keyring.make(Secrets.random(), provider)
