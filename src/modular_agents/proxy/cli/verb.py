"""How every command behaves: help that groups its options and ends in examples, errors in one line, exit codes that can be relied on."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from modular_agents.proxy.errors import AlreadyRunning, NotFound, NotRunning, PortInUse, ProxyError, StoreTooNew, UsageError

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

ARGUMENTS, OPTIONS, FILES = "Arguments", "Options", "Files"
"""Headings whose place is fixed: arguments first, files last; options without a heading before them, `--help` alone at the end."""
_TYPE = re.compile(r" <[^>]+>$")
"""Names of Python types say nothing to a person."""

OK, FAILED, USAGE, NOT_RUNNING, NOT_FOUND = range(5)
"""Exit codes: done · failed · wrong use · needs a running proxy · nothing has that id."""


def exit_code_of(error: ProxyError) -> int:
    """Return the exit code that says what kind of error ended a command."""
    match error:
        case NotRunning():
            return NOT_RUNNING
        case NotFound():
            return NOT_FOUND
        case PortInUse() | AlreadyRunning() | StoreTooNew():
            return FAILED
        case UsageError():
            return USAGE
        case _:
            return FAILED


def complain(error: ProxyError) -> NoReturn:
    """Say what is wrong in one line on stderr, and exit. The text may quote hostile data: it is escaped."""
    from modular_agents.proxy.cli.terminal import safe

    hint = getattr(error, "hint", "")
    typer.echo(safe(f"anton: {error}" + (f" {hint}" if hint else "")), err=True)
    raise typer.Exit(exit_code_of(error))


class Verb(TyperCommand):
    """A command. Options stand under the heading their `rich_help_panel` names; the epilog is printed as it is written."""

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write arguments, then options by heading, in the order in which they are declared."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
                heading = getattr(parameter, "rich_help_panel", None) or usual
                sections.setdefault(heading, []).append((_TYPE.sub("", record[0]), record[1]))
        lonely = len(sections.get(OPTIONS, ())) == 1
        order = {ARGUMENTS: 0, OPTIONS: 4 if lonely else 1, FILES: 3}
        for heading in sorted(sections, key=lambda name: order.get(name, 2)):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002 - the library's signature
        """Write the examples."""
        if self.epilog:
            formatter.write("\n" + self.epilog.strip("\n") + "\n")


class Verbs(TyperGroup):
    """A group of commands; the place where errors of ours become one line and an exit code."""

    def invoke(self, ctx: "Context") -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ProxyError as error:
            complain(error)

    def list_commands(self, ctx: "Context") -> list[str]:  # noqa: ARG002 - the library's signature
        """Return groups first, then commands in the order in which they were added, which is the order in which they are needed."""
        return sorted(self.commands, key=lambda name: not isinstance(self.commands[name], TyperGroup))

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002 - the library's signature
        """Write the examples."""
        if self.epilog:
            formatter.write("\n" + self.epilog.strip("\n") + "\n")


def group(name: str, about: str, epilog: str) -> typer.Typer:
    """Return an empty group. Help and errors are plain text: they start fast, survive a pipe and can be copied."""
    return typer.Typer(
        cls=Verbs,
        name=name,
        help=about,
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add(to: typer.Typer, verb: Callable[..., None], examples: str) -> None:
    """Add a command named after its function (`import_` is `import`). The first line of its docstring is what a list of commands shows."""
    to.command(verb.__name__.rstrip("_"), cls=Verb, epilog=examples, short_help=(verb.__doc__ or "").partition("\n")[0])(verb)
