"""Rule tables: accepted if and only if every code has exactly one segment."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvmodel as clv
from clvmodel.value.segment_rules import ELEVEN, TABLES, TEN, THREE, SegmentRules

steady = settings(max_examples=150, deadline=None, derandomize=True, database=None)

# Tables in circulation that are none: as printed, by R/F/M, read in their order.
PUTLER = {
    "Champions": "4-5/4-5/4-5",
    "Loyal": "2-5/3-5/3-5",
    "Potential Loyalist": "3-5/1-3/1-3",
    "New": "4-5/1/1",
    "Promising": "3-4/1/1",
    "Need Attention": "2-3/2-3/2-3",
    "About To Sleep": "2-3/1-2/1-2",
    "At Risk": "1-2/2-5/2-5",
    "Can't Lose Them": "1/4-5/4-5",
    "Lost": "1-2/1-2/1-2",
}
R_RFM = {
    "Champions": "5/5/5",
    "Potential Loyalist": "3-5/3-5/2-5",
    "Loyal": "2-4/2-4/2-4",
    "Promising": "3-4/1-3/3-5",
    "New": "4-5/1-3/1-5",
    "Can't Lose Them": "1-2/3-4/4-5",
    "At Risk": "1-2/2-5/4-5",
    "Need Attention": "1-3/3-5/3-5",
    "About To Sleep": "2-3/1-3/1-4",
    "Lost": "1/1-5/1-5",
}


def test_the_table_of_125_codes():
    counts = [7, 8, 24, 7, 16, 8, 8, 22, 8, 11, 6]
    assert [len(codes) for codes in ELEVEN.rules.values()] == counts
    assert len(ELEVEN) == 11
    for code, name in (
        (555, "Champions"),
        ("543", "Loyal"),
        (323, "Potential Loyalist"),
        (311, "New Customers"),
        (313, "Promising"),
        (324, "Need Attention"),
        (251, "About To Sleep"),
        (255, "At Risk"),
        (155, "Cannot Lose Them"),
        (332, "Hibernating"),
        (111, "Lost"),
    ):
        assert ELEVEN.of(code) == name


@pytest.mark.parametrize("rules", TABLES.values(), ids=TABLES)
def test_every_table_is_a_partition(rules):
    assert sorted(code for codes in rules.rules.values() for code in codes) == rules.codes
    assert len(rules.codes) == rules.levels**3
    for code, place in zip(rules.codes, rules.places(), strict=True):
        assert rules.names[place] == rules.of(code)


def test_the_grid_of_tutorials_ignores_money():
    for m in "12345":
        assert TEN.of("55" + m) == "Champions"
        assert TEN.of("15" + m) == "Cannot Lose Them"


def test_shop_style_sums():
    for code in THREE.codes:
        total = sum(map(int, code))
        assert THREE.of(code) == ("Low" if total <= 5 else "Medium" if total <= 7 else "High")


def test_the_shadowed_table_is_refused():
    """36 codes are in none, and the rules for New, Promising, Can't Lose Them never apply."""
    with pytest.raises(clv.DataError) as caught:
        SegmentRules(PUTLER, first_match=True)
    message = str(caught.value)
    assert "36 of 125 codes are in no segment: 113, 114, 115, 131," in message
    assert "New, Promising, Can't Lose Them: no code is left" in message
    with pytest.raises(clv.DataError, match=r"are in several: .*444 \(Champions, Loyal\)"):
        SegmentRules(PUTLER)


def test_the_incomplete_table_is_refused():
    missing = "215, 241, 251, 252, 341, 351, 441, 451, 541, 551"
    with pytest.raises(clv.DataError, match=f"10 of 125 codes are in no segment: {missing}"):
        SegmentRules(R_RFM, first_match=True)
    mended = SegmentRules({**R_RFM, "Rest": "*/*/*"}, first_match=True)
    assert mended.rules["Rest"] == tuple(missing.split(", "))
    assert mended.rules["Champions"] == ("555",)


def random_tables(levels):
    """A segment of every code, except that some are left out or held twice."""
    n = levels**3
    return st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.sets(st.integers(0, n - 1), max_size=2),
        st.dictionaries(st.integers(0, n - 1), st.integers(0, 3), max_size=2),
    )


def codes_of(levels):
    digits = "123456789"[:levels]
    return [a + b + c for a in digits for b in digits for c in digits]


@steady
@given(st.integers(2, 4).flatmap(lambda k: st.tuples(st.just(k), random_tables(k))))
def test_accepted_only_if_every_code_has_exactly_one_segment(drawn):
    levels, (segment_of, left_out, doubled) = drawn
    codes, rules = codes_of(levels), {name: set() for name in "abcd"}
    for i, code in enumerate(codes):
        if i not in left_out:
            rules["abcd"[segment_of[i]]].add(code)
    for i, name in doubled.items():
        rules["abcd"[name]].add(codes[i])
    holders = {code: [n for n in rules if code in rules[n]] for code in codes}
    missing = [code for code in codes if not holders[code]]
    twice = [code for code in codes if len(holders[code]) > 1]
    empty = [name for name in rules if not any(h[:1] == [name] for h in holders.values())]
    if not (missing or twice or empty):
        made = SegmentRules(rules, levels)
        assert {code: [made.of(code)] for code in codes} == holders
        assert made == SegmentRules(rules, levels, first_match=True)
        return
    with pytest.raises(clv.DataError) as caught:
        SegmentRules(rules, levels)
    for code in missing[:20]:
        assert code in str(caught.value)
    for code in twice[:20]:
        assert f"{code} ({', '.join(holders[code])})" in str(caught.value)


@steady
@given(random_tables(3))
def test_the_first_rule_that_holds_a_code_wins(drawn):
    segment_of, _, doubled = drawn
    codes, rules = codes_of(3), {name: set() for name in "abcd"}
    for i, code in enumerate(codes):
        rules["abcd"[segment_of[i]]].add(code)
    for i, name in doubled.items():
        rules["abcd"[name]].add(codes[i])
    rules = {name: held for name, held in rules.items() if held}
    first = {code: next(n for n in rules if code in rules[n]) for code in codes}
    if set(first.values()) != set(rules):
        with pytest.raises(clv.DataError, match="no code is left"):
            SegmentRules(rules, 3, first_match=True)
        return
    made = SegmentRules(rules, 3, first_match=True)
    assert {code: made.of(code) for code in codes} == first


@pytest.mark.parametrize(
    ("pattern", "codes"),
    [
        ("111", ["111"]),
        (112, ["112"]),
        ("[1-2]1*", ["111", "112", "211", "212"]),
        ("[12]1", ["111", "112", "211", "212"]),
        ("1-2/1/*", ["111", "112", "211", "212"]),
        ("1-2/1", ["111", "112", "211", "212"]),
        ("*/1/1-2", ["111", "112", "211", "212"]),
    ],
)
def test_patterns(pattern, codes):
    rules = SegmentRules({"these": pattern, "others": "***"}, 2, first_match=True)
    assert list(rules.rules["these"]) == codes


@pytest.mark.parametrize(
    "pattern", ["1", "1111", "113", "[1-3]11", "1/", "0/1/1", "a", "", "2-1/1/1", "11x"]
)
def test_what_is_no_code_is_named(pattern):
    with pytest.raises(clv.ParameterError, match=r"here: .* is no code of scores 1 to 2"):
        SegmentRules({"here": pattern, "others": "***"}, 2, first_match=True)


@pytest.mark.parametrize("rules", [{}, [], {"": "***"}, {1: "***"}])
def test_what_are_no_rules_is_refused(rules):
    with pytest.raises(clv.ParameterError):
        SegmentRules(rules)


def test_unknown_codes():
    for code in (0, 116, "abc", 55):
        with pytest.raises(clv.ParameterError, match="code"):
            ELEVEN.of(code)
    with pytest.raises(clv.ParameterError, match="levels"):
        SegmentRules({"all": "***"}, 1)
