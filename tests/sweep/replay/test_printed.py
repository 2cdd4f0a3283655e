"""Agreement with the notebooks is counted for each quantity."""

import pytest

from sweep.replay.printed import Agreement, Line, agreeing_digits, notebook_lines


@pytest.mark.parametrize(
    ("ours", "theirs", "digits"),
    [
        ("5.576071e-02", "5.576071e-02", 7),
        ("5.576072e-02", "5.576071e-02", 6),
        ("5.576271e-02", "5.576071e-02", 4),
        ("9.999999e-02", "1.000000e-01", 6),
        ("6.576071e-02", "5.576071e-02", 0),
        ("nan", "5.576071e-02", 0),
    ],
)
def test_agreeing_digits(ours, theirs, digits):
    assert agreeing_digits(ours, theirs) == digits


def test_lines_that_differ_only_in_the_loss_agree_in_error_and_misses():
    theirs = notebook_lines("base")[1, "test"]
    assert str(theirs) == "eval: split test . loss 5.287848e-02. error 7.37%. misses: 148"
    agreement = Agreement()
    assert agreement.add(theirs, theirs) == "identical"
    near = Line(1, "test", "5.287849e-02", theirs.error, theirs.misses)
    assert agreement.add(near, theirs) == "error identical, misses identical, loss agrees in 6 of 7 digits"
    far = Line(1, "test", "6.3e-02", "8.00", theirs.misses)
    assert agreement.add(far, theirs) == "misses identical, loss agrees in 0 of 7 digits"
    assert str(agreement) == (
        "of 3 lines: error identical in 2, misses in 3; losses agree in 0 to 7 of 7 printed digits"
    )
    assert str(Agreement()) == "no line of the notebook to compare with"
