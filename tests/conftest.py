"""How `pytest -n` deals out the tests: by file, so that what a file makes is made once.

All that use Spark go to one process, which starts it.
"""

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "spark" if nodeid.startswith("tests/spark/") else nodeid.split("::")[0]

    return ByFile(config, log) if config.getoption("dist") == "load" else None
