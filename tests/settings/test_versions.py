from __future__ import annotations

import pytest

from preceptor.versions import find_version, latest, make_version

WHAT = {"inputs": {"a": "1"}, "config": {"x": 2}, "code": "1"}


def write(folder):
    (folder / "rows.txt").write_text("hello")
    return {"rows": 1}


def test_the_same_inputs_give_the_same_version_without_doing_the_work_again(tmp_path):
    first = make_version(tmp_path, "stage", **WHAT, write=write)

    def never(folder):
        raise AssertionError("work was done again")

    again = make_version(tmp_path, "stage", **WHAT, write=never)
    assert (again.name, again.reused, first.reused) == (first.name, True, False)
    assert latest(tmp_path, "stage").name == first.name


@pytest.mark.parametrize("change", [{"inputs": {"a": "2"}}, {"config": {"x": 3}}, {"code": "2"}])
def test_another_input_setting_or_code_is_another_version(tmp_path, change):
    first = make_version(tmp_path, "stage", **WHAT, write=write)
    other = make_version(tmp_path, "stage", **(WHAT | change), write=write)
    assert other.name != first.name


def test_killed_while_writing_it_is_absent_and_the_next_call_makes_it_whole(tmp_path):
    def dies(folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_version(tmp_path, "stage", **WHAT, write=dies)
    assert latest(tmp_path, "stage") is None
    assert find_version(tmp_path, "stage", **WHAT) is None
    whole = make_version(tmp_path, "stage", **WHAT, write=write)
    assert sorted(p.name for p in whole.path.iterdir()) == ["manifest.json", "rows.txt"]
    assert not list((tmp_path / "stage").glob(".*part"))
