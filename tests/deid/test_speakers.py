from __future__ import annotations

from preceptor.deid.recognizers.speakers import SpeakerRecognizer


def speakers(text):
    return {text[r.start : r.end] for r in SpeakerRecognizer().find(text)}


def test_those_who_speak_are_found_and_roles_are_not():
    text = "NEELY: Not today.\nNP: Why not?\n" * 4
    assert speakers(text) == {"NEELY"}
    assert speakers(text.replace("NEELY", "Dr. Okafor").replace("NP", "Mom")) == {"Okafor"}


def test_headings_are_no_speakers():
    text = "Subjective: tired.\nObjective: calm.\nAssessment: stable.\nPlan: rest.\n" * 2
    assert speakers(text) == set()
    assert speakers("BP: 120/80\nHR: 71\nKdigo: 2\nTemp: 37\n" * 3) == set()


def test_a_letter_with_one_colon_is_no_transcript():
    assert speakers("Quill: please call.\n" + "A line of a letter.\n" * 9) == set()
