"""What a dataset shows of itself, made from its file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.client.profile import MOCK_ROWS, RARE, UnreadableTable, describe, read_table

TABLE = b"age,weight,sex,smokes,note\n31,70.5,f,true,first visit\n44,81.25,m,false,second visit\n,66,f,true,third visit\n"


def test_columns_are_described_by_what_they_hold() -> None:
    described = describe(TABLE)

    columns = {c["name"]: c for c in json.loads(described.profile)["columns"]}
    assert {name: c["type"] for name, c in columns.items()} == {
        "age": "integer",
        "weight": "number",
        "sex": "category",
        "smokes": "boolean",
        "note": "text",
    }
    assert columns["age"]["missing"] == 1
    assert (columns["weight"]["min"], columns["weight"]["max"]) == (66.0, 81.25)
    assert columns["sex"]["top"] == []
    assert columns["note"]["top"] is None
    assert described.rows == 3


def test_a_value_that_few_rows_share_is_named_nowhere() -> None:
    common, rare = b"benign\n" * RARE, b"malignant\n" * (RARE - 1)

    described = describe(b"diagnosis\n" + common + rare)

    assert json.loads(described.profile)["columns"][0]["top"] == [["benign", RARE]]
    assert not any(b"malignant" in text for text in (described.schema, described.profile, described.mock))


def test_the_sample_has_no_row_and_no_free_text_of_the_file() -> None:
    names, rows = read_table(TABLE)

    mock = json.loads(describe(TABLE).mock)

    assert mock["columns"] == names
    assert len(mock["rows"]) == MOCK_ROWS
    assert not any([str(value) for value in shown] in rows for shown in mock["rows"])
    assert not any("visit" in str(value) for shown in mock["rows"] for value in shown)


def test_the_same_file_is_described_by_the_same_bytes() -> None:
    assert describe(TABLE) == describe(TABLE)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2,3\n", "Line 2 has 3 fields"),
        (b"a,a\n1,2\n", "name of its own"),
        (b"a,\n1,2\n", "name of its own"),
        (b"a,b\n\xff\xfe,2\n", "not UTF-8"),
        (b'a,b\n"1,2\n', "not CSV"),
        (",".join(f"c{i}" for i in range(1001)).encode() + b"\n" + b",".join([b"1"] * 1001) + b"\n", "at most 1000"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(table: bytes, words: str) -> None:
    with pytest.raises(UnreadableTable, match=words):
        describe(table)


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read_table(b"\xef\xbb\xbfa,b\n1,2\n")[0] == ["a", "b"]


@given(st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(), st.text("ab, \n'\"1e_-.", max_size=5)), min_size=1, max_size=30))
def test_any_column_can_be_described(values: list[object]) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["x", "y"])
    writer.writerows([[value, 1] for value in values])

    described = describe(out.getvalue().encode())

    column = json.loads(described.profile)["columns"][0]
    assert column["count"] + column["missing"] == described.rows == len(values)
    if column["histogram"]:
        assert sum(count for _, _, count in column["histogram"]) == column["count"]
