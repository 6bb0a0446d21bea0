"""The tagger's parts by themselves, and its training from the start, small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random

import numpy as np
import pytest
import torch

from preceptor.deid.tagger import calibration
from preceptor.deid.tagger.chosen import FILE, chosen_tagger
from preceptor.deid.tagger.disturb import capitals, cropped, lower_case, mistyped, rewrapped, scanned
from preceptor.deid.tagger.evaluating import gold_row, measured
from preceptor.deid.tagger.exporting import onnx_bytes
from preceptor.deid.tagger.features import COLUMNS, TABLES, VECTOR_COLUMNS, rows
from preceptor.deid.tagger.lookalikes import with_lookalikes
from preceptor.deid.tagger.meanings import meaning_rows, vectors
from preceptor.deid.tagger.network import Tagger
from preceptor.deid.tagger.notes import OWN, annotated_notes, from_rows, labelled, read_marked
from preceptor.deid.tagger.redraw import redraw
from preceptor.deid.tagger.stage import CARD, is_held_out, make_tagger
from preceptor.deid.tagger.tagging import MODEL, TrainedTagger, load_tagger
from preceptor.deid.tagger.training import LABELS, Recipe
from preceptor.deid.tokens import tokenize
from preceptor.errors import UsageError
from preceptor.records import Span

MARKED = """=== n1
---
note_type: letter
patient_id: P1
---
Seen by Dr. [[DOCTOR|Quill]] on [[DATE|3/14]].
=== n2
---
note_type: letter
---
No identifier at all.
"""


@pytest.fixture
def marked(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text(MARKED)
    return path


def test_marked_notes_are_read_with_their_spans(marked):
    first, second = read_marked(marked)
    assert first.text == "Seen by Dr. Quill on 3/14.\n"
    assert [s["type"] for s in gold_row(first)["spans"]] == ["DOCTOR", "DATE"]
    assert (first.patient, second.patient) == ("P1", "n2")
    assert from_rows([{**gold_row(first), "patient_id": "P1"}]) == [first]


@pytest.mark.parametrize(
    ("text", "rule"),
    [("=== n1\nno header\n", "note-header"), (MARKED.replace("DOCTOR", "WIZARD"), "note-type")],
)
def test_bad_markup_is_named_without_its_text(tmp_path, text, rule):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match=rule) as caught:
        read_marked(path)
    assert "Quill" not in str(caught.value)


def test_bad_rows_are_named_without_their_text(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"note_id": "a", "text": "Quill"}\n')
    with pytest.raises(UsageError, match="note-rows") as caught:
        annotated_notes([path])
    assert "Quill" not in str(caught.value)


def test_the_notes_that_come_with_it_are_many_and_never_the_gold_ones():
    notes = annotated_notes()
    assert len(notes) > 200
    gold = {n.text for n in read_marked(OWN.parents[3] / "tests" / "gold" / "gold.txt")}
    assert gold.isdisjoint(n.text for n in notes)


def test_labels_begin_and_continue_spans(marked):
    _, tokens, labels = labelled(read_marked(marked)[0].pieces)
    said = dict(zip([t.text for t in tokens], labels, strict=True))
    assert said["Quill"] == "B-DOCTOR"
    assert [said[t] for t in ("3", "/", "14")] == ["B-DATE", "I-DATE", "I-DATE"]
    assert said["Seen"] == "O"


def test_features_stay_inside_their_tables_and_know_a_name_from_a_word():
    text = "Dr. Szczepanik gave furosemide 40 mg.\n\nNEXT  line"
    found = rows(text, tokenize(text))
    assert found.shape == (len(tokenize(text)), len(COLUMNS))
    assert all(0 < found[:, n].max() < size for n, size in enumerate(TABLES.values()))
    lexicon = COLUMNS.index("lexicon")
    by_word = {t.text: found[n, lexicon] for n, t in enumerate(tokenize(text))}
    assert len({by_word["Szczepanik"], by_word["furosemide"], by_word["line"]}) == 3


@pytest.mark.parametrize("way", [capitals, lower_case, scanned, mistyped, rewrapped, redraw, with_lookalikes])
def test_whatever_is_done_to_a_note_its_spans_keep_their_types(way):
    for note in annotated_notes()[:20]:
        done = way(note.pieces, Random(1))
        assert [p.type for p in done if p.type] == [p.type for p in note.pieces if p.type]


def test_redrawing_changes_people_but_one_name_stays_one():
    pieces = from_rows(
        [{"note_id": "n", "text": "Quill and Quill and Quill", "spans": [
            {"start": 0, "end": 5, "type": "PATIENT"}, {"start": 10, "end": 15, "type": "PATIENT"},
            {"start": 20, "end": 25, "type": "PATIENT"}]}]
    )[0].pieces  # fmt: skip
    drawn = [[p.text for p in redraw(pieces, Random(seed)) if p.type] for seed in range(40)]
    assert len({names[0] for names in drawn}) > 20
    # A fifth of the spans stay as they are; the others agree, but for a second surname now and then.
    assert all(len({n.split("-")[0] for n in names} - {"Quill"}) <= 1 for names in drawn)


def test_cropped_notes_are_a_few_lines():
    note = max(annotated_notes(), key=lambda n: n.text.count("\n"))
    assert "".join(p.text for p in cropped(note.pieces, Random(2))).count("\n") <= 6


def test_the_exported_network_says_what_the_trained_one_says(tmp_path):
    torch.manual_seed(1)
    network = Tagger(LABELS, 16).eval()
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_bytes(network, {}))
    text = "Seen by Dr. Quill on 3/14 at Kestrel Valley."
    features = torch.from_numpy(rows(text, tokenize(text)).astype(np.int64))[None]
    with torch.no_grad():
        wanted = torch.softmax(network(features, torch.ones(features.shape[:2])), -1)[0].numpy()
    assert (
        np.abs(TrainedTagger(path).probabilities([text])[0] - wanted).max() < 2e-3
    )  # weights are half precision


def test_a_note_reads_the_same_alone_and_in_a_batch():
    tagger = load_tagger()
    texts = [n.text for n in annotated_notes()[:12]]
    together = tagger.spans(texts, 0.3)
    assert together == [tagger.spans([text], 0.3)[0] for text in texts]
    assert tagger.spans(["", "   \n"], 0.3) == [[], []]


def test_a_lower_threshold_covers_all_that_a_higher_one_does():
    tagger = load_tagger()
    text = annotated_notes()[3].text

    def covered(threshold):
        return {n for s in tagger.spans([text], threshold)[0] for n in range(s.start, s.end)}

    assert covered(0.8) <= covered(0.3) <= covered(0.1)


def test_a_file_that_is_no_tagger_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="tagger-file"):
        TrainedTagger(path)


def test_calibration_makes_scores_mean_what_they_say():
    draw = np.random.default_rng(4)
    truly = draw.uniform(0.02, 0.98, 20000)
    truth = draw.uniform(size=20000) < truly
    said = calibration.calibrated(truly, 2.5, 1.0)  # overconfident and too high
    scale, shift = calibration.fit(said, truth)
    mended = calibration.calibrated(said, scale, shift)
    assert calibration.expected_error(said, truth) > 0.1
    assert calibration.expected_error(mended, truth) < 0.02
    assert (np.argsort(mended, kind="stable") == np.argsort(said, kind="stable")).all()


def test_measuring_counts_what_is_covered():
    notes = from_rows([{"note_id": "n", "text": "Quill saw Roe", "spans": [
        {"start": 0, "end": 5, "type": "DOCTOR"}, {"start": 10, "end": 13, "type": "PATIENT"}]}])  # fmt: skip
    found = measured(lambda texts: [[Span(0, 5, "DOCTOR", 0.9, "x")] for _ in texts], notes)
    assert found["entity_recall"] == 0.5
    assert found["char_precision"] == 1.0


@pytest.fixture(scope="module")
def small():
    notes = sorted(annotated_notes(), key=lambda n: len(n.text))[20:80]
    assert any(is_held_out(n) for n in notes)
    return notes


def test_training_makes_a_version_with_a_card_and_the_same_one_again(tmp_path, small):
    recipe = Recipe(passes=4, width=24)
    done = []
    version = make_tagger(tmp_path, small, recipe, lambda n, total: done.append((n, total)))
    assert done[-1] == (4, 4)
    card = json.loads((version.path / CARD).read_text())
    assert card["trained_on"]["notes"] == len(small)
    assert card["held_out"]["patients"] == len({n.patient for n in small if is_held_out(n)})
    assert set(card["tagger_alone"]["disturbed"]) >= {"capitals", "lower case", "scanned"}
    names = [p.text for n in small for p in n.pieces if p.type == "PATIENT" and len(p.text) > 6]
    assert not any(name in (version.path / CARD).read_text() for name in names)
    assert make_tagger(tmp_path, small, recipe).reused
    again = make_tagger(tmp_path / "elsewhere", small, recipe)
    assert again.facts["tagger_alone"] == version.facts["tagger_alone"]
    assert chosen_tagger("trained", tmp_path) == str(version.path / FILE)
    assert TrainedTagger(version.path / FILE).facts["calibration"] == [
        card["calibration"]["scale"], card["calibration"]["shift"]
    ]  # fmt: skip


def test_no_trained_tagger_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no-tagger"):
        chosen_tagger("trained", tmp_path)
    assert chosen_tagger("", tmp_path) == ""


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="tagger-file"):
        TrainedTagger(tmp_path / "none.onnx")


def test_training_learns(small):
    """More passes, fewer mistakes on notes it was trained on: the least that training must do."""
    from preceptor.deid.tagger.training import train

    def loss(passes):
        network = train(small, Recipe(passes=passes, width=24)).eval()
        wrong = total = 0
        for note in small[:10]:
            text, tokens, labels = labelled(note.pieces)
            features = torch.from_numpy(rows(text, tokens).astype(np.int64))[None]
            with torch.no_grad():
                best = network(features, torch.ones(features.shape[:2]))[0].argmax(-1)
            wrong += sum(LABELS[n] != label for n, label in zip(best.tolist(), labels, strict=True))
            total += len(labels)
        return wrong / total

    assert loss(12) < 0.8 * loss(1)


def test_a_tagger_of_other_columns_is_refused(tmp_path):
    import onnx

    model = onnx.load(MODEL)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 6
    path = tmp_path / "old.onnx"
    onnx.save(model, path)
    with pytest.raises(UsageError, match="tagger-columns"):
        TrainedTagger(path)


def test_the_scores_of_spans_are_calibrated():
    tagger, text = load_tagger(), "Seen by Dr. Quillfeather today."
    scale, shift = tagger.facts["calibration"]
    said = 1 - tagger.probabilities([text])[0][:, 0]
    (span,) = [s for s in tagger.spans([text], 0.3)[0] if text[s.start : s.end] == "Quillfeather"]
    token = [t.text for t in tokenize(text)].index("Quillfeather")
    mended = float(calibration.calibrated(said, scale, shift)[token])
    assert span.score == pytest.approx(mended, abs=1e-3)
    assert abs(mended - float(said[token])) > 1e-3


def test_word_vectors_put_words_among_their_kind():
    known = vectors()

    def alike(a, b):
        one, other = known[meaning_rows(a)[0]], known[meaning_rows(b)[0]]
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    assert alike("metoprolol", "baclofen") > alike("metoprolol", "fresno") + 0.3
    assert alike("fresno", "akron") > alike("fresno", "baclofen") + 0.3
    assert meaning_rows("zbrzezny") == (0, 0)
    assert not known[0].any()
    given = rows("Fresno", tokenize("Fresno"))[0]
    assert tuple(given[[COLUMNS.index(c) for c in VECTOR_COLUMNS]]) == meaning_rows("fresno") != (0, 0)


def test_notes_are_redrawn_alike_in_every_process():
    code = "from preceptor.deid.tagger.redraw import _pools; import zlib; print(zlib.crc32(repr(_pools()).encode()))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "123"
    }
    assert len(said) == 1
