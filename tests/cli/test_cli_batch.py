"""Batch jobs: killed, resumed, out of space, on broken input: the old output or the new, whole."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import clvmodel as clv

CUSTOMERS = 4_000
DRIVER = """
import os, sys
from clvmodel.cli.app import main
from clvmodel.tables import stored
from clvmodel.value import scoring
stored.ROWS = scoring.ROWS = 100  # 40 parts, so that many moments are between two of them
if "BEGUN" in os.environ:
    open(os.environ["BEGUN"], "w").close()
main(sys.argv[1:])
"""


def start(folder, *arguments, **more):
    command = [sys.executable, "-c", DRIVER, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def begin(folder, *arguments):
    """Start a process, and wait until it has loaded the program and begins to work."""
    begun = folder / ".begun"
    process = start(folder, *arguments, env={**os.environ, "BEGUN": str(begun)})
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.005)
    begun.unlink()
    return process


def finish(process):
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Customers in two files, their scores, and how long it takes to make these."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders").mkdir()
    rng = np.random.default_rng(3)
    T = rng.integers(1, 700, CUSTOMERS).astype(float)
    bought = clv.BGNBD(0.5, 60.0, 0.8, 2.5).simulate_purchases(T, seed=4)
    who = np.concatenate([np.arange(T.size), bought.customer])
    day = np.concatenate([700 - T, 700 - T[bought.customer] + np.ceil(bought.time)])
    frame = pd.DataFrame(
        {
            "customer_id": who,
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, "D"),
            "amount": np.round(rng.gamma(3, 10, who.size), 2),
        }
    )
    for number, part in enumerate(np.array_split(np.arange(len(frame)), 2)):
        frame.iloc[part].to_parquet(folder / "orders" / f"{number}.parquet")
    assert finish(start(folder, "fit", "orders", "--out", "model.json"))[0] == 0
    process = begin(folder, *scoring("expected.parquet"))
    began = time.perf_counter()
    assert finish(process)[0] == 0
    return folder, (folder / "expected.parquet").read_bytes(), time.perf_counter() - began


def scoring(out):
    return "score", "orders", "--model", "model.json", "--out", out


def score(folder, out, *more):
    return start(folder, *scoring(out), *more)


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_killed_at_ten_moments(shop):
    """The old output stays, whole, or the new one is there; --resume ends with the same bytes."""
    folder, expected, seconds = shop
    out, stopped = folder / "killed.parquet", 0
    for moment in np.random.default_rng(5).uniform(0.02, 0.95, 10):
        out.write_bytes(b"old")
        process = begin(folder, *scoring(out.name))
        time.sleep(float(moment) * seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert out.read_bytes() in (b"old", expected)
        stopped += out.read_bytes() == b"old"
        assert finish(score(folder, out.name, "--resume"))[0] == 0
        assert out.read_bytes() == expected
    assert stopped >= 5  # else the moments were no test
    left = [name for name in hidden(folder) if "killed" in name]
    assert not [name for name in left if "parts" in name], left


def test_terminated_then_resumed(shop):
    folder, expected, _ = shop
    process = score(folder, "ended.parquet")
    while not any("ended.parquet.parts" in name for name in hidden(folder)):
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert finish(process)[0] == 143
    assert not (folder / "ended.parquet").exists()
    code, _, err = finish(score(folder, "ended.parquet", "--resume"))
    assert (code, "going on from an unfinished run" in err) == (0, True)
    assert (folder / "ended.parquet").read_bytes() == expected
    assert not [name for name in hidden(folder) if "ended" in name]


@pytest.mark.parametrize("size", [20_000, 60_000, 250_000])
def test_a_full_disk(shop, size):
    """No file may grow beyond some size, as if the disk were full: one line, the old output."""
    folder, expected, _ = shop
    out = folder / f"full{size}.parquet"
    out.write_bytes(b"old")
    assert size < len(expected)

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-c", DRIVER, "score", "orders", "--model", "model.json"]
    options = ["--out", out.name, "--quiet"]
    found = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, preexec_fn=limited
    )
    assert found.returncode == 1
    assert found.stderr.startswith("clvmodel: ")
    assert found.stderr.count("\n") == 1
    assert "too large" in found.stderr
    assert out.read_bytes() == b"old"
    assert finish(score(folder, out.name, "--resume"))[0] == 0
    assert out.read_bytes() == expected


def test_half_written_orders(shop, tmp_path):
    folder, _, _ = shop
    whole = (folder / "orders" / "0.parquet").read_bytes()
    (tmp_path / "o.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "s.parquet").write_text("old")
    code, out, err = finish(start(tmp_path, "score", "o.parquet", "--out", "s.parquet", "-q"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "o.parquet cannot be read" in err
    assert (tmp_path / "s.parquet").read_text() == "old"
    assert hidden(tmp_path) == []


def test_a_folder_that_cannot_be_written(shop, tmp_path):
    folder, _, _ = shop
    (tmp_path / "file").write_text("")
    code, out, err = finish(
        start(folder, "score", "orders", "--out", tmp_path / "file" / "s.parquet", "-q")
    )
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "cannot be written" in err


def test_a_summary_file_is_taken_as_it_is(shop):
    folder, expected, _ = shop
    assert finish(start(folder, "summarize", "orders", "--out", "summary.parquet"))[0] == 0
    assert pq.read_metadata(folder / "summary.parquet").num_rows == CUSTOMERS
    assert finish(start(folder, "fit", "summary.parquet", "--out", "again.json"))[0] == 0
    assert (folder / "again.json").read_bytes() == (folder / "model.json").read_bytes()
    model = ("--model", "model.json")
    process = start(folder, "score", "summary.parquet", *model, "--out", "from.parquet")
    assert finish(process)[0] == 0
    assert (folder / "from.parquet").read_bytes() == expected


def test_the_memory_limit_holds_and_nothing_is_left(shop, tmp_path):
    folder, expected, _ = shop
    options = ["--model", "model.json", "--out", "limited.parquet", "--memory-limit", "100MB"]
    process = start(
        folder, "score", "orders", *options, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert finish(process)[0] == 0
    assert (folder / "limited.parquet").read_bytes() == expected
    assert list(tmp_path.iterdir()) == []  # where the engine spills
