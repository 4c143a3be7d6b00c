"""Words typed by a person → settings → pipeline → engine. The only room that prints.

stdout is data, stderr is talk. Exit codes: 0 every row has its answer (enriched, unsure or not found); 1 some failed or
are pending; 2 bad usage or input; 3 the API refused the key; 130 interrupted.

    __init__   the command line's frame: what every command needs, errors in one line, exit codes
    movies     `enricher movies`
    articles   `enricher articles`, `run`; reporting and saving: their report and cost; forecasting: their --dry-run
    feeds      `enricher feeds`; batches: `enricher batches`
    running    one job under a person's eyes: run, Ctrl-C, table, summary (any pipeline)
    watching   the progress line and the closing summary
    review     the file in which a person decides what the program would not guess
    keeping    `enricher export`, `jobs`, `cache`
    planning   `--dry-run`
    showing    `enricher simulate`, `demo`; demonstration and demonstration_articles: what the demos do

Every import that costs time is made inside the command that needs it, so that `--help` comes at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

import click

from ..errors import EnricherError, JobBusy, KeyRefused, ServiceDown
from . import articles, batches, feeds, keeping, movies, showing

OK, UNFINISHED, BAD_USAGE, KEY_REFUSED, INTERRUPTED = 0, 1, 2, 3, 130


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="enricher")
def command() -> None:
    """A list goes in, a table comes out, as fast as the API's quota allows, and no row is ever lost."""


command.add_command(movies.command)
command.add_command(articles.command)
command.add_command(articles.run)
command.add_command(batches.command)
command.add_command(feeds.feeds)
command.add_command(keeping.export)
command.add_command(keeping.jobs)
command.add_command(keeping.cache)
command.add_command(showing.simulate)
command.add_command(showing.demo)


def main() -> NoReturn:
    """The console script: run the command line, tell an error in one line, exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends like Ctrl-C: what is done is kept
    if sys.stdout is None:  # closed by who called us
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # for as long as we live
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # a table is UTF-8, whatever the terminal's locale can express
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. An error of ours is one line on stderr, never a traceback."""
    try:
        code = command.main(arguments, prog_name="enricher", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        say("stopped")
        return INTERRUPTED
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "enricher"
        say(f"{error.format_message()} ({where} --help tells what can be said)")
        return BAD_USAGE
    except KeyRefused as error:
        say(f"{error}. Nothing is lost: with the right key, the same command goes on.")
        return KEY_REFUSED
    except (ServiceDown, JobBusy) as error:
        say(str(error))
        return UNFINISHED
    except EnricherError as error:
        say(str(error))
        return BAD_USAGE
    except BrokenPipeError:  # whoever read our table has seen enough
        _give_up_stdout()
        return UNFINISHED
    except OSError as error:  # every file has words of its own; this is what is left
        say(f"standard output can't be written: {error.strerror or 'it is closed'}")
        _give_up_stdout()
        return BAD_USAGE
    return code if isinstance(code, int) else OK


def _give_up_stdout() -> None:
    """What is still in its buffer goes nowhere, or the interpreter would complain about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """One line of talk."""
    click.echo(f"enricher: {line}", err=True)
