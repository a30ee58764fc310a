"""The README's Python code runs, from top to bottom, and prints what it says."""

import doctest
import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_readme_code_runs(monkeypatch, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    text = "\n".join(blocks)
    monkeypatch.chdir(README.parent)
    (tmp_path / "out").mkdir()
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    test = doctest.DocTestParser().get_doctest(
        text.replace("report.html", str(tmp_path / "report.html")).replace(
            "model.json", str(tmp_path / "model.json")
        ),
        {},
        "README.md",
        str(README),
        0,
    )
    assert test.examples
    result = doctest.DocTestRunner(optionflags=flags).run(test)
    assert result.failed == 0
