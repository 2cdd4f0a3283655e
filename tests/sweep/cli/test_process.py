"""The command in a separate process: failing streams, encodings, and exit codes."""

import os
import subprocess
import sys

import pytest

from sweep.cli.process import exit_code
from sweep.errors import SpecError


def command(*arguments, **options):
    environment = os.environ | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "sweep", *arguments],
        text=True,
        env=environment,
        check=False,
        timeout=60,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


@pytest.mark.parametrize("arguments", [["presets"], ["run", "--help"]])
def test_a_full_device(arguments):
    with open("/dev/full", "w") as full:
        ended = command(*arguments, stdout=full)
    assert (ended.returncode, ended.stderr) == (2, "sweep: standard output: No space left on device\n")


def test_a_reader_that_closed_its_end():
    reader, writer = os.pipe()
    os.close(reader)
    ended = command("presets", stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_both_streams_without_a_reader():
    reader, writer = os.pipe()
    os.close(reader)
    ended = command("status", "--root", "nothing", stdout=writer, stderr=writer)
    os.close(writer)
    assert ended.returncode == 2


def test_a_deleted_working_directory(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); from sweep.cli.main import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "status"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


def test_a_terminal_that_supports_only_ascii(tmp_path):
    ended = command("presets", env={"PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stderr) == (0, "")
    program = "print('5 × 3 – 7 … é ✓ ²')"
    ended = command("status", "--root", str(tmp_path / "é"), env={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 2
    assert ended.stderr.endswith("e: there are no results here; `sweep run` creates them\n")
    program = f"from sweep.cli.process import run_process\nrun_process(lambda: {program})"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "5 x 3 - 7 ... e ? 2\n"


def test_exit_codes(capsys):
    def raises(error):
        def command():
            raise error

        return command

    assert exit_code(lambda: None) == 0
    assert exit_code(lambda: 130) == 130
    assert exit_code(raises(SystemExit(1))) == 1
    assert exit_code(raises(SpecError("wrong\n\x1b[31m"))) == 2
    assert exit_code(raises(PermissionError(13, "x", "/somewhere"))) == 2
    assert capsys.readouterr().err.splitlines() == [
        "sweep: wrong\\n\\x1b[31m",
        "sweep: /somewhere: Permission denied",
    ]
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)


def test_an_engine_that_this_machine_lacks(tmp_path):
    root = str(tmp_path / "results")
    options = (
        "--seeds",
        "0:1",
        "--epochs",
        "1",
        "--engine",
        "pallas",
        "--executor",
        "inline",
        "--root",
        root,
    )
    ended = command("run", "--variants", "base", *options)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("sweep: engine 'pallas' cannot train base")
    assert "Traceback" not in ended.stderr
