import functools
import os
import shutil
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from data import DatasetOptions, DataUnavailable, describe, load, places, usps
from data.sampling import permutation

DIGEST = "f71d9ddbfbe0530ddb063c00a096f9ba51341ef84d31c73091c1a66169a471af"
TRAIN_COUNTS = [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
TEST_COUNTS = [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]


def test_digits_of_the_paper(available):
    available("usps")
    dataset = load(DatasetOptions("usps"))
    assert dataset.digest == DIGEST
    assert np.bincount(dataset.train.labels).tolist() == TRAIN_COUNTS
    assert np.bincount(dataset.test.labels).tolist() == TEST_COUNTS
    assert dataset.train.images.mean() == pytest.approx(-0.49104, abs=1e-5)
    train, test = ({x.tobytes() for x in split.images} for split in (dataset.train, dataset.test))
    assert (len(train), len(test), len(train & test)) == (7291, 2007, 0)


def test_copy_keeps_file_order_and_every_digit(original_files, bare):
    folder = original_files(usps.ORIGINALS)
    made = load(DatasetOptions("usps"), folder)
    assert describe("usps").startswith("prepared in")
    assert made.digest == DIGEST
    assert load(DatasetOptions("usps")).digest == DIGEST  # from the copy
    drawn = load(DatasetOptions("usps", subset_seed=3, n_train=50, n_test=20))
    rows = permutation(3, 7291, "notebook")[:50]
    assert np.array_equal(drawn.train.images, made.train.images[rows])


def copy_in(data_dir):
    return data_dir / "usps_zip" / "1.0.0"


def test_preparing_names_the_directory_first(original_files, bare, capfd):
    load(DatasetOptions("usps"), original_files(usps.ORIGINALS))
    assert capfd.readouterr().err == f"preparing usps: writing a copy for later runs to {bare / 'tfds'}\n"
    assert copy_in(bare / "tfds").is_dir()


def test_an_unwritable_data_directory_falls_back_to_the_user_cache(original_files, bare, monkeypatch, capfd):
    folder = original_files(usps.ORIGINALS)
    (bare / "file").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(bare / "file" / "below"))  # not even root can write there
    assert load(DatasetOptions("usps"), folder).digest == DIGEST
    first, second = capfd.readouterr().err.splitlines()
    assert first == f"{bare / 'file' / 'below'} is not writable (Not a directory)"
    assert second == f"preparing usps: writing a copy for later runs to {places.user_cache()}"
    assert copy_in(places.user_cache()).is_dir()
    assert load(DatasetOptions("usps")).digest == DIGEST  # found there again
    assert capfd.readouterr().err == ""
    assert describe("usps") == f"prepared in {copy_in(places.user_cache())}"


def test_a_read_only_data_directory_is_not_changed(original_files, bare, monkeypatch):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (bare / "tfds").mkdir(mode=0o555)
    assert load(DatasetOptions("usps"), original_files(usps.ORIGINALS)).digest == DIGEST
    assert not list((bare / "tfds").iterdir())
    assert copy_in(places.user_cache()).is_dir()


def test_original_files_are_read_where_nothing_can_be_written(original_files, bare, monkeypatch, capfd):
    (bare / "file").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(bare / "file" / "below"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare / "file" / "cache"))
    assert load(DatasetOptions("usps"), original_files(usps.ORIGINALS)).digest == DIGEST
    assert "usps is read from its original files: " in capfd.readouterr().err


def test_a_copy_that_only_tensorflow_reads_is_not_changed(original_files, bare):
    foreign = copy_in(bare / "tfds") / "dataset_info.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"fileFormat": "tfrecord"}')
    with pytest.raises(DataUnavailable, match="tfrecord copy"):
        load(DatasetOptions("usps"))
    assert load(DatasetOptions("usps"), original_files(usps.ORIGINALS)).digest == DIGEST
    assert list(foreign.parent.iterdir()) == [foreign]
    assert copy_in(places.user_cache()).is_dir()


def test_a_damaged_copy_is_named(original_files, bare):
    load(DatasetOptions("usps"), original_files(usps.ORIGINALS))
    (file,) = copy_in(bare / "tfds").glob("*-train.array_record*")
    with open(file, "r+b") as opened:
        opened.truncate(100_000)
    with pytest.raises(DataUnavailable, match=r"usps_zip.* cannot be read .*: delete it") as error:
        load(DatasetOptions("usps"))
    assert "\n" not in str(error.value)


def test_a_changed_file_is_reported_with_both_digests(original_files, bare):
    folder = original_files(usps.ORIGINALS)
    for name in usps.ORIGINALS.sha256:
        shutil.copyfile(folder / name, bare / name)
    with open(bare / "zip.test.gz", "ab") as file:
        file.write(b"x")
    with pytest.raises(DataUnavailable, match="is not the original file") as error:
        load(DatasetOptions("usps"), bare)
    assert str(bare / "zip.test.gz") in str(error.value)
    assert usps.ORIGINALS.sha256["zip.test.gz"] in str(error.value)


@pytest.fixture
def home(bare, monkeypatch):
    """The server of the files: `bare / "www"` served on this machine."""
    (bare / "www").mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=bare / "www")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            usps, "ORIGINALS", replace(usps.ORIGINALS, url=f"http://127.0.0.1:{server.server_port}/")
        )
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield bare / "www"
        server.shutdown()


def test_download(original_files, home):
    for name in usps.ORIGINALS.sha256:
        shutil.copyfile(original_files(usps.ORIGINALS) / name, home / name)
    assert load(DatasetOptions("usps")).digest == DIGEST


def test_a_changed_download_is_refused(original_files, home):
    for name in usps.ORIGINALS.sha256:
        shutil.copyfile(original_files(usps.ORIGINALS) / name, home / name)
    with open(home / "zip.train.gz", "ab") as file:
        file.write(b"x")
    with pytest.raises(DataUnavailable, match=r"http://127.*zip\.train\.gz is not the original file"):
        load(DatasetOptions("usps"))
