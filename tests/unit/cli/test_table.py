"""Tables fit where they must and cut nothing where they need not."""

import io

from rich.console import Console

from modular_agents.proxy.cli.table import Cell, Column, fitting, print_table, shrunk

COLUMNS = [Column("TASK", least=6), Column("AGE", right=True, spare=1), Column("ID")]
ROWS = [[Cell("a long description of a task"), Cell("5m"), Cell("abcdef")], [Cell("x\ny\x1b[0m"), Cell("12d"), Cell("ghi")]]


def printed(width: int, *, terminal: bool) -> list[str]:
    out = io.StringIO()
    print_table(Console(file=out, width=width, force_terminal=terminal, color_system=None, markup=False), COLUMNS, ROWS)
    return out.getvalue().splitlines()


def test_a_pipe_gets_everything() -> None:
    lines = printed(20, terminal=False)
    assert lines == [
        "TASK                          AGE  ID",
        "a long description of a task   5m  abcdef",
        "x\\ny\\e[0m                     12d  ghi",
    ]


def test_texts_give_way_on_a_terminal() -> None:
    lines = printed(26, terminal=True)
    assert lines == ["TASK           AGE  ID", "a long descr…   5m  abcdef", "x\\ny\\e[0m      12d  ghi"]
    assert max(map(len, lines)) == 26


def test_spare_columns_go_before_ids_are_cut() -> None:
    assert printed(16, terminal=True) == ["TASK      ID", "a long …  abcdef", "x\\ny\\e[…  ghi"]
    assert fitting(COLUMNS, [28, 3, 6], 16) == [0, 2]
    assert shrunk(COLUMNS, [28, 3, 6], [0, 2], 16) == [8, 3, 6]


def test_too_narrow_for_anything_shows_all_that_may_not_be_cut() -> None:
    assert shrunk(COLUMNS, [28, 3, 6], [0, 2], 5) == [6, 3, 6]


def test_wide_letters_are_counted_as_wide() -> None:
    out = io.StringIO()
    console = Console(file=out, width=10, force_terminal=True, color_system=None)
    print_table(console, [Column("T", least=4), Column("N")], [[Cell("日本語日本語"), Cell("1")], [Cell("ab"), Cell("2")]])
    assert out.getvalue().splitlines()[1] == "日本語…  1"
