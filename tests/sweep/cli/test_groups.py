"""Groups of options: dataclass parameters of a command become options of its command line."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from sweep.cli.groups import with_groups


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option("--wide", help="Width")] = 1
    height: Annotated[int | None, typer.Option(min=2)] = None


def test_a_group_becomes_options_at_its_place():
    received = []

    def draw(
        name: Annotated[str, typer.Argument()], first: bool = False, *, size: Size, last: int = 3
    ) -> None:
        """Draw it."""
        received.append((name, first, size, last))

    app = typer.Typer(rich_markup_mode=None)
    app.command()(with_groups(draw))
    help_text = CliRunner().invoke(app, ["--help"]).output
    order = [help_text.index(option) for option in ("Draw it.", "--first", "--wide", "--height", "--last")]
    assert order == sorted(order)
    for arguments, expected in [
        (["a"], ("a", False, Size(), 3)),
        (["b", "--wide", "4", "--height", "2", "--first"], ("b", True, Size(4, 2), 3)),
    ]:
        assert CliRunner().invoke(app, arguments).exit_code == 0
        assert received.pop() == expected
    assert CliRunner().invoke(app, ["a", "--height", "1"]).exit_code == 2
