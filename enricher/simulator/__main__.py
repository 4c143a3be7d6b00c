"""`python -m enricher.simulator`: run the simulated APIs in the foreground, or as the child of `running_simulator`."""

from __future__ import annotations

import argparse
import json
import os
import sys

from .behaviour import OPTIONS, Behaviour
from .serve import DEFAULT_PORT, serve


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C. Returns 0, or 2 after one line about what is wrong with the options."""
    parser = argparse.ArgumentParser(prog="python -m enricher.simulator", description="A simulated TMDB on loopback.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--child", action="store_true", help="say ready in JSON, end when standard input is closed")
    for name in OPTIONS:
        parser.add_argument("--" + name.replace("_", "-"), help="see enricher/simulator/behaviour.py")
    options = vars(parser.parse_args(arguments))
    host, port, child = options.pop("host"), options.pop("port"), options.pop("child")

    def ready(address: str) -> None:
        said = json.dumps({"base_url": address, "pid": os.getpid()}) if child else f"Simulated TMDB at {address}"
        sys.stdout.write(said + "\n")
        sys.stdout.flush()

    try:
        serve(Behaviour.of(**options), host, port, ready, until_abandoned=child)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
