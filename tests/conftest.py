"""How `pytest -n` deals out the tests: by file, so that what a file makes is made once.

All that use Spark go to one process, which starts it; all that look at the whole report to the one
that makes it. The longest files come first, so that no process waits for another in the end.
"""

import pytest

WHOLE_REPORT = ("tests/present/test_whole_report.py", "tests/present/test_in_browser.py")


LONGEST = (
    "tests/spark/",
    "tests/test_notebooks.py",
    "tests/cli/test_cli_batch.py",
    "tests/value/test_parameter_uncertainty.py",
    *WHOLE_REPORT,
    "tests/test_readme.py",
)


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            if file.startswith("tests/spark/"):
                return "spark"
            return "tests/present/test_whole_report.py" if file in WHOLE_REPORT else file

    config.option.loadscopereorder = False  # by the number of tests, which says little
    return ByFile(config, log) if config.getoption("dist") == "load" else None
