"""Traffic in rows, and simulated days of it."""

from __future__ import annotations

from datetime import date

import pytest

from preceptor.monitoring.simulation import Simulation, Truth
from preceptor.monitoring.windows import Day
from preceptor.release.promotion import promote
from preceptor.release.signatures import approve
from preceptor.serving.traffic import Feedback, Served
from tests.release import conftest as release

# A registry and a record, as the tests of releases make them.
make_version, name, store = release.make_version, release.name, release.store
mlflow_home, staffed_folder, tracking = release.mlflow_home, release.staffed_folder, release.tracking

MONDAY = date(2026, 6, 1)
CHAMPION = "preceptor/1"


def served(request_id: str, **changes) -> Served:
    values = {
        "request_id": request_id, "at": "2026-06-01T10:00:00+00:00", "endpoint": "chat", "role": "served", "pair_of": "",
        "version": CHAMPION, "alias": "champion", "key_id": "", "status": 200, "outcome": "stop", "stream": False,
        "task": "summary", "note_type": "", "specialty": "", "language": "", "sex": "", "age_band": "",
        "prompt_tokens": 30, "new_tokens": 4, "prompt_characters": 100, "answer_characters": 12, "retrieved": 0,
        "queue_seconds": 0.0, "first_token_seconds": 0.2, "seconds": 1.0,
    }  # fmt: skip
    return Served(**values | changes)


def day_of(rows, kept=(), ratings=(), on: date = MONDAY) -> Day:
    """A day of these rows; `kept` and `ratings` are of the first of them."""
    rows = tuple(rows)
    given = [(Feedback(r.request_id, r.at, r.version, None, k), r) for r, k in zip(rows, kept, strict=False)]
    given += [
        (Feedback(r.request_id, r.at, r.version, k, None), r) for r, k in zip(rows, ratings, strict=False)
    ]
    return Day(on, rows, tuple(given))


@pytest.fixture(scope="session")
def quiet_days() -> list[Day]:
    """Seven weeks in which nothing changes."""
    return list(Simulation(7, MONDAY).days(Truth(volume=80), 49))


@pytest.fixture
def promoted(tracking, store, make_version):
    """Make versions of these weights champion, one after the other."""

    def make(*weights: str) -> list[str]:
        refs = []
        for each in weights:
            info = make_version(each)
            approve(
                tracking, store, info.ref, as_user="ana", password=release.PASSWORD, reason="looked at it"
            )
            promote(tracking, store, info.ref, required=1, validity=release.VALIDITY, actor="test")
            refs.append(info.ref)
        return refs

    return make
