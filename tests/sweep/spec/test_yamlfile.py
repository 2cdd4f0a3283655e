"""YAML is read in version 1.2, and a hostile file is rejected in one line and at once."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import SpecError
from sweep.spec.yamlfile import MAX_BYTES, Loader, parse_mapping, read_mapping

EXAMPLE = "a mapping such as 'seeds: 0:64'"


def read(text, loader=None):
    return parse_mapping(text, "my.yaml", EXAMPLE, loader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16:32", "16:32"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("1_000", 1000),
        ("0.03", 0.03),
        (".5", 0.5),
        ("1.5e-3", 0.0015),
        ("1e-3", "1e-3"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("null", None),
        ("2024-01-01", "2024-01-01"),
        ("'010'", "010"),
        ("[0:16, 100:110]", ["0:16", "100:110"]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    assert read(f"a: {text}") == {"a": value}


def test_a_cluster_file_is_read_as_ray_reads_it():
    text = "a: &a {b: 010, c: yes}\nd: {<<: *a, b: 1}"
    assert read(text, Loader) == {"a": {"b": 8, "c": True}, "d": {"b": 1, "c": True}}


def _doubling(levels, form):
    lines = ["a0: &a0 {x: 1}"]
    lines += [form.format(i=i, many=",".join([f"*a{i - 1}"] * 9)) for i in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "an alias bomb": (_doubling(12, "a{i}: &a{i} [{many}]"), "more than 100,000 values"),
    "a merge bomb": (_doubling(12, "a{i}: &a{i} {{<<: [{many}]}}"), "more than 100,000 values"),
    "a value inside itself": ("a: &a [*a]", "more than 100,000 values"),
    "nested brackets": ("a: " + "[" * 100_000, "nested deeper than 20 levels"),
    "nested braces": ("a: " + "{" * 100_000, "nested deeper than 20 levels"),
    "a huge integer": ("a: " + "9" * 5000, "5000 digits|5,000 digits"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3: key 'a' is given twice"),
    "a nested key twice": ("a: {b: 1, b: 2}", "key 'b' is given twice"),
    "Python code": ("a: !!python/object/apply:os.system ['true']", "broken YAML in line 1"),
    "a wrong explicit type": ("a: !!int x", "broken YAML"),
    "a list as a key": ("? [1]\n: 2", "unhashable key"),
    "a number as a key": ("1: 2", "key 1 is not text"),
    "an open bracket": ("a: [b", "broken YAML in line"),
    "a tab": ("a:\n\t- b", "broken YAML in line 2"),
    "a control character": ("a: \x07", "broken YAML"),
    "two documents": ("--- {a: 1}\n--- {a: 2}", "another document"),
    "an empty file": ("", "is empty: expected a mapping"),
    "a file of comments": ("# nothing\n", "is empty: expected a mapping"),
    "an empty mapping": ("{}", "is empty: expected a mapping"),
    "a list": ("- a", "not a list"),
    "a number": ("3", "not a number"),
}


@pytest.mark.parametrize("loader", [None, Loader], ids=["1.2", "1.1"])
@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_rejected_in_one_line_and_at_once(text, message, loader):
    began = time.perf_counter()
    with pytest.raises(SpecError, match=message) as error:
        read(text, loader)
    assert time.perf_counter() - began < 2
    assert str(error.value).startswith("my.yaml: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@given(st.text(max_size=60))
def test_any_text_is_a_mapping_or_one_line(text):
    with contextlib.suppress(SpecError):
        assert isinstance(read(f"seeds: {text}"), dict)


def test_files_that_cannot_be_read(tmp_path):
    large = tmp_path / "large.yaml"
    large.write_text("a: 1\n" + "#" * MAX_BYTES)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff\xfe")
    for path, message in (
        (large, "larger than 1,000,000 bytes"),
        (binary, "not a text file in UTF-8"),
        (tmp_path, "Is a directory"),
        (tmp_path / "none.yaml", "No such file"),
    ):
        with pytest.raises(SpecError, match=message) as error:
            read_mapping(path, EXAMPLE)
        assert str(error.value).startswith(f"{path}: ")
