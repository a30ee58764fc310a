"""Orders to try the command line on, and the command line run in this process."""

import pytest

from clvmodel.cli.app import main
from clvmodel.datasets import load_cdnow


@pytest.fixture(scope="session")
def orders(tmp_path_factory):
    """A tenth of the CDNOW sample."""
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    load_cdnow(sample=True).head(700).to_csv(path, index=False)
    return path


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return caught.value.code or 0, out, err

    return call
