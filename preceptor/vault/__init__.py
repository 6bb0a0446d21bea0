"""The encrypted store of raw documents and EHR records. All that is red lies here and nowhere else.

- `store`: the vault itself; `sealing`: how a value is sealed and a key wrapped;
  `database`: the SQLite files
- `keyring`, `providers`, `opening`: the secrets of a home, what opens them, and where that is found
- `audit`: who read what, and why; `verification`, `rotation`: `preceptor vault verify` and `rotate`
"""

from preceptor.vault.errors import VaultError
from preceptor.vault.opening import open_vault
from preceptor.vault.store import BatchCounts, Vault

__all__ = ["BatchCounts", "Vault", "VaultError", "open_vault"]
