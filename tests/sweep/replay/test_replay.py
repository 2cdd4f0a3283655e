"""The notebooks' printed lines, reproduced; needs the MNIST files."""

import re
import subprocess
import sys

import pytest

from data import describe


@pytest.mark.skipif(
    describe("mnist").startswith("not found"),
    reason="MNIST is not available: set TFDS_DATA_DIR",
)
@pytest.mark.parametrize("variant", ["base", "softmax", "dropout"])
def test_the_first_epoch_is_the_notebooks(variant):
    command = [sys.executable, "-m", "sweep", "replay", variant, "--epochs", "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    line = r"eval: split (\w+) *\. loss (\S+)\. error (\S+)%\. misses: (\d+)"
    assert re.search(r"of 2 lines: error identical in \d, misses in \d; losses agree in \d", run.stdout)
    found = re.findall(rf"(notebook|ours) +{line}", run.stdout)
    assert len(found) == 4, run.stdout
    for notebook, ours in zip(found[::2], found[1::2], strict=True):
        assert notebook[1] == ours[1]
        # Another processor sums in another order: losses to 5 digits, misses to two.
        assert float(ours[2]) == pytest.approx(float(notebook[2]), rel=2e-5)
        assert abs(int(ours[4]) - int(notebook[4])) <= 2
