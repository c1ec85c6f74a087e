"""Every public entry point on what people and machines pass: the right answer, or a reason."""

import contextlib
import copy
import dataclasses
import io
import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from operator import methodcaller

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import bnlib
from bn_experiments import certify, exact, probability, sweeps
from bn_experiments.check import command
from bn_experiments.sweeps.experiment import read_summary
from bnlib import BatchNorm, LearningSet, Point, Ray
from tests import oracles
from tests.oracles.witnesses import certified
from tests.project.entries import BN, DATA, ENTRIES, LEFT_OUT, RAYS, SOUND, STARS, T, W, X, names


class Subclass(np.ndarray):
    """An array that is more than an array."""


class Foreign:
    """What only lets NumPy read it, as the arrays of other libraries do."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


SAME = {
    "Fortran": lambda a: a.copy(order="F"),
    "strided": lambda a: np.stack([a, a + 9], axis=-1)[..., 0],
    "backwards": lambda a: a[::-1].copy()[::-1] if a.ndim else a,
    "unaligned, read-only": lambda a: np.frombuffer(b"0" + a.tobytes(), offset=1).reshape(a.shape),
    "list": np.ndarray.tolist,
    "subclass": lambda a: a.view(Subclass),
    "unmasked": np.ma.array,
    "foreign": Foreign,
    **{kind: methodcaller("astype", kind) for kind in ("f2", "f4", "g", ">f8", "i1", "<i4", ">i8")},
}


def leaves(result):
    """Yield the numbers, arrays and texts that a result is made of."""
    if dataclasses.is_dataclass(result) or isinstance(result, bnlib.Point | bnlib.Ray):
        result = vars(result)
    if isinstance(result, dict):
        result = [*result, *result.values()]
    if isinstance(result, list | tuple | set):
        for each in result:
            yield from leaves(each)
    else:
        yield result


def finite(leaf):
    number = isinstance(leaf, float | complex | np.ndarray | np.generic)
    return not number or np.asarray(leaf).dtype.kind not in "fc" or np.isfinite(leaf).all()


def equal(first, second):
    pairs = zip(leaves(first), leaves(second), strict=True)
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


class Raising:
    """What does not let its numbers out."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no numbers here")


ODD = [
    None, "", "1", "a\nb", b"1", ..., {}, {"a": [1]}, set(), [], [[]], [[], [1]], [None], ["1"],
    [1, "a"], [[1, 2], [3]], [[[1.0]]], 1j, [1j], Fraction(1, 3), [Fraction(1, 3)], Decimal(1),
    [Decimal("NaN")], 10**400, [10**400], -(2**70), [2**63, 0.5], object(), Raising(), int, len,
    np.ma.masked, np.array(None), np.array([None, 1]), np.array([Fraction(1, 3)]), range(5),
    np.array(["1", "2"]), np.array([b"1"]), np.array(["2020-01-01"], "M8[D]"), iter([1, 2]),
    np.zeros(5, "m8[s]"), np.zeros(3, [("a", "f8"), ("b", "i4")]), np.zeros((5, 3), "V8"), True,
    np.ma.masked_equal(X, 0), np.ma.masked_equal(T, 0), np.matrix(X), np.matrix(T), X.T, T[:4],
    X[:0], X[:, :0], np.zeros(0), np.zeros((2, 0, 3)), np.full((5, 3), np.nan), np.full(5, np.inf),
    -W, 0 * W, 0 * X, X[:1], X * 0 + 1, memoryview(T), memoryview(b"abc"), np.float16("nan"), 2,
    2.5, "tanh", math.nan, math.inf, -math.inf, 1e308, 5e-324, -1, 0, -0.0, [T, T], [X, 1], (X, T),
    DATA, STARS, RAYS, [STARS[0], 1], [Point([1.0])], [Ray([1.0, 2])], STARS[0], BN, BatchNorm,
]  # fmt: skip
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
TYPES = st.sampled_from(["f8", "f4", "f2", "g", "i8", "i1", "u8", "?", "c16", ">f8", "O"])


def arrays_of(shape):
    """Return arrays of one shape: any float64, often extreme, or another kind of number."""
    wild = arrays.arrays(np.float64, shape, elements=st.one_of(oracles.wild_number, st.floats()))
    finite = arrays.arrays(np.float64, shape, elements=oracles.wild_number)
    repeated = st.sampled_from([0.0, 1, -1, 1 + 2**-52, 3e200])
    few = arrays.arrays(np.float64, shape, elements=repeated)
    other = TYPES.flatmap(lambda dtype: arrays.arrays(dtype, shape))
    return st.one_of(finite, few, wild, other)


@st.composite
def calls(draw, name):
    """Return arguments of an entry, one or more of them not sound."""
    kinds = ENTRIES[name][1:]
    wild = draw(st.sets(st.sampled_from(range(len(kinds))), min_size=1))
    return [draw(hostile(kind)) if i in wild else SOUND[kind] for i, kind in enumerate(kinds)]


def hostile(kind):
    sound = SOUND[kind]
    odd = st.integers(0, len(ODD) - 1).map(ODD.__getitem__)
    if isinstance(sound, int):  # who asks for 10⁴⁰⁰ draws has to wait
        odd = odd.filter(lambda value: not isinstance(value, int) or value < 1000)
    if isinstance(sound, np.ndarray | np.generic):
        wild = arrays_of(sound.shape)
        return st.one_of(wild, wild, odd, SHAPES.flatmap(arrays_of))
    if isinstance(sound, LearningSet):
        shape = st.tuples(st.integers(1, 5), st.integers(1, 3)) | st.just(sound.inputs.shape)
        return odd | shape.flatmap(learning_sets)
    return odd


@st.composite
def learning_sets(draw, shape):
    finite = st.one_of(oracles.wild_number, st.sampled_from([0.0, 1, -1, 1 + 2**-52]))
    x, t = (draw(arrays.arrays(np.float64, each, elements=finite)) for each in (shape, shape[:1]))
    return LearningSet(x, t)


def test_every_public_name_has_an_entry_or_a_reason():
    left_out = {each for told in LEFT_OUT.values() for each in told.split()}
    assert set(names()) == (set(ENTRIES) & set(names())) | left_out
    assert not left_out & set(ENTRIES)


@oracles.each([(name, form) for name in ENTRIES for form in SAME])
def test_the_same_numbers_in_another_form_give_the_same_result(name, form):
    call, *kinds = ENTRIES[name]
    arguments = [SOUND[kind] for kind in kinds]
    arrays_at = [i for i, each in enumerate(arguments) if isinstance(each, np.ndarray | np.generic)]
    right = answer(call, *arguments) if arrays_at else None
    for i in arrays_at:
        value = SAME[form](np.asarray(arguments[i]))
        before = copy.deepcopy(value)
        again = answer(call, *arguments[:i], value, *arguments[i + 1 :])
        if isinstance(again, ValueError):  # of what reads Python's own numbers only
            assert form in ("foreign", "g")
        else:
            assert equal(right, again), kinds[i]
        assert np.array_equal(np.array(before), np.array(value)), f"{kinds[i]} was written to"


SENTENCE = re.compile(r"[^:]+: .*[.?)]", re.DOTALL)


def answer(call, *arguments):
    """Return a result that is finite, or what was refused, with argument, problem and remedy."""
    try:
        result = call(*arguments)
    except (ValueError, OSError) as error:
        refusal = error
    else:
        assert all(map(finite, leaves(result))), result
        return result
    assert SENTENCE.fullmatch(str(refusal)) or isinstance(refusal, OSError), refusal
    return refusal


@settings(max_examples=800)
@given(st.data())
def test_the_right_answer_or_a_reason(data):
    name = data.draw(st.sampled_from(sorted(ENTRIES)))
    answer(ENTRIES[name][0], *data.draw(calls(name)))


def test_what_was_found_has_its_right_value():
    ray, huge = Ray([1.0, 1]), np.array([1.7e308, 1.7e308])
    assert ray.exists([huge, -huge, [1.7e308, -1e308]]).tolist() == [True, False, True]
    oracles.refused("^start: entry .0,. is nan; remove", ray.exists, [np.nan, 1.0])
    oracles.refused("^expected, standard_error: ", probability.Estimate(1.0, 0.0, 3).z_score, 2.0)
    spread = LearningSet([[1.0]] * 5, [1.7e308] * 2 + [0.0] * 3)
    oracles.agree("τ", spread.target_std, 1.7e308 * np.sqrt(0.24), 1e-15)
    oracles.refused("^size, scale: the mean gain is too", probability.mean_gain, 1.0, 1e200, 1.0)
    oracles.refused("^scale: the mean excess is too large", bnlib.mean_excess, [0.0, 1.0], 1e200)
    assert exact.Ray(["-1/2", 2]) == exact.Ray([Fraction(-1, 2), 2])
    for text in ("print(1)", "1e999999999", "1/0", " 1"):  # SymPy would run the first
        oracles.refused("^direction: .* is no number", exact.Ray, [text])
    inputs = [["100", "1"], ["1", "0"], ["0", "1"], ["1", "1"]]
    wide = {"inputs": inputs, "box": [["1/3", "1/2"]] * 2}
    found = certify.verify(json.dumps(TRUE["tanh"] | wide))
    assert (found.accepted, found.reason[:32]) == (False, "ball arithmetic found no enclosu")


# Pieces of tables, sound and not.
PIECES = [
    "1", "-2.5", "1e300", "1e-320", "1e999", "nan", "9" * 5000, "7" * 140_000, "a", "t", "é", "",
    "1_0", "0x1f", '"', '""', '"1', "'", ",", ";", "\t", "|", " ", "\n", "\n\n", "\r", "\r\n", "\0",
    "\ufeff", "a,t", "1,2\n", "1,2\n3,5\n", "a,b,t\n", "1,0,2\n", "0,1,0\n1,1,5\n", "=1+1", "#",
]  # fmt: skip


@settings(max_examples=250)
@given(
    st.sampled_from([b"", b"a,t\n", b"a,b,t\n1,0,2\n0,1,0\n"]),
    st.lists(st.integers(0, len(PIECES) - 1), max_size=9),
    st.binary(max_size=9),
    st.integers(0, 99),
)
def test_the_command_has_an_answer_or_a_reason_for_any_file(
    tmp_path_factory, begin, pieces, binary, end
):
    content = begin + "".join(PIECES[each] for each in pieces).encode() + binary * (end % 2)
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_bytes(content[: -end % 50 or None])
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command.main([str(path), "--target", "t", "--json"])
    told = err.getvalue()
    if code == command.UNUSABLE:
        assert not out.getvalue()
        assert re.fullmatch(r"Error: [^:]+: .*[;,?:] .*\n", told, re.DOTALL), told
    else:
        assert json.loads(out.getvalue())["verdict"] in ("fails", "true", "void", "undecided")
        assert not told or told.startswith("Note: "), told


TRUE = {name: json.loads(certified(name).to_json()) for name in ("tanh", "relu")}
STORED = sweeps.stored_summary("networks")
VALUES = st.recursive(
    st.sampled_from(
        [
            None, True, 0, -1, 256, 65536, 10**30, 0.5, 1e308, "", "1", "1/2", "-3/7", "1e99999999",
            "1/0", "9" * 4000, "9" * 5000 + "/7", "tanh", "relu", "gelu", "NaN", "٣", "0/1", [], {},
            ["1", "2"], [["1", "0"]] * 700, [["1"]] * 3, [["1/3", "1/2"]] * 2,
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)  # fmt: skip
# What JSON has no value for, and what only its text can say.
TEXTS = ["NaN", "-Infinity", "1e999", "[" * 3000, '{"a":' * 3000, "9" * 6000, "0.1", "1" * 200_000]


@st.composite
def documents(draw, sound):
    """Return the JSON of a sound document in which something is replaced, added or lost."""
    content, key = dict(sound), draw(st.sampled_from([*sound, "more"]))
    content[key] = draw(VALUES)
    text = json.dumps(content)
    match draw(st.integers(0, 4)):
        case 0:
            whole, other = json.dumps(content | {key: "HERE"}), draw(st.sampled_from(TEXTS))
            text = whole.replace('"HERE"', other)
        case 1:
            text = text[: draw(st.integers(0, len(text)))]
        case 2:
            text = json.dumps({each: content[each] for each in content if each != key})
        case 3:
            text = text[:-1] + f', "{key}": {json.dumps(sound.get(key))}}}'
    return key, text


@settings(max_examples=250)
@given(st.sampled_from(sorted(TRUE)).flatmap(lambda name: documents(TRUE[name])))
def test_a_hostile_certificate_is_refused(document):
    key, text = document
    for verify in (certify.verify, certify.verify_trained):
        if verify(text):  # still true, with a smaller bound or more digits
            same = json.loads(text) in TRUE.values()
            assert same or key in ("bound", "precision"), text


@settings(max_examples=150)
@given(documents(STORED))
def test_a_hostile_summary_is_refused(tmp_path_factory, document):
    key, text = document
    path = tmp_path_factory.getbasetemp() / "networks.json"
    path.write_text(text, encoding="utf-8")
    found = answer(read_summary, path, "networks")
    if not isinstance(found, ValueError):  # another value of its kind
        assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in STORED.items()}
        assert all(found[each] == STORED[each] for each in STORED if each != key)
