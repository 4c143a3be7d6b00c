"""`python -m benchmarks`."""

import signal


def main() -> None:
    """Run the program. Ctrl-C while it is still loading ends it at once and in silence: nothing has begun."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .commands import cli

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    cli()


main()
