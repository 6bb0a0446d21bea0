"""One typed settings object: the shipped defaults below, then a profile, then the user's file, then the environment.

Each later layer only adds to the ones before. A key that is unknown or of a wrong type is an error that names the
key, the file and the line.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from preceptor.documents.limits import Limits
from preceptor.errors import UsageError
from preceptor.monitoring.rules import RollbackPolicy, TrafficSettings
from preceptor.near_keys import near_key

ROOT = Path(__file__).resolve().parent.parent
PROFILES = ROOT / "recipes" / "profiles"
TASKS = ("bh_note", "coding_cardiology", "coding_orthopaedics", "summary", "differential")
# What a row of a table of documents may hold (preceptor/documents/rows.py says more).
COLUMNS = (
    "text", "note_id", "patient_id", "note_type", "specialty", "encounter", "date", "author_role", "reference_summary",
    "codes", "patient",
)  # fmt: skip
# As preceptor/curation/balance.py counts them.
GROUPS = ("specialty", "note type", "age band", "sex", "language", "site", "author", "year")
BUNDLED_CORPUS = "examples/corpus/documents"
ARMS = ("base", "fewshot", "rag", "finetuned", "finetuned+rag", "champion", "endpoint")

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

T = TypeVar("T")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamesRule(_Section):
    """Which values of one property are wanted: patterns with `*` and `?`, compared without case. Empty: all."""

    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class DatesRule(_Section):
    since: date | None = None  # the first day wanted
    until: date | None = None  # the last day wanted


class WordsRule(_Section):
    min: int = 0
    max: int = 1_000_000


class SelectionSettings(_Section):
    """Which documents come in at all. One that breaks a rule is counted under it, and nothing of it is kept."""

    note_types: NamesRule = NamesRule()
    specialties: NamesRule = NamesRule()
    author_roles: NamesRule = NamesRule()
    languages: NamesRule = NamesRule()  # ISO 639-1 codes, guessed from the text
    dates: DatesRule = DatesRule()
    words: WordsRule = WordsRule()
    unknown: Literal["refuse", "take"] = "refuse"  # a document that does not say what a rule asks for


class IntakeSettings(_Section):
    max_file_mb: float = 64.0  # a larger "document" is nearly always an export gone wrong
    max_characters: int = 2_000_000  # after reading, per document
    max_table_mb: float = 4096.0  # a JSONL or CSV file; it is read row by row
    max_archive_mb: float = 4096.0
    max_expanded_mb: float = 16384.0  # all members of an archive together, those of archives inside it too
    max_members: int = 200_000
    max_seconds: float = 60.0  # for one file or member; then the process that reads it is ended
    max_memory_mb: int = 2048  # for each process that reads
    workers: int = 0  # processes that read; 0: one for every core
    ocr: bool = False  # read scans and pictures with tesseract, which has to be installed
    ocr_languages: str = "eng"  # as tesseract names them, joined by +
    ocr_max_seconds: float = 1800.0  # for one file or member, where OCR is on
    columns: dict[str, str] = Field(
        default_factory=dict
    )  # of JSONL and CSV: what it holds to the column's name
    selection: SelectionSettings = SelectionSettings()
    # Files of patient ids or MRNs, one a line (or the first column of a CSV). Read again at every later stage.
    opt_out: str | None = None  # these are never used
    consent: str | None = None  # only these are used

    def limits(self) -> Limits:
        """The bounds for reading one file."""
        return Limits(**{f.name: getattr(self, f.name) for f in fields(Limits)})

    @field_validator("columns")
    @classmethod
    def _columns_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(COLUMNS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: name any of {', '.join(COLUMNS)}")
        return value


class RestrictedAreas(_Section):
    """Three-digit ZIP areas with 20 000 people or fewer, whose code becomes 000 (45 CFR 164.514(b)(2)(i)(B)).

    HHS asks for the newest census figures that are public; whoever has a newer list sets it here with its date. It is
    part of the name of every version made with it.
    """

    census: str = "2000 census ZCTAs"
    source: str = "HHS OCR, Guidance Regarding Methods for De-identification, section 3.2"
    listed: date = date(2012, 11, 26)
    prefixes: tuple[str, ...] = (
        "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890",
        "893",
    )  # fmt: skip

    @field_validator("prefixes")
    @classmethod
    def _three_digits(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(p) != 3 or not p.isdigit() for p in value):
            raise ValueError("a prefix is three digits, in quotes")
        return tuple(sorted(set(value)))


class DeidSettings(_Section):
    mode: Literal["surrogate", "mask"] = "surrogate"
    # What becomes of dates, ages and places: docs/deidentification.md#policies, preceptor/deid/policies.py.
    policy: Literal["safe_harbor", "limited_dataset", "shifted"] = "shifted"
    # Empty: the tagger that comes with Preceptor. trained: the newest of this home, made by the asset phi_tagger or
    # `preceptor deid train`. A path: another such file. none: rules alone.
    tagger: str = ""
    annotations: tuple[str, ...] = ()  # a hospital's annotated notes, to train the tagger on beside our own
    recognizers: tuple[str, ...] = ()  # others beside ours: module:Class of Presidio, or hf:NAME
    threshold: float = 0.3  # spans scored lower are left; a miss costs more than a false alarm
    date_shift_days: int = Field(
        default=365, ge=1
    )  # a patient's dates move by one to this many days, forward or back
    keep_weekdays: bool = (
        False  # move by whole weeks: a Monday clinic stays one, and the offset is easier to guess
    )
    # consistent: one stand-in an identity. markov: at a mention it sometimes changes, so that a missed name hides.
    surrogates: Literal["consistent", "markov"] = "consistent"
    redraw: float = Field(
        default=0.1, ge=0, le=1
    )  # the probability of that change; Electronics 2025;14(19):3945
    restricted_zip3: RestrictedAreas = RestrictedAreas()
    workers: int = Field(default=0, ge=0)  # processes that de-identify a large batch; 0: one for every core
    ages_as_of: int = (
        2026  # under safe_harbor, birth years more than 89 years before it go; raise it every year
    )

    @field_validator("keep_weekdays")
    @classmethod
    def _room_for_a_week(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("date_shift_days", 7) < 7:
            raise ValueError("needs deid.date_shift_days of 7 or more")
        return value


class VaultSettings(_Section):
    """What keeps the keyring of a new home; an existing one changes with `preceptor vault rotate`."""

    keys: Literal["auto", "local", "age", "transit"] = (
        "auto"  # auto: age if PRECEPTOR_AGE_IDENTITY_FILE is set
    )
    age_recipients: tuple[str, ...] = ()  # these can open the keyring too (escrow): age1…
    transit_key: str | None = None  # the name of the key in the Transit engine at VAULT_ADDR
    transit_mount: str = "transit"


class QualitySettings(_Section):
    max_quarantined_share: float = 0.2  # a batch with more than this unread needs a person
    min_documents: int = 1


class CurationSettings(_Section):
    tasks: tuple[str, ...] = TASKS
    use_cases: str = ""  # a folder of further use cases; docs/curation.md#your-own-use-case
    min_prompt_words: int = 20
    max_prompt_words: int = 900
    min_answer_words: int = 1
    max_answer_words: int = 400
    language: str = "en"  # ISO 639-1, of documents and answers
    min_number_support: float = 0.5  # of an answer's numbers, at least three, that its source must have
    min_term_support: float = 0.1  # of an answer's longer words; a summary of speech shares few with it
    max_copied: float = 0.8  # of a document, by characters, from earlier notes of the patient
    max_boilerplate: float = 0.8  # of a document, from paragraphs that many patients' notes have
    # Whom the model is for: shares by group of each of GROUPS that matters. A group that is missing or has less than half
    # of its share is named; a recipe may weigh the examples toward it (`sampling.population`).
    population: dict[str, dict[str, float]] = Field(default_factory=dict)
    decontaminate_against: tuple[
        str, ...
    ] = ()  # benchmarks: JSONL files; what shares a run of words with them goes
    # Under which licence or consent the documents of a source (`intake --source`) or batch may be learnt from, where the
    # use case does not say it.
    basis: dict[str, str] = Field(default_factory=dict)
    duplicate_jaccard: float = 0.8  # 5-word shingles; the value used for GPT-3-era web corpora and since
    test_share: float = 0.2  # of patients
    validation_share: float = 0.1
    # Who is tested on: patients whom a hash chooses, or those who were seen last, as a model in use meets them.
    split_by: Literal["hash", "time"] = "hash"
    decontamination_ngram: int = 13  # words; Brown et al. 2020 (GPT-3), appendix C
    decontamination_share: float = 0.05  # of a source or an answer, by words, in such runs: it goes
    # Cosine to a held-out text by word vectors from which on it is the same in other words; over 1: not looked at.
    decontamination_similarity: float = 0.9

    @field_validator("population")
    @classmethod
    def _shares_of_groups(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        if unknown := sorted(set(value) - set(GROUPS)):
            raise ValueError(f"{', '.join(unknown)}: name any of {', '.join(GROUPS)}")
        for name, shares in value.items():
            if not shares or any(share < 0 for share in shares.values()) or sum(shares.values()) > 1.001:
                raise ValueError(f"{name}: give groups their shares, none under 0 and together 1 at most")
        return value


class SufficiencySettings(_Section):
    min_effective: int = (
        5  # different training examples of a use case; where none has as many, nothing is trained
    )
    curve: bool = False  # measure the learning curve: four short trainings, ten minutes on two cores
    passes: float = Field(default=1.0, gt=0)  # of each over its part
    max_steps: int = Field(default=0, ge=0)  # of each; 0: as many as the passes take


class SynthesisSettings(_Section):
    generator: Literal["local", "provider", "none"] = "local"
    provider: str = (
        ""  # a name of `providers`, for `provider`: its model writes, under the same policy as training there
    )
    candidates: int = 12
    knowledge: int = (
        0  # problem lists in the terms of ICD-10-CM, for codes that training has few of; needs no model
    )
    variations: int = 0  # examples in another style, order, typing or of the other sex; needs no model
    # Seeds of the use cases first that the last evaluation scored lowest. The scores are of the test split: the next
    # evaluation on it is a little too good.
    target_weak: bool = False
    judge: bool = True  # a second pass over what a model wrote, by the base model: docs/curation.md
    max_share: float = 0.2  # of the training split
    max_new_tokens: int = 160
    batch_size: int = 6

    @model_validator(mode="after")
    def _names_its_provider(self) -> SynthesisSettings:
        if (self.generator == "provider") != bool(self.provider):
            raise ValueError("generator: provider and provider: NAME go together")
        return self


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as wrong:
        raise ValueError(f"is no regular expression: {wrong}") from None
    return value


Pattern = Annotated[str, AfterValidator(_compiles)]  # a regular expression
# As Kubernetes takes them: a name of an object, an amount such as 64Gi or 500m, a name of a variable.
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?$")]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_SECRET_NAME = re.compile(r"(^|_)(token|secret|password|passphrase|credential|key)s?(_|$)", re.IGNORECASE)


class SecretKey(_Section):
    """Where the cluster keeps a value: the names of a Secret and of a key in it. The value itself is nowhere here."""

    secret: ObjectName
    key: str = Field(pattern=r"^[-._a-zA-Z0-9]+$")


class Toleration(_Section):
    """A taint that nodes may have."""

    key: str | None = None  # null: any
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None  # null: any


class KubernetesSettings(_Section):
    """How `--launcher k8s` trains in a cluster; docs/training.md#on-kubernetes."""

    image: str = Field(pattern=r"^\S+$")  # one of docker/Dockerfile, of this very version of Preceptor
    # The home has to lie on this claim: in its folder `sub_path`, and in the pods at `mount_path` (empty: as here).
    claim: ObjectName
    sub_path: str = ""
    mount_path: str = ""
    namespace: ObjectName = "default"
    kind: Literal["job", "pytorchjob"] = "job"  # pytorchjob needs Kubeflow's training operator
    nodes: int = Field(default=1, ge=1)  # pods that train together
    gpus: int = Field(default=1, ge=0)  # of each pod, and as many processes; 0: one process on the CPU
    gpu_resource: str = Field(default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")
    # Of each pod, asked for and not exceeded. What lies in the shared memory counts toward the memory.
    cpu: Quantity = "8"
    memory: Quantity = "64Gi"
    shared_memory: Quantity = "16Gi"
    scratch: Quantity = "20Gi"  # /tmp, on the node's disk
    user: int = Field(default=10001, ge=1)  # the owner of the home's files; 10001 is the image's
    group: int = Field(default=10001, ge=1)
    service_account: ObjectName | None = None
    image_pull_secrets: tuple[ObjectName, ...] = ()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    env: dict[VariableName, str] = Field(default_factory=dict)  # such as NCCL's; never a secret
    secret_env: dict[VariableName, SecretKey] = Field(default_factory=dict)
    ttl_seconds: int = Field(default=86_400, ge=300)  # that a job which ended is still seen in the cluster
    backoff_limit: int = Field(default=3, ge=0)  # failures until it gives up; being pushed off a node is none
    grace_seconds: int = Field(default=600, ge=30)  # for the step and its checkpoint when a pod has to go
    kubectl: str = "kubectl"  # a name on the PATH, or a file
    context: str = ""  # of kubectl's configuration; empty: its current one
    poll_seconds: float = Field(default=5.0, gt=0)

    @field_validator("sub_path")
    @classmethod
    def _inside_the_claim(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError("a folder of the claim: without / before it and without ..")
        return value.strip("/")

    @field_validator("mount_path")
    @classmethod
    def _a_place_of_its_own(cls, value: str) -> str:
        parts = value.split("/")
        if value and (
            parts[0] or ":" in value or ".." in parts or parts[1] in ("", "tmp", "dev", "proc", "sys")
        ):
            raise ValueError(
                "an absolute path in the pod, without : and .., and not in /tmp, /dev, /proc or /sys"
            )
        return value.rstrip("/")

    @field_validator("env")
    @classmethod
    def _no_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        if named := sorted(name for name in value if _SECRET_NAME.search(name)):
            raise ValueError(
                f"{', '.join(named)}: looks like a secret; name where the cluster keeps it, in secret_env"
            )
        return value


class TrainingSettings(_Section):
    recipe: str = "recipes/train/lora-cpu.yaml"
    overrides: dict[str, Any] = Field(default_factory=dict)
    launcher: Literal["auto", "local", "torchrun", "deepspeed", "k8s"] = "auto"
    processes: int = 0  # 0: one for every device, or as training.kubernetes says
    hostfile: str = (
        ""  # several machines by DeepSpeed: a line "name slots=N" each; all see the home at the same path
    )
    kubernetes: KubernetesSettings | None = None
    provider: str = ""  # a name of `providers`: it trains, and nothing is trained here
    must_fit: bool = True  # refuse what the estimate of memory says does not fit; false: say so, and try


class Agreement(_Section):
    """The business associate agreement on file for an endpoint: where it is filed, and what it holds for."""

    reference: str = Field(min_length=1)  # where the signed paper is; no text of it
    expires: date  # the last day it holds
    hosts: tuple[str, ...]  # those of the endpoints that it names
    regions: tuple[str, ...]  # where the data may be processed by it


class ProviderSettings(_Section):
    """Somebody else's service that fine-tunes or writes over an API like OpenAI's; docs/providers.md."""

    base_url: str  # https://api.openai.com/v1, https://RESOURCE.openai.azure.com
    api: Literal["openai", "azure"] = "openai"
    api_version: str = ""  # of azure: the parameter api-version
    model: str = Field(min_length=1)  # the one to fine-tune or to write, as the provider calls it
    deployment: str = ""  # azure: the name under which the fine-tuned model was deployed, to ask it
    key_env: VariableName  # the environment variable that holds the key; the key itself stands in no file
    region: str = Field(min_length=1)  # where this endpoint processes
    zone: Literal["green", "amber"] = "green"  # what may be sent: amber is de-identified text, green is none
    baa: Agreement | None = None
    price_list: str = ""  # whose prices of recipes/prices.yaml hold here, such as openai; empty: not known
    epochs: int = Field(default=3, ge=1, le=50)
    seed: int = 20
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] = (
        "max_tokens"  # newer models want the latter
    )
    poll_seconds: float = Field(default=15.0, gt=0)  # between two looks at a job; later up to four times that
    retry_seconds: float = Field(
        default=2.0, gt=0
    )  # before the first repetition where the provider names no time

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("an address such as https://api.openai.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address without user, password, ? and #; the key comes from key_env")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _azure_wants_a_version(self) -> ProviderSettings:
        if self.api == "azure" and not self.api_version:
            raise ValueError("api azure needs api_version, such as 2024-10-21")
        return self


class SearchSettings(_Section):
    """Of `preceptor search` and the asset `recipe_search`; nothing else searches."""

    space: str = "recipes/search/lora.yaml"
    trials: int = Field(default=0, ge=0)  # 0: as many as the space says


class MemorisationSettings(_Section):
    """What attacks on a model's memory may cost; docs/evaluation-memorisation.md."""

    examples: int = Field(default=64, ge=0)  # training examples attacked, and as many held-out; 0: no attack
    continuation_tokens: int = Field(default=20, ge=4)  # an extraction must reproduce
    reference_samples: int = Field(default=512, ge=100)  # random secrets that canaries are ranked among


class RobustnessSettings(_Section):
    """The same cases with their documents written otherwise; docs/evaluation-robustness.md."""

    cases: int = Field(default=24, ge=0)  # each costs up to six answers of every model; 0: not looked at


class SafetySettings(_Section):
    """Prompts that must be refused or handled; docs/evaluation-robustness.md."""

    cases: int = Field(default=24, ge=0)  # prompts of each kind, at most one a patient; 0: not looked at
    prompts: str = "recipes/safety"  # a folder with a YAML file for each kind


class CounterfactualSettings(_Section):
    """The same case of another sex, age, insurance, name …; docs/evaluation-fairness.md."""

    cases: int = Field(default=24, ge=0)  # pairs of each attribute; 0: not looked at
    pairs: str = "recipes/fairness/counterfactuals.yaml"


class EvaluationSettings(_Section):
    arms: tuple[str, ...] = tuple(arm for arm in ARMS if arm != "endpoint")
    endpoint: str = (
        ""  # a name of `providers`: its model answers in the arm `endpoint`; docs/evaluation-arms.md
    )
    max_cases: int = 0  # 0: all of the test split; else the first by case id
    batch_size: int = 8
    max_new_tokens: int = 160
    fewshot_examples: int = 2  # at most so many are shown; docs/evaluation-arms.md
    fewshot_cases: int = Field(
        default=4, ge=0
    )  # of the validation split, each use case, to choose by; 0: drawn by the seed
    fewshot_draws: int = Field(
        default=2, ge=1
    )  # of each number of examples, beside those nearest to the case
    fewshot_candidates: int = Field(default=8, ge=1)  # tried for each use case
    fewshot_instructions: dict[str, tuple[str, ...]] = Field(
        default_factory=dict
    )  # other wordings, by use case
    rag_documents: int = 2  # earlier cases shown
    rag_passages: int = Field(default=2, ge=0)  # of reference texts
    reference_texts: str = ""  # a folder of text, Markdown and PDF files; empty: none
    embeddings: str = (
        ""  # the folder of a model that makes vectors of texts; empty: the word vectors that ship
    )
    max_prompt_tokens: int = 1536
    bootstrap_samples: int = 10_000
    seed: int = 20
    benchmarks: tuple[str, ...] = ()  # names of recipes/benchmarks.yaml
    benchmark_data: str | None = None  # a folder with one folder a benchmark; null: the hub
    benchmark_cases: int = Field(default=0, ge=0)  # the first so many of each; 0: all
    memorisation: MemorisationSettings = MemorisationSettings()
    robustness: RobustnessSettings = RobustnessSettings()
    safety: SafetySettings = SafetySettings()
    counterfactuals: CounterfactualSettings = CounterfactualSettings()
    relevant_difference: float = Field(default=0.03, gt=0, le=1)  # of scores; the least that would matter
    fresh_cases: int = Field(default=40, ge=0)  # of batches that came after the champion's data; 0: none
    regression_set: str = ""  # a JSONL file, or a folder of them; docs/evaluation-gates.md

    @model_validator(mode="after")
    def _names_its_endpoint(self) -> EvaluationSettings:
        if ("endpoint" in self.arms) != bool(self.endpoint):
            raise ValueError("the arm endpoint and endpoint: NAME go together")
        return self


class Limit(_Section):
    """A bound on one number of the report. What the report does not have fails, unless it is not required."""

    min: float | None = None
    max: float | None = None
    required: bool = True

    @model_validator(mode="after")
    def _bounds_something(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class UseCaseGate(_Section):
    """What one use case must show by itself; null: nothing of its own."""

    min_cases: int | None = None
    min_gain_over_base: float | None = None  # the lower end of its interval must exceed it
    max_loss_to_base: float | None = None  # in place of gates.max_task_loss_to_base
    max_loss_to_champion: float | None = None  # the lower end of its interval may not fall below -this
    limits: dict[str, Limit | None] = Field(default_factory=dict)  # of its own measures, such as rouge_l


class GateSettings(_Section):
    """What a fine-tuned model must show before it may wait for approval; docs/evaluation-gates.md."""

    policy: str = "recipes/gates/standard.yaml"  # a file of these keys, under what is set here; empty: none
    min_cases: int = 10
    min_gain_over_champion: float | None = None  # the lower end must exceed it; null: no gain is asked for
    limits: dict[str, Limit | None] = Field(
        default_factory=dict
    )  # PROBE.NUMBER; null lifts one of the policy
    use_cases: dict[str, UseCaseGate] = Field(default_factory=dict)
    # Whether there must be a regression set; one that is there must pass in any case.
    regression: Literal["if_given", "required"] = "if_given"
    min_gain_over_base: float = (
        0.0  # lower end of the 95 % interval of the paired mean difference must exceed it
    )
    max_loss_to_champion: float = (
        0.02  # same, against the present champion: the lower end may not fall below -this
    )
    max_task_loss_to_base: float = 0.05  # on the mean of every task by itself


class ReleaseSettings(_Section):
    model_name: str = "preceptor"
    required_approvals: int = 1
    evaluation_valid_days: int = Field(default=90, ge=0)  # older ones do not promote; 0: they do not expire
    smoke_prompts: str = "recipes/smoke-prompts.yaml"  # asked of the files before a promotion; empty: none
    # A promotion that has been at work for longer is taken for killed, and asked for again: loading a model is the longest part.
    promotion_minutes: float = Field(default=10.0, gt=0)
    smoke_on_rollback: bool = False  # also before a rollback, which then takes as long as loading the model
    # Servers (`preceptor serve`) that must report a new champion, as http://HOST:PORT; none: nobody is asked.
    verify_serving: tuple[str, ...] = ()
    verify_seconds: float = Field(default=120.0, gt=0)  # they load the model meanwhile
    on_unserved: Literal["tell", "roll_back"] = "tell"  # what follows if one does not

    @field_validator("verify_serving")
    @classmethod
    def _plain_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            parts = urlsplit(url)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or parts.query
                or "@" in parts.netloc
            ):
                raise ValueError("an address is http://HOST:PORT or https://…, without password or query")
        return value


class ReviewSettings(_Section):
    """The review app; docs/review.md."""

    host: str = "127.0.0.1"  # another address needs TLS
    names: tuple[str, ...] = ()  # by which a reverse proxy is asked for it, such as review.hospital.example
    tls_certificate: str | None = None  # PEM files; with them cookies are Secure and browsers keep to https
    tls_key: str | None = None
    idle_minutes: int = Field(default=15, ge=1)  # without a click; HIPAA 164.312(a)(2)(iii), automatic logoff
    session_hours: int = Field(default=8, ge=1)  # whatever happens
    failures: int = Field(default=5, ge=1)  # wrong passwords for a name until it is locked
    lock_minutes: int = Field(default=15, ge=1)
    overlap: float = Field(default=0.3, ge=0, le=1)  # share of the cases that two people judge


class ServingLabels(_Section):
    """What a request may say of its case in `metadata`; anything else is counted as `other`, so that no text gets in."""

    note_type: tuple[str, ...] = (
        "admission note", "consultation", "dialogue", "discharge summary", "hospital course", "operative report",
        "progress note", "radiology report", "referral", "session note",
    )  # fmt: skip
    specialty: tuple[str, ...] = (
        "behavioral health", "cardiology", "emergency", "internal medicine", "neurology", "oncology", "orthopaedics",
        "paediatrics", "primary care", "radiology", "surgery",
    )  # fmt: skip
    language: tuple[str, ...] = ("de", "en", "es", "fr", "it", "nl", "pt", "zh")
    sex: tuple[str, ...] = ("female", "male")
    age_band: tuple[str, ...] = ("0-17", "18-39", "40-64", "65-79", "80+")


class ServingSettings(_Section):
    """Of `preceptor serve`; docs/serving.md."""

    host: str = "127.0.0.1"  # another address is refused without API keys
    port: int = Field(default=8080, ge=0, le=65535)  # 0: any free one
    backend: Literal["auto", "transformers", "vllm"] = (
        "auto"  # auto: vLLM where there is a GPU and it is installed
    )
    adapters: Literal["merged", "attached"] = (
        "merged"  # merged answers as evaluated; attached shares all of the base
    )
    rows: int = Field(default=8, ge=1)  # answers that are written together
    queue: int = Field(default=64, ge=1)  # requests that may wait; one more is turned away
    queue_seconds: float = Field(default=30.0, gt=0)  # the longest wait before a request is turned away
    max_seconds: float = Field(default=300.0, gt=0)  # for one answer, the wait included
    max_new_tokens: int = Field(default=512, ge=1)  # the most that a request may ask for
    max_prompt_tokens: int = Field(default=3072, ge=1)
    max_body_kb: int = Field(default=512, ge=1)
    requests_per_minute: int = Field(default=120, ge=1)  # of one key, unless the key says otherwise
    follow_seconds: float = Field(default=2.0, gt=0)  # between two looks at the alias
    rag_documents: int = Field(default=2, ge=1, le=10)
    transcripts: bool = True  # prompts and answers go to the vault, encrypted
    leak_check: bool = True  # look for identifiers in answers, after they went out; only how many is kept
    keep_transcripts_days: int = Field(default=30, ge=1)
    keep_traffic_days: int = Field(default=730, ge=1)
    labels: ServingLabels = ServingLabels()


class ExportTarget(_Section):
    """A place bundles are taken to. A bundle holds what was learned from de-identified notes, so it is amber."""

    where: Literal["on-premises", "cloud"] = "on-premises"
    zone: Literal["green", "amber"] = "green"  # amber: weights trained on de-identified text may go there
    region: str = ""
    baa: Agreement | None = None


class ExportSettings(_Section):
    """Which kind of bundle may be made for which place; docs/export.md."""

    targets: dict[
        Literal["hf", "gguf", "vllm-bundle", "ollama-bundle", "sagemaker", "azureml"], ExportTarget
    ] = Field(
        default_factory=lambda: {
            kind: ExportTarget(zone="amber") for kind in ("hf", "gguf", "vllm-bundle", "ollama-bundle")
        }
    )  # sagemaker and azureml: none until whoever answers for the data opens them


class RetrainingWindow(_Section):
    """Hours (UTC) on some days in which a retraining may start; from 22 to 6 goes over midnight, from the day that is named."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    )  # fmt: skip
    from_hour: int = Field(default=0, ge=0, le=23)
    to_hour: int = Field(default=24, ge=1, le=24)  # excluded

    @model_validator(mode="after")
    def _is_open_at_some_time(self) -> RetrainingWindow:
        if not self.days or self.from_hour == self.to_hour:
            raise ValueError("a window names a day at least, and two different hours")
        return self


class RetrainingSettings(_Section):
    """When a cause may start a retraining, and what it must bring; docs/retraining.md."""

    causes: tuple[
        Literal["calendar", "new-data", "drift", "quality", "erasure", "base-model"], ...
    ] = ("calendar", "new-data", "drift", "quality", "erasure", "base-model")  # fmt: skip
    new_reviewed: int = Field(
        default=10, ge=0
    )  # accepted or corrected since the champion; asked for beside new_documents
    # Alarms of production that a retraining may answer to, `*` for any letters; the others say nothing of the model.
    quality_alarms: tuple[str, ...] = ("abstained", "leaks", "kept", "rating", "answer_*", "gap_*")
    windows: tuple[RetrainingWindow, ...] = ()  # empty: at any time
    cooldown_days: float = Field(default=7, ge=0)  # after the end of the last one
    fruitless_cooldown_days: float = Field(default=30, ge=0)  # after one that brought nothing better
    retry_hours: float = Field(default=6, ge=0)  # after one that failed; erasure does not override this
    runs_per_month: int | None = Field(default=4, ge=0)  # a calendar month in UTC; null: no limit
    minutes_per_month: float | None = Field(default=None, ge=0)  # of runs, from start to end; null: no limit
    # The lower end of the 95 % interval of the gain over the champion must exceed it, whatever gates ask for otherwise.
    min_gain_over_champion: float = 0.0


class MonitoringSettings(_Section):
    retrain_cron: str = "0 3 1 * *"  # 03:00 on the first of the month
    champion_max_age_days: int = 180
    drift_psi: float = 0.25  # population stability index; above 0.25 is by convention a major shift
    new_documents: int = 50  # this many documents since the champion's data start a retraining
    retraining: RetrainingSettings = RetrainingSettings()
    traffic: TrafficSettings = TrafficSettings()  # what production was asked and answered
    rollback: RollbackPolicy = RollbackPolicy()


class WebhookSettings(_Section):
    url_env: VariableName  # the environment variable that holds the address; Slack's are secrets
    format: Literal["json", "slack"] = "json"
    secret_env: VariableName | None = None  # holds the secret by which the body is signed


class EmailSettings(_Section):
    host: str = Field(min_length=1)
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field(min_length=3)
    to: tuple[str, ...] = Field(min_length=1)
    user_env: VariableName | None = None
    password_env: VariableName = "SMTP_PASSWORD"


Statement = Annotated[str, Field(max_length=4000)]  # what only people can say; empty: not recorded


class AllowedRange(_Section):
    """How far one recorded value may move; what is left out is not bounded."""

    min: float | None = None
    max: float | None = None
    one_of: tuple[str | int | float | bool, ...] | None = None


class PlannedModification(_Section):
    """One modification of the change-control plan. `changes` and the keys of `allowed` are keys of the bundle, such as
    `recipe.recipe.optimizer.learning_rate`, with * and ?; `verification` are rules of the gates, such as `gain-over-base`
    or `task-loss:*`."""

    changes: tuple[str, ...] = Field(min_length=1)
    allowed: dict[str, AllowedRange] = Field(default_factory=dict)
    verification: tuple[str, ...] = Field(min_length=1)
    impact: Statement = ""  # benefits, risks and how they are mitigated


class ChangePlanSettings(_Section):
    """A predetermined change control plan, as it was agreed before; docs/papers.md."""

    reference: str = Field(min_length=1)  # where the agreed plan is filed
    modifications: dict[str, PlannedModification] = Field(min_length=1)


class ExternalValidationSettings(_Section):
    """Of a validation on data of another source, made outside of Preceptor."""

    source: Statement = ""
    party: Statement = ""
    representativeness: Statement = ""
    process: Statement = ""
    validity: Statement = ""
    fairness: Statement = ""


# 45 CFR 170.315(b)(11)(iv)(A)(5) to (13), in short and in their order.
HtiVariable = Literal[
    "race", "ethnicity", "language", "sexual orientation", "gender identity", "sex", "date of birth",
    "social determinants of health", "health status assessments",
]  # fmt: skip


class PapersSettings(_Section):
    """Statements for the governance documents; docs/papers.md. Name no patient: they are handed out."""

    developer: Statement = ""
    contact: Statement = ""
    funding: Statement = ""
    third_parties: Statement = ""
    stakeholders: Statement = ""
    release_stage: Statement = ""
    availability: Statement = ""
    ehr_compatibility: Statement = ""
    regulatory: Statement = ""
    summary: Statement = ""
    keywords: tuple[str, ...] = ()
    output_value: Statement = ""
    output_type: Statement = ""
    intended_use: Statement = ""
    intended_users: Statement = ""
    patient_population: Statement = ""
    decision_role: Statement = ""
    how_to_use: Statement = ""
    out_of_scope: Statement = ""
    known_risks: Statement = ""
    known_biases: Statement = ""
    clinical_risk_level: Statement = ""
    inclusion_criteria: Statement = ""
    input_variables: dict[HtiVariable, Statement] = Field(default_factory=dict)
    representativeness: Statement = ""
    relevance: Statement = ""
    fairness_approach: Statement = ""
    bias_mitigation: Statement = ""
    external_validation: ExternalValidationSettings = ExternalValidationSettings()
    outcome_evaluations: Statement = ""
    validity_monitoring: Statement = ""
    local_validity: Statement = ""
    fairness_monitoring: Statement = ""
    local_fairness: Statement = ""
    update_schedule: Statement = ""
    correction_schedule: Statement = ""
    security: Statement = ""
    transparency: Statement = ""
    clinical_trials: Statement = ""
    publications: Statement = ""
    reimbursement: Statement = ""
    patient_consent: Statement = ""
    governance: dict[str, Statement] = Field(
        default_factory=dict
    )  # by subcategory of the NIST AI RMF, such as GOVERN 2.2
    pccp: ChangePlanSettings | None = None


class NotificationSettings(_Section):
    """Who is told what became of model versions; docs/release.md#notifications. Off as long as no channel is named."""

    events: tuple[
        Literal[
            "registered", "approved", "rejected", "gate_refused", "promoted", "rolled_back", "barred", "serving_verified",
            "serving_unverified", "alarm_raised", "alarm_cleared",
        ], ...
    ] = (
        "registered", "rejected", "promoted", "rolled_back", "barred", "serving_unverified", "alarm_raised",
    )  # fmt: skip
    webhooks: dict[ProviderName, WebhookSettings] = Field(default_factory=dict)
    email: EmailSettings | None = None


class StorageSettings(_Section):
    """An object store in which finished versions are kept beside the home; docs/deploy.md#object-storage.

    Credentials never stand here: they are found as the store's own client finds them, in the environment.
    """

    url: str | None = None  # s3://BUCKET/PREFIX, gs://…, abfs://…, file:///FOLDER; null: none
    endpoint: str | None = None  # of an S3 service that is not Amazon's, as https://HOST:PORT
    region: str | None = None  # of S3; null: as the environment says
    ca_file: str | None = (
        None  # PEM file with the authorities that the S3 service's certificate is checked against
    )

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        place = parts.path if parts.scheme == "file" else parts.netloc
        if parts.scheme not in ("s3", "gs", "abfs", "file") or not place.strip("/"):
            raise ValueError("an address is s3://BUCKET/PREFIX, gs://…, abfs://… or file:///FOLDER")
        # abfs://CONTAINER@ACCOUNT… is a name; anything with a colon before the @, or after a ?, would be a secret.
        if (
            parts.password is not None
            or parts.query
            or parts.fragment
            or (parts.scheme == "s3" and "@" in value)
        ):
            raise ValueError("credentials come from the environment, never from the address")
        return value.rstrip("/")

    @field_validator("endpoint")
    @classmethod
    def _with_tls(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
            raise ValueError("an endpoint is https://HOST:PORT, without password, path or query")
        if parts.scheme != "https" and (parts.scheme, parts.hostname in _LOOPBACK) != ("http", True):
            raise ValueError("what is kept comes from patients: https, or http on this very machine")
        if not (info.data.get("url") or "").startswith("s3://"):
            raise ValueError("an endpoint is of an S3 service: storage.url begins with s3://")
        return value.rstrip("/")


class Settings(_Section):
    """All settings of a workspace; see the sections."""

    profile: str = "demo"
    demo_approver: bool = (
        True  # make an approver with a password shown once; off wherever real people approve
    )
    base_model: str = "smollm2-135m-instruct"  # a name of the catalogue, or hf:…, path:…, pypi:…
    # What `preceptor run` takes in before anything else; null: nothing.
    corpus: str | None = BUNDLED_CORPUS
    corpus_records: str | None = "examples/corpus/records.jsonl"
    intake: IntakeSettings = IntakeSettings()
    vault: VaultSettings = VaultSettings()
    deid: DeidSettings = DeidSettings()
    quality: QualitySettings = QualitySettings()
    curation: CurationSettings = CurationSettings()
    sufficiency: SufficiencySettings = SufficiencySettings()
    synthesis: SynthesisSettings = SynthesisSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()
    providers: dict[ProviderName, ProviderSettings] = Field(default_factory=dict)
    evaluation: EvaluationSettings = EvaluationSettings()
    gates: GateSettings = GateSettings()
    release: ReleaseSettings = ReleaseSettings()
    notifications: NotificationSettings = NotificationSettings()
    papers: PapersSettings = PapersSettings()
    review: ReviewSettings = ReviewSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    serving: ServingSettings = ServingSettings()
    export: ExportSettings = ExportSettings()
    storage: StorageSettings = StorageSettings()


class Workspace:
    """Where one home keeps its things. Two homes never share anything."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self.keys = self.home / "keys"
        self.vault = self.home / "vault"
        self.data = self.home / "data"
        self.models = self.home / "models"
        self.training = self.home / "training"
        self.searches = self.home / "searches"
        self.reports = self.home / "reports"
        self.mlflow = self.home / "mlflow"
        self.release = self.home / "release"
        self.review = self.home / "review"
        self.monitoring = self.home / "monitoring"
        self.serving = self.home / "serving"

    @property
    def dagster_home(self) -> Path:
        """The checkout's dagster_home/ for the default home, one of its own for any other."""
        return ROOT / "dagster_home" if self.home == ROOT / "var" else self.home / "dagster_home"

    def prepare_dagster_home(self) -> Path:
        """Make that folder with the shipped dagster.yaml in it, unless it has one, and return it."""
        folder = self.dagster_home
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "dagster.yaml").exists():
            shutil.copy(ROOT / "dagster_home" / "dagster.yaml", folder / "dagster.yaml")
        return folder


def default_home() -> Path:
    """`PRECEPTOR_HOME`, or `var/` in the checkout."""
    return Path(os.environ.get("PRECEPTOR_HOME") or ROOT / "var")


def resolve_path(text: str) -> Path:
    """A path of the settings: absolute, or relative to the checkout."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else ROOT / path


def load_settings(profile: str | None = None, config: Path | None = None) -> Settings:
    """Return the settings of a profile (a name in recipes/profiles or a YAML file) with `config` on top.

    Without arguments the environment decides: `PRECEPTOR_PROFILE`, `PRECEPTOR_CONFIG`.
    Raises `UsageError` for a file that is missing or wrong, naming key, file and line.
    """
    profile = profile or os.environ.get("PRECEPTOR_PROFILE") or "demo"
    if config is None and os.environ.get("PRECEPTOR_CONFIG"):
        config = Path(os.environ["PRECEPTOR_CONFIG"])
    layers = [profile_path(profile)] + ([config] if config else [])
    merged: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    for path in layers:
        values, lines = read_yaml(path)
        origins.update({key: f"{path}, line {line}" for key, line in lines.items()})
        merged = merge(merged, values)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise UsageError(describe(error, origins, Settings)) from None


def profile_path(profile: str) -> Path:
    """The file of a profile given by name or by path. Raises `UsageError` if there is none."""
    named = PROFILES / f"{profile}.yaml"
    path = named if named.exists() else Path(profile)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise UsageError(f"There is no profile {profile!r}. Name one of {known}, or a YAML file.")
    return path


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return a YAML file's mapping and the line of every key, the key as the tuple of names that lead to it.

    Raises `UsageError` if the file cannot be read or is no mapping.
    """
    import yaml

    if not path.is_file():
        raise UsageError(f"There is no configuration file {path}.")
    lines: dict[tuple[str, ...], int] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is

    def walk(node: Any, at: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*at, str(key.value))
                lines[here] = key.start_mark.line + 1
                walk(value, here)

    try:
        text = path.read_text(encoding="utf-8")
        walk(yaml.compose(text, Loader=loader), ())
        values = yaml.load(text, Loader=loader) or {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}, line {line}: this is not valid YAML ({error.problem}).") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is not UTF-8 text.") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}, line 1: a mapping of settings is expected here.")
    return values, lines


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with `above` laid on top, mapping by mapping."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def read_as(path: Path, kind: type[T]) -> T:
    """The values of a YAML file as a model, or as a mapping of names to models. Raises `UsageError` naming key, file and
    line."""
    values, lines = read_yaml(path)
    return validated(kind, values, path, lines)


def validated(kind: type[T], values: Any, path: Path, lines: Mapping[tuple[str, ...], int]) -> T:
    """The same of values that something was laid upon; `lines` are those of the file, as `read_yaml` gives them."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        origins = {key: f"{path}, line {line}" for key, line in lines.items()}
        raise UsageError(describe(error, {(): str(path), **origins}, kind)) from None


def describe(error: ValidationError, origins: dict[tuple[str, ...], str], kind: Any = None) -> str:
    """Say what is wrong with a configuration: one line a mistake, with key, file and line; of an unknown key which one of the
    model `kind` is like it."""
    said = []
    for problem in error.errors():
        key = tuple(str(part) for part in problem["loc"])
        where = next((origins[key[:n]] for n in range(len(key), -1, -1) if key[:n] in origins), "defaults")
        what = problem["msg"]
        if problem["type"] == "extra_forbidden":
            near = near_key(kind, key)
            what = f"unknown key; is it {near!r}?" if near else "unknown key"
        said.append(": ".join(part for part in (where, ".".join(key), what) if part))
    return "\n".join(said)
