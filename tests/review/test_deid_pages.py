"""De-identified documents in the app: what is shown and what is not, words that are ticked, and the decision that is kept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.deid.batch import DeidResult
from preceptor.deid.leakcheck import FAILED, Leak
from preceptor.errors import UsageError
from preceptor.privacy import reviews
from preceptor.privacy.looking import clean_version, look_at, passages, pieces
from preceptor.release.store import open_store
from preceptor.settings import DeidSettings, Settings
from preceptor.tables import DOCUMENTS, read_documents
from preceptor.vault import open_vault
from tests.release.conftest import PASSWORD
from tests.review.conftest import BATCH, MISSED


@pytest.fixture
def version(house):
    return clean_version(house.workspace.data, BATCH)[1]


@pytest.fixture
def found(version):
    """The documents of the queue by what is in them."""
    kept = {d.document_ref: d.text for d in read_documents(version.path / DOCUMENTS)}
    by_reason = {i.document_ref: i.reason for i in reviews.items(version, 50)}
    return {
        "withheld": next(ref for ref, reason in by_reason.items() if reason == "withheld"),
        "doubted": next(ref for ref, text in kept.items() if "Zbrzezny" in text),
        "clean": next(ref for ref, text in kept.items() if "Ankle" in text),
        "text": kept,
    }


def form_of(page, **more):
    """The form of a page with what it is sent with."""
    fields = {
        name: re.search(rf'name="{name}" value="(\w+)"', page.text)[1] for name in ("form_token", "seen")
    }
    return fields | {"password": PASSWORD} | more


def ticked(page, *words):
    """The fields of these words."""
    names = {text: name for name, text in re.findall(r'name="(w\d+)"[^>]*><span>(.*?)</span>', page.text)}
    return {names[word]: "on" for word in words}


def decided(house):
    store = open_store(house.workspace)
    assert store.verify() == []
    events = store.events(kinds=(reviews.REVIEWED,))
    store.close()
    return events


def test_the_queue_tells_references_and_rules_and_no_text(house, signed_in, version):
    client, _ = signed_in("privacy-1")
    assert client.get("/deid").headers["location"] == f"/deid/{BATCH}"
    page = client.get(f"/deid/{BATCH}")
    assert "3 documents nobody has looked at" in page.text and "long-number" in page.text
    assert all(item.document_ref in page.text for item in reviews.items(version, 50))
    assert not any(word in page.text for word in ("cough", "Ankle", "Zbrzezny", MISSED))
    assert client.get("/deid/b2").status_code == 400


def test_stand_ins_and_doubts_are_marked_and_the_original_is_shown_nowhere(house, signed_in, found):
    client, _ = signed_in("reviewer-1")
    page = client.get(f"/deid/{BATCH}/{found['doubted']}").text
    assert re.search(r"««</span><label[^>]*><input[^>]*><span>Zbrzezny</span></label><span[^>]*>»»", page)
    stand_in = re.search(r"MRN: (\S+?),", found["text"][found["doubted"]])[1]
    assert "20077" not in page and re.search(rf"⟦</span><label[^>]*><input[^>]*><span>{stand_in}<", page)
    vault = open_vault(house.workspace)
    read = [(e.actor, e.purpose) for e in vault.audit.entries() if e.action in ("read", "read-record")]
    vault.close()
    assert ("reviewer-1", "review of de-identification") in read


def test_what_was_ticked_is_kept_as_offsets_and_signed(house, signed_in, found, version):
    client, _ = signed_in("privacy-1")
    place = f"/deid/{BATCH}/{found['doubted']}"
    page = client.get(place)
    ticks = ticked(page, "Zbrzezny", "was", "no", "fever.")
    before = len(decided(house))
    assert client.post(place, data=form_of(page, verdict="clean", **ticks)).status_code == 400
    assert client.post(place, data=form_of(page, verdict="leak")).status_code == 400
    assert client.post(place, data=form_of(page, **ticks)).status_code == 400
    assert (
        client.post(place, data=form_of(page, verdict="leak", w1="on")).status_code == 400
    )  # no word begins there
    assert client.post(place, data=form_of(page, verdict="leak", **ticks) | {"seen": "0"}).status_code == 400
    wrong = client.post(
        place, data=form_of(page, verdict="leak", reason="a rare name", **ticks) | {"password": "x"}
    )
    assert (
        wrong.status_code == 409
        and wrong.text.count(" checked") == len(ticks) + 1
        and "a rare name" in wrong.text
    )
    assert len(decided(house)) == before
    answer = client.post(place, data=form_of(wrong, verdict="leak", **ticks))
    assert answer.status_code == 303 and answer.headers["location"].startswith(f"/deid/{BATCH}/d-")
    assert not answer.headers["location"].endswith(found["doubted"])
    event = decided(house)[-1]
    text, said = found["text"][found["doubted"]], event.payload
    assert (event.subject, event.actor, said["verdict"], said["missed"]) == (
        found["doubted"],
        "privacy-1",
        "leak",
        2,
    )
    assert [text[a:b] for a, b in said["places"]] == ["Zbrzezny was", "no fever."]
    assert not any(word in event.payload_text for word in ("Zbrzezny", "fever"))
    store = open_store(house.workspace)
    left = reviews.open_items(reviews.items(version, 50), reviews.decisions(store, BATCH))
    assert found["doubted"] in reviews.reviewed(reviews.decisions(store, BATCH)).barred
    store.close()
    assert found["doubted"] not in {item.document_ref for item in left}


def test_a_withheld_document_is_shown_as_it_would_go_on_and_can_be_let_go(house, signed_in, found, version):
    client, _ = signed_in("admin-1")
    place = f"/deid/{BATCH}/{found['withheld']}"
    page = client.get(place)
    assert re.search(rf"««</span><label[^>]*><input[^>]*><span>{MISSED}</span>", page.text)
    assert (
        client.post(place, data=form_of(page, verdict="clean", reason="a catalogue number")).status_code
        == 303
    )
    event = decided(house)[-1]
    assert (event.payload["verdict"], event.payload["why"], "places" in event.payload) == (
        "clean",
        "withheld",
        False,
    )
    store = open_store(house.workspace)
    assert found["withheld"] in reviews.reviewed(reviews.decisions(store, BATCH)).released
    store.close()


def test_what_would_be_made_otherwise_today_is_not_shown(house, found, version):
    other = Settings(deid=DeidSettings(tagger="none", mode="mask"))
    with pytest.raises(UsageError, match="deid-changed"):
        look_at(house.workspace, other, BATCH, version, found["doubted"])
    with pytest.raises(UsageError, match="holds no document"):
        look_at(house.workspace, house.settings, BATCH, version, "d-0")


def test_nobody_can_find_a_document_clean_that_has_no_text(house, signed_in, found, monkeypatch):
    from preceptor.review import deid_pages

    item = reviews.Item(found["clean"], "p-1", "withheld", {FAILED: 1}, "f")
    monkeypatch.setattr(deid_pages, "_item", lambda *_: item)
    client, token = signed_in("admin-1")
    place = f"/deid/{BATCH}/{found['clean']}"
    assert '<form method="post"><input' not in client.get(place).text.split("</header>")[1]
    before = len(decided(house))
    form = {"form_token": token, "seen": "0", "verdict": "clean", "password": PASSWORD}
    assert client.post(place, data=form).status_code == 400
    assert len(decided(house)) == before


def result_of(text, moves=(), leaks=()):
    return DeidResult(
        "d", "p", "note", "x", None, "text", text, {}, None, (), [], [Leak("rare-word", "PATIENT", *at) for at in leaks],
        tuple((0, 0, *at) for at in moves),
    )  # fmt: skip


def test_pieces_by_hand():
    found = pieces(result_of("Ann Lee's Bo.", moves=[(0, 7)], leaks=[(10, 12)]))
    assert [(p.text, p.blank, p.stand_in, p.doubted) for p in found] == [
        ("Ann", False, True, False),
        (" ", True, True, False),
        ("Lee", False, True, False),
        ("'s", False, False, False),
        (" ", True, False, False),
        ("Bo", False, False, True),
        (".", False, False, False),
    ]


def test_passages_join_neighbours_in_a_line():
    found = pieces(result_of("call Ann Lee now\nBo"))
    assert passages(found, {5, 9}) == [(5, 12)]
    assert passages(found, {0, 9, 13, 17}) == [(0, 4), (9, 16), (17, 19)]
    assert passages(found, set()) == []
    with pytest.raises(UsageError, match="changed"):
        passages(found, {4})


@settings(deadline=None)
@given(st.text(alphabet="ab é\n⟦.", max_size=40), st.data())
def test_pieces_join_to_the_text(text, data):
    spans = st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted), max_size=3)
    found = pieces(result_of(text, moves=data.draw(spans), leaks=data.draw(spans)))
    assert "".join(p.text for p in found) == text
    assert all(p.blank == (not p.text.strip()) and text[p.start : p.end] == p.text for p in found)
    words = {p.start for p in found if not p.blank}
    covered = {at for a, b in passages(found, words) for at in range(a, b) if not text[at].isspace()}
    assert covered == {at for at, c in enumerate(text) if not c.isspace()}
