import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.config import overrides, reading, source
from cnnctl.config.load import bind
from cnnctl.errors import EXIT_CONFIG, ConfigError, Problem, UsageError
from tests.config.build import FULL, problems


def parse(text: str) -> dict:
    return source.parse(text, "c.yaml").data


def refused(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(ConfigError) as caught:
        source.parse(text, "c.yaml")
    assert caught.value.exit_code == EXIT_CONFIG
    return [(p.position.line, p.position.column, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("none", "none"),
        ("", None),
        ("''", ""),
        ("'3'", "3"),
        ('"\\x41\\n"', "A\n"),
        ("3", 3),
        ("-0", 0),
        ("+12", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("12e03", 12000.0),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("0.10", 0.1),
        ("08.5", 8.5),
        ("1.2.3", "1.2.3"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("=", "="),
        ("2020-01-01", "2020-01-01"),
        ("1,5", "1,5"),
        ("a b", "a b"),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    read = parse(f"a: {text}\n")["a"]
    assert (read, type(read)) == (value, type(value))


def test_nan_is_a_number():
    assert math.isnan(parse("a: .nan")["a"])


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("010", "a number must not begin with 0", "write 10 for the number, or '010' in quotes for the text"),
        ("00", "a number must not begin with 0", "write 0 for the number, or '00' in quotes for the text"),
        ("-07", "a number must not begin with 0", "write 7 for the number, or '-07' in quotes for the text"),
        ("9" * 31, "a whole number has at most 30 digits", "put it in quotes if it is text"),
    ],
)
def test_ambiguous_numbers_are_refused_with_a_hint(text, message, hint):
    with pytest.raises(ConfigError) as caught:
        parse(f"a:\n  b: {text}\n")
    (only,) = caught.value.problems
    assert (only.message, only.hint, only.received) == (message, hint, text)
    assert (only.position.line, only.position.column) == (2, 6)
    assert parse(f"a: '{text}'") == {"a": text}


def test_keys_are_text():
    text = '007: a\nno: b\n1e3: c\n~: d\ntrue: e\n"": f\n'
    assert parse(text) == {"007": "a", "no": "b", "1e3": "c", "~": "d", "true": "e", "": "f"}


NESTED = "a: " + "[" * 60 + "]" * 60
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
NOT_YAML = "this is not YAML:"
KEYS = "expected keys such as `data`, `model` and `train`"
NO_ANCHOR = "the alias *b has no anchor &b before it"
NO_TOKEN = f"{NOT_YAML} found character that cannot start any token while scanning for the next token"
CONTROL = "a config is UTF-8 text without control characters"
TOO_MANY = "expected at most 20,000 values and 40 levels once aliases are followed"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: 1\nb: 2\n'a': 3\n", [(3, 1, "the key `a` appears twice in this mapping")]),
        ("x: {é: 1, é: 2}", [(1, 11, "the key `é` appears twice in this mapping")]),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", [(3, 3, "merge keys are not used in a config")]),
        ("a: !!python/object/apply:os.system [x]", [(1, 4, "tags are not used in a config")]),
        ("a: !!str 3", [(1, 4, "tags are not used in a config")]),
        ("!!str a: 3", [(1, 1, "tags are not used in a config")]),
        ("a: 1\n---\nb: 2\n", [(2, 1, "expected one YAML document")]),
        ("", [(1, 1, "the file is empty")]),
        ("# nothing\n\n", [(1, 1, "the file is empty")]),
        ("---", [(1, 4, KEYS)]),
        ("- 1\n", [(1, 1, KEYS)]),
        ("\n\n  3\n", [(3, 3, KEYS)]),
        ("a:\n\tb: 1\n", [(2, 1, "YAML is indented with spaces, not tabs")]),
        ("a: 1\nb: [1, 2\n", [(2, 4, f"{NOT_YAML} did not find expected ',' or ']' while parsing a flow sequence")]),
        ("a: {b: 1", [(1, 4, f"{NOT_YAML} did not find expected ',' or '}}' while parsing a flow mapping")]),
        ("a: 'b\n\n\n", [(1, 4, f"{NOT_YAML} found unexpected end of stream while scanning a quoted scalar")]),
        ("a: b: c", [(1, 5, f"{NOT_YAML} mapping values are not allowed in this context")]),
        (
            "a: @x",
            [(1, 4, f"{NOT_YAML} found character that cannot start any token while scanning for the next token")],
        ),
        ("%YAML 3.0\n---\na: 1", [(1, 1, f"{NOT_YAML} found incompatible YAML document")]),
        ("a: 1\n[b]: 2\n", [(2, 1, "a key must be plain text")]),
        ("a: &a [1, *a]", [(1, 11, "the alias *a is inside the value that it refers to")]),
        ("a: &a {b: {c: *a}}", [(1, 15, "the alias *a is inside the value that it refers to")]),
        ("a: *b", [(1, 4, "the alias *b has no anchor &b before it")]),
        (BOMB, [(1, 1, TOO_MANY)]),
        (NESTED, [(1, 44, "expected at most 40 levels of nesting")]),
        ("a: " + "[" * 400_000, [(1, 44, "expected at most 40 levels of nesting")]),
        ("a: " + "[" * 400_000 + "]" * 400_000, [(1, 44, "expected at most 40 levels of nesting")]),
        ("a: " + "[" * 60 + "@", [(1, 44, "expected at most 40 levels of nesting")]),
        ("[" * 400_000, [(1, 42, "expected at most 40 levels of nesting")]),
        ("é: 😀\r\nb: " + "[" * 400_000, [(2, 44, "expected at most 40 levels of nesting")]),
        ("a: *b\nc: " + "[" * 2000, [(1, 4, NO_ANCHOR), (2, 44, "expected at most 40 levels of nesting")]),
        ("a: " + "[" * 30 + "@" + "[" * 30, [(1, 34, NO_TOKEN)]),
        ("a: " + "{b: " * 100_000, [(1, 164, "expected at most 40 levels of nesting")]),
        ("- " * 60, [(1, 83, "expected at most 40 levels of nesting")]),
        ("- " * 400_000, [(1, 83, "expected at most 40 levels of nesting")]),
        ("- " * 30 + "[" * 400_000, [(1, 72, "expected at most 40 levels of nesting")]),
        ("# " + "x" * 1_000_000, [(1, 1, "expected a config of at most 1,000,000 bytes")]),
        ("a: " + "é" * 500_000, [(1, 1, "expected a config of at most 1,000,000 bytes")]),
        ("a: b\x07", [(1, 5, CONTROL)]),
        ('a: "b\\0"', [(1, 4, "a text must not hold the character NUL")]),
        ("é: 😀\x00", [(1, 5, CONTROL)]),
        ("a: 1\r\nb: 2\rééé: \x1b[2J", [(3, 6, CONTROL)]),
        ("a: \ud800", [(1, 4, CONTROL)]),
        ("a: \ufffe", [(1, 4, CONTROL)]),
        (
            "a: 010\nb: *c\na: 1",
            [
                (1, 4, "a number must not begin with 0"),
                (2, 4, "the alias *c has no anchor &c before it"),
                (3, 1, "the key `a` appears twice in this mapping"),
            ],
        ),
    ],
    ids=itertools.count(),
)
def test_what_a_config_must_not_hold_is_refused_where_it_stands(text, places):
    assert refused(text) == places


@pytest.mark.parametrize("before", ["", "x ", "\t", "é: ", "😀日本 ", "a\u0301 "])
def test_columns_count_characters_from_one(before):
    line = f"  {{'{before}': *nothing}}"
    assert refused(f"k:\n{line}\n") == [(2, line.index("*") + 1, "the alias *nothing has no anchor &nothing before it")]


def test_no_control_character_is_quoted_back():
    with pytest.raises(ConfigError) as caught:
        parse("a: x\x1b[2J\ud800")
    assert str(caught.value).encode() == (
        b"c.yaml:1:5: a config is UTF-8 text without control characters\n"
        b"    1 | a: x\xef\xbf\xbd[2J\xef\xbf\xbd\n"
        b"      |     ^"
    )


def test_aliases_copy_whole_values():
    document = source.parse("a: &a {b: [1, 2]}\nc: *a\nd: [*a]\n", "c.yaml")
    assert document.data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}]}
    assert str(document.position(("c",))) == "c.yaml:2:1"
    assert str(document.position(("d", 0, "b"))) == "c.yaml:1:8"


def test_an_anchor_may_be_used_again():
    assert parse("a: &a 1\nb: *a\nc: &a 2\nd: *a\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_values_stand_at_their_key_or_their_own_place():
    document = source.parse("a:\n  - b: 1\n  -   2\n", "c.yaml")
    places = {path: (at.line, at.column, at.text) for path, at in document.positions.items()}
    assert places == {
        (): (1, 1, "a:"),
        ("a",): (1, 1, "a:"),
        ("a", 0): (2, 5, "  - b: 1"),
        ("a", 0, "b"): (2, 5, "  - b: 1"),
        ("a", 1): (3, 7, "  -   2"),
    }
    assert document.position(("a", 1, "missing")) == document.position(("a", 1))


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"a: 1\nb: \xff\n", "2:4"),
        ("é: 😀".encode() + b"\xc3(", "1:5"),
        (b"\xef\xbb\xbfa: \xff", "1:4"),
        ("a: é".encode("latin-1"), "1:4"),
    ],
)
def test_invalid_utf_8_is_refused_where_it_stands(tmp_path, raw, place):
    path = tmp_path / "c.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        reading.read(path)
    (only,) = caught.value.problems
    line, column = map(int, place.split(":"))
    assert (only.message, str(only.position)) == ("a config is UTF-8 text", f"{path}:{place}")
    assert only.position.text == raw.decode("utf-8-sig", "replace").splitlines()[line - 1]
    assert only.position.text[column - 1] == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_large_file_is_refused_for_its_size(tmp_path, mark, letter):
    path = tmp_path / "c.yaml"
    path.write_bytes(mark + ("a: 1\n#" + letter * 1_200_000).encode())
    with pytest.raises(ConfigError, match="at most 1,000,000 bytes"):
        reading.read(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = reading.read(path)
    assert document.data == {"a": 1, "b": 2}
    assert str(document.position(("b",))) == f"{path}:2:1"


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path):
    (tmp_path / "other.yaml").write_text("a: 1")
    with pytest.raises(UsageError, match="there is no config at") as caught:
        reading.read(tmp_path / "c.yaml")
    assert caught.value.hint == f"configs there: {tmp_path / 'other.yaml'}"
    with pytest.raises(UsageError, match="is a folder"):
        reading.read(tmp_path)


def overridden(text: str, *assignments: str) -> source.Document:
    return overrides.override(source.parse(text, "c.yaml"), list(assignments))


@pytest.mark.parametrize(
    ("text", "assignment", "expected"),
    [
        ("a: 1", "a=2", {"a": 2}),
        ("a: 1", "a=no", {"a": "no"}),
        ("a: 1", "a=", {"a": None}),
        ("a: 1", "b.c.d=1e-3", {"a": 1, "b": {"c": {"d": 0.001}}}),
        ("a: {b: 1, c: 2}", "a.b=[3, {x: y}]", {"a": {"b": [3, {"x": "y"}], "c": 2}}),
        ("a: ", "a.b=k=v", {"a": {"b": "k=v"}}),
        ("m: [{d: {u: 1}}, 2]", "m[0].d.u=5", {"m": [{"d": {"u": 5}}, 2]}),
        ("m: [flatten, dense]", "m[1].dense.units=5", {"m": ["flatten", {"dense": {"units": 5}}]}),
        ("m: [[1, 2], [3, 4]]", "m[1][0]=9", {"m": [[1, 2], [9, 4]]}),
        ("t: {o: adam}", "t.o.adam.epsilon=1", {"t": {"o": {"adam": {"epsilon": 1}}}}),
        ("a: 1", " a =2", {"a": 2}),
    ],
)
def test_set_replaces_or_creates_a_value(text, assignment, expected):
    assert overridden(text, assignment).data == expected


@pytest.mark.parametrize(
    ("assignment", "place", "message"),
    [
        ("epochs", "--set:1:1", "expected KEY=VALUE"),
        ("=3", "--set:1:1", "expected KEY=VALUE"),
        ("a..b=3", "--set:1:1", "expected KEY=VALUE"),
        ("m[x]=3", "--set:1:1", "expected KEY=VALUE"),
        ("m[-1]=3", "--set:1:1", "expected KEY=VALUE"),
        ("\udcff=3", "--set:1:1", "expected KEY=VALUE"),
        ("m[3]=3", "--set:1:1", "there is no item [3] to set"),
        ("m[2].dense.units=3", "--set:1:1", "item [2] is not `dense`"),
        ("a[0]=3", "--set:1:1", "there is no item [0] to set"),
        ("a.b=3", "--set:1:1", "`b` cannot be set inside a whole number"),
        ("m.b=3", "--set:1:1", "`b` cannot be set inside a list"),
        ("m.1.b=3", "--set:1:1", "`1` is not an item of a list"),
        ("a=010", "--set:1:1", "a number must not begin with 0"),
        ("a=[1", "--set:1:1", f"{NOT_YAML} did not find expected ',' or ']' while parsing a flow sequence"),
        ("a=\udcff", "--set:1:1", CONTROL),
    ],
)
def test_a_wrong_set_is_refused(assignment, place, message):
    with pytest.raises(ConfigError) as caught:
        overridden("a: 1\nm: [1, 2, flatten]", assignment)
    (only,) = caught.value.problems
    assert (str(only.position), only.message) == (place, message)
    str(caught.value).encode()


def test_mistakes_of_an_overridden_value_are_told_of_the_set():
    document = overridden(FULL, "model[1].max_pooling2d.pool_size=big", "train={epochs: 0, foo: 1}")
    found = bind(document, Path("/c.yaml")).problems
    assert {(str(p.position), p.position.text, p.path) for p in found} == {
        ("--set:1:1", "model[1].max_pooling2d.pool_size=big", "model[1].max_pooling2d.pool_size"),
        ("--set:1:1", "train={epochs: 0, foo: 1}", "train.epochs"),
        ("--set:1:1", "train={epochs: 0, foo: 1}", "train.foo"),
    }


def test_overriding_leaves_the_document_as_it_was():
    before = source.parse("a: {b: 1}", "c.yaml")
    after = overrides.override(before, ["a.b=2"])
    assert (before.data, before.overridden) == ({"a": {"b": 1}}, frozenset())
    assert (after.data, after.overridden) == ({"a": {"b": 2}}, {("a", "b")})


def check_places(text: str, found: tuple[Problem, ...]) -> None:
    lines = text.splitlines() or [""]
    for one in found:
        at = one.position
        assert 1 <= at.line <= len(lines)
        assert 1 <= at.column <= len(lines[at.line - 1]) + 1
        if at.text != lines[at.line - 1]:
            assert one.message == CONTROL or not at.text


@given(st.text())
def test_any_text_gives_a_config_or_problems_with_places(text):
    check_places(text, problems(text))


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \t\n\r\u2028010.~<", max_size=40))
def test_any_punctuation_gives_problems_with_places(text):
    check_places(text, problems(text))


@given(
    start=st.integers(0, len(FULL)),
    length=st.integers(0, 30),
    put=st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            ["- ", "{", "}", "[", "]", "null", ".inf", ".nan", "-1", "1e400", "\t", "&a ", "*a", "'", "~", "conv2d"]
        ),
    ),
)
def test_a_mutated_config_gives_a_config_or_problems_with_places(start, length, put):
    text = FULL[:start] + put + FULL[start + length :]
    check_places(text, problems(text))


@given(st.text(alphabet=st.characters(), max_size=30))
def test_any_set_raises_nothing_but_a_config_error(assignment):
    document = source.parse(FULL, "c.yaml")
    for text in (assignment, f"train.epochs={assignment}", f"name={assignment}", f"data.train={assignment}"):
        try:
            bind(overrides.override(document, [text]), Path("/c.yaml"))
        except ConfigError as error:
            str(error).encode()
