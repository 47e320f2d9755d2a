"""`reactor`: the table of commands, and how errors and exit codes come out.

Exit codes: 0 fine, 1 the work failed, 2 bad usage or bad pipeline. What a user did wrong is said in
one clear line on stderr, never as a traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from reactor.cli.complaint import BadUsage, complain, print_anything
from reactor.core.errors import DefinitionError, ReactorError, SettingsError

LISTED = ("runs", "backfills", "events", "deadletters", "assets", "rules", "sensors")
"""The commands that list when they are told nothing else."""

UsageError: Any = typer.BadParameter.__base__

FIRST, LOOK, RUN, ASK = "Start here", "Look at a pipeline", "Run it", "Ask a running service"


@dataclass(frozen=True, slots=True)
class _Entry:
    panel: str
    help: str


COMMANDS = {
    "demo": _Entry(FIRST, "Everything at once, on real events: see what runs, and why."),
    "init": _Entry(FIRST, "Write a small commented project with a test."),
    "dev": _Entry(FIRST, "Serve a pipeline, and load it anew on each save."),
    "check": _Entry(LOOK, "Load a pipeline and say all that is wrong with it."),
    "graph": _Entry(LOOK, "Show its graph as text, Mermaid, DOT or JSON."),
    "plan": _Entry(LOOK, "Show what an event would launch, and why; nothing runs."),
    "simulate": _Entry(LOOK, "Replay recorded events: what would have launched, what differs."),
    "serve": _Entry(RUN, "Run the service."),
    "emit": _Entry(RUN, "Hand an event to a running service."),
    "materialize": _Entry(RUN, "Launch assets by hand."),
    "ack": _Entry(RUN, "Let go on what a breaking schema change holds."),
    "backfill": _Entry(RUN, "Bring a range of partitions up to date, a few at a time."),
    "runs": _Entry(ASK, "List, show, follow, cancel or resume runs; read their logs."),
    "backfills": _Entry(ASK, "List, show, pause, resume, cancel or retry backfills."),
    "events": _Entry(ASK, "List, show or follow events; ask why one did no more."),
    "deadletters": _Entry(ASK, "List, show, replay or drop input that could not be read."),
    "assets": _Entry(ASK, "List assets and how they are; pause or resume one."),
    "rules": _Entry(ASK, "List rules; pause or resume one."),
    "sensors": _Entry(ASK, "List sensors and how they are; pause or resume one."),
    "doctor": _Entry(ASK, "Say what is not well with a running service."),
}


_WIDEST = max(map(len, COMMANDS))

_MORE = """TARGET is path/to/pipeline.py, path.py:name or module:name. Settings come from flags,
then REACTOR_* variables, then [tool.reactor] in pyproject.toml. reactor COMMAND --help says more;
reactor --install-completion teaches your shell."""


class Commands(TyperGroup):
    """The commands by name and help alone; the one that is called is imported then."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.help)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("reactor", "COMMAND ...")
        formatter.write_paragraph()
        formatter.write_text("Real events in, only the affected assets launched.")
        for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
            named = [(name, one.help) for name, one in COMMANDS.items() if one.panel == panel]
            with formatter.section(panel):
                formatter.write_dl([(f"{name:<{_WIDEST}}", text) for name, text in named])
        formatter.write_paragraph()
        formatter.write_text(_MORE)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            module = import_module(f"reactor.cli.{args[0]}")
            self.commands[args[0]] = get_command(module.app)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def reactor(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Real events in, only the affected assets launched."""
    if show_version:
        metadata = import_module("importlib.metadata")
        typer.echo(f"reactor {metadata.version('reactor-orchestrator')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process."""
    print_anything()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = _with_list(sys.argv[1:] if arguments is None else arguments)
        code = get_command(app)(given, prog_name="reactor", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UsageError as error:
        _complain_of_usage(error)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read us has had enough; the interpreter must not try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last boundary
        return _complain(error)


def _with_list(arguments: Sequence[str]) -> list[str]:
    """`runs --json` means `runs list --json`, as `runs` alone means `runs list`."""
    match list(arguments):
        case [name, option, *rest] if name in LISTED and option.startswith("-"):
            if option not in ("-h", "--help"):
                return [name, "list", option, *rest]
    return list(arguments)


def _complain(error: Exception) -> int:
    named = _named(error)
    if named is None:
        complain("this is a defect of reactor itself; please report it with what follows")
        traceback.print_exc()
        return 1
    problems = named.problems if isinstance(named, DefinitionError) else [named]
    for problem in problems:
        complain(str(problem))
    return 2 if isinstance(named, (DefinitionError, SettingsError, BadUsage)) else 1


def _named(error: BaseException) -> ReactorError | None:
    """The error itself, or the first of a group, that this project can name."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_named, error.exceptions)), None)
    return error if isinstance(error, ReactorError) else None


def _complain_of_usage(error: Any) -> None:
    message = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx is not None else "reactor"
    complain(f"{message[:1].lower()}{message[1:]} (see {path} --help)")
