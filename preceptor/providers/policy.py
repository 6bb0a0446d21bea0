"""What must be true before anything leaves for a provider. It fails closed: whatever sends asks for a `Permit`, and only
this module makes one.

The agreement (BAA) on file has to name this host and this region and to hold today; the settings have to open the endpoint
for de-identified text (zone amber); and a privacy officer has to have signed exactly what is to be sent: endpoint, model,
data set versions, the hashes of the files, and the cost that was estimated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from ipaddress import ip_address
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from preceptor.errors import GateRefused, UsageError
from preceptor.providers.material import Measured
from preceptor.release.chain import Event, signature_holds
from preceptor.release.store import Store
from preceptor.release.users import entitled
from preceptor.settings import ProviderSettings, Settings
from preceptor.versions import digest

APPROVED = "provider_approved"
MAY_APPROVE = frozenset({"privacy"})
# What data are sent for: to be trained on (and the test cases to be answered by what was trained), to be rewritten, or only
# the test cases to be answered by the provider's own model.
Purpose = Literal["training", "synthesis", "evaluation"]


class PolicyRefused(GateRefused):
    """Nothing was sent, because of `rule`."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a privacy officer signs, whole: for what, where, and (in the classes below) what is sent there."""

    purpose: ClassVar[Purpose]

    provider: str
    endpoint: str
    api: str
    model: str
    region: str

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping: counts and hashes, no text."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 in hex over all of it."""
        return digest(self.facts())


@dataclass(frozen=True, slots=True)
class Sending(_Signed):
    """All that is signed. `data`: data set versions by stage. `files`: what is uploaded. Besides, the `test_cases` of the
    curated version are asked of the tuned model when it is evaluated. `estimated_cost` in US dollars, None: not known."""

    purpose = "training"

    data: dict[str, str]
    files: dict[str, Measured]
    test_cases: int
    epochs: int
    seed: int
    estimated_tokens: int
    estimated_cost: float | None


@dataclass(frozen=True, slots=True)
class Writing(_Signed):
    """All that is signed before a provider's model may rewrite training examples: of the curated version `curated`, so many
    `candidates`, asked with the instruction of SHA-256 `instruction`."""

    purpose = "synthesis"
    rule = "writing-not-approved"

    curated: str
    candidates: int
    instruction: str
    max_new_tokens: int
    estimated_tokens: int
    estimated_cost: float | None

    @property
    def deed(self) -> str:
        """What the provider's model would do."""
        return f"rewrites {self.candidates} examples"


@dataclass(frozen=True, slots=True)
class Answering(_Signed):
    """All that is signed before a provider's model, as it is, may be asked the first `cases` test cases of `curated`."""

    purpose = "evaluation"
    rule = "answering-not-approved"

    curated: str
    cases: int
    max_new_tokens: int
    estimated_tokens: int
    estimated_cost: float | None

    @property
    def deed(self) -> str:
        """What the provider's model would do."""
        return f"answers {self.cases} test cases"


@dataclass(frozen=True, slots=True)
class Permit:
    """That something may be sent to `endpoint`: files of these SHA-256, or examples of the version `curated`.

    `approval` is the number of the signed event that it rests on.
    """

    endpoint: str
    approval: int
    files: frozenset[str] = field(default_factory=frozenset)
    curated: str = ""


def provider_named(name: str, settings: Settings) -> ProviderSettings:
    """Its settings. Raises `UsageError` for a name that they do not have."""
    found = settings.providers.get(name)
    if found is None:
        known = ", ".join(settings.providers) or "none"
        raise UsageError(
            f"There is no provider {name!r} (rule provider-unknown); the settings have {known}. Add providers.{name} to the "
            "configuration: docs/providers.md shows one."
        )
    return found


def terms_broken(name: str, provider: ProviderSettings, today: date | None = None) -> list[PolicyRefused]:
    """What stands against sending de-identified text there, whoever signs; empty if nothing does."""
    day, baa = today or datetime.now(UTC).date(), provider.baa
    host = urlsplit(provider.base_url).hostname or ""
    found = []

    def refuse(rule: str, what: str, remedy: str) -> None:
        text = f"Nothing was sent to {provider.base_url}: {what} (rule {rule}). {remedy}"
        found.append(PolicyRefused(rule, text))

    if not provider.base_url.startswith("https://") and not is_loopback(provider.base_url):
        refuse("endpoint-not-encrypted", "it is no https address", f"Set providers.{name}.base_url to one.")
    if provider.zone != "amber":
        refuse(
            "zone-not-allowed",
            f"providers.{name}.zone is {provider.zone}, and de-identified text is amber",
            "Whoever answers for the data opens it with zone: amber.",
        )
    if baa is None:
        refuse(
            "baa-missing",
            "no business associate agreement is on file for it",
            f"Have one signed, and put where it is filed into providers.{name}.baa.",
        )
        return found
    if baa.expires < day:
        refuse(
            "baa-expired",
            f"the agreement {baa.reference} held until {baa.expires}",
            f"Renew it, then set providers.{name}.baa.expires.",
        )
    if host not in baa.hosts:
        refuse(
            "baa-other-endpoint",
            f"the agreement {baa.reference} does not name the host {host}",
            f"If it does, add the host to providers.{name}.baa.hosts.",
        )
    if provider.region not in baa.regions:
        refuse(
            "region-not-covered",
            f"it processes in {provider.region}, and the agreement {baa.reference} is for "
            f"{', '.join(baa.regions) or 'no region'}",
            "Choose an endpoint in one of those regions.",
        )
    return found


def require_terms(name: str, provider: ProviderSettings, today: date | None = None) -> None:
    """Raise the first `PolicyRefused` of `terms_broken`."""
    for refusal in terms_broken(name, provider, today):
        raise refusal


def approve(
    store: Store, sending: Sending | Writing | Answering, *, as_user: str, password: str, reason: str
) -> Event:
    """Sign that exactly this may be sent; for training one signature is for one job. Return the event.

    Raises `UsageError` without a reason, `NotAuthenticated`, and `GateRefused` for another role than privacy.
    """
    signer = entitled(store, as_user, password, MAY_APPROVE, "approve sending data to a provider", reason)
    payload = sending.facts() | {"sent": sending.digest, "role": signer.role, "reason": reason.strip()}
    subject = _subject(sending.provider, sending.purpose)
    return store.append(APPROVED, subject, signer.name, payload, signer.sign)


def approvals(store: Store, name: str, purpose: Purpose = "training") -> list[Event]:
    """Approvals for a provider and a purpose whose signatures hold and whose signers were privacy officers.

    Raises `RecordBroken`.
    """
    store.require_intact()
    known = store.people()
    return [
        event
        for event in store.events(subject=_subject(name, purpose), kinds=(APPROVED,))
        if (person := known.get(event.actor)) is not None
        and person.may_sign(event, MAY_APPROVE)
        and signature_holds(event, person.public_key)
    ]


def permit_training(
    store: Store, provider: ProviderSettings, sending: Sending, used: frozenset[int] = frozenset()
) -> Permit:
    """The permit to upload the files of `sending` and to train on them. `used`: approvals whose job has ended already.

    Raises `PolicyRefused` naming the rule that is broken.
    """
    name = sending.provider
    require_terms(name, provider)
    signed = [e for e in approvals(store, name) if e.payload["sent"] == sending.digest]
    free = [event for event in signed if event.id not in used]
    if free:
        files = frozenset(measured.sha256 for measured in sending.files.values())
        return Permit(provider.base_url, free[-1].id, files, sending.data["curated"])
    how = f"preceptor providers approve {name} --as USER --reason TEXT"
    if signed:
        raise PolicyRefused(
            "approval-used",
            f"Nothing was sent to {provider.base_url}: the job that was approved has ended, and an approval is for one job "
            f"(rule approval-used). A privacy officer signs for another with '{how}'.",
        )
    raise PolicyRefused(
        "not-approved",
        f"Nothing was sent to {provider.base_url}: no privacy officer has approved these data, this model and this cost "
        f"(rule not-approved). 'preceptor train --provider {name} --estimate' shows them, '{how}' signs.",
    )


def permit_answers(store: Store, name: str, provider: ProviderSettings, curated: str | None) -> Permit:
    """The permit to ask the provider's model the test cases of a curated version.

    Raises `PolicyRefused`; for cases of a file (`curated` None) always, since nobody can have approved them.
    """
    require_terms(name, provider)
    if curated is None:
        raise not_of_a_file(provider)
    for event in reversed(approvals(store, name)):
        if event.payload["endpoint"] == provider.base_url and event.payload["data"]["curated"] == curated:
            return Permit(provider.base_url, event.id, curated=curated)
    raise PolicyRefused(
        "cases-not-approved",
        f"Nothing was sent to {provider.base_url}: no privacy officer has approved sending the test cases of curated/{curated} "
        f"there (rule cases-not-approved). 'preceptor providers approve {name} --as USER --reason TEXT' signs for the newest.",
    )


def not_of_a_file(provider: ProviderSettings) -> PolicyRefused:
    """The refusal of cases that nobody can have approved."""
    return PolicyRefused(
        "cases-not-approved",
        f"Nothing was sent to {provider.base_url}: what is approved are the test cases of a curated version, not cases of "
        "a file (rule cases-not-approved). Evaluate without --cases, or leave the arms of this model out with --arm.",
    )


def permit_asking(store: Store, provider: ProviderSettings, asked: Writing | Answering) -> Permit:
    """The permit to have the provider's model rewrite or answer exactly what was signed. Raises `PolicyRefused`."""
    name = asked.provider
    require_terms(name, provider)
    for event in reversed(approvals(store, name, asked.purpose)):
        if event.payload["sent"] == asked.digest:
            return Permit(provider.base_url, event.id, curated=asked.curated)
    raise PolicyRefused(
        asked.rule,
        f"Nothing was sent to {provider.base_url}: no privacy officer has approved that it {asked.deed} of curated/{asked.curated} "
        f"(rule {asked.rule}). 'preceptor providers approve {name} --for {asked.purpose} --as USER --reason TEXT' shows what "
        "would be sent, and signs.",
    )


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine, where nothing leaves."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _subject(name: str, purpose: Purpose) -> str:
    return f"provider/{name}" if purpose == "training" else f"provider/{name}/{purpose}"
