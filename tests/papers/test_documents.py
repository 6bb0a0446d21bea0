"""What each document says, and what it does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import click

from preceptor.cli import root
from preceptor.papers.blocks import Document, Entry, State, Table, entries
from preceptor.papers.bundle import PAPERS
from preceptor.papers.change_record import change_record
from preceptor.papers.data_card import data_card
from preceptor.papers.measured import preferred
from preceptor.papers.model_card import model_card
from preceptor.papers.risk_framework import EVIDENCE, risk_framework
from preceptor.papers.risk_framework_rows import ROWS
from preceptor.papers.source_attributes import VARIABLES, source_attributes
from preceptor.settings import ROOT, PapersSettings

from .conftest import CANARY, bundle


def found(paper: Document, label: str) -> Entry:
    return next(each for each in entries(paper) if label in (each.label, each.code))


def test_the_card_has_the_headings_of_chai_and_only_recorded_facts(facts):
    card = model_card(facts)
    assert [s.title for s in card.sections] == [
        "Basic information", "Release information", "Model summary", "Uses and directions", "Warnings",
        "Trust ingredients: AI system facts", "Trust ingredients: transparency information",
        "Key metrics: usefulness, usability and efficacy", "Key metrics: fairness and equity",
        "Key metrics: safety and reliability", "Resources",
    ]  # fmt: skip
    developer = found(card, "Model developer")
    assert (
        developer.states == (State.MISSING,) and not developer.said and "papers.developer" in developer.needs
    )
    assert found(card, "Foundation models").said[0].startswith("smollm2-135m-instruct: source pypi:")
    assert "memorisation.leaks 2, at most 0 allowed" in found(card, "Known risks and limitations").said[0]


def test_a_statement_of_people_is_marked_as_one(stated):
    developer = found(model_card(stated(developer="Example Hospital")), "Model developer")
    assert (developer.states, developer.stated, developer.needs) == (
        (State.STATED,),
        ("Example Hospital",),
        "",
    )
    use = found(
        model_card(stated(intended_use="Drafts.\n\nA clinician\nsigns.")), "Intended use and workflow"
    )
    assert use.states == (State.RECORDED, State.STATED) and use.stated == ("Drafts.", "A clinician signs.")


def test_facts_that_answer_a_heading_by_half_say_what_is_wanted_still(facts):
    use = found(model_card(facts), "Intended use and workflow")
    assert use.states == (State.PARTLY,) and "papers.intended_use" in use.needs


def test_every_attribute_of_the_rule_is_there_by_its_paragraph(facts):
    codes = [each.code for each in entries(source_attributes(facts))]
    parts = {1: 4, 2: 4, 3: 2, 4: 4, 5: 2, 6: 4, 7: 5, 8: 4, 9: 2}
    romans = ("i", "ii", "iii", "iv", "v")
    wanted = [f"(B)({part})({romans[n]})" for part, count in parts.items() for n in range(count)]
    assert len(wanted) == 31
    assert [code for code in codes if code.startswith("(B)")] == wanted
    assert [code for code in codes if code.startswith("(A)")] == [f"(A)({n})" for n in range(5, 14)]
    assert len(VARIABLES) == 9
    assert set(VARIABLES) == set(
        PapersSettings.model_fields["input_variables"].annotation.__args__[0].__args__
    )


def test_external_validation_is_never_made_up(facts, stated):
    paper = source_attributes(facts)
    for code in ("(B)(6)(i)", "(B)(6)(iv)", "(B)(7)(iii)", "(B)(7)(iv)", "(B)(7)(v)"):
        assert found(paper, code).states == (State.MISSING,), code
    told = source_attributes(stated(external_validation={"source": "Two clinics of another town"}))
    assert found(told, "(B)(6)(i)").stated == ("Two clinics of another town",)


def test_every_setting_that_a_paper_asks_for_exists(facts):
    known = set(PapersSettings.model_fields)
    asked = {
        name
        for paper in PAPERS
        for each in entries(paper(facts))
        for name in re.findall(r"papers\.(\w+)", each.needs)
    }
    assert asked and asked <= known
    never = (
        known
        - asked
        - {
            "summary",
            "release_stage",
            "third_parties",
            "input_variables",
            "update_schedule",
            "inclusion_criteria",
        }
    )
    assert never == set(), "settings that no paper asks for"


def test_groups_of_few_patients_are_not_told_apart(facts):
    tables = {b.header[0]: b for s in data_card(facts).sections for b in s.blocks if isinstance(b, Table)}
    assert tables["Age band"].rows == (
        ("40-64", "60", "90 %"),
        ("2 smaller groups", "fewer than 11 each", "10 %"),
    )
    assert facts.data["curated"]["patients"] == {"train": 65, "validation": "fewer than 11", "test": 21}
    assert facts.evaluation["arms"]["finetuned"]["tasks"]["summary"]["patients"] == "fewer than 11"
    assert [row["group"] for row in facts.evaluation["groups"]["shown"]] == ["cardiology"]


def test_no_text_of_people_or_documents_comes_out(facts):
    assert CANARY not in repr(facts) and "Quackenbush" not in repr([paper(facts) for paper in PAPERS])


def test_without_data_and_report_the_papers_say_so(facts):
    bare = replace(
        facts,
        evaluation={},
        data={"curated": {}, "synthetic": {}, "model": {}, "deid": []},
        bundle=facts.bundle | {"gate": None},
    )
    for paper in PAPERS:
        assert paper(bare).sections
    assert found(source_attributes(bare), "(B)(7)(i)").states == (State.MISSING,)
    assert found(model_card(bare), "Input data source").states == (State.MISSING,)
    assert "not in this home" in data_card(bare).sections[0].blocks[0].text


def test_the_mapping_has_the_72_subcategories_and_names_only_what_is_there(facts):
    counts = {
        f: sum(row.code.startswith(f"{f} ") for row in ROWS) for f in ("GOVERN", "MAP", "MEASURE", "MANAGE")
    }
    assert counts == {"GOVERN": 19, "MAP": 18, "MEASURE": 22, "MANAGE": 13}
    assert len({row.code for row in ROWS}) == 72
    for row in ROWS:
        for page in row.docs:
            assert (ROOT / "docs" / f"{page}.md").exists(), row
        assert set(row.statements) <= set(PapersSettings.model_fields), row
        assert set(row.facts) <= set(EVIDENCE), row
        for words in row.commands:
            group: click.Command | None = root
            for word in words.split():
                assert isinstance(group, click.Group)
                group = group.get_command(click.Context(group), word)
            assert group is not None, row
    assert {name for row in ROWS for name in row.facts} == set(EVIDENCE)
    assert Path(ROOT / "docs" / "papers.md").exists()


def test_what_nothing_serves_is_said_to_be_not_served_until_people_state_it(facts, stated):
    assert found(risk_framework(facts), "GOVERN 2.2").states == (State.NOT_SERVED,)
    told = found(risk_framework(stated(governance={"GOVERN 2.2": "A course."})), "GOVERN 2.2")
    assert told.states == (State.SERVED, State.STATED) and told.needs == ""
    assert found(risk_framework(facts), "MANAGE 1.1").states == (State.SERVED,)


def test_the_first_version_changes_nothing(facts):
    assert "no champion before" in change_record(facts).summary[0]


def test_a_change_is_recorded_against_the_champion_before(facts):
    before = {"ref": "preceptor/1", "digest": "00" * 32, "bundle": bundle(lock="sha256:11")}
    paper = change_record(replace(facts, before=before))
    assert "No plan of modifications is recorded" in paper.summary[0]
    table = next(b for s in paper.sections for b in s.blocks if isinstance(b, Table) and b.caption == "Code")
    assert table.rows == (("lock", "sha256:11", "sha256:00", "no plan", "–"),)


def test_what_reviewers_preferred_stands_in_the_card(facts):
    found = {
        "judgements": 9, "cases": 8, "reviewers": 2, "wins": 6, "ties": 2, "losses": 1,
        "win_rate": {"mean": 0.78, "low": 0.55, "high": 0.95},
        "ratings": {"accuracy": {"first": 4.25, "second": 3.0}, "safety": {"first": 4.0, "second": 4.0}},
        "alpha": {"preference": None, "accuracy": 0.71, "safety": None},
    }  # fmt: skip
    judged = ({"comparison": "a1", "first": "finetuned", "second": "base", "found": found},)
    table = preferred(replace(facts, judged=judged))
    assert table.header[3:5] == ("accuracy", "safety")
    assert table.rows == (
        ("Fine-tuned model / Base model", "0.780", "0.550 to 0.950", "4.2 / 3.0", "4.0 / 4.0", "9 by 2 on 8", "–"),
    )  # fmt: skip
    assert preferred(facts) is None
    card = model_card(replace(facts, judged=judged))
    assert table in [block for section in card.sections for block in section.blocks]
