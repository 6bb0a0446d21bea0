"""Numbers keep their shape and are nobody's: no check digit and no issuer's rule lets one pass."""

from __future__ import annotations

import re

import pytest

from preceptor.deid.recognizers.check_digits import is_dea, is_npi, is_ssn, is_vin, luhn
from preceptor.deid.surrogates import RESTRICTED_ZIP3, Surrogates
from preceptor.deid.surrogates.numbers import could_be_real
from preceptor.records import PatientRecord
from preceptor.settings import RestrictedAreas

SECRET = bytes(range(32))
PATIENTS = range(150)


def many(kind, value, values=None):
    """The stand-ins of one value for many patients."""
    given = [(kind, value)] if values is None else values
    return [Surrogates(SECRET, f"p-{n}", None, given).replace(kind, value) for n in PATIENTS]


def shape(value):
    return re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", value)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("SSN", "471-22-8806"),
        ("SSN", "471228806"),
        ("SSN", "471 22 8806"),
        ("MRN", "QZ-778812"),
        ("MRN", "4410-2297"),
        ("MRN", "MRN: 00817734"),
        ("HEALTHPLAN", "1EG4-TE5-MK73"),
        ("ACCOUNT", "V-009182-77"),
        ("ACCOUNT", "4111 1111 1111 1111"),
        ("LICENSE", "1234567893"),
        ("LICENSE", "BA1234563"),
        ("LICENSE", "NPI 1234567893"),
        ("VEHICLE", "1M8GDM9AXKP042788"),
        ("VEHICLE", "QXR-7721"),
        ("DEVICE", "SN pjn458812h"),
        ("IDNUM", "Acc# 24-S-10442"),
        ("PHONE", "(512) 448-9021"),
        ("PHONE", "512.448.9021"),
        ("PHONE", "+1 512 448 9021"),
        ("PHONE", "448-9021"),
        ("FAX", "512-448-9022 ext 44"),
        ("BIOID", "FP-0091A"),
    ],
)
def test_the_shape_stays_and_the_number_changes(kind, value):
    new = many(kind, value)
    assert {shape(n) for n in new} == {shape(value)}
    assert value not in new
    assert len(set(new)) > 50  # of 150 patients


@pytest.mark.parametrize(
    ("kind", "value", "valid"),
    [
        ("SSN", "471-22-8806", is_ssn),
        ("LICENSE", "1234567893", is_npi),
        ("LICENSE", "BA1234563", is_dea),
        ("VEHICLE", "1M8GDM9AXKP042788", is_vin),
        ("ACCOUNT", "4111111111111111", luhn),
        ("ACCOUNT", "378282246310005", luhn),
        ("IDNUM", "123456789", is_ssn),
        ("MRN", "1234567893", is_npi),
        ("HEALTHPLAN", "AB1234563", is_dea),
    ],
)
def test_no_stand_in_passes_a_check(kind, value, valid):
    assert not any(valid(re.sub(r"\W", "", new)) for new in many(kind, value))


@pytest.mark.parametrize(
    "value",
    [
        "471-22-8806",
        "471228806",
        "1234567893",
        "NPI 1234567893",
        "BA1234563",
        "1M8GDM9AXKP042788",
        "4111 1111 1111 1111",
        "1EG4-TE5-MK73",
        "1EG4TE5MK73",
    ],
)
def test_what_could_be_real_is_known(value):
    assert could_be_real(value)


@pytest.mark.parametrize(
    "value",
    [
        "900-12-3456",
        "666-12-3456",
        "000-12-3456",
        "471-00-8806",
        "471-22-0000",
        "1234567890",
        "4111111111111112",
        "QZ-778812",
    ],
)
def test_what_cannot_be_real_is_known(value):
    assert not could_be_real(value)


def test_a_medicare_number_is_not_of_the_form_that_medicare_gives():
    """The form has no check digit: its letters leave out S, L, O, I, B and Z."""
    form = re.compile(
        r"[1-9][AC-HJ-KM-NP-RT-Y][AC-HJ-KM-NP-RT-Y0-9]\d[AC-HJ-KM-NP-RT-Y][AC-HJ-KM-NP-RT-Y0-9]\d[AC-HJ-KM-NP-RT-Y]{2}\d\d"
    )
    assert form.fullmatch("1EG4TE5MK73")
    assert not any(form.fullmatch(new.replace("-", "")) for new in many("HEALTHPLAN", "1EG4-TE5-MK73"))


def test_an_ssn_is_of_an_area_that_is_never_given_out_and_no_itin():
    new = many("SSN", "471-22-8806")
    assert {n[0] for n in new} == {"9"}
    assert max(int(n[4:6]) for n in new) < 50


@pytest.mark.parametrize("value", ["(512) 448-9021", "512.448.9021", "5124489021", "1-512-448-9021"])
def test_a_telephone_number_is_one_set_aside_for_fiction(value):
    for new in many("PHONE", value):
        digits = re.sub(r"\D", "", new)[-10:]
        assert digits[0] in "23456789"
        assert digits[3:8] == "55501"


def test_one_number_in_several_layouts_stays_one_number():
    forms = ["(512) 448-9021", "512.448.9021", "5124489021", "1-512-448-9021"]
    s = Surrogates(SECRET, "p-1", None, [("PHONE", f) for f in forms])
    new = {re.sub(r"\D", "", s.replace("PHONE", f))[-10:] for f in forms}
    assert len(new) == 1
    assert s.replace("PHONE", "448-9021").replace("-", "") == new.pop()[-7:]
    assert s.replace("FAX", "512-448-9021") == s.replace("PHONE", "512-448-9021")


def test_the_last_four_of_an_ssn_are_the_last_four_of_its_stand_in():
    record = PatientRecord.from_mapping({"name": "Jan Doe", "ssn": "471-22-8806"})
    s = Surrogates(SECRET, "p-1", record, [("SSN", "8806")])
    assert s.replace("SSN", "8806") == s.replace("SSN", "471-22-8806")[-4:]
    assert s.replace("SSN", "xxx-xx-8806")[-4:] == s.replace("SSN", "471-22-8806")[-4:]


def test_no_number_becomes_another_one_of_the_patients():
    values = [("IDNUM", f"{n:02d}") for n in range(60)]
    taken = {v for _, v in values}
    for n in range(20):
        s = Surrogates(SECRET, f"p-{n}", None, values)
        assert not taken & {s.replace("IDNUM", v) for v in taken}


@pytest.mark.parametrize("value", ["nine oh four", "seven seven three alpha", "b four two"])
def test_a_dictated_number_becomes_another(value):
    new = Surrogates(SECRET, "p-1", None, []).replace("IDNUM", value)
    assert new != value
    assert len(new.split()) == len(value.split())


def test_an_ip_address_is_one_for_documentation():
    assert all(new.startswith("192.0.2.") for new in many("IP", "10.20.30.40"))
    mac = many("IP", "00:1B:44:11:3A:B7")
    assert "00:1B:44:11:3A:B7" not in mac


@pytest.mark.parametrize(
    ("value", "area"),
    [
        ("87104", "87100"),
        ("87104-1120", "87100"),
        ("871041120", "87100"),
        ("05901", "00000"),
        ("89301-0001", "00000"),
        ("871", "87100"),
        ("036", "00000"),
    ],
)
def test_a_zip_code_is_cut_to_its_area(value, area):
    assert Surrogates(SECRET, "p-1", None, []).replace("ZIP", value) == area


def test_the_restricted_areas_are_the_17_of_the_guidance():
    expected = "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893"
    assert sorted(RESTRICTED_ZIP3) == expected.split()
    assert RestrictedAreas().listed.year == 2012
    s = Surrogates(SECRET, "p-1", None, [], restricted_zip3={"871"})
    assert s.replace("ZIP", "87104") == "00000"
    assert s.replace("ZIP", "05901") == "05900"


def test_what_is_no_zip_code_changes_all_the_same():
    assert Surrogates(SECRET, "p-1", None, []).replace("ZIP", "K1A 0B1") != "K1A 0B1"


def test_equal_key_and_patient_equal_numbers_else_others():
    def number(secret, patient):
        return Surrogates(secret, patient, None, []).replace("MRN", "QZ-778812")

    assert number(SECRET, "p-1") == number(SECRET, "p-1")
    assert len({number(SECRET, "p-1"), number(bytes(32), "p-1"), number(SECRET, "p-2")}) == 3
