"""The probe `memorisation`: attacks on the fine-tuned model with the base model as their control, and the leak check of all answers."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from preceptor import canaries
from preceptor.evaluation.arms import ARMS, ArmModel
from preceptor.evaluation.likelihood import Continuation, Likelihood, likelihoods
from preceptor.evaluation.loading import load_tokenizer
from preceptor.evaluation.memorisation.exposure import exposures
from preceptor.evaluation.memorisation.extraction import Stretch, attributed, extracted, reproduced
from preceptor.evaluation.memorisation.leaks import leaks, learned, shown
from preceptor.evaluation.memorisation.membership import ATTACKS, Group, inferred, score
from preceptor.evaluation.prompting import Question, encode
from preceptor.records import Example

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

LONGEST = 256  # tokens of a text that are looked at
FEWEST = 10  # examples of each side, below which nothing is said of membership
_LEVEL = 1 - 0.05 / len(
    ATTACKS
)  # of each attack's interval, so that the highest low end of all errs in 5 of 100


def probe(material: Material) -> dict[str, Any] | None:
    """Return the facts of memorisation; None where there are no answers at all.

    Without a fine-tuned model that runs here only its answers are looked at: likelihoods are not to be had from a provider.
    """
    if not material.by_arm:
        return None
    tuned, base = material.models.get("finetuned"), material.models.get("base")
    planted = canaries.read(tuned.adapter or tuned.path) if tuned and tuned.remote is None else []
    found = leaks(material.by_arm, material.train, planted)
    ours = [facts for arm, facts in found.items() if ARMS[arm][0] == "finetuned"]
    gate = {"leaks": learned(ours), "leaks_shown": shown(ours)} if ours else {}
    facts: dict[str, Any] = {"leaks": found, "gate": gate, "notes": []}
    if tuned is None or base is None or tuned.remote or base.remote:
        facts["notes"].append(
            "No attack was made: it needs the fine-tuned and the base model, both on this machine."
        )
        return facts
    if material.settings.memorisation.examples == 0:
        facts["notes"].append("No attack was made: evaluation.memorisation.examples is 0.")
        return facts
    attacks = _Attacks(material, tuned, base)
    for part in (attacks.exposure(planted), attacks.on_examples()):
        facts["gate"] |= part.pop("gate", {})
        facts["notes"] += part.pop("notes", [])
        facts |= part
    return facts


class _Attacks:
    """The attacks on one model, the other for comparison."""

    def __init__(self, material: Material, tuned: ArmModel, base: ArmModel) -> None:
        self.material, self.models = material, {"finetuned": tuned, "base": base}
        self.settings = material.settings.memorisation
        self.tokenizer = load_tokenizer(tuned)
        told = (tuned.adapter or tuned.path) / "training.json"
        self.objective = json.loads(told.read_text())["objective"] if told.exists() else "answers"

    def exposure(self, planted: Sequence[canaries.Canary]) -> dict[str, Any]:
        """Of every canary under the fine-tuned model and, as a control, under the base model."""
        if not planted:
            return {
                "notes": [
                    "No canary was planted in this model (recipe: canaries.count): exposure was not measured."
                ]
            }
        reference = canaries.fillings(self.settings.reference_samples, self.material.settings.seed)
        reference = [text for text in reference if text not in {c.text for c in planted}]
        texts = [*(canary.text for canary in planted), *reference]
        items = [self._after(canaries.PROMPT, text) for text in texts]
        by_model = {}
        for role, found in self._likelihoods(items).items():
            perplexities = [-each.total for each in found]
            by_model[role] = exposures(
                perplexities[: len(planted)], perplexities[len(planted) :], canaries.SPACE_BITS
            )
        ours, control = by_model["finetuned"], by_model["base"]
        rows = [
            {
                "name": canary.name,
                "repeats": canary.repeats,
                "sampled": round(a.sampled, 2),
                "extrapolated": round(a.extrapolated, 2),
                "base": round(b.extrapolated, 2),
            }
            for canary, a, b in zip(planted, ours.canaries, control.canaries, strict=True)
        ]
        return {
            "exposure": {
                "canaries": rows,
                "samples": len(reference),
                "space_bits": round(canaries.SPACE_BITS, 1),
                "fit_p": ours.fit_p,
            },
            "gate": {"canary_exposure_max": round(max(each.extrapolated for each in ours.canaries), 2)},
        }

    def on_examples(self) -> dict[str, Any]:
        """Extraction of, and membership of, as many training as held-out examples, use case by use case."""
        members, others = matched(
            self.material.train, self.material.cases, self.settings.examples, self.material.settings.seed
        )
        if not members:
            return {
                "notes": ["No use case has both a training and a held-out example: nothing was attacked."]
            }
        texts = [*members, *others]
        items = [self._text(example) for example in texts]
        found = self._likelihoods(items)
        n, wanted = len(members), self.settings.continuation_tokens
        extraction = {
            role: {"training": extracted(each[:n], wanted), "held_out": extracted(each[n:], wanted)}
            for role, each in found.items()
        }
        facts: dict[str, Any] = {"extraction": {"tokens": wanted, **extraction}, "gate": {}, "notes": []}
        if tried := extraction["finetuned"]["training"]["tried"]:
            whence = self._whence(members, items[:n], {role: each[:n] for role, each in found.items()})
            facts["extraction"]["whence"] = whence
            facts["gate"]["extracted_share"] = whence["memorised"] / tried
        if n < FEWEST or len(others) < FEWEST:
            facts["notes"].append(
                f"{n} training and {len(others)} held-out examples are too few to say anything of membership ({FEWEST} of each)."
            )
            return facts
        facts["membership"] = {
            "members": n,
            "others": len(others),
            "patients": len({e.person for e in texts}),
            "attacks": {attack: self._inferred(attack, members, others, found) for attack in ATTACKS},
        }
        facts["gate"]["membership_auc_low"] = max(a["low"] for a in facts["membership"]["attacks"].values())
        return facts

    def _whence(
        self,
        members: Sequence[Example],
        items: Sequence[Continuation],
        found: Mapping[str, Sequence[Likelihood]],
    ) -> dict[str, int]:
        """Where it comes from what the fine-tuned model goes on with word for word."""
        wanted = self.settings.continuation_tokens
        stretches, by_base = [], []
        for example, item, ours, theirs in zip(
            members, items, found["finetuned"], found["base"], strict=True
        ):
            if (place := reproduced(ours, wanted)) is not None:
                before = self._said((*item.context, *item.target[: place.start]))
                stretches.append(Stretch(self._said(item.target[place]), before, example.person))
                by_base.append(reproduced(theirs, wanted) is not None)
        return attributed(
            stretches, by_base, ((e.person, f"{e.prompt}\n{e.answer}") for e in self.material.train)
        )

    def _said(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _inferred(
        self,
        attack: str,
        members: Sequence[Example],
        others: Sequence[Example],
        found: Mapping[str, Sequence[Likelihood]],
    ) -> dict[str, Any]:
        scores = [score(attack, a, b) for a, b in zip(found["finetuned"], found["base"], strict=True)]
        n = len(members)
        return inferred(
            _group(members, scores[:n]),
            _group(others, scores[n:]),
            samples=self.material.settings.bootstrap_samples,
            seed=self.material.settings.seed,
            level=_LEVEL,
        )

    def _likelihoods(self, items: Sequence[Continuation]) -> dict[str, list[Likelihood]]:
        return {
            role: likelihoods(model, items, self.material.dtype, self.material.likelihoods)
            for role, model in self.models.items()
        }

    def _text(self, example: Example) -> Continuation:
        """What was learned of an example: its answer after its prompt; of continued pre-training its document."""
        if self.objective == "notes":
            ids = self._ids(example.source or example.prompt)
            return Continuation(tuple(ids[:1]), tuple(ids[1 : 1 + LONGEST]))
        return self._after(example.prompt, example.answer)

    def _after(self, prompt: str, text: str) -> Continuation:
        context = encode(self.tokenizer, Question(prompt), self.material.settings.max_prompt_tokens).ids
        return Continuation(context, tuple(self._ids(text)[:LONGEST]))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def matched(
    train: Sequence[Example], cases: Sequence[Example], most: int, seed: int
) -> tuple[list[Example], list[Example]]:
    """Draw up to `most` training and `most` held-out examples, only of use cases that both have and in like shares.

    Synthetic cases are left out: they are of another distribution than the clinical training examples.
    """
    chance = random.Random(f"membership {seed}")
    held_out = [case for case in cases if case.provenance == "clinical"]
    tasks = sorted({e.task for e in train} & {c.task for c in held_out})
    members: list[Example] = []
    others: list[Example] = []
    for number, task in enumerate(tasks):
        room = (most - len(others)) // (len(tasks) - number)
        outside = [c for c in held_out if c.task == task]
        inside = sorted((e for e in train if e.task == task), key=lambda e: e.example_id)
        others += chance.sample(outside, min(room, len(outside)))
        room = (most - len(members)) // (len(tasks) - number)
        members += chance.sample(inside, min(room, len(inside)))
    return members, others


def _group(examples: Sequence[Example], scores: Sequence[float]) -> Group:
    return Group(scores, [e.task for e in examples], [e.person for e in examples])
