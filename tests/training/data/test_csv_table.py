"""Bad files are refused with their place, and without a word of what is in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from training.data.csv_table import normal_label, read_table
from training.errors import BadData


def read(data: bytes, features=("a", "b"), others_allowed=False, dataset_id=4):
    return read_table(data, dataset_id=dataset_id, target="kind", feature_names=features, others_allowed=others_allowed)


def refusal(data: bytes, **options) -> BadData:
    with pytest.raises(BadData) as refused:
        read(data, **options)
    return refused.value


def test_columns_are_found_by_name_in_any_order(table):
    found = read(table("b,kind,a", "2,yes,1.5", "-4e2,no,0"))

    assert found.features.tolist() == [[1.5, 2.0], [0.0, -400.0]]
    assert found.features.dtype == np.float32
    assert found.labels == ("yes", "no")
    assert found.lines == (2, 3)


def test_without_names_every_column_but_the_target_is_taken_in_the_files_order(table):
    assert read(table("b,kind,a", "2,yes,1"), features=None).feature_names == ("b", "a")


def test_columns_that_were_not_asked_for_are_not_read(table):
    found = read(table("a,b,kind,note", '1,2,yes,"free, text"'), others_allowed=True)

    assert found.features.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(ending):
    data = b"\xef\xbb\xbf" + ending.join(["a,b,kind", ' 1 , "2", yes ', "3,4,no", "", ""]).encode()

    found = read(data)

    assert found.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert found.labels == ("yes", "no")


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-Infinity", "1_000", "1e400", "1e31", "x", "0x10", "1,5", "\u0661", "--1", "1 2"]
)
def test_a_cell_that_is_no_usable_number_is_refused_at_its_place(table, cell):
    found = refusal(table("a,b,kind", "1,2,yes", f'3,"{cell}",no'))

    assert (found.dataset_id, found.line, found.column) == (4, 3, "b")
    assert str(found).startswith("dataset 4, line 3, column 'b': the cell is not a number")
    assert "leave the row out" in str(found)


@pytest.mark.parametrize("cell", ["", "  "])
def test_an_empty_cell_is_refused_at_its_place(table, cell):
    found = refusal(table("a,b,kind", f"{cell},2,yes"))

    assert (found.line, found.column) == (2, "a")
    assert "empty" in str(found)


def test_a_missing_class_is_refused_at_its_place(table):
    found = refusal(table("a,b,kind", "1,2,yes", "3,4,"))

    assert (found.line, found.column) == (3, "kind")


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (["a,b,kind", "1,2,yes", "1,2"], 3, "has 2 cells, the header line has 3"),
        (["a,b,kind", "1,2,yes,4"], 2, "has 4 cells"),
        (["a,b,kind", "1,2,yes", "", "3,4,no"], 3, "blank"),
        (["a,b,kind", '1,"2,yes'], 2, "not valid CSV"),
        (["a,b,kind", '1,"2"3,yes'], 2, "not valid CSV"),
        (["a,b", "1,2"], 1, "no column 'kind'"),
        (["a;b;kind", "1;2;yes"], 1, "separated by commas"),
        (["a,b,kind,kind", "1,2,yes,no"], 1, "2 columns 'kind'"),
        (["a,kind", "1,yes"], 1, "missing"),
        (["a,a,b,kind", "1,2,3,yes"], 1, "there 2 times"),
        (["a,b,c,kind", "1,2,3,yes"], 1, "1 columns that the evaluation set does not have"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_its_line(table, lines, line, says):
    found = refusal(table(*lines))

    assert found.line == line
    assert says in str(found)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b,kind\n", "no row"),
        (b"a,b,kind\n1,2,\xff\n", "not UTF-8"),
        (b"PK\x03\x04\x00\x00", "no column"),
        (b"a,b,kind\n1,2," + b"y" * 200_000, "131,072"),
        (b"a,b,kind\n1,2," + b"y" * 201, "too long"),
    ],
)
def test_what_is_no_table_is_refused(data, says):
    assert says in str(refusal(data))


def test_two_columns_of_one_name_are_refused_when_all_are_taken(table):
    assert "a name of its own" in str(refusal(table("a,a,kind", "1,2,yes"), features=None))


def test_a_refusal_about_the_evaluation_set_says_so(table):
    assert str(refusal(table("a,b,kind", "1,x,yes"), dataset_id=None)).startswith(
        "the evaluation set, line 2, column 'b'"
    )


@pytest.mark.parametrize(
    "lines",
    [
        ["secret-1,secret-2,secret-3", "1,2,yes"],
        ["a,b,kind", "secret-1,2,yes"],
        ["a,b,kind", "1,2,secret-1,secret-2"],
        ["a,b,kind", '1,"secret-1'],
        ["a,b,kind,secret-1", "1,2,yes,3"],
    ],
)
def test_no_refusal_quotes_the_file(table, lines):
    assert "secret" not in str(refusal(table(*lines)))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (" 1.0 ", "1"),
        ("1", "1"),
        ("-0.0", "0"),
        ("1.5", "1.5"),
        ("1_0", "1_0"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("yes", "yes"),
        ("1e20", "1e20"),
    ],
)
def test_a_class_has_one_text_however_it_was_written(text, label):
    assert normal_label(text) == label


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=80)
    | st.text(alphabet='abkind,"\n\r\0 1.e', max_size=60).map(lambda rest: b"a,b,kind\n" + rest.encode())
)
@example(b",,\n , \n")
def test_any_bytes_are_either_a_table_or_refused(data):
    try:
        found = read(data)
    except BadData:
        return

    assert len(found.features) == len(found.labels) == len(found.lines) > 0
    assert np.isfinite(found.features).all()
