"""Files and Python objects as tables: what is read, and what is named when it cannot be."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments.check import check, progress, table
from bn_experiments.check.cells import fault
from bn_experiments.check.objects import from_object
from bn_experiments.check.table import read
from bnlib import LearningSet, counterexample
from tests.oracles import refused, wild_number

THREE = "x1,x2,t\n1,0,2\n0,1,0\n1,1,5\n"
POINTS = counterexample()


def written(folder, content, name="a.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_same_numbers_in_another_form_are_the_same_table(tmp_path):
    for name, content in (
        ("a.csv", THREE),
        ("a.csv", THREE.rstrip("\n")),
        ("a.csv", THREE + "\n\n"),
        ("a.csv", THREE.replace("\n", "\r\n")),
        ("a.csv", THREE.replace("\n", "\r")),
        ("a.csv", "\ufeff" + THREE),
        ("a.csv", THREE.replace(",", ";")),
        ("a.csv", THREE.replace(",", " , ")),
        ("a.csv", '"x1","x2","t"\n"1","0","2"\n0,"1",0\n1,1,"5"\n'),
        ("a.txt", THREE.replace(",", "|")),
        ("a.data", THREE.replace(",", "\t")),
        ("a.tsv", THREE.replace(",", "\t")),
        ("a.csv", "x1,x2,t\n+1,0e0,2.0\n-0,1.,.0\n10e-1,1,0.5e1\n"),
    ):
        found = read(written(tmp_path, content, name), "t")
        assert found.data == POINTS
        assert (found.columns, found.target, found.left_out) == (("x1", "x2"), "t", ())


def test_names_may_hold_anything_and_only_what_the_reader_says_is_left_out(tmp_path):
    names = ["größe, in m", 'a "b"', "two\nlines", "重さ", "t"]
    text = io.StringIO()
    rows = np.arange(15.0).reshape(3, 5)
    csv.writer(text).writerows([names, *rows.tolist()])
    found = read(written(tmp_path, text.getvalue()), "t")
    assert [*found.columns, found.target] == names
    np.testing.assert_array_equal(found.data.inputs, rows[:, :4])
    latin = written(tmp_path, "größe,t\n1,2\n3,5\n".encode("latin-1"))
    assert read(latin, "größe", encoding="latin-1").columns == ("t",)
    path = written(tmp_path, "id,x1,name,x2,t\nA,1,b,0,2\nB,0,,1,0\nC,1,inf,1,5\n")
    for options in ({"drop": ["id", "name"]}, {"columns": ["x1", "x2"]}):
        found = read(path, "t", **options)
        assert found.data == POINTS
        assert found.left_out == ("id", "name")
        assert check(path, "t", **options).left_out == ("id", "name")
    assert read(path, "t", columns=["x2", "x1"]).columns == ("x2", "x1")
    refused("column 'id': 'A' is text", read, path, "t")


@given(st.lists(st.tuples(wild_number, wild_number, wild_number), min_size=1, max_size=6))
def test_every_float_is_read_as_it_was_written(rows):
    text = io.StringIO()
    csv.writer(text).writerows([["a", "t", "b"], *([*map(repr, row)] for row in rows)])
    reader = csv.reader(text.getvalue().splitlines())
    next(reader)
    raw = io.BytesIO(text.getvalue().encode())
    found = table._read("a", io.TextIOWrapper(raw, newline=""), raw, ("t", None, ()), None)
    expected = np.array(rows)
    np.testing.assert_array_equal(found.data.inputs, expected[:, [0, 2]])
    np.testing.assert_array_equal(found.data.targets, expected[:, 1])


NUMBERS = "not every value is a finite number, and none was left out"
LATIN = "0xf6 is not utf-8; save the file as UTF-8, or name its encoding: --encoding latin-1."
BROKEN = [
    (
        "missing",
        "a,b,t\n1,2,3\n4,,6\n7,NA,9\n8,1,?\n",
        [
            NUMBERS,
            "row 2 (line 3), column 'b': '' is missing (so in 2 of 4 rows)",
            "row 4 (line 5), column 't': '?' is missing\n",
            "or leave columns out: --drop b (drop=['b'])",
        ],
    ),
    (
        "text",
        "a,my b,t\n1,red,3\n4,5,6\n",
        ["row 1 (line 2), column 'my b': 'red' is text\n", "--drop 'my b' (drop=['my b'])"],
    ),
    ("target", "a,t\n1,x\n2,3\n", ["column 't': 'x' is text", "these rows yourself."]),
    ("infinite", "a,t\n1,2\n-inf,3\n", ["row 2 (line 3), column 'a': '-inf' is infinite"]),
    ("overflow", "a,t\n1,2\n1e999,3\n", ["'1e999' is infinite, or too large for float64"]),
    ("nan", "a,t\n1,2\nNaN,3\n", ["row 2 (line 3), column 'a': 'NaN' is missing"]),
    ("comma", "a;t\n1;2\n1,5;3\n", ["column 'a': '1,5' has a comma: write a decimal point"]),
    ("thousands", 'a,t\n1,2\n"1,234.5",3\n', ["'1,234.5' has a comma"]),
    ("underscore", "a,t\n1,2\n1_000,3\n", ["'1_000' is text"]),
    ("several lines", 'a,b,t\n1,"2\n",3\n4,x,6\n', ["row 2 (line 4), column 'b': 'x' is text"]),
    ("long", "a,t\n1,2\n" + "y" * 999 + ",3\n", ["'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…'"]),
    ("twice", "a,b,a,t\n1,2,3,4\n", ["several columns have the name 'a'; rename them"]),
    ("short", "a,b,t\n1,2,3\n4,5\n", ["line 3 has 2 fields, but the header has 3; every row"]),
    ("decimal", "a,b,t\n1,5,2,3\n", ["has 4 fields, but the header has 3; is there a decimal"]),
    ("trailing", "a,b,t\n1,2,3,\n", ["it ends with a separator"]),
    ("gap", "a,t\n1,2\n\n3,4\n", ["line 3 is empty, but rows follow"]),
    ("empty", "", ["is empty; it needs a line with the names"]),
    ("blank", "\n\n", ["the first line is empty"]),
    ("header only", "a,t\n", ["has a header but no row"]),
    ("no header", "1,2,3\n4,5,6\n", ["line 1 holds numbers ('1,2,3')", "for instance  x1,x2,t"]),
    ("one column", "t\n1\n", ["the header 't' is one column, separated by ','", "--delimiter"]),
    ("spaces", "a b t\n1 2 3\n", ["If these are spaces, make them commas: tr -s ' ' , < FILE"]),
    ("no name", ",a,t\n0,1,2\n", ["column 1 has no name (an index", "--drop '' (drop=[''])"]),
    ("quote", 'a,t\n1,"2\n', ["line 2: unexpected end of data; a quotation mark"]),
    ("stray quote", 'a,t\n1,"2"x\n', ["line 2: ", "a quotation mark"]),
    ("gigantic", "a,t\n1,2\n" + "9" * 200_000 + ",3\n", ["line 3: field larger than field limit"]),
    ("gigantic header", "a" * 200_000 + ",t\n1,2\n", ["line 1: field larger than field limit"]),
    ("latin", "größe,t\n1,2\n".encode("latin-1"), [LATIN]),
    ("utf-16", "a,t\n1,2\n".encode("utf-16"), ["seems to be UTF-16; export the table"]),
    ("zip", b"PK\x03\x04" + bytes(99), ["seems to be a ZIP archive or an Excel workbook"]),
    ("gzip", b"\x1f\x8b\x08" + bytes(99), ["seems to be compressed by gzip"]),
    ("parquet", b"PAR1" + bytes(99), ["seems to be a Parquet file"]),
    ("binary", b"\x7fELF" + bytes(99), ["seems to be binary, or UTF-16"]),
    ("no target", "a,b,tt\n1,2,3\n", ["target: ", "has no column 't'; did you mean 'tt'? It has"]),
    ("case", "a,T\n1,2\n", ["did you mean 'T'? It has 'a', 'T'."]),
    ("far", "a,b\n1,2\n", ["has no column 't'. It has 'a', 'b'."]),
    ("many", ",".join("abcdefghijklmnop") + "\n", ["'k', 'l' and 4 more."]),
]


@pytest.mark.parametrize(("content", "told"), [each[1:] for each in BROKEN], ids=lambda _: "")
def test_what_is_wrong_with_a_file_is_named(content, told, tmp_path):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=": ") as error:
        check(path, "t")
    for each in told:
        assert each in str(error.value)
    assert str(path) in str(error.value)


def test_a_choice_that_cannot_be_is_named(tmp_path):
    for options, told in (
        ({"drop": ["y"]}, "drop: .*no column 'y'"),
        ({"columns": ["x1", "t"]}, "'t' is named twice"),
        ({"columns": ["x1"], "drop": ["x1"]}, "'x1' is named twice"),
        ({"drop": ["x1", "x2"]}, "no column is left as an input beside 't'"),
        ({"encoding": "klingon"}, "encoding: 'klingon' is unknown"),
        ({"delimiter": ";"}, "one column, separated by ';'"),
    ):
        refused(told, check, written(tmp_path, THREE), "t", **options)


def test_a_file_needs_the_name_of_its_target_and_there_are_no_false_alarms(tmp_path):
    for target in (None, [1, 2, 3]):
        refused("target: name the column", check, written(tmp_path, THREE), target)
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "none.csv", "t")
    assert {fault(each) for each in ("", " ", "n/a", "None", "-")} == {"is missing"}
    assert {fault(each) for each in ("1,5", "1.234,5", "1,234,567.8", "-2,5e-3")} == {
        "has a comma: write a decimal point, and nothing between thousands"
    }
    assert {fault(each) for each in ("1,2,3", "a,b", "12 kg", "1.2.3", "0x1f")} == {"is text"}


def test_a_bar_is_shown_for_a_large_file_on_a_terminal_only(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    path = written(tmp_path, THREE + "1,0,2\n0,1,0\n1,1,5\n" * 3999)
    shown = {}
    for large in (1, 1_000_000):
        monkeypatch.setattr(progress, "LARGE", large)
        for kind in (Terminal, io.StringIO):
            stream = kind()
            monkeypatch.setattr("sys.stderr", stream)
            assert check(path, "t").examples == 12_000
            shown[large, kind] = stream.getvalue()
    bar = shown.pop((1, Terminal))
    for each in ("reading: 100%", "solving: 100%", "6/6"):
        assert each in bar
    assert set(shown.values()) == {""}


class Frame:
    """Like the data frames of pandas and Polars, as far as they agree."""

    def __init__(self, columns):
        self._columns, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return self._columns[name]


class Arrow(Frame):
    """Like a table of Arrow, whose `columns` are arrays."""

    def __init__(self, columns):
        super().__init__(columns)
        self.column_names, self.columns = list(columns), list(columns.values())


class NotAvailable:
    """Like pandas.NA: it is no number, and not even equal to itself."""

    def __repr__(self):
        return "<NA>"

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


X, T = POINTS.inputs, POINTS.targets
NAMED = {"x1": X[:, 0], "x2": X[:, 1], "t": T}


def test_the_same_points_in_any_object_are_the_same_table():
    for data, target in (
        (NAMED, "t"),
        (Frame(NAMED), "t"),
        (Arrow(NAMED), "t"),
        (Frame({0: X[:, 0].astype(object), 1: X[:, 1].astype(bool), 2: T.astype(int)}), "2"),
        (np.rec.fromarrays([X[:, 0], X[:, 1], T], names="x1,x2,t"), "t"),
        (X, T),
        (X.tolist(), T.tolist()),
        ((X, T), None),
        (POINTS, None),
        ({"data": X, "target": T, "feature_names": ["x1", "x2"]}, None),
        ({"data": Frame({"x1": X[:, 0], "x2": X[:, 1]}), "target": T}, None),
        ({"data": X, "target": np.column_stack([0 * T, T]), "target_names": ["a", "b"]}, "b"),
    ):
        found = from_object(data, target, None, ())
        assert found.data == POINTS
        assert len(found.columns) == 2
        assert check(data, target).start == (3.0, 1.0)


def test_names_and_columns_of_objects_are_kept():
    more = Frame(NAMED | {"name": ["a", "b", "c"]})
    found = check(more, "t", drop="name")
    assert (found.columns, found.target, found.left_out) == (("x1", "x2"), "t", ("name",))
    assert check({"data": X, "target": T, "feature_names": ["p", "q"]}).columns == ("p", "q")
    assert check(Frame({"target": X[:, 0], "b": X[:, 1]}), T).target == "target_"


NAN, NA = float("nan"), NotAvailable()


UNUSABLE = [
    (NAMED | {"x2": [1.0, NAN, 0.0]}, "t", "row 1 (counted from 0), column 'x2': 'nan' is mis"),
    (NAMED | {"x2": [1, None, NA]}, "t", "'None' is missing (so in 2 of 3 rows)"),
    (NAMED | {"x2": [1, -np.inf, 0]}, "t", "'-inf' is infinite"),
    (NAMED | {"x2": ["1", "2", "3"]}, "t", "row 0 (counted from 0), column 'x2': '1' is text"),
    (NAMED | {"x2": [1j, 2, 3]}, "t", "column 'x2': '1j' is no number"),
    (NAMED | {"x2": np.array(["2020-01-01"] * 3, "M8[D]")}, "t", "'2020-01-01' is no number"),
    (NAMED | {"x2": [1, 2]}, "t", "the columns differ in length ('x1': 3, 'x2': 2, 't': 3)"),
    (NAMED | {"x2": [2**53 + 1, 2, 3]}, "t", "column 'x2': entry (0,) is 9007199254740993"),
    (NAMED | {"x2": np.ones((3, 2))}, "t", "column 'x2' has the shape (3, 2), not (m,)"),
    (np.ma.masked_equal(X, 0), T, "row 1 (counted from 0), column 'x1': 'None' is missing"),
    (NAMED, None, "target: dict has no target of its own"),
    (NAMED, "price", "target: dict has no column 'price'"),
    (Frame(NAMED | {1: T, "1": T}), "t", "several columns have the name '1'"),
    (np.zeros((2, 2, 2)), [1, 2], "shape (2, 2, 2)"),
    (None, "t", "data: expected a table or an array of shape (m, d)"),
    ({"x": [], "t": []}, "t", "has no row"),
    ({"data": X, "target": np.ones((3, 2)), "target_names": "ab"}, None, "name one of 'a', 'b'"),
]


@pytest.mark.parametrize(("data", "target", "told"), UNUSABLE)
def test_what_is_wrong_with_an_object_is_named(data, target, told):
    with pytest.raises(ValueError, match=": ") as error:
        check(data, target)
    assert told in str(error.value)


@pytest.mark.parametrize("name", ["diabetes", "iris", "wine", "breast_cancer", "digits"])
def test_data_of_scikit_learn_are_read_as_they_are(name, tmp_path):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    found = from_object(bunch, None, None, ())
    assert found.data == LearningSet(bunch.data, bunch.target.astype(float))
    assert found.columns == tuple(map(str, bunch.feature_names))
    # And through a file.
    text = io.StringIO()
    rows = np.column_stack([bunch.data, bunch.target]).tolist()
    csv.writer(text).writerows([[*bunch.feature_names, "quantity"], *rows])
    again = read(written(tmp_path, text.getvalue()), "quantity")
    assert (again.data, again.columns) == (found.data, found.columns)
