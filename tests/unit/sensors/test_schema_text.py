"""The schema that the head of a text file shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.contract import TableSchema
from sensors.schema.text import csv_schema, json_lines_schema


def types(text: str) -> list[str]:
    return [column.type for column in csv_schema(text.encode(), cut=False).columns]


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-20", "0"], "integer"),
        (["1", "2.5"], "number"),
        (["1e3", "-0.5"], "number"),
        (["007"], "text"),
        (["+1"], "text"),
        (["1234567890123456789012"], "number"),
        (["true", "FALSE"], "boolean"),
        (["2026-01-31"], "date"),
        (["2026-13-31"], "text"),
        (["2026-01-31", "2026-01-31T10:00:00Z"], "timestamp"),
        (["2026-01-31 10:00"], "timestamp"),
        (["1", "true"], "text"),
        (["1", ""], "integer"),
        (["", " "], "unknown"),
        (["１２"], "text"),
    ],
)
def test_a_type_is_named_only_where_nothing_is_lost(values: list[str], type_: str) -> None:
    assert types("\n".join(["a,b", *(f"{value},x" for value in values)])) == [type_, "text"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ("a;b;c,d", ["a", "b", "c,d"]),
        ("a\tb", ["a", "b"]),
        ('"a;b;c","d"', ["a;b;c", "d"]),
        ('"two\nlines",b', ["two\nlines", "b"]),
        ("\ufeffa,b", ["a", "b"]),
        ("a,,a, a ", ["a", "column 2", "a (2)", "a (3)"]),
        ("a", ["a"]),
    ],
)
def test_every_column_of_a_header_has_a_name_of_its_own(header: str, names: list[str]) -> None:
    table = csv_schema(f"{header}\n".encode(), cut=False)
    assert [column.name for column in table.columns] == names


def test_a_row_that_the_head_cuts_through_does_not_count() -> None:
    assert csv_schema(b"a,b\n1,2\n3,4x", cut=True) == csv_schema(b"a,b\n1,2\n", cut=False)
    assert json_lines_schema(b'{"a": 1}\n{"a": "x', cut=True) == json_lines_schema(
        b'{"a": 1}\n', cut=False
    )


def test_rows_that_are_too_short_or_too_long_do_no_harm() -> None:
    assert types("a,b\n1\n1,2,3\n\n") == ["integer", "integer"]


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_give_a_schema_or_a_reason(head: bytes, cut: bool) -> None:
    for read in (csv_schema, json_lines_schema):
        try:
            found = read(head, cut)
        except ValueError as error:
            reason = str(error)
        else:
            assert isinstance(found, TableSchema)
            continue
        assert reason
