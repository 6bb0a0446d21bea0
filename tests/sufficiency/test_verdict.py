"""What is said of the data, with and without a learning curve."""

import pytest

from preceptor.records import DeidentifiedDocument, Example, Labels
from preceptor.sufficiency.plot import learning_curve
from preceptor.sufficiency.scaling import fit
from preceptor.sufficiency.verdict import sufficiency, too_few

SIZES = (25, 50, 100, 200, 400)


def law(n):
    return 1.2 + 3.0 * n**-0.4


def example(n, split="train", task="summary", text=None, codes=(), note_type="letter"):
    document = DeidentifiedDocument(
        f"d-{n}", f"p-{n}", "b-1", note_type, "general", None, "text", "", Labels({c: ["x"] for c in codes})
    )
    text = text or " ".join(f"w{n}x{i}" for i in range(30))
    return document, Example(f"e-{n}", task, split, f"p-{n}", (f"d-{n}",), "general", text, "Answer.")


def assessed(made, points=(), least=5, by_task=None):
    documents = {d.document_ref: d for d, _ in made}
    return sufficiency([e for _, e in made], documents, points, least, by_task)


def test_a_power_law_is_found_again_and_says_what_twice_the_data_buys():
    found = fit([(n, law(n)) for n in SIZES])
    assert found.exponent == pytest.approx(0.4, abs=0.02)
    assert found.floor == pytest.approx(1.2, abs=0.05)
    gain, low, high = found.gain(400, 800)
    assert gain == pytest.approx(law(400) - law(800), rel=0.05)
    assert low <= gain <= high


def test_noise_widens_the_interval_and_it_holds_the_truth():
    wobble = (0.02, -0.015, 0.01, -0.02, 0.012)
    _, low, high = fit([(n, law(n) + w) for n, w in zip(SIZES, wobble, strict=True)]).gain(400, 800)
    assert low <= law(400) - law(800) <= high
    assert high - low > 0.01


def test_three_points_are_no_curve():
    assert fit([(n, law(n)) for n in SIZES[:3]]) is None
    assert fit([(50, 1.0)] * 6) is None


def test_copies_do_not_count_and_too_few_is_said_with_what_to_do_first():
    made = [
        example(n, text="The same words again and again in this long sentence of one note") for n in range(9)
    ]
    made += [example(20, task="own"), *(example(n, task="own") for n in range(30, 40))]
    found = assessed(made)
    assert (found["tasks"]["summary"]["train"], found["tasks"]["summary"]["effective"]) == (9, 1)
    assert found["tasks"]["summary"]["verdict"] == "too few"
    assert "prompt or RAG" in found["tasks"]["summary"]["advice"]
    assert found["tasks"]["own"]["verdict"] == "cannot tell"
    assert "was not measured" in found["tasks"]["own"]["advice"]
    assert too_few(found) == ["summary"]


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        ([(n, law(n)) for n in SIZES], "more would help"),
        ([(n, 1.2 + 3.0 * n**-2.0) for n in SIZES], "enough"),
        ([(n, law(n)) for n in SIZES[:3]], "cannot tell"),
        ([(25, 1.0), (50, 2.0), (100, 0.5), (200, 3.0)], "cannot tell"),
    ],
)
def test_the_curve_decides(points, verdict):
    found = assessed([example(n) for n in range(50)], points, by_task={"summary": points})
    assert found["tasks"]["summary"]["verdict"] == verdict
    assert learning_curve(found["curve"], {"summary": found["tasks"]["summary"]["curve"]}).startswith(
        b"\x89PNG"
    )


def test_each_use_case_is_judged_by_its_own_curve():
    made = [*(example(n) for n in range(50)), *(example(n, task="own") for n in range(50, 100))]
    learning, flat = [(n, law(n)) for n in SIZES], [(n, 1.2 + 3.0 * n**-2.0) for n in SIZES]
    found = assessed(made, learning, by_task={"summary": learning, "own": flat})
    assert found["tasks"]["summary"]["verdict"] == "more would help"
    assert found["tasks"]["own"]["verdict"] == "enough"
    assert found["curve"]["now"] == 100 and found["tasks"]["own"]["curve"]["now"] == 50
    without = assessed(made, learning, by_task={"summary": learning})
    assert without["tasks"]["own"]["verdict"] == "cannot tell"


def test_coverage_of_codes_and_note_types_of_the_test_split():
    made = [example(n, codes=("I10", "I50.23")) for n in range(6)]
    made += [example(6, codes=("M17.11",)), example(7, "test", codes=("I10", "I50.9"))]
    made += [example(8, "test", codes=("Z99.2",), note_type="fax")]
    facts = assessed(made)["tasks"]["summary"]
    assert facts["test_codes_seen"] == pytest.approx(1 / 3, abs=1e-4)
    assert facts["test_categories_seen"] == pytest.approx(2 / 3, abs=1e-4)
    assert facts["test_note_types_seen"] == 0.5
    assert facts["thin_codes"] == ["M17.11"]
