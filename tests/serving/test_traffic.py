"""The green log: what is written is read back, by day, and no text is in it."""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime, timedelta

from preceptor.serving import traffic
from preceptor.serving.traffic import BUCKETS, Feedback, Served, TrafficLog, word_buckets

TODAY = datetime.now(UTC).date()


def served(request_id: str = "r1", **changes) -> Served:
    values = {
        "request_id": request_id,
        "at": datetime.now(UTC).isoformat(),
        "endpoint": "chat",
        "role": "served",
        "pair_of": "",
        "version": "m/1",
        "alias": "champion",
        "key_id": "k",
        "status": 200,
        "outcome": "stop",
        "stream": True,
        "task": "summary",
        "note_type": "other",
        "specialty": "",
        "language": "",
        "sex": "",
        "age_band": "",
        "prompt_tokens": 30,
        "new_tokens": 4,
        "prompt_characters": 100,
        "answer_characters": 12,
        "retrieved": 0,
        "queue_seconds": 0.01,
        "first_token_seconds": 0.02,
        "seconds": 0.5,
    }
    return Served(**values | changes)


def test_rows_come_back_as_they_were(tmp_path):
    log = TrafficLog(tmp_path / "t")
    one, two = served("a"), served("b", abstained=True, leak_hits=2, stream=False)
    log.add(one)
    log.add(two)
    log.add_feedback(Feedback("a", one.at, "m/1", 4, 0.75))
    log.close()
    assert list(traffic.requests(tmp_path / "t")) == [one, two]
    assert list(traffic.feedback(tmp_path / "t")) == [Feedback("a", one.at, "m/1", 4, 0.75)]
    assert traffic.find(tmp_path / "t", "b") == two
    assert traffic.find(tmp_path / "t", "c") is None


def test_words_are_counted_by_version_and_day_and_no_text_is_on_the_disk(tmp_path):
    log = TrafficLog(tmp_path)
    log.add(served("a"), "Zebulon coughs", "cough")
    log.add(served("b"), "zebulon", "")
    log.close()
    bucket = zlib.crc32(b"zebulon") % BUCKETS
    assert traffic.words(tmp_path, "prompt")["m/1"][bucket] == 2
    assert traffic.words(tmp_path, "answer") == {"m/1": word_buckets("cough")}
    assert all(b"ebulon" not in path.read_bytes() for path in tmp_path.iterdir())


def test_days_are_files_and_old_ones_go(tmp_path):
    log = TrafficLog(tmp_path)
    log.add(served())
    log.close()
    (tmp_path / f"{TODAY}.db").rename(tmp_path / "2020-02-03.db")
    assert traffic.days(tmp_path) == [date(2020, 2, 3)]
    assert list(traffic.requests(tmp_path, since=TODAY)) == []
    assert len(list(traffic.requests(tmp_path, until=date(2020, 2, 3)))) == 1
    assert traffic.discard_before(tmp_path, TODAY - timedelta(days=30)) == 1
    assert traffic.days(tmp_path) == []


def test_a_reader_sees_rows_while_the_writer_is_open(tmp_path):
    log = TrafficLog(tmp_path)
    log.add(served("a"))
    assert [row.request_id for row in traffic.requests(tmp_path)] == ["a"]
    log.add(served("a", seconds=9.0))  # the same answer again is the same row
    assert [row.seconds for row in traffic.requests(tmp_path)] == [9.0]
    log.close()
