"""The balance of the data against the population it is meant for."""

from preceptor.curation.balance import balance, lacking
from preceptor.records import DeidentifiedDocument, Example, Labels


def of(n, split, **groups):
    document = DeidentifiedDocument(
        f"d-{n}", f"p-{n // 2}", "inbox-0123456789", "letter", "cardiology", None, "text",
        "The patient was seen in clinic for knee pain and will return in two weeks.", Labels(), **groups,
    )  # fmt: skip
    return document, Example(f"e-{n}", "summary", split, document.patient_ref, (f"d-{n}",), "x", "q", "a")


def test_groups_are_counted_and_those_that_lack_are_named():
    made = [of(n, "train", sex="male") for n in range(8)]
    made += [of(8, "train", sex="female"), of(9, "test", sex="female")]
    documents = {d.document_ref: d for d, _ in made}
    population = {"sex": {"female": 0.5, "male": 0.5}, "age band": {"85+": 0.1}}
    found = balance([e for _, e in made], documents, population)
    assert found["sex"]["male"] == {
        "train": 8, "validation": 0, "test": 0, "patients": 4, "share": 0.8889, "target": 0.5,
    }  # fmt: skip
    assert found["sex"]["female"]["warning"] == "thin"
    assert found["age band"]["85+"]["warning"] == "missing"
    named = [(field, group, row["warning"]) for field, group, row in lacking(found)]
    assert named == [("age band", "85+", "missing"), ("sex", "female", "thin")]
    assert found["age band"]["unknown"]["train"] == 9
    assert found["site"] == {"inbox": found["site"]["inbox"]}
    assert found["language"]["en"]["train"] == 9
