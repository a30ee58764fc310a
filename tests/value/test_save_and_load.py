"""A saved model is plain JSON without customers, and comes back whole or not at all."""

import json

import pytest
from value_cases import cdnow_model, cdnow_weeks, shop

from clvmodel.errors import ClvError, DataError, FileError
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel


@pytest.fixture
def path(tmp_path):
    cdnow_model().save(tmp_path / "model.json")
    return tmp_path / "model.json"


def test_the_same_predictions(path):
    again = load(path)
    assert again == cdnow_model() == load(str(path))
    one, two = (m.predict(cdnow_weeks(), "39W") for m in (cdnow_model(), again))
    assert one.equals(two)


def test_saving_twice_gives_the_same_bytes(path, tmp_path):
    load(path).save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert path.read_bytes().endswith(b"}\n")


def test_no_spend(tmp_path):
    model = ValueModel(spend=None).fit(cdnow_weeks())
    model.save(tmp_path / "m.json")
    assert load(tmp_path / "m.json") == model


def test_no_customers_in_the_file(tmp_path):
    rows = [(f"person{i}@example.com", 7 * i % 300, 10.0 + i % 7) for i in range(60)]
    rows += [(who, 300 + i, 25.0 + i) for i, (who, _, _) in enumerate(rows[:30])]
    summary = shop(rows)
    ValueModel().fit(summary).save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text()
    assert "person" not in text
    assert len(text) < 5000
    names = {"format", "purchases", "spend", "spend_includes_first", "reference"}
    assert set(json.loads(text)) == names


WRONG = {
    "empty": "",
    "prose": "Dear all,",
    "half": '{"format": "clvmodel.value_model/1", "purchases": {',
    "list": "[]",
    "null": "null",
    "other": '{"a": 1}',
    "another version": '{"format": "clvmodel.value_model/99"}',
    "nothing in it": '{"format": "clvmodel.value_model/1"}',
    "no purchases": '{"format": "clvmodel.value_model/1", "purchases": null, "spend": null}',
    "not a fit": '{"format": "clvmodel.value_model/1", "purchases": {}, "spend": null}',
}


@pytest.mark.parametrize("kind", WRONG)
def test_files_that_hold_no_model(tmp_path, kind):
    path = tmp_path / "wrong.json"
    path.write_text(WRONG[kind])
    with pytest.raises(DataError):
        load(path)


def broken(**changes):
    plain = cdnow_model().to_dict()
    for key, value in changes.items():
        if value is None:
            del plain["purchases"][key]
        else:
            plain["purchases"][key] = value
    return plain


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": None},
        {"model": None},
        {"log_likelihood": None},
        {"unknown": 1},
        {"model": {"model": "Unheard"}},
        {"model": {"model": "BGNBD", "r": 1.0}},
        {"model": {"model": "BGNBD", "r": -1.0, "alpha": 1.0, "a": 1.0, "b": 1.0}},
        {"model": {"model": "BGNBD", "r": "1", "alpha": 1.0, "a": 1.0, "b": 1.0}},
        {"model": [1]},
        {"unit": "fortnight"},
    ],
    ids=str,
)
def test_a_damaged_model(tmp_path, changes):
    (tmp_path / "m.json").write_text(json.dumps(broken(**changes)))
    with pytest.raises(ClvError):
        load(tmp_path / "m.json")


def test_models_in_each_other_s_place(tmp_path):
    plain = cdnow_model().to_dict()
    plain["purchases"], plain["spend"] = plain["spend"], plain["purchases"]
    (tmp_path / "m.json").write_text(json.dumps(plain))
    with pytest.raises(ClvError):
        load(tmp_path / "m.json")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(DataError, match="not JSON"):
        load(tmp_path / "m.json")


def test_files_that_cannot_be_read_or_written(tmp_path, path):
    with pytest.raises(FileError, match=r"none\.json cannot be read"):
        load(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(FileError, match="is a directory"):
        cdnow_model().save(tmp_path)
    with pytest.raises(FileError, match="cannot be written"):
        cdnow_model().save(path / "below.json")
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]
