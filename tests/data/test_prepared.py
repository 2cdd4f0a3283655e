"""The cache of prepared data sets."""

import os
import subprocess
import sys

import numpy as np
import pytest

from data import DatasetOptions, load, mnist5k, prepared

OPTIONS = DatasetOptions(n_train=40, n_test=20)


@pytest.fixture(scope="module")
def digits():
    return mnist5k.load(OPTIONS)


@pytest.fixture
def stored(bare, digits):
    """The file of a data set in the cache."""
    prepared.write(prepared.key(OPTIONS, mnist5k.sources()), digits)
    (file,) = prepared.folder().iterdir()
    return file


def arrays(dataset):
    return dataset.train.images, dataset.train.labels, dataset.test.images, dataset.test.labels


def test_cached_digits_are_bit_equal(bare, monkeypatch):
    fresh = load(OPTIONS)
    monkeypatch.setattr(mnist5k, "load", None)  # not called
    cached = load(OPTIONS)
    assert [a.tobytes() for a in arrays(cached)] == [a.tobytes() for a in arrays(fresh)]
    assert (cached.name, cached.description, cached.digest) == (fresh.name, fresh.description, fresh.digest)


def test_a_cached_data_set_is_loaded_by_another_process(stored, digits):
    code = (
        "import sys; from data import DatasetOptions, load;"
        "print(load(DatasetOptions(n_train=40, n_test=20)).digest, 'mlxtend' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [digits.digest, "False"]


def flip_last_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    "damage", [flip_last_bit, lambda c: c[: len(c) // 2], lambda c: b"", lambda c: c[:32]]
)
def test_a_damaged_file_is_ignored(stored, damage):
    assert prepared.read(stored.name) is not None
    stored.write_bytes(damage(stored.read_bytes()))
    assert prepared.read(stored.name) is None


def test_a_damaged_file_is_written_again(stored, digits):
    good = stored.read_bytes()
    stored.write_bytes(flip_last_bit(good))
    assert load(OPTIONS).digest == digits.digest
    assert stored.read_bytes() == good


def test_a_changed_image_is_noticed_at_any_place(stored):
    good = stored.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(good), 100):
        damaged = bytearray(good)
        damaged[place] ^= 0x10
        stored.write_bytes(damaged)
        assert prepared.read(stored.name) is None


def test_a_file_under_the_name_of_other_digits_is_ignored(stored):
    name = prepared.key(DatasetOptions(), mnist5k.sources())
    stored.rename(stored.with_name(name))
    assert prepared.read(name) is None


def test_the_key_depends_on_options_sources_and_code(bare, monkeypatch, tmp_path):
    source = tmp_path / "digits"
    source.write_bytes(b"1")
    keys = {prepared.key(OPTIONS, [source]), prepared.key(DatasetOptions(), [source])}
    source.write_bytes(b"2")
    keys.add(prepared.key(OPTIONS, [source]))
    monkeypatch.setattr(prepared, "__file__", str(tmp_path / "prepared.py"))  # a package without modules
    keys.add(prepared.key(OPTIONS, [source]))
    assert len(keys) == 4
    assert prepared.key(OPTIONS, []) is None
    assert prepared.key(OPTIONS, [tmp_path / "absent"]) is None


def test_a_cache_that_cannot_be_written_is_no_error(bare, digits, monkeypatch):
    (bare / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare / "file"))
    assert load(OPTIONS).digest == digits.digest


def test_the_least_recently_used_files_are_deleted(stored, digits, monkeypatch):
    monkeypatch.setattr(prepared, "LIMIT_BYTES", 2.5 * stored.stat().st_size)
    prepared.write("second", digits)
    os.utime(stored, (1, 1))
    os.utime(prepared.folder() / "second", (2, 2))
    assert prepared.read(stored.name) is not None  # used again
    prepared.write("third", digits)
    assert {file.name for file in prepared.folder().iterdir()} == {stored.name, "third"}
