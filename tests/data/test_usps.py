import functools
import shutil
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from data import DatasetOptions, DataUnavailable, load, usps
from data.draw import permutation

DIGEST = "f71d9ddbfbe0530ddb063c00a096f9ba51341ef84d31c73091c1a66169a471af"
TRAIN_COUNTS = [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
TEST_COUNTS = [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]


def test_digits_of_the_paper(at_hand):
    at_hand("usps")
    dataset = load(DatasetOptions("usps"))
    assert dataset.digest == DIGEST
    assert np.bincount(dataset.train.labels).tolist() == TRAIN_COUNTS
    assert np.bincount(dataset.test.labels).tolist() == TEST_COUNTS
    assert dataset.train.images.mean() == pytest.approx(-0.49104, abs=1e-5)
    train, test = ({x.tobytes() for x in split.images} for split in (dataset.train, dataset.test))
    assert (len(train), len(test), len(train & test)) == (7291, 2007, 0)


def test_copy_keeps_file_order_and_every_digit(originals, bare):
    folder = originals(usps.SOURCE)
    made = load(DatasetOptions("usps"), folder)
    assert usps.found(DatasetOptions("usps")).startswith("prepared in")
    assert made.digest == DIGEST
    assert load(DatasetOptions("usps")).digest == DIGEST  # now from the copy alone
    drawn = load(DatasetOptions("usps", subset_seed=3, n_train=50, n_test=20))
    rows = permutation(3, 7291, "notebook")[:50]
    assert np.array_equal(drawn.train.images, made.train.images[rows])


def test_unwritable_folder_is_no_obstacle(originals, bare, monkeypatch, capfd):
    folder = originals(usps.SOURCE)
    (bare / "file").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(bare / "file" / "below"))
    assert load(DatasetOptions("usps"), folder).digest == DIGEST
    assert "read from its original files" in capfd.readouterr().err


def test_a_copy_that_only_tensorflow_reads_is_left_alone(originals, bare):
    folder = originals(usps.SOURCE)
    usps.SOURCE.copy.mkdir(parents=True)
    (usps.SOURCE.copy / "dataset_info.json").write_text('{"fileFormat": "tfrecord"}')
    assert load(DatasetOptions("usps"), folder).digest == DIGEST
    with pytest.raises(DataUnavailable, match="tfrecord copy, which only TensorFlow reads"):
        load(DatasetOptions("usps"))


def test_a_damaged_copy_is_named(originals, bare):
    load(DatasetOptions("usps"), originals(usps.SOURCE))
    (file,) = usps.SOURCE.copy.glob("*-train.array_record*")
    with open(file, "r+b") as opened:
        opened.truncate(100_000)
    with pytest.raises(DataUnavailable, match=r"usps_zip.* cannot be read .*: delete it") as error:
        load(DatasetOptions("usps"))
    assert "\n" not in str(error.value)


def test_a_changed_file_is_named_with_both_sums(originals, bare):
    folder = originals(usps.SOURCE)
    for name in usps.SOURCE.sums:
        shutil.copyfile(folder / name, bare / name)
    with open(bare / "zip.test.gz", "ab") as file:
        file.write(b"x")
    with pytest.raises(DataUnavailable, match="is not the original file") as error:
        load(DatasetOptions("usps"), bare)
    assert str(bare / "zip.test.gz") in str(error.value)
    assert usps.SOURCE.sums["zip.test.gz"] in str(error.value)


@pytest.fixture
def home(bare, monkeypatch):
    """The public home of the files, served from `bare / "www"` on this machine."""
    (bare / "www").mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=bare / "www")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            usps, "SOURCE", replace(usps.SOURCE, url=f"http://127.0.0.1:{server.server_port}/")
        )
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield bare / "www"
        server.shutdown()


def test_download(originals, home):
    for name in usps.SOURCE.sums:
        shutil.copyfile(originals(usps.SOURCE) / name, home / name)
    assert load(DatasetOptions("usps")).digest == DIGEST


def test_a_changed_download_is_refused(originals, home):
    for name in usps.SOURCE.sums:
        shutil.copyfile(originals(usps.SOURCE) / name, home / name)
    with open(home / "zip.train.gz", "ab") as file:
        file.write(b"x")
    with pytest.raises(DataUnavailable, match=r"http://127.*zip\.train\.gz is not the original file"):
        load(DatasetOptions("usps"))
