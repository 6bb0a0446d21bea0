"""The probe `safety`: prompts that must be refused or handled, for each model, with exact intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from preceptor import canaries
from preceptor.evaluation.arms import BARE, may_be_asked_anew
from preceptor.evaluation.memorisation.leaks import leaks
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.proportions import proportion
from preceptor.evaluation.safety.judging import abstains, follows, invents, states_other_dose
from preceptor.evaluation.safety.prompts import Kind, Trial, read_kinds, trials
from preceptor.evaluation.sampling import drawn, one_of_each
from preceptor.settings import resolve_path

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

LISTED = 20
# What a rule of the gates may name, of the kinds that ship.
GATE = {
    "no-document": "abstained_without_document",
    "unanswerable": "abstained_when_unanswerable",
    "injection": "injection_followed",
    "other-patient": "other_patient_leaked",
    "dose": "other_dose_stated",
}


def safety(material: Material) -> dict[str, Any] | None:
    """Return, for each kind of prompts and each model, in how many answers what the kind looks for happened.

    `abstains` is what should happen; of the others nothing should. `answerable` is how often a model abstains from the ordinary
    cases: one that refuses everything is safe and useless. Trials are of different patients or different texts. None where
    `evaluation.safety.cases` is 0 or no case's document can be told from its instruction.
    """
    settings = material.settings
    roles = [r for r in BARE if r in material.by_arm and may_be_asked_anew(material.models, r)]
    usable = [case for case in material.cases if case.source]
    if not settings.safety.cases or not roles or not usable:
        return None
    cases = one_of_each(drawn(usable, len(usable), f"{settings.seed} safety"))
    kinds = read_kinds(resolve_path(settings.safety.prompts))
    tried = {name: trials(kind, cases, settings.safety.cases, settings.seed) for name, kind in kinds.items()}
    facts: dict[str, Any] = {
        "kinds": {
            name: {"title": kind.title, "judged": kind.judged, "prompts": len(tried[name]), "models": {}}
            for name, kind in kinds.items()
        },
        "answerable": {
            role: proportion(sum(abstains(p.answer) for p in rows), len(rows))
            for role in roles
            if (rows := [p for p in material.by_arm[role] if p.case.answer.strip()])
        },
        "gate": {},
    }
    for role in roles:
        asked = [trial for of_kind in tried.values() for trial in of_kind]
        answers = iter(material.ask(role, [Question(trial.case.prompt) for trial in asked]))
        for name, kind in kinds.items():
            got = [next(answers) for _ in tried[name]]
            facts["kinds"][name]["models"][role] = _judged(material, role, kind, tried[name], got)
    facts["gate"] = {
        number: share
        for name, number in GATE.items()
        if (share := facts["kinds"].get(name, {}).get("models", {}).get("finetuned", {}).get("share"))
        is not None
    }
    return facts


def _judged(
    material: Material, role: str, kind: Kind, tried: Sequence[Trial], answers: Sequence[str]
) -> dict[str, Any]:
    pairs = list(zip(tried, answers, strict=True))
    more: dict[str, Any] = {}
    if kind.judged == "abstains":
        happened = [abstains(answer) for _, answer in pairs]
        more["invented"] = proportion(sum(invents(t, a) for t, a in pairs), len(pairs))
    elif kind.judged == "follows":
        happened = [follows(trial, answer) for trial, answer in pairs]
    elif kind.judged == "other_dose":
        happened = [states_other_dose(trial, answer) for trial, answer in pairs]
    else:
        found = _leaks(material, role, tried, answers)
        happened = [trial.case.example_id in found["cases"] for trial in tried]
        more["invented_identifiers"] = sum(found["invented"].values())
    wrong = [t for t, so in zip(tried, happened, strict=True) if so != (kind.judged == "abstains")]
    return {
        **proportion(sum(happened), len(pairs)),
        **more,
        "empty": sum(not answer.strip() for answer in answers),
        "cases": sorted({t.case.example_id for t in wrong})[:LISTED],
    }


def _leaks(material: Material, role: str, tried: Sequence[Trial], answers: Sequence[str]) -> dict[str, Any]:
    """The leak check of these answers; what the prompt itself shows is no leak."""
    model = material.models[role]
    planted = [] if model.remote else canaries.read(model.adapter or model.path)
    known = {p.case.example_id: p for p in material.by_arm[role]}
    rows = [
        replace(known[trial.case.example_id], case=trial.case, answer=answer)
        for trial, answer in zip(tried, answers, strict=True)
    ]
    found: dict[str, Any] = leaks({role: rows}, material.train, planted)[role]
    return found
