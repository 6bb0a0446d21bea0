"""The app over HTTP, from sign-in to a signature that promotion accepts; who may do what; what the browser is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from benchmarks.faults.small_disk import small_disk
from preceptor.curation import reviews
from preceptor.papers.bundle import folder_of
from preceptor.privacy.looking import clean_version
from preceptor.privacy.reviews import items
from preceptor.release import blinded, promotion, users
from preceptor.release.registry import tracking_of
from preceptor.release.store import ROLES, open_store
from preceptor.review import comparisons
from preceptor.review.agreement import krippendorff_alpha
from preceptor.review.app import application, house_of
from preceptor.review.routes import ROUTES
from preceptor.settings import Workspace
from preceptor.vault import open_vault
from preceptor.versions import latest, write_atomic
from tests.release.conftest import PASSWORD, VALIDITY
from tests.review.conftest import BATCH, CASES, NOTES


def test_who_may_do_what():
    """Said a second time, so that a slip in the table of routes is seen."""
    judges, leads = {"reviewer", "approver", "admin"}, {"approver", "admin"}
    wanted = {
        "/comparisons": leads,
        "/comparisons/{id}/close": leads,
        **dict.fromkeys(("/comparisons/{id}", "/comparisons/{id}/next", "/comparisons/{id}/undo"), judges),
        **dict.fromkeys(("/comparisons/{id}/cases/{case}", "/examples", "/examples/{id}"), judges),
        **dict.fromkeys(
            ("/deid", "/deid/{batch}", "/deid/{batch}/{document}"), {"reviewer", "privacy", "admin"}
        ),
    }
    for page in ROUTES:
        if page.path != "/sign-in":
            assert page.roles == wanted.get(page.path, set(ROLES)), page


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_route_with_every_role_and_none(house, browser, signed_in, role):
    client, token = signed_in(f"{role}-1") if role else (browser(), "")
    for page in ROUTES:
        if page.path in ("/sign-out", "/sign-in"):
            continue
        path = re.sub(r"\{\w+\}", "x", page.path)
        answer = client.request(
            page.method, path, data={"form_token": token} if page.method == "POST" else None
        )
        if role is None:
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), page
        else:
            refused = answer.status_code == 403 and "Not for your role" in answer.text
            assert refused == (role not in page.roles), page


@pytest.fixture
def places(house):
    """Every route with things that are really there: a comparison with an open case, an example, a document, a version."""
    document = items(clean_version(house.workspace.data, BATCH)[1], 50)[0].document_ref
    evaluation = latest(house.workspace.reports, "evaluation").name
    made = comparisons.make(house.database, evaluation, ("finetuned", "base"), CASES, 0.0, "lead")
    yield (
        lambda path, example: (
            path.replace("/examples/{id}", f"/examples/{example}")
            .replace("{name}/{version}", "preceptor/1")
            .replace("{id}", str(made))
            .replace("{case}", CASES[0])
            .replace("{batch}", BATCH)
            .replace("{document}", document)
        )
    )
    comparisons.close(house.database, made)


@pytest.mark.parametrize("role", ROLES)
def test_whom_a_page_is_not_for_gets_nothing_of_it_and_changes_nothing(house, signed_in, places, role):
    """The same with ids that exist, by GET, HEAD and POST: a refusal must not depend on finding nothing."""

    def state():
        with sqlite3.connect(house.database) as db:
            rows = [
                db.execute(f"SELECT * FROM {t} ORDER BY rowid").fetchall()
                for t in ("judgements", "comparisons")
            ]
        db.close()
        store = open_store(house.workspace)
        events = len(store.events())
        store.close()
        return rows, events

    client, token = signed_in(f"{role}-1")
    before = state()
    for page in ROUTES:
        if page.roles is None or role in page.roles:
            continue
        path = places(page.path, "summary-5")
        answer = client.request(
            page.method, path, data={"form_token": token} if page.method == "POST" else None
        )
        assert answer.status_code == 403 and "Not for your role" in answer.text, page
        assert "TEXT of" not in answer.text and "The visit" not in answer.text, page
        assert not any(note[:12] in answer.text for note in NOTES.values()), page
        if page.method == "GET":
            assert client.head(path).status_code == 403, page
        assert client.request("DELETE", path).status_code == 405, page
    assert state() == before


@pytest.mark.parametrize("role", ROLES)
def test_only_meanings_of_ones_role_can_be_signed(house, signed_in, token_of, role):
    client, _ = signed_in(f"{role}-1")
    page = client.get("/releases/preceptor/1")
    offered = set(re.findall(r'name="meaning" value="(\w+)"', page.text))
    wanted = {"reviewer": {"reviewed"}, "privacy": {"reviewed", "rejected"}}
    assert offered == wanted.get(role, {"reviewed", "approved", "rejected"})
    form = {
        "form_token": token_of(page),
        "seen": re.search(r'name="seen" value="(\w+)"', page.text)[1],
        "reason": "x",
        "password": "never looked at",
    }
    for meaning in {"approved", "rejected"} - offered:
        answer = client.post("/releases/preceptor/1/sign", data=form | {"meaning": meaning})
        assert answer.status_code == 409 and "may not sign" in answer.text


def test_a_cookie_is_worth_nothing_after_signing_out_or_when_the_account_ends(house, browser, signed_in):
    client, token = signed_in("reviewer-1")
    kept = client.cookies[house.cookie]
    client.post("/sign-out", data={"form_token": token})
    other = browser()
    other.cookies.set(house.cookie, kept, domain="127.0.0.1")
    assert other.get("/").headers["location"] == "/sign-in"
    store = open_store(house.workspace)
    users.add(store, "leaver", "admin", PASSWORD, actor="test")
    client, _ = signed_in("leaver")
    users.disable(store, "leaver", actor="test")
    store.close()
    assert client.get("/releases").headers["location"] == "/sign-in"


def test_papers_are_handed_out_as_their_manifest_names_them(house, signed_in):
    folder = folder_of(house.workspace, "preceptor/1")
    client, _ = signed_in("reviewer-1")
    assert "Read the papers" not in client.get("/releases/preceptor/1").text
    write_atomic(folder / "index.html", "<style>p{color:red}</style><p>Papers</p>")
    write_atomic(folder / "model-card.pdf", b"%PDF-1.4")
    write_atomic(folder / "stray.html", "<p>Stray</p>")
    manifest = {"papers": "preceptor/1", "files": {"index.html": "", "model-card.pdf": ""}}
    write_atomic(folder / "manifest.json", json.dumps(manifest))
    assert "Read the papers" in client.get("/releases/preceptor/1").text
    page = client.get("/releases/preceptor/1/papers/index.html")
    assert page.status_code == 200 and "Papers" in page.text
    assert "style-src 'unsafe-hashes' 'sha256-" in page.headers["Content-Security-Policy"]
    paper = client.get("/releases/preceptor/1/papers/model-card.pdf")
    assert 'filename="preceptor-1-model-card.pdf"' in paper.headers["Content-Disposition"]
    assert client.get("/releases/preceptor/1/papers/stray.html").status_code == 400


def test_from_sign_in_over_a_judgement_to_a_promoted_version(house, browser, token_of):
    client = browser()
    page = client.get("/sign-in")
    before = client.cookies[house.cookie]
    entry = {"form_token": token_of(page), "name": "approver-1", "password": PASSWORD}
    assert client.post("/sign-in", data=entry).headers["location"] == "/"
    assert client.cookies[house.cookie] != before
    page = client.get("/")
    token = token_of(page)
    evaluation = re.search(r'name="evaluation" value="([^"]+)"', page.text)[1]
    made = client.post(
        "/comparisons",
        data={"form_token": token, "evaluation": evaluation, "first": "finetuned", "second": "base"},
    ).headers["location"]
    place = client.get(f"{made}/next").headers["location"]
    page = client.get(place)
    assert "The visit &lt;summary-" in page.text and "finetuned" not in page.text
    left = "left" if page.text.index("FINETUNEDTEXT") < page.text.index("BASETEXT") else "right"
    other = {"left": "right", "right": "left"}[left]
    rating = {f"{left}-{c}": 5 for c in comparisons.CRITERIA} | {
        f"{other}-{c}": 2 for c in comparisons.CRITERIA
    }
    assert client.post(place, data={"form_token": token, "preference": left}).status_code == 400
    assert client.post(place, data={"form_token": token, "preference": left, **rating}).status_code == 303
    assert (
        client.post(place, data={"form_token": token, "preference": left, **rating}).status_code == 303
    )  # once
    client.post(f"{made}/close", data={"form_token": token})
    assert "finetuned was preferred in 100 %" in client.get(made).text
    client.get(made)
    store = open_store(house.workspace)
    (closed,) = blinded.of_evaluation(store, evaluation)  # written into the record once
    store.close()
    assert (closed["first"], closed["found"]["wins"], closed["found"]["judgements"]) == ("finetuned", 1, 1)
    assert "TEXT" not in repr(closed)

    page = client.get("/releases/preceptor/1")
    assert "finetuned was preferred in 100 %" in page.text and "None" not in page.text
    report = client.get("/releases/preceptor/1/report")
    assert "unsafe-inline" not in report.headers["content-security-policy"] and "Report" in report.text
    seen = re.search(r'name="seen" value="(\w+)"', page.text)[1]
    form = {
        "form_token": token,
        "seen": seen,
        "meaning": "approved",
        "reason": "reads well",
        "password": PASSWORD,
    }
    assert client.post("/releases/preceptor/1/sign", data=form | {"seen": "0"}).status_code == 409
    assert client.post("/releases/preceptor/1/sign", data=form | {"password": "wrong"}).status_code == 409
    assert client.post("/releases/preceptor/1/sign", data=form | {"reason": " "}).status_code == 400
    assert client.post("/releases/preceptor/1/sign", data=form).status_code == 303
    assert "Dr Approver, approver" in client.get("/releases/preceptor/1").text
    store = open_store(house.workspace)
    (event,) = store.events(kinds=("approved",))
    assert (event.payload["meaning"], event.payload["printed_name"]) == ("approved", "Dr Approver")
    assert set(event.payload["shown"]) == {"version", "report.html", "report.json"}
    done = promotion.promote(
        tracking_of(house.workspace), store, "preceptor/1", required=1, validity=VALIDITY, actor="test"
    )
    assert done.champion == "preceptor/1" and store.verify() == []
    store.close()
    vault = open_vault(house.workspace)
    read = [(e.actor, e.purpose) for e in vault.audit.entries() if e.action == "read"]
    vault.close()
    assert ("approver-1", "blinded comparison") in read and ("approver-1", "evaluation report") in read


def test_a_name_is_locked_whether_or_not_anybody_has_it(house, browser, token_of):
    for name in ("admin-1", "nobody"):
        client, said = browser(), []
        token = token_of(client.get("/sign-in"))
        for _ in range(house.settings.review.failures):
            house.sessions.failed(name)
        entry = {"form_token": token, "name": name, "password": PASSWORD}
        said.append(re.search(r'role="alert">(.*?)<', client.post("/sign-in", data=entry).text)[1])
        house.sessions.succeeded(name)
        assert said == ["▲ Too many wrong passwords for this name: wait 15 minutes, then try again."]


def test_a_form_from_elsewhere_is_refused(signed_in):
    client, token = signed_in("admin-1")
    assert client.post("/sign-out", data={"form_token": "0" * 64}).status_code == 403
    evil = {"origin": "http://evil.example"}
    assert client.post("/sign-out", data={"form_token": token}, headers=evil).status_code == 403
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert client.post("/sign-out", data={"form_token": token}).headers["location"] == "/sign-in"


def test_the_app_goes_by_the_names_that_a_proxy_asks_for_and_no_others(house):
    review = house.settings.review.model_copy(update={"names": ("review.hospital.example",)})
    named = replace(house, settings=house.settings.model_copy(update={"review": review}))
    client = TestClient(application(named))
    asked = [
        client.get("/sign-in", headers={"host": host}).status_code
        for host in ("review.hospital.example", "review.hospital.example:8400", "evil.example")
    ]
    assert asked == [200, 200, 421]


def test_the_browser_keeps_nothing_and_runs_nothing(browser):
    page = browser().get("/sign-in")
    assert (
        page.headers["cache-control"] == "no-store"
        and "frame-ancestors 'none'" in page.headers["content-security-policy"]
    )
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "HttpOnly" in page.headers["set-cookie"] and "SameSite=strict" in page.headers["set-cookie"]


def test_a_session_ends_by_idleness_and_by_age(house):
    import dataclasses

    now = [1000.0]
    sessions = dataclasses.replace(house.sessions, clock=lambda: now[0])
    token = sessions.begin("admin-1")
    now[0] += 14 * 60
    assert sessions.name_of(token) == "admin-1"
    now[0] += 16 * 60
    assert sessions.name_of(token) is None
    token = sessions.begin("admin-1")
    for _ in range(60):
        now[0] += 10 * 60
        alive = sessions.name_of(token)
    assert alive is None


@pytest.mark.parametrize("jump", [-24 * 3600, 10 * 365 * 24 * 3600])
def test_a_clock_that_jumps_ends_a_session_and_keeps_nobody_out(house, jump):
    """Set back, a session would otherwise last a day longer, and a lock as well."""
    import dataclasses

    now = [1_700_000_000.0]
    sessions = dataclasses.replace(house.sessions, clock=lambda: now[0])
    token = sessions.begin("admin-1")
    for _ in range(house.settings.review.failures):
        sessions.failed("somebody")
    now[0] += jump
    assert sessions.name_of(token) is None
    sessions.require_unlocked("somebody")
    again = sessions.begin("admin-1")
    now[0] -= jump
    assert sessions.name_of(again) is None


@pytest.mark.parametrize("jump", [-24 * 3600, 10 * 365 * 24 * 3600])
def test_a_case_that_was_opened_under_a_wrong_clock_comes_to_others(house, monkeypatch, jump):
    made = comparisons.make(house.database, "e", ("a", "b"), ["c1"], 0.0, "lead")
    right = comparisons.time.time
    monkeypatch.setattr(comparisons.time, "time", lambda: right() + jump)
    assert comparisons.next_case(house.database, made, "r1") == "c1"
    assert comparisons.next_case(house.database, made, "r2") is None
    monkeypatch.setattr(comparisons.time, "time", right)
    assert comparisons.next_case(house.database, made, "r2") == "c1"


def test_the_report_that_names_the_models_stays_shut_to_reviewers_while_they_judge(house, signed_in):
    client, _ = signed_in("reviewer-1")
    evaluation = latest(house.workspace.reports, "evaluation").name
    made = comparisons.make(house.database, evaluation, ("finetuned", "base"), CASES, 0.0, "lead")
    assert client.get("/releases/preceptor/1/report").status_code == 409
    comparisons.close(house.database, made)
    assert client.get("/releases/preceptor/1/report").status_code == 200


def test_overlap_undo_and_closing(house):
    path, key = house.database, house.key
    made = comparisons.make(path, "e", ("a", "b"), [f"c{n}" for n in range(10)], 0.3, "lead")
    fine = dict.fromkeys(comparisons.CRITERIA, 4)
    for reviewer in ("r1", "r2"):
        while case := comparisons.next_case(path, made, reviewer):
            comparisons.judge(path, key, made, case, reviewer, "tie", fine, fine)
    assert comparisons.progress(path, made, "r1") == {"cases": 10, "wanted": 13, "done": 13, "mine": 10}
    undone = comparisons.undo(path, made, "r2")
    assert comparisons.next_case(path, made, "r2") == undone
    comparisons.close(path, made)
    with pytest.raises(users.GateRefused, match="closed"):
        comparisons.undo(path, made, "r2")
    found = comparisons.results(path, made, {})
    assert (found["judged_twice"], found["win_rate"]["mean"]) == (2, 0.5)


def test_alpha_of_the_published_example():
    """Krippendorff 2011, section D: 4 observers, 12 units with missing ratings."""
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [[v for v in unit if v is not None] for unit in zip(*observers, strict=True)]
    for level, published in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        assert krippendorff_alpha(units, level) == pytest.approx(published, abs=0.0005)
    assert krippendorff_alpha([[1, 1], [1, 1]], "ordinal") is None


def test_an_example_is_corrected_by_signature_and_the_next_one_comes(house, signed_in, token_of):
    client, _ = signed_in("reviewer-1")
    listed = client.get("/examples")
    assert f"{len(CASES)} of {len(CASES)}" in listed.text and "The visit" not in listed.text
    page = client.get("/examples/summary-2")
    assert "The visit &lt;summary-2&gt;" in page.text
    form = {
        "form_token": token_of(page),
        "seen": re.search(r'name="seen" value="(\w+)"', page.text)[1],
        "verdict": "correct",
        "answer": "A better\r\nreference",
        "password": PASSWORD,
    }
    assert client.post("/examples/summary-2", data=form | {"password": "wrong"}).status_code == 409
    assert client.post("/examples/summary-2", data=form | {"seen": "0"}).status_code == 400
    assert client.post("/examples/summary-2", data=form | {"verdict": "burn"}).status_code == 400
    assert client.post("/examples/summary-2", data=form | {"answer": "ref"}).status_code == 400  # unchanged
    leaking = client.post("/examples/summary-2", data=form | {"answer": "Call 415-555-0134"})
    said, typed = leaking.text.split('<form method="post" class', 1)
    assert leaking.status_code == 400 and "phi-suspected" in said and "0134" not in said
    assert (
        "Call 415-555-0134</textarea>" in typed and 'value="correct" required checked' in typed
    )  # not to be typed twice
    done = client.post("/examples/summary-2", data=form)
    assert done.status_code == 303 and done.headers["location"].startswith("/examples/summary-")
    assert not done.headers["location"].endswith("-2")
    assert f"{len(CASES) - 1} of {len(CASES)}" in client.get("/examples").text
    store = open_store(house.workspace)
    said = reviews.decisions(store, house.workspace.data)
    assert store.verify() == []
    store.close()
    (review,) = [review for of_case in said.values() for review in of_case]
    assert (review.reviewer, review.verdict, review.answer) == (
        "reviewer-1",
        "correct",
        "A better\nreference",
    )


def test_wrong_passwords_at_signing_an_example_lock_the_name(house, signed_in, token_of):
    client, _ = signed_in("admin-1")
    page = client.get("/examples/summary-4")
    form = {
        "form_token": token_of(page),
        "seen": re.search(r'name="seen" value="(\w+)"', page.text)[1],
        "verdict": "accept",
        "answer": "ref",
        "password": "wrong",
    }
    for _ in range(house.settings.review.failures):
        assert client.post("/examples/summary-4", data=form).status_code == 409
    locked = client.post("/examples/summary-4", data=form | {"password": PASSWORD})
    assert locked.status_code == 409 and "Too many wrong passwords" in locked.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_judgement_on_a_full_disk_is_refused_by_name_and_kept_when_there_is_room(house, tmp_path, token_of):
    with small_disk(tmp_path / "disk", 64) as small:
        shutil.copytree(house.workspace.home, small.at / "home")
        ours = house_of(Workspace(small.at / "home"), house.settings)
        evaluation = latest(ours.workspace.reports, "evaluation").name
        made = comparisons.make(ours.database, evaluation, ("finetuned", "base"), CASES, 0.0, "lead")
        client = TestClient(application(ours), base_url="http://127.0.0.1", follow_redirects=False)
        client.cookies.set(ours.cookie, ours.sessions.begin("reviewer-1"), domain="127.0.0.1")
        place = client.get(f"/comparisons/{made}/next").headers["location"]
        form = {"form_token": token_of(client.get(place)), "preference": "left"}
        form |= {f"{side}-{c}": "3" for side in ("left", "right") for c in comparisons.CRITERIA}
        small.fill()
        refused = client.post(place, data=form)
        assert refused.status_code == 507 and "Nothing was saved" in refused.text
        assert (
            "rule disk-full" in refused.text
            and str(small.at) in refused.text
            and "TEXT of" not in refused.text
        )
        assert comparisons.progress(ours.database, made, "reviewer-1")["done"] == 0
        small.empty()
        assert client.post(place, data=form).status_code == 303
        assert comparisons.progress(ours.database, made, "reviewer-1")["done"] == 1
