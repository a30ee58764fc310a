"""A report's files appear together: what fails on the way leaves the old ones as they were."""

import pytest

from clvmodel.errors import FileError
from clvmodel.tables.files import together


def test_files_move_at_the_end(tmp_path):
    with together(tmp_path / "out") as draft:
        (draft / "a.txt").write_text("new")
        assert not (tmp_path / "out" / "a.txt").exists()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("stop", [SystemExit(143), KeyboardInterrupt(), FileError("full")])
def test_an_interruption_leaves_the_old_files(tmp_path, stop):
    (tmp_path / "a.txt").write_text("old")

    def interrupted():
        with together(tmp_path) as draft:
            (draft / "a.txt").write_text("new")
            raise stop

    with pytest.raises(type(stop)):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
