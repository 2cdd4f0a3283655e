"""Published numbers as data, and users' own files."""

import pytest

from sweep.analysis.published import published_numbers
from sweep.analysis.runs import CellId
from sweep.analysis.tables.placement import verdict
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import A


def test_the_counts_agree_with_the_printed_ones():
    numbers = published_numbers()
    assert len(numbers) > 35
    for number in numbers:
        if number.misses_printed is not None:
            assert number.misses - number.misses_printed in (0, 1)
            assert ("too low" in number.remark) == (number.misses != number.misses_printed)


@pytest.mark.parametrize(
    ("key", "variant", "n_train", "test", "train"),
    [
        ("paper", "base", 7291, 102, 10),
        ("karpathy", "augment", 7291, 44, 124),
        ("karpathy-readme", "base", 7291, 81, 44),
        ("karpathy-blog", "base", 50000, 55, 1015),
        ("karpathy-blog", "dropout", 50000, 25, 535),
        ("chang", "dropout", 7291, 35, 77),
        ("chenyuxyz", "base", 7291, 71, 63),
        ("chenyuxyz", "dropout", 7291, 40, 81),
        ("josherich-mlx", "base", 7291, 67, 45),
        ("josherich-tinygrad", "base", 7291, 98, 55),
        ("yomei-o", "base", 7291, 97, 77),
        ("horchynskyi", "base", 7291, 120, 0),
    ],
)
def test_the_published_counts(key, variant, n_train, test, train):
    found = {n.split: n for n in published_numbers() if (n.source.key, n.variant) == (key, variant)}
    assert (found["test"].misses, found["train"].misses) == (test, train)
    assert found["test"].n_train == n_train


def test_letters_and_names_of_sources_differ():
    sources = {number.source for number in published_numbers()}
    assert len({s.letter for s in sources}) == len({s.name for s in sources}) == len(sources)


def test_a_users_file_is_added(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "source,variant,split,misses,n_train,epochs,same_data\n"
        "my port,base,test,79,7291,23,yes\nmy port,base,train,50,,,\n"
    )
    mine = published_numbers(str(path))[-2:]
    assert [n.misses for n in mine] == [79, 50]
    assert mine[0].source.users
    base = rows.runs({"base": A})[0]
    assert mine[0].fits(base)
    assert mine[0].same_digits(base.cell) == "yes"
    assert mine[1].same_digits(base.cell) == "no"
    assert not mine[0].fits(rows.runs({"softmax": A})[0])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "column 'source' is missing"),
        ("source,variant,split\na,base,test\n", "column 'misses' is missing"),
        ("source,variant,split,misses\n", "has no rows"),
        (
            "source,variant,split,misses\na,bse,test,3\n",
            "line 2: variant = 'bse' is unknown: did you mean 'base'",
        ),
        ("source,variant,split,misses\na,base,tst,3\n", "line 2: split = 'tst' is unknown"),
        ("source,variant,split,misses\na,base,test,many\n", "line 2: misses = 'many' is not a whole number"),
        (
            "source,variant,split,misses\na,base,test,-1\n",
            "line 2: misses = '-1': give a count from 0 to 2,007",
        ),
        ("source,variant,split,misses\na,base,test,\n", "line 2: misses = '': give a count from 0 to 2,007"),
        ("source,variant,split,misses\n,base,test,3\n", "line 2: source is empty"),
        (
            "source,variant,split,misses,epoch\na,base,test,3,4\n",
            "unknown column 'epoch': did you mean 'epochs'",
        ),
        ("source,variant,split,misses,same_data\na,base,test,3,si\n", "line 2: same_data = 'si' is unknown"),
    ],
)
def test_a_wrong_file_gets_one_line(tmp_path, text, line):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=line) as error:
        published_numbers(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_binary_file_gets_one_line(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        published_numbers(str(tmp_path / "nowhere.csv"))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x9f")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        published_numbers(str(tmp_path / "binary.csv"))


@pytest.mark.parametrize(
    ("source", "cell", "differences"),
    [
        ("paper", ("base", "flax", "mnist"), ["digits", "training"]),
        ("paper", ("base", "flax", "usps"), ["training"]),
        ("paper", ("base@paper", "paper", "usps"), []),
        ("karpathy", ("base", "flax", "mnist,antialias=False"), []),
        ("karpathy", ("base@paper", "paper", "usps"), ["digits"]),
        ("horchynskyi", ("base", "flax", "usps"), ["network"]),
    ],
)
def test_numbers_from_other_digits_or_training_are_only_described(source, cell, differences):
    number = next(n for n in published_numbers() if n.source.key == source)
    assert number.differences(CellId(*cell, "", "")) == differences
    row = {"n": 64, "p_model": 0.5, "p_newdata": 0.5, "p_mid": 0.5, "diff": 1.0}
    text = verdict(row, "no", differences)
    assert text.startswith("descriptive: other " + " and ".join(differences) if differences else "within")
