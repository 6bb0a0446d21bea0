"""The audit log of what left for a provider, and what was not let go: references, hashes and rules, no text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from preceptor.providers.policy import PolicyRefused
from preceptor.settings import VaultSettings, Workspace
from preceptor.vault import open_vault
from preceptor.vault.audit import is_reference


def note_sent(
    workspace: Workspace, vault: VaultSettings, why: str, details: Mapping[str, Any], documents: Sequence[str]
) -> None:
    """Write that text made from these documents is about to be sent; before it is, so that none leaves unnoted."""
    with closing(open_vault(workspace, vault)) as opened:
        opened.audit.append("sent", why, "", details, [ref for ref in documents if is_reference(ref)])


@contextmanager
def noting_refusals(workspace: Workspace, vault: VaultSettings, why: str, provider: str) -> Iterator[None]:
    """Write down a `PolicyRefused` that passes through, and let it pass."""
    try:
        yield
    except PolicyRefused as refusal:
        with closing(open_vault(workspace, vault)) as opened:
            opened.note("refused", why, "", {"rule": refusal.rule, "provider": provider})
        raise
