"""Wrong input of every kind gives one line (what, where, what would be right), exit code 2, and changes nothing."""

import json
import os
import socket

import pytest

from sweep.cli.main import EXAMPLES
from tests.sweep.cli.command import listing, sweep
from tests.sweep.small import run_inline, small_spec

FILES = {
    "broken.yaml": "variants: [base\nseeds: 3",
    "key.yaml": "variant: base",
    "list.yaml": "- base",
    "epochs.yaml": "variants: base\nepochs: 3",
    "empty.yaml": "# nothing\n",
    "twice.yaml": "seeds: 0:4\nvariants: base\nseeds: 0:8",
    "dataset.yaml": "dataset: 5",
    "large.yaml": "dataset: {name: mnist, n_train: 70000}",
    "deep.yaml": "seeds: " + "[" * 100_000,
    "digits.yaml": "seeds: " + "9" * 5000,
    "bomb.yaml": "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, 12)),
    "merge.yaml": "a0: &a0 {x: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [{f'*a{i - 1},' * 9}]}}\n" for i in range(1, 12)),
    "escape\x1b[31m.yaml": "variant: base",
    "sexagesimal.yaml": "seeds: 32:16",
}

RUN = {
    "unknown variant": ("run --variants bas", "unknown variant 'bas': did you mean 'base'?"),
    "unknown recipe": ("run --recipe karpaty", "did you mean 'karpathy'?"),
    "backward seeds": ("run --seeds 5:2", "'5:2' is an empty range"),
    "seeds in words": ("run --seeds ten", "'ten' is not a seed or a range: write 7, or 0:64"),
    "a seed too large": ("run --seeds 4294967296", "seeds go up to 4294967295"),
    "a seed of 5,000 digits": (f"run --seeds {'9' * 5000}", "is too large: seeds go up to"),
    "negative learning rate": ("run --set learning_rate=-1", "learning_rate = -1 is out of range"),
    "learning rate in words": ("run --set learning_rate=fast", "'fast' is not a number"),
    "infinite learning rate": ("run --set learning_rate=inf", "is not a finite number"),
    "an empty value in a grid": ("run --set learning_rate=0.1,,0.2", "learning_rate = '' is not a number"),
    "misspelt hyperparameter": ("run --set lerning_rate=1", "did you mean 'learning_rate'?"),
    "abbreviated hyperparameter": ("run --set lr=1", "did you mean 'learning_rate'?"),
    "a set without values": ("run --set learning_rate", "learning_rate=0.01,0.03"),
    "a set without a name": ("run --set =3", "--set =3: write a hyperparameter"),
    "a set given twice": (
        "run --set shift=1 --set shift=2",
        "shift is given twice: write all values in one option, such as --set shift=1,2",
    ),
    "epochs given twice": ("run --set epochs=1 --epochs 2", "epochs is given twice"),
    "no epochs": ("run --epochs 0", "epochs = 0 is out of range"),
    "half an epoch": ("run --epochs 1.5", "'--epochs'"),
    "unknown engine": ("run --engine lanse", "unknown engine 'lanse': did you mean 'lanes'?"),
    "unknown data set": ("run --dataset mnits", "did you mean 'mnist'?"),
    "unknown preset": (
        "run quickstrat",
        "quickstrat: neither a file nor a preset: did you mean 'quickstart'?",
    ),
    "missing spec": ("run nowhere.yaml", "nowhere.yaml: cannot be read: No such file"),
    "a folder for a spec": ("run ./", "Is a directory"),
    "broken YAML": ("run broken.yaml", "broken.yaml: broken YAML in line 2"),
    "unknown key": ("run key.yaml", "key.yaml: unknown key 'variant': did you mean 'variants'?"),
    "a list for a spec": ("run list.yaml", "list.yaml: expected a mapping such as 'seeds: 0:64', not a list"),
    "an empty spec": ("run empty.yaml", "empty.yaml: the file is empty"),
    "a key given twice": ("run twice.yaml", "line 3: key 'seeds' is given twice"),
    "a number for a data set": ("run dataset.yaml", "dataset: 5 is a number: write a name, or a mapping"),
    "too many digits": ("run large.yaml", "n_train = 70000"),
    "words for subset seeds": ("run --draw 0:x", "dataset.subset_seed: '0:x' is not a whole number"),
    "too many digits in a grid": (
        "run --dataset mnist --n-train 100,70000",
        "n_train = 70000 is out of range",
    ),
    "a grid of too many data sets": (
        "run --dataset mnist --n-train 1:2001 --draw 0:10",
        "100,000 combinations of variants, recipes, data sets and values: at most 10,000",
    ),
    "an empty range of orders": ("run --set order_seed=3:3", "set: '3:3' is an empty range"),
    "100,000 brackets": ("run deep.yaml", "nested deeper than 20 levels"),
    "a number of 5,000 digits": ("run digits.yaml", "a number of 5,000 digits"),
    "an alias bomb": ("run bomb.yaml", "more than 100,000 values"),
    "a merge bomb": ("run merge.yaml", "more than 100,000 values"),
    "backward seeds in YAML": ("run sexagesimal.yaml", "'32:16' is an empty range"),
    "a control character in a name": ("run escape\x1b[31m.yaml", "escape\\x1b[31m.yaml: unknown key"),
    "a width of zero": ("run --shard-width 0", "shard_width: 0 is too small: at least 1"),
    "a width in words": ("run --shard-width wide", "'--shard-width'"),
    "too many runs": ("run --seeds 0:4000000000", "20,000,000,000 runs: at most 10,000,000"),
    "unknown option": ("run --sedes 3", "No such option: --sedes"),
    "unknown command": ("runn", "No such command 'runn'. Did you mean 'run'?"),
    "two specs": ("run quickstart usps", "unexpected extra argument"),
    "unknown executor": ("run --executor slurm", "'ray', 'inline'"),
    "unknown device": ("run --device npu", "'auto', 'cpu', 'gpu', 'tpu'"),
    "workers of one process": ("run --executor inline --workers 2", "leave --workers out, or use ray"),
    "an address of one process": ("run --executor inline --address h:1", "leave --address out, or use ray"),
    "workers of a cluster": ("run --address h:1 --workers 2", "--workers limits a Ray on this machine"),
    "no workers": ("run --workers 0", "'--workers': 0 is too small: at least 1"),
    "a device that is not here": ("run --device gpu", "--device gpu: this machine has none"),
    "hours that are no number": ("run --max-hours nan", "'--max-hours': nan is not a number of hours"),
    "negative checkpoint time": (
        "run --checkpoint-seconds -1",
        "'--checkpoint-seconds': -1 is too small: at least 0",
    ),
    "a hyperparameter beside set": (
        "run epochs.yaml",
        "epochs.yaml: unknown key 'epochs': a hyperparameter is a key of set, as in 'set: {epochs: …}'",
    ),
    "a missing folder of originals": ("run --manual-dir nowhere", "'nowhere' is not a folder"),
    "a missing folder of originals in a dry run": (
        "run --dry-run --manual-dir nowhere",
        "'--manual-dir': 'nowhere' is not a folder",
    ),
    "a file for a folder of originals": ("run --manual-dir list.yaml", "'list.yaml' is not a folder"),
    "an engine that this machine lacks": (
        "run --dry-run --engine pallas --executor inline --variants base",
        "engine 'pallas' cannot train base here",
    ),
    "an engine that the workers of this machine lack": (
        "run --dry-run --engine pallas --variants base",
        "engine 'pallas' cannot train base here: this process has no TPU",
    ),
    "the same without a dry run": (
        "run --engine pallas --variants base",
        "engine 'pallas' cannot train base here: this process has no TPU",
    ),
    "an empty root": ("run --root=", "root '' is not usable: it is empty"),
    "a root without a bucket": ("run --root s3://", "names no bucket"),
    "a root of an unknown kind": ("run --root ftp://host/x", "root 'ftp://host/x' is not usable"),
    "a root that is a file": ("run --root list.yaml", "list.yaml: is a file"),
    "a root of other things": ("run --root .", "so it is not a root"),
    "a root that cannot be made": (
        "run --executor inline --epochs 1 --root /proc/results",
        "cannot be written",
    ),
    "no cluster at the address": ("run --address 127.0.0.1:9", "127.0.0.1:9: no cluster answers (Connection"),
    "an address without a port": ("run --address nowhere", "--address nowhere: write HOST:PORT"),
    "a plan with two goals": ("plan --find 2 --halfwidth 1", "give one goal above 0, in misses"),
    "a plan for a goal of zero": ("plan --find 0", "give one goal above 0, in misses"),
    "a plan without a known spread": (
        "plan --find 2 --variants base --set epochs=7",
        "the spread of base,epochs=7 on mnist5k is unknown: train 8 seeds of it first",
    ),
    "a plan on a missing cluster file": ("plan --cluster nowhere.yaml", "nowhere.yaml: cannot be read"),
    "a plan with broken prices": ("plan --prices list.yaml", "list.yaml: expected a mapping such as"),
    "resume nothing": ("resume --root nothing", "nothing: there are no results here"),
    "status of nothing": ("status --root nothing", "nothing: there are no results here"),
    "top of nothing": ("top --root nothing", "nothing: there are no results here"),
    "table of nothing": ("table --root nothing", "nothing: there are no results here"),
    "plot of nothing": ("plot ecdf --root nothing", "nothing: there are no results here"),
    "report of nothing": ("report --root nothing", "nothing: there are no results here"),
    "doctor of nothing": ("doctor --root nothing", "nothing: there are no results here"),
    "merge of nothing": ("merge nothing", "nothing: there are no results here"),
    "forget of nothing": ("forget --variants base --root nothing", "nothing: there are no results here"),
    "forget without a name": ("forget", "--variants"),
    "a replay never printed": ("replay adamw", "the notebooks printed no run of 'adamw': choose from"),
    "a replay of no epochs": ("replay base --epochs 0", "'--epochs': 0 is too small: at least 1"),
    "a missing cluster file": ("cluster validate nowhere.yaml", "nowhere.yaml: cannot be read: No such file"),
    "a list for a cluster file": ("cluster validate list.yaml", "list.yaml: expected a cluster file"),
    "fetch from a bucket": (
        "fetch list.yaml --root s3://bucket/x",
        "s3://bucket/x: object stores need no fetch",
    ),
    "no job server": (
        "jobs --address http://127.0.0.1:9",
        "http://127.0.0.1:9: no cluster answers (Connection",
    ),
    "logs of no job": ("logs", "Missing argument 'JOB'"),
    "submit a missing spec": ("submit nowhere.yaml", "nowhere.yaml: cannot be read: No such file"),
}

RESULTS = {
    "unknown table": ("table sumary", "unknown table 'sumary': did you mean 'summary'?"),
    "unknown variant": ("table --variants bse", "bse"),
    "seeds that no run has": ("table --seeds 100:200", "seeds 100:200"),
    "backward seeds": ("table --seeds 9:2", "'9:2' is an empty range"),
    "unknown format": ("table --format xml", "'text', 'csv'"),
    "a binary format for the terminal": ("table --format parquet", "name it with --out"),
    "a suffix against the format": ("table --format csv --out x.json", "contradict each other"),
    "an unknown suffix of a table": ("table --out x.docx", "--out x.docx: the name must end in .txt, .csv"),
    "a folder for a table": ("table --format csv --out .", "--out .: is a folder"),
    "a table below a file": ("table --out list.yaml/x.csv", "list.yaml is a file, not a folder"),
    "a table where nothing can be written": ("table --out /proc/x.csv", "--out /proc/x.csv: "),
    "--noise where it fills nothing": ("table wide --noise", "table 'wide' has no option --noise: it has"),
    "an epoch for the last labels": ("table digits --epoch 1", "table 'digits' has no option --epoch"),
    "an epoch that no run has": ("table --epoch 9", "epoch 9"),
    "unknown plot": ("plot galery", "unknown plot 'galery': did you mean 'gallery'?"),
    "an unknown suffix of a plot": (
        "plot ecdf --out ecdf.jpg",
        "--out ecdf.jpg: the name must end in .png, .svg",
    ),
    "a folder for a plot": ("plot ecdf --out deep.png", "--out deep.png: is a folder"),
    "training digits in the gallery": ("plot gallery --split train", "plot 'gallery' has no option --split"),
    "a recipe that no run has": ("plot ecdf --recipe karpathy", "no finished run has recipe 'karpathy'"),
    "compare with an unknown variant": (
        "compare --misses 3 --variant bas,epochs=1",
        "did you mean 'base,epochs=1'?",
    ),
    "compare with a name that has a comma": (
        "compare --misses 3 --variant lenet",
        "choose from 'base,epochs=1', 'dropout,epochs=1'",
    ),
    "more misses than digits": ("compare --misses 61 --variant base,epochs=1", "from 0 to 60"),
    "compare without misses": ("compare --variant base", "Missing option '--misses'"),
    "compare to an unknown suffix": (
        "compare --misses 3 --variant base,epochs=1 --out x.bmp",
        "must end in .png",
    ),
    "report on an unknown variant": ("report --variants softmax", "no finished run has variant 'softmax'"),
    "an unknown suffix of a report": (
        "report --out report.docx",
        "--out report.docx: the name must end in .html",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong")
    for name, text in FILES.items():
        (path / name).write_text(text)
    (path / "deep.png").mkdir()
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "r"
    run_inline(path, small_spec(seeds="0:3", set={"epochs": 1}))
    return path


def assert_one_line(ended, message):
    assert ended.code == 2, ended
    assert message in ended.err
    error = ended.err.removeprefix("loading mnist5k\n")  # progress, shown until the root is opened
    assert error.startswith("sweep: ")
    assert len(error.splitlines()) == 1
    assert ended.err.count("sweep: ") == 1
    assert len(ended.err) < 400
    assert error.rstrip("\n").isprintable()
    assert not ended.out


@pytest.mark.parametrize(("command", "message"), RUN.values(), ids=RUN)
def test_wrong_input_gives_one_line_and_exit_code_2(folder, command, message):
    before = listing(folder)
    assert_one_line(sweep(*command.split(" "), cwd=folder), message)
    assert listing(folder) == before


@pytest.mark.parametrize(("command", "message"), RESULTS.values(), ids=RESULTS)
def test_a_wrong_request_of_results_gives_one_line(root, folder, command, message):
    before = listing(root) | listing(folder)
    assert_one_line(sweep(*command.split(" "), "--root", root, cwd=folder), message)
    assert listing(root) | listing(folder) == before


def test_a_truncated_file_in_the_root(root, tmp_path):
    os.system(f"cp -r '{root}' '{tmp_path}/results'")
    path = next((tmp_path / "results" / "epochs").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:200])
    before = listing(tmp_path)
    for command in (["table"], ["status"], ["run", "--seeds", "0:9", "--executor", "inline"]):
        assert_one_line(sweep(*command, "--root", tmp_path / "results"), path.name)
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "content", ["[" * 100_000, json.dumps({"spec": 3}), "{", '{"spec": {"seeds": "9:3"}}']
)
def test_a_damaged_record_of_a_sweep(root, tmp_path, content):
    os.system(f"cp -r '{root}' '{tmp_path}/results'")
    (path,) = (tmp_path / "results" / "sweeps").glob("*.json")
    path.write_text(content)
    for command in ("status", "resume"):
        assert_one_line(sweep(command, "--root", tmp_path / "results"), path.name)


def test_a_server_that_accepts_and_never_answers(monkeypatch):
    monkeypatch.setattr("sweep.network.SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert_one_line(sweep("jobs", "--address", address), "no cluster answers (")


def test_every_command_has_an_example_and_each_example_is_accepted():
    for command, examples in EXAMPLES.items():
        assert examples
        for example in examples:
            words = example.split()
            assert words[:2] == ["sweep", command.__name__]
            options = [word for word in words if word.startswith("--")]
            text = sweep(words[1], "--help").out
            assert all(option in text for option in options)
            assert example in text
