"""Reading CSV files as people write them, and the set that comes with the package."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgd.data import BUNDLED, hours_and_scores, open_csv, read_csv
from microgd.errors import DataError

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=20), st.sampled_from(",;\t"), st.booleans())
def test_what_was_written_is_read(tmp_path_factory, rows, delimiter, header):
    path = tmp_path_factory.mktemp("csv") / "d.csv"
    lines = [delimiter.join(map(repr, row)) for row in rows]
    path.write_text("\n".join([delimiter.join("abc")] * header + lines))
    table = read_csv(path)
    np.testing.assert_array_equal(table.values, rows)
    assert table.names == (["a", "b", "c"] if header else ["column 1", "column 2", "column 3"])
    assert table.has_header == header


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbfx,y\r\n1,2\r\n3,4\r\n",
        b'"x","y"\n"1","2"\n3, 4\n\n\n',
        b"x;y\n1;2\n3;4",
        b"  x ,y\n 1 ,2\n3,4\n",
    ],
    ids=["byte-order mark and CRLF", "quotes and blank lines", "semicolons", "spaces"],
)
def test_ordinary_files(tmp_path, raw):
    (tmp_path / "d.csv").write_bytes(raw)
    table = read_csv(tmp_path / "d.csv")
    assert table.names == ["x", "y"]
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


def test_columns_are_read_when_asked_for(tmp_path):
    (tmp_path / "d.csv").write_text("name,x,y\nann,1,2\nbob,3,4\n")
    table = open_csv(tmp_path / "d.csv")
    np.testing.assert_array_equal(table.numbers([2, 1]), [[2, 1], [4, 3]])
    with pytest.raises(DataError, match="row 2, name: 'ann' is not a number"):
        table.numbers([0])
    with pytest.raises(DataError, match="row 2, name"):
        read_csv(tmp_path / "d.csv")


def test_the_line_of_numbers_says_what_separates(tmp_path):
    (tmp_path / "d.csv").write_text("mass, kg, dry;price\n1;2\n3;4\n")
    assert open_csv(tmp_path / "d.csv").names == ["mass, kg, dry", "price"]


def test_a_column_without_a_name_gets_its_number(tmp_path):
    (tmp_path / "d.csv").write_text(",x\n0,1\n1,2\n")
    assert read_csv(tmp_path / "d.csv").names == ["column 1", "x"]


def test_a_header_cell_may_hold_the_delimiter(tmp_path):
    (tmp_path / "d.csv").write_text('"size, m",price\n1,2\n3,4\n')
    assert read_csv(tmp_path / "d.csv").names == ["size, m", "price"]


def test_columns_by_name_or_number(tmp_path):
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    table = read_csv(tmp_path / "d.csv")
    assert [table.index(c) for c in ("x", "y", "1", "2")] == [0, 1, 0, 1]
    for wrong in ("z", "0", "3"):
        with pytest.raises(DataError, match="there are: x, y"):
            table.index(wrong)


def test_the_bundled_file_is_what_its_seed_makes():
    np.testing.assert_array_equal(read_csv(BUNDLED).values, hours_and_scores())


def test_a_hundred_thousand_rows_report_the_right_one(tmp_path):
    rows = ["1,2"] * 100_000
    rows[77_777] = "1,oops"
    (tmp_path / "d.csv").write_text("\n".join(rows))
    with pytest.raises(DataError, match="row 77778, column 2: 'oops'"):
        read_csv(tmp_path / "d.csv")


def test_rows_are_counted_by_their_first_line_also_after_a_quoted_line_break(tmp_path):
    (tmp_path / "d.csv").write_text('note,y\n"two\nlines",1\nthree,4\nfour,oops\n')
    with pytest.raises(DataError, match="row 5, y: 'oops'"):
        open_csv(tmp_path / "d.csv").numbers([1])


def test_a_header_cell_may_hold_a_line_break(tmp_path):
    (tmp_path / "d.csv").write_text('"size\n(m)",price\n1,2\n3,4\n')
    table = read_csv(tmp_path / "d.csv")
    assert table.names == ["size (m)", "price"]
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


@pytest.mark.parametrize("body", ['1,"2\n' + "3,4\n" * 40_000, "1,2\n3," + "x" * 200_000], ids=["quote", "long cell"])
def test_what_the_csv_module_refuses_is_told_with_its_row(tmp_path, body):
    (tmp_path / "d.csv").write_text("x,y\n1,2\n" + body)
    with pytest.raises(DataError, match=r"d\.csv: row [34]: field larger than .* quotation mark"):
        read_csv(tmp_path / "d.csv")


def test_a_header_with_numbers_in_it_is_explained(tmp_path):
    (tmp_path / "d.csv").write_text("country,1990,2000\nChad,1,2\n")
    with pytest.raises(DataError, match=r"row 1, column 1: 'country' .* a header, give every column a name"):
        read_csv(tmp_path / "d.csv")


def test_a_column_of_text_is_answered_with_the_option_that_leaves_it_out(tmp_path):
    (tmp_path / "d.csv").write_text("name,x\nanna,1\n")
    with pytest.raises(DataError, match=r"'anna' is not a number; .*--features"):
        read_csv(tmp_path / "d.csv")
