"""Search by words and by meaning; passages of reference texts; citations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preceptor.errors import UsageError
from preceptor.evaluation.arms import questions
from preceptor.evaluation.citations import cited, unmarked, wrong
from preceptor.evaluation.loading import load_tokenizer
from preceptor.evaluation.prompting import Question, encode
from preceptor.evaluation.references import cut, read_passages
from preceptor.evaluation.search import CaseSearch, PassageSearch, fused
from preceptor.settings import EvaluationSettings


def test_ranks_are_joined_as_in_the_paper():
    # place 0: 1/62; place 1: 1/61; place 2: 1/61 + 1/62
    assert fused([[2, 0], [1, 2]]) == [2, 1, 0]
    assert fused([[], []]) == []


def test_meaning_finds_what_words_do_not():
    search = PassageSearch(["knee fracture", "depression anxiety", "invoice payment"])
    assert search.ranked("sadness", "bm25") == []
    assert search.ranked("sadness", "embeddings")[0] == 1 == search.ranked("sadness")[0]


def test_passages_are_whole_paragraphs_and_have_ids(tmp_path):
    (tmp_path / "heart.md").write_text("Failure of the heart.\n\n" + "word " * 150)
    found = read_passages(tmp_path)
    assert [p.id for p in found] == ["heart.md#1", "heart.md#2", "heart.md#3"]
    assert cut("a b\n\nc\n\nd e f g", 3) == ["a b\n\nc", "d e f", "g"]
    (tmp_path / "heart.md").unlink()
    with pytest.raises(UsageError, match="reference_texts"):
        read_passages(tmp_path)


def test_what_was_dropped_is_not_among_what_was_shown(base, tmp_path, example_maker):
    (tmp_path / "lung.txt").write_text("A cough for three weeks needs an X-ray.")
    passages = read_passages(tmp_path)
    train = [example_maker(n, "train", "summary") for n in range(3)]
    case = example_maker(1, "test", "summary")
    (asked,) = questions("rag", [case], train, EvaluationSettings(), passages=passages)
    assert asked.sources[2:] == ("lung.txt#1",) and len(asked.retrieved) == 2
    whole = encode(load_tokenizer(base), asked, 4000)
    assert whole.shown == (0, 1, 2) and "[3] A cough" in whole.messages[0]["content"]
    long = Question("x", retrieved=("long " * 90,), references=("short",), sources=("a", "b"))
    seen = {encode(load_tokenizer(base), long, limit).shown for limit in range(200, 900, 20)}
    assert {(1,), (0, 1)} <= seen, "where there is little room the long one goes, and is not counted as shown"


def test_marks_count_only_for_what_was_shown():
    said = "Oedema [2], fever [2], cough [7]."
    assert cited(said, ["a", "b"]) == ("b",) and wrong(said, ["a", "b"]) == 1
    assert unmarked(said, ["a", "b"]) == "Oedema, fever, cough [7]." and unmarked(said, []) == said


def test_nothing_of_the_cases_own_patient_or_documents_is_shown(example_maker):
    train = [example_maker(n, "train", "summary") for n in range(4)]
    asked = example_maker(9, "test", "summary")
    search = CaseSearch(train)
    nearest = search.nearest(asked, 4)
    assert len(nearest) == 4
    own = replace(asked, patient_ref=nearest[0].patient_ref)
    assert nearest[0] not in search.nearest(own, 4) and len(search.nearest(own, 4)) < 4
    shared = replace(asked, document_refs=nearest[1].document_refs)
    assert nearest[1] not in search.nearest(shared, 4)
