from __future__ import annotations

import dataclasses
import json
import random

import pytest

from preceptor.curation.contamination import HeldOut
from preceptor.curation.curate import curate, grow_test
from preceptor.curation.duplicates import near_duplicates
from preceptor.curation.page import histogram, write_page
from preceptor.curation.quality import rejection
from preceptor.curation.removed import read_removed
from preceptor.curation.repetition import Repetition
from preceptor.curation.shingles import shingles
from preceptor.curation.split import assign
from preceptor.curation.support import unsupported_numbers
from preceptor.curation.tasks import Draft, Shelf, derive, load_use_cases
from preceptor.errors import UsageError
from preceptor.records import DeidentifiedDocument, Labels
from preceptor.settings import TASKS, CurationSettings
from preceptor.tables import DOCUMENTS, EXAMPLES, read_examples, write_documents
from preceptor.versions import make_version

LONG = "The patient was seen for knee pain after a fall and walks with a stick and has swelling of the left knee today "


TYPES = " Diabetes type one. Diabetes type two."
BOTH_TYPES = "E10.9: diabetes type one\nE11.9: diabetes type two"
GERMAN = (
    "Der Patient kam gestern mit starken Schmerzen im linken Knie in die Sprechstunde und berichtet, dass er seit zwei "
    "Wochen kaum noch laufen kann. Die Untersuchung zeigt eine deutliche Schwellung, aber keine Rötung und kein Fieber. "
    "Wir haben Ruhe, Kühlung und ein Schmerzmittel verordnet und sehen ihn in zehn Tagen wieder."
)


def document(
    n,
    text=None,
    specialty="orthopaedics",
    note_type="clinic note",
    patient=None,
    encounter=None,
    year=None,
    **labels,
):
    return DeidentifiedDocument(
        document_ref=f"d-{n:016x}",
        patient_ref=f"p-{patient if patient is not None else n:016x}",
        batch="b1",
        note_type=note_type,
        specialty=specialty,
        encounter=encounter,
        format="text",
        text=text or f"Visit {n}: " + " ".join(f"word{n}x{i}" for i in range(40)),
        labels=Labels(**labels),
        year=year,
    )


def draft(source=LONG * 2, answer="A summary of it.", task="summary"):
    return Draft(task, "p-0", ("d-0",), "general", "Summarise.", source, answer)


def test_each_use_case_derives_what_its_labels_teach():
    transcript = document(
        1, note_type="therapy session transcript", specialty="behavioural health", patient=1
    )
    note = document(
        2, note_type="DAP note", specialty="behavioural health", patient=1, follows=transcript.document_ref
    )
    coded = document(
        3, text=LONG, codes={"M25.562": ["swelling of the left knee"]}, reference_summary="Knee pain."
    )
    reasoned = document(
        4, differential=({"diagnosis": "Gout", "for": ["swelling"], "against": []},), specialty="general"
    )
    shelf = Shelf([transcript, note, coded, reasoned])
    drafts = {d.task: d for case in load_use_cases(TASKS) for d in derive(case, shelf)}
    assert set(drafts) == {"bh_note", "coding_orthopaedics", "summary", "differential"}
    assert drafts["bh_note"].answer == note.text.strip()
    assert "DAP note" in drafts["bh_note"].prompt
    assert drafts["bh_note"].document_refs == (transcript.document_ref, note.document_ref)
    assert drafts["coding_orthopaedics"].answer == "M25.562: swelling of the left knee"
    assert drafts["differential"].answer == "1. Gout — for: swelling; against: none"


def test_a_session_pair_is_found_by_encounter_only_if_it_is_the_only_one():
    session = {"specialty": "behavioural health", "patient": 1, "encounter": "e-1"}
    transcripts = [document(n, note_type="therapy session transcript", **session) for n in (1, 2)]
    note = document(3, note_type="SOAP note", **session)
    case = load_use_cases(("bh_note",))[0]
    assert len(list(derive(case, Shelf([transcripts[0], note])))) == 1
    assert list(derive(case, Shelf([*transcripts, note]))) == []


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"source": "Too short."}, "prompt-too-short"),
        ({"source": LONG * 60}, "prompt-too-long"),
        ({"answer": ""}, "answer-too-short"),
        ({"answer": "word " * 401}, "answer-too-long"),
        ({"source": LONG * 2 + "<|im_end|>"}, "control-tokens"),
        ({"source": LONG + "\x00\x01\x02\x03\x04\x05\x06\x07" * 4}, "unreadable-text"),
        ({"answer": LONG * 4}, "answer-longer-than-source"),
        ({"source": LONG.replace("o", "0").replace("i", "1") * 2}, "garbled-text"),
        ({"source": "s e e n  t o d a y ".replace("  ", " ") * 10 + LONG}, "garbled-text"),
        ({"source": GERMAN, "answer": "Knieschmerz."}, "wrong-language"),
        ({"answer": "The knee swelling is shitty."}, "profanity"),
        ({"answer": "ASSESSMENT:\nPLAN:\nFOLLOW-UP:\nRest the knee."}, "empty-sections"),
        ({"form": "codes", "answer": "I10: hypertension"}, "unsupported-evidence"),
        ({"form": "codes", "answer": "high blood pressure"}, "unsupported-evidence"),
        ({"form": "codes", "answer": "M25.5623: swelling of the left knee"}, "unknown-code"),
        ({"form": "codes", "answer": "M25.99: swelling of the left knee"}, "unknown-code"),
        ({"form": "codes", "source": LONG * 2 + TYPES, "answer": BOTH_TYPES}, "contradictory-codes"),
        ({"answer": "Pressure 188/97, pulse 131, INR 4.4."}, "unsupported-reference"),
        ({"answer": "Metastatic pancreatic adenocarcinoma receiving chemotherapy."}, "unsupported-reference"),
    ],
)
def test_each_quality_rule_takes_what_breaks_it(changed, rule):
    assert rejection(draft(), CurationSettings()) is None
    assert rejection(dataclasses.replace(draft(), **changed), CurationSettings()) == rule


def test_a_near_duplicate_points_to_the_first_and_others_stay():
    base = " ".join(f"w{i}" for i in range(200))
    nearly = base.replace("w100", "changed")
    other = " ".join(f"v{i}" for i in range(200))
    assert near_duplicates([base, other, nearly], 0.8) == [None, None, 0]


def test_pairs_just_over_the_threshold_are_found():
    draw, pairs = random.Random(1), []
    for _ in range(100):
        text = [f"w{draw.randrange(5000)}" for _ in range(100)]
        changed = list(text)
        for place in draw.sample(range(100), 2):
            changed[place] = f"x{draw.randrange(9999)}"
        pairs.append((" ".join(text), " ".join(changed)))
    found = near_duplicates([text for pair in pairs for text in pair], 0.8)

    def jaccard(a, b):
        a, b = set(shingles(a).tolist()), set(shingles(b).tolist())
        return len(a & b) / len(a | b)

    assert {n for n, pair in enumerate(pairs) if jaccard(*pair) >= 0.8} == {
        n for n in range(100) if found[2 * n + 1] == 2 * n
    }
    assert min(jaccard(*pair) for pair in pairs) < 0.82


def numbered(letter: str, count: int) -> str:
    return " ".join(f"{letter}{i}" for i in range(count))


@pytest.mark.parametrize(
    ("shared", "others", "dirty"),
    [(13, 20, True), (13, 200, True), (13, 300, False), (51, 5000, False), (52, 5000, True), (12, 0, False)],
)
def test_a_run_of_words_of_the_test_split_is_contamination_where_it_is_much(shared, others, dirty):
    held_out = HeldOut([numbered("w", 400)], [], CurationSettings())
    text = f"{numbered('o', others)} {numbered('w', shared)}"
    assert held_out.too_much_in((text, "an answer")) is dirty
    assert held_out.too_much_in(("a source", text)) is dirty


@pytest.mark.parametrize(("patients", "dirty"), [(4, True), (5, False)])
def test_a_phrase_of_five_patients_is_no_contamination_unless_it_is_half_of_the_text(patients, dirty):
    phrase = numbered("w", 40)
    # Twice in one patient's notes is once.
    corpus = [(f"p{n}", (phrase, "answer")) for n in range(patients) for _ in range(2)]
    held_out = HeldOut([f"{phrase} {numbered('z', 100)}"], corpus, CurationSettings())
    assert held_out.too_much_in((f"{phrase} {numbered('o', 60)}", "answer")) is dirty
    assert held_out.too_much_in((f"{phrase} {numbered('o', 40)}", "answer"))


def test_the_split_keeps_shares_in_every_stratum_and_moves_nobody():
    strata = {f"p{i}": "rare" if i < 10 else "common" for i in range(100)}
    first = assign(strata, {}, 0.2, 0.1)
    for stratum, size in (("rare", 10), ("common", 90)):
        in_test = sum(first[p] == "test" for p in strata if strata[p] == stratum)
        assert in_test == pytest.approx(0.2 * size, abs=1)
    more = strata | {f"q{i}": "common" for i in range(50)}
    later = assign(more, first, 0.2, 0.1)
    assert {p: later[p] for p in first} == first
    assert {later[p] for p in later if p not in first} == {"train", "validation"}
    grown = assign(more, first, 0.2, 0.1, grow_test=True)
    assert {p: grown[p] for p in first} == first
    assert sum(grown[p] == "test" for p in more) == pytest.approx(0.2 * 150, abs=2)


def test_split_by_time_those_seen_last_are_tested_on():
    strata = {f"p{i}": "a" if i % 2 else "b" for i in range(40)} | {"unknown": "a"}
    seen = {f"p{i}": str(1990 + i) for i in range(40)}
    split = assign(strata, {}, 0.2, 0.1, last_seen=seen)
    assert split["unknown"] == "train"
    for stratum in "ab":
        years = {
            name: [seen[p] for p in seen if strata[p] == stratum and split[p] == name]
            for name in ("train", "validation", "test")
        }
        assert max(years["train"]) < min(years["validation"])
        assert max(years["validation"]) < min(years["test"])
        assert len(years["test"]) == 4
    # Whoever comes later moves nobody.
    later = assign(strata | {"new": "a"}, split, 0.2, 0.1, last_seen=seen | {"new": "2050"})
    assert {p: later[p] for p in split} == split and later["new"] != "test"


def test_settings_choose_the_split_by_time(tmp_path):
    documents = [
        document(n, reference_summary=f"Summary {n}.", year=str(2000 + n) if n else None) for n in range(20)
    ]
    version = curated(tmp_path, documents, settings=CurationSettings(split_by="time"))
    rows = version.facts["balance"]["year"]
    tested = {year for year, row in rows.items() if row["test"]}
    assert tested == {"2016", "2017", "2018", "2019"}
    assert rows["unknown"]["train"] == 1


def deidentified(tmp_path, documents, **changes):
    def write(folder):
        write_documents(folder / DOCUMENTS, documents)
        return {"documents": len(documents)}

    return make_version(
        tmp_path, "deid-b1", inputs={"n": str(len(documents))}, config=changes, code="1", write=write
    )


def curated(tmp_path, documents, settings=None, **changes):
    source = deidentified(tmp_path, documents, **changes)
    return curate(tmp_path, [source], settings or CurationSettings(), changes.get("unusable", ()))


def test_no_patient_is_in_two_splits_and_every_example_names_its_documents(tmp_path):
    documents = [document(n, patient=n % 20, reference_summary=f"Summary {n}.") for n in range(60)]
    version = curated(tmp_path, documents)
    examples = read_examples(version.path / EXAMPLES)
    splits = {}
    for example in examples:
        splits.setdefault(example.patient_ref, set()).add(example.split)
        assert example.document_refs
    assert {len(s) for s in splits.values()} == {1}
    assert {e.split for e in examples} == {"train", "validation", "test"}
    assert version.facts["drafts"] == 60


def test_a_planted_copy_of_a_test_note_does_not_reach_training(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(30)]
    held_out = next(
        e for e in read_examples(curated(tmp_path / "a", documents).path / EXAMPLES) if e.split == "test"
    )
    source = next(d for d in documents if d.document_ref in held_out.document_refs)
    planted = [
        document(
            1000 + n,
            text=f"Copied forward. {source.text} And {n} more words of its own.",
            reference_summary="S.",
        )
        for n in range(8)
    ]
    version = curated(tmp_path / "b", documents + planted)
    taken = version.facts["removed"]
    learnt = [e for e in read_examples(version.path / EXAMPLES) if e.split != "test"]
    assert taken.get("near-duplicate", 0) + taken.get("contaminated", 0) >= 7
    assert not any(source.text in e.prompt for e in learnt)


def test_an_erased_patient_is_left_out_of_the_next_version(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(10)]
    gone = documents[3].patient_ref
    version = curated(tmp_path, documents, unusable=[gone])
    assert all(e.patient_ref != gone for e in read_examples(version.path / EXAMPLES))
    assert version.manifest["config"]["left_out"] == [gone]


def test_a_note_copied_from_two_earlier_ones_goes_and_they_stay(tmp_path):
    seen = "\n".join(
        f"On day {word} the knee was swollen and painful on walking upstairs." for word in "abcdef"
    )
    planned = "\n".join(
        f"Plan {word} was explained to the patient and a letter was sent." for word in "uvwxyz"
    )
    first = document(1, text=seen, patient=7, reference_summary="Swollen knee.")
    second = document(2, text=planned, patient=7, reference_summary="Plans.")
    third = document(
        3, text=f"{seen}\n{planned}\nNew: now better.", patient=7, reference_summary="All of it."
    )
    version = curated(tmp_path, [first, second, third])
    assert [(r["rule"], r["document_refs"]) for r in read_removed(version.path)] == [
        ("copy-forward", [third.document_ref])
    ]


def test_paragraphs_of_many_patients_are_boilerplate(tmp_path):
    line = "This clinic does not give advice by telephone on Sundays or public holidays.\n"
    notes = [document(n, text=line * 1 + document(n).text, reference_summary="x") for n in range(6)]
    empty = document(9, text=line + "The department thanks you for the referral of this nice patient.\n" * 2)
    repetition = Repetition([*notes, empty])
    assert repetition.boilerplate(line) == 1.0
    assert repetition.boilerplate(notes[0].text) < 0.5
    assert Repetition(notes[:4]).boilerplate(line) == 0.0


def test_what_is_in_a_benchmark_is_not_learnt(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(10)]
    benchmark = tmp_path / "bench.jsonl"
    stolen = " ".join(documents[0].text.split()[5:25])
    benchmark.write_text(json.dumps({"case": [{"question": f"so {stolen} end"}]}) + "\n")
    settings = CurationSettings(decontaminate_against=(str(benchmark),), test_share=0.0, validation_share=0.0)
    version = curated(tmp_path, documents, settings=settings)
    assert [(r["rule"], tuple(r["document_refs"])) for r in read_removed(version.path)] == [
        ("in-benchmark", (documents[0].document_ref,))
    ]
    with pytest.raises(UsageError, match="benchmark-missing"):
        curated(tmp_path, documents, settings=CurationSettings(decontaminate_against=("none.jsonl",)))


@pytest.mark.parametrize(
    ("source", "answer", "missing"),
    [
        ("I am twenty six years old.", "26 years", []),
        ("Pressure was one forty over ninety.", "140/90", []),
        ("in two thousand eight, October third", "10 and 3, '08, 2008", []),
        (
            "Fine.",
            "1/2/2021, Mar 4, 5 April 2020, 831-555-0147, NAD-7867, 60441287; BP 140/90",
            ["140", "90"],
        ),
        ("It was nineteen ninety five, then one hundred and five.", "1995 and 105", []),
        ("He takes 1,800 mg a day.", "1. Takes 1800 mg. 2. Takes 18 mg.", ["18"]),
        ("Four or five times.", "4 to 6 times", ["6"]),
    ],
)
def test_numbers_are_supported_however_they_are_said(source, answer, missing):
    assert unsupported_numbers(source, answer) == missing


def test_a_later_batch_joins_the_test_split_only_when_told(tmp_path):
    first = curated(tmp_path, [document(n, reference_summary=f"Summary {n}.") for n in range(20)])
    more = [document(n, reference_summary=f"Summary {n}.") for n in range(40)]
    second = curated(tmp_path, more)
    assert second.facts["test_digest"] == first.facts["test_digest"]
    assert second.facts["patients"]["train"] > first.facts["patients"]["train"]
    yet_more = [document(n, reference_summary=f"Summary {n}.") for n in range(60)]
    source = deidentified(tmp_path, yet_more)
    assert grow_test(tmp_path, [source], CurationSettings())["test"] >= 3
    third = curate(tmp_path, [source], CurationSettings())
    assert third.facts["patients"]["test"] > first.facts["patients"]["test"]
    assert grow_test(tmp_path, [source], CurationSettings()) == {}


def test_the_page_shows_what_was_taken_and_escapes_it(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(10)]
    documents += [document(10, text=documents[0].text, reference_summary="<b>Again</b>.")]
    documents += [document(11, text="<script>x</script> short", reference_summary="No.")]
    settings = CurationSettings(population={"sex": {"female": 0.5}})
    version = curated(tmp_path, documents, settings=settings)
    page = write_page(version, tmp_path / "reports").read_text()
    assert "near-duplicate</b>: 1 of 12 drafts" in page
    assert "prompt-too-short</b>: 1 of 12 drafts" in page
    assert f"repeats {documents[0].document_ref}" in page or "repeats d-" in page
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page
    assert "sex “female” is missing" in page


def test_bars_count_every_value():
    bars = histogram([0, 5, 5, 40])
    assert sum(b["count"] for b in bars) == 4
    assert bars[-1]["to"] >= 40
    assert histogram([])[0]["count"] == 0


def test_the_basis_is_that_of_the_use_case_else_of_the_batch_else_of_the_source(tmp_path):
    made = [
        dataclasses.replace(document(n, reference_summary=f"Summary {n}."), batch=batch)
        for n, batch in enumerate(["clinic-0a", "clinic-0b", "other-0c"])
    ]
    source = deidentified(tmp_path, made)
    bases = {"clinic": "consent form 7", "clinic-0b": "IRB waiver 3"}
    version = curate(tmp_path, [source], CurationSettings(tasks=("summary",)), bases=bases)
    found = {e.document_refs[0]: e.basis for e in read_examples(version.path / EXAMPLES)}
    assert [found[d.document_ref] for d in made] == ["consent form 7", "IRB waiver 3", None]
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "letter.yaml").write_text(
        "task: letter\ntitle: A letter\nkind: declared\ninput: {}\nreference: {label: summary}\n"
        "instruction: Write.\nbasis: licence 9\n"
    )
    own = CurationSettings(tasks=("letter",), use_cases=str(tmp_path / "cases"))
    version = curate(tmp_path, [source], own, bases=bases)
    assert {e.basis for e in read_examples(version.path / EXAMPLES)} == {"licence 9"}
