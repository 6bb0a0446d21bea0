from preceptor.progress import reporter


def test_time_left_is_told_once_something_is_done():
    said: list[str] = []
    progress = reporter("files", said.append, every=0.0)
    for done in (0, 1, 4):
        progress(done, 4)
    assert said == ["files: 0/4", "files: 1/4, 0:00 left", "files: 4/4, took 0:00"]
