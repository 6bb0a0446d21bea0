"""One person, one stand-in: in every form the name is written in, of the same sex and origin."""

from __future__ import annotations

import pytest

from preceptor.deid.surrogates import Surrogates, name_forms, origins
from preceptor.deid.surrogates.sexes import told_sexes
from preceptor.deid.words import census, sex_of, surname_rank
from preceptor.records import PatientRecord, Span

SECRET = bytes(range(32))
RECORD = PatientRecord.from_mapping(
    {
        "name": "William Robert Hathaway",
        "sex": "M",
        "relatives": ["Eleanor Hathaway", "Katherine Hathaway-Ross"],
        "clinicians": ["Dr. Priya Venkataraman"],
    }
)


def surrogates(record=RECORD, values=(), patient="p-1", **more):
    return Surrogates(SECRET, patient, record, values, **more)


def whole(s, name="William Robert Hathaway"):
    """First, middle and last stand-in."""
    return s.replace("PATIENT", name).split()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hathaway, William", "{last}, {first}"),
        ("HATHAWAY, WILLIAM ROBERT", "{LAST}, {FIRST} {MIDDLE}"),
        ("HATHAWAY,WILLIAM", "{LAST},{FIRST}"),
        ("william hathaway", "{low_first} {low_last}"),
        ("Mr. Hathaway", "Mr. {last}"),
        ("Mr. William Hathaway, Jr.", "Mr. {first} {last}, Jr."),
        ("Hathaway's", "{last}'s"),
        ("HATHAWAY’S", "{LAST}’S"),
        ("W. Hathaway", "{f}. {last}"),
        ("Hathaway, W. R.", "{last}, {f}. {m}."),
        ("W.R.H.", "{f}.{m}.{l}."),
        ("WRH", "{f}{m}{l}"),
        ("Hathway", "{last}"),
        ("Hathaawey", "{last}"),
        ("Mr. Hattaway", "Mr. {last}"),
        ("William Hathaway (Eleanor)", "{first} {last} ({wife})"),
    ],
)
def test_each_form_of_a_name_is_that_form_of_its_stand_in(written, expected):
    s = surrogates(values=[("PATIENT", written)])
    first, middle, last = whole(s)
    forms = {
        "first": first,
        "middle": middle,
        "last": last,
        "FIRST": first.upper(),
        "MIDDLE": middle.upper(),
        "LAST": last.upper(),
        "low_first": first.lower(),
        "low_last": last.lower(),
        "f": first[0],
        "m": middle[0],
        "l": last[0],
        "wife": s.replace("RELATIVE", "Eleanor"),
    }
    assert s.replace("PATIENT", written) == expected.format(**forms)


@pytest.mark.parametrize(
    ("name", "short"), [("William", "Bill"), ("Katherine", "Kathy"), ("Elizabeth", "Liz")]
)
def test_a_short_form_is_a_short_form_of_the_stand_in(name, short):
    from preceptor.deid.surrogates.names import _short_forms

    for n in range(20):
        s = surrogates(PatientRecord.from_mapping({"name": f"{name} Hathaway"}), patient=f"p-{n}")
        formal, called = s.replace("PATIENT", name), s.replace("PATIENT", short)
        assert called.lower() in _short_forms()[formal.lower()]


@pytest.mark.parametrize(("name", "short"), [("Chidinma Okafor", "Chidi"), ("Ruth Goldberg", "Ruthie")])
def test_a_short_form_in_no_list_is_the_same_person(name, short):
    s = surrogates(PatientRecord.from_mapping({"name": name, "sex": "F"}), [("PATIENT", short)])
    assert s.replace("PATIENT", short) == s.replace("PATIENT", name).split()[0]


def test_relatives_of_one_surname_share_the_new_one():
    s = surrogates()
    last = whole(s)[-1]
    assert s.replace("RELATIVE", "Eleanor Hathaway").split()[-1] == last
    double = s.replace("RELATIVE", "Katherine Hathaway-Ross").split()[-1]
    assert double.startswith(last + "-")
    assert "Ross" not in double


def test_husband_and_wife_of_a_slavic_surname_share_it():
    people = {"name": "Anna Kowalska", "sex": "F", "relatives": ["Piotr Kowalski"]}
    for n in range(20):
        s = surrogates(PatientRecord.from_mapping(people), patient=f"p-{n}")
        his, hers = s.replace("RELATIVE", "Kowalski"), s.replace("PATIENT", "Kowalska")
        assert hers == his or (hers[:-1] == his[:-1] and hers[-1] == "a" and his[-1] == "i")


@pytest.mark.parametrize("n", range(8))
@pytest.mark.parametrize(
    ("name", "sex"),
    [
        ("Wilhelmina Hathaway", "F"),
        ("Gerald Hathaway", "M"),
        ("Solveig Lindqvist", "F"),
        ("Emeka Okafor", "M"),
    ],
)
def test_a_first_name_keeps_its_sex(name, sex, n):
    new = surrogates(None, [("DOCTOR", name)], f"p-{n}").replace("DOCTOR", name).split()[0]
    assert (origins.first_name_sex(new) or sex_of(new)) == sex


def test_the_record_and_the_text_say_the_sex_where_the_name_does_not():
    for n in range(20):
        he = surrogates(PatientRecord.from_mapping({"name": "Majo Hathaway", "sex": "M"}), patient=f"p-{n}")
        assert sex_of(he.replace("PATIENT", "Majo")) == "M"
        she = surrogates(None, [("RELATIVE", "Majo Ames")], f"p-{n}", sexes={"majo": "F"})
        assert sex_of(she.replace("RELATIVE", "Majo")) == "F"


@pytest.mark.parametrize(
    ("text", "sexes"),
    [
        ("her husband [Tou] came", {"tou": "M"}),
        ("wife: [Xuan Tran] helps", {"xuan": "F"}),
        ("[Lan], his wife, interprets", {"lan": "F"}),
        ("[Sam] (daughter) is here", {"sam": "F"}),
        ("sister [PARK, JOY] called", {"joy": "F"}),
        ("Ms. [Park] called", {}),
        ("Ms. [Joy Park] called", {"joy": "F"}),
        ("seen with [Tou]", {}),
    ],
)
def test_the_words_beside_a_name_tell_the_sex(text, sexes):
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    assert told_sexes([plain], [[Span(start, end, "RELATIVE")]]) == sexes


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("Nguyen", "vietnamese"),
        ("Okafor", "westafrican"),
        ("Venkataraman", "indian"),
        ("Szczepaniak", "polish"),
        ("O'Shaughnessy", "irish"),
        ("Hernandez", "spanish"),
        ("Goldberg", "jewish"),
        ("Yazzie", "navajo"),
        ("Thorvaldsen", "nordic"),
    ],
)
def test_a_surname_keeps_its_origin(name, origin):
    for n in range(10):
        new = surrogates(None, [("DOCTOR", f"Dr. {name}")], f"p-{n}").replace("DOCTOR", name)
        assert origin in origins.told(new, "last")


def test_a_name_that_is_english_too_goes_by_the_surname_beside_it():
    def first(name, n):
        return surrogates(None, [("DOCTOR", name)], f"p-{n}").replace("DOCTOR", name).split()[0]

    assert all("spanish" in origins.told(first("Maria Hernandez", n), "female") for n in range(10))
    assert not all("spanish" in origins.told(first("Maria Hathaway", n), "female") for n in range(10))


@pytest.mark.parametrize(("name", "most", "least"), [("Smith", 1, 150), ("Hathaway", 1000, 12000)])
def test_a_surname_is_about_as_frequent_as_the_one_it_stands_for(name, most, least):
    for n in range(20):
        new = surrogates(None, [("DOCTOR", f"Dr. {name}")], f"p-{n}").replace("DOCTOR", name)
        assert most <= surname_rank(new) <= least


def test_a_very_rare_surname_gets_no_rare_one():
    """A name that a few families bear would point at them."""
    rare = "Quackenbottom"
    for n in range(20):
        new = surrogates(None, [("DOCTOR", f"Dr. {rare}")], f"p-{n}").replace("DOCTOR", rare)
        assert census("last")[new.lower()] < 12_000


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Brendan Ames, M.D.", ", M.D."),
        ("Tunde Adeyemi PA-C", " PA-C"),
        ("Rosalind Ames, LCSW", ", LCSW"),
        ("JAN DOE, RN, BSN", ", RN, BSN"),
        ("William Ames III", " III"),
        ("Robin Ames, Ph.D.", ", Ph.D."),
    ],
)
def test_credentials_stay(name, kept):
    new = surrogates(None, [("DOCTOR", name)]).replace("DOCTOR", name)
    assert new.endswith(kept)
    assert new.removesuffix(kept) != name.removesuffix(kept)


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("Ludwig van Beek", "name particle name"),
        ("Van Dyke, Richard", "particle name name"),
        ("Mr. Van Dyke", "title particle name"),
        ("María de la Cruz", "name particle particle name"),
        ("Ben Carson", "name name"),
        ("Della Reese", "name name"),
        ("Joan Little", "name name"),
        ("Little Joan", "title name"),
        ("Anh Do", "name name"),
        ("ANH DO", "name name"),
        ("Tuan Le", "name name"),
        ("Karim al Masri", "name particle name"),
        ("Juan Ortega y Gasset", "name name particle name"),
        ("Mr. and Mrs. Ames", "title title title name"),
        ("William J. Ames, MD", "name initial name title"),
    ],
)
def test_titles_and_particles_are_told_by_their_place(name, roles):
    assert " ".join(w.role for w in name_forms.read(name).words) == roles


@pytest.mark.parametrize(
    "name",
    ["Anh Do", "Tuan Le", "Ben Carson", "Al Gore", "Van", "Joan Little", "Sister", "Young", "Ng", "Dr. Li"],
)
def test_no_word_of_a_name_is_left(name):
    new = surrogates(None, [("DOCTOR", name)]).replace("DOCTOR", name)
    kept = set(name.split()) & set(new.split())
    assert kept <= {"Dr."}


def test_a_vietnamese_name_keeps_its_order_and_middle_word():
    names = [("PATIENT", "Duc Tran"), ("RELATIVE", "TRAN THI LAN"), ("RELATIVE", "Tran")]
    s = surrogates(None, names)
    given, family = s.replace("PATIENT", "Duc Tran").split()
    wife = s.replace("RELATIVE", "TRAN THI LAN").split()
    assert wife[:2] == [family.upper(), "THI"]
    assert given.upper() != wife[2]


def test_accents_only_where_the_note_writes_them():
    names = [("PATIENT", "Nguyễn Thị Hương"), ("RELATIVE", "Nguyen Hai")]
    s = surrogates(None, names)
    assert s.replace("RELATIVE", "Nguyen Hai").isascii()


def test_a_slip_is_no_bridge_between_two_people():
    """Mario is not a misspelled Maria, unless the text calls the patient so."""
    record = PatientRecord.from_mapping({"name": "Maria Hathaway", "sex": "F"})
    s = surrogates(record, [("DOCTOR", "Mario Bianchi")])
    doctor = s.replace("DOCTOR", "Mario Bianchi").split()[0]
    assert doctor != s.replace("PATIENT", "Maria")
    assert (origins.first_name_sex(doctor) or sex_of(doctor)) == "M"
    same = surrogates(record, [("PATIENT", "Mario Hathaway")])
    assert same.replace("PATIENT", "Mario") == same.replace("PATIENT", "Maria")


def test_a_spelled_name_is_spelled():
    s = surrogates()
    last = whole(s)[-1].upper()
    spelled = s.replace("PATIENT", "H-A-T-H-A-W-A-Y")
    assert len(spelled) == 15
    assert spelled[::2].startswith(last[:8])


def test_initials_are_never_the_same():
    for n in range(600):
        assert (
            surrogates(PatientRecord.from_mapping({"name": "Jan Doe"}), patient=f"p-{n}").replace(
                "PATIENT", "JD"
            )
            != "JD"
        )


def test_no_stand_in_is_a_name_of_the_patient_or_stands_for_two():
    people = ["Alder", "Becker", "Conway", "Dalton", "Ewing", "Foley", "Gibbs", "Hadley", "Irwin", "Jarvis"]
    values = [("DOCTOR", f"Dr. {name}") for name in people]
    for n in range(30):
        s = surrogates(None, values, f"p-{n}")
        new = [s.replace("DOCTOR", name) for name in people]
        assert len(set(new)) == len(people)
        assert not set(new) & set(people)


def test_equal_key_and_patient_equal_names_else_others():
    def name(secret, patient):
        return Surrogates(secret, patient, RECORD, []).replace("PATIENT", "William Robert Hathaway")

    assert name(SECRET, "p-1") == name(SECRET, "p-1")
    assert len({name(SECRET, "p-1"), name(bytes(32), "p-1"), name(SECRET, "p-2")}) == 3


def test_addresses_are_made_of_the_new_names():
    s = surrogates()
    first, _, last = (w.lower() for w in whole(s))
    assert s.replace("EMAIL", "william.hathaway@clinic.org").startswith(f"{first}.{last}@example.")
    user = s.replace("USERNAME", "whathaway58")
    assert user[:-2] == first[0] + last
    assert user[-2:].isdigit()
    assert user[-2] != "5"
    assert user[-1] != "8"


@pytest.mark.parametrize(
    "value",
    ["roe77@hospital.org", "X.Y@HOSPITAL.ORG", "jane at hospital dot org", "hathaway@mail.example.gov"],
)
def test_an_address_is_at_a_domain_nobody_can_own(value):
    new = surrogates().replace("EMAIL", value)
    assert new.lower().split("@")[1] in ("example.org", "example.net", "example.com")
    assert new.lower().split("@")[0] not in value.lower()
    assert new.isupper() == value.isupper()


@pytest.mark.parametrize(
    "value", ["https://www.hathaway-clinic.com/visits/2231", "portal.hathaway.org", "www.hathaway.net/a?id=7"]
)
def test_a_web_address_keeps_its_shape_at_a_host_nobody_can_own(value):
    new = surrogates().replace("URL", value)
    assert ".example.org" in new
    assert "hathaway" not in new
    assert new.startswith("https://") == value.startswith("https://")
    assert ("www." in new) == ("www." in value)
    assert ("/" in new.removeprefix("https://")) == ("/" in value.removeprefix("https://"))


@pytest.mark.parametrize("origin", sorted(origins._listed()))
@pytest.mark.parametrize("first", ["Xu", "Xu-xu", "Scott", "Amy"])
def test_any_first_name_beside_a_surname_of_any_origin_gets_a_stand_in(origin, first):
    last = origins.pool(origin, "last")[0]
    name = f"{first} {last}"
    new = surrogates(None, [("PATIENT", name)]).replace("PATIENT", name)
    assert new.split()
    assert first not in new.split()
