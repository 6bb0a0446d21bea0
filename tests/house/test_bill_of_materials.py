"""Licences in the software bill of materials."""

from __future__ import annotations

import runpy
from email.message import Message
from pathlib import Path

import pytest

BILL = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docker" / "bill_of_materials.py"))


def package(**fields):
    message = Message()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"License_Expression": "MIT", "License": "other"}, "MIT"),
        ({"License": "Apache\n 2.0"}, "Apache 2.0"),
        ({"License": "x" * 500, "Classifier": ["License :: OSI Approved :: BSD License"]}, "BSD License"),
        ({"License": "UNKNOWN", "Classifier": ["Topic :: Utilities"]}, "not declared"),
        ({}, "not declared"),
    ],
)
def test_what_a_package_declares(fields, said):
    assert BILL["licence_of"](package(**fields)) == said


def test_components_get_theirs_and_what_is_not_installed_is_named():
    bill = {"components": [{"name": "pytest"}, {"name": "no-such-package-here"}]}
    found = BILL["with_licences"](bill)
    assert bill["components"][0]["licenses"] and "licenses" not in bill["components"][1]
    assert found["not installed here"] == ["no-such-package-here"]
