"""`python -m enricher.simulator`: run a simulated API in the foreground, or as the child of a Python process.

`--api tmdb` (the default) or `--api articles`; each takes its own options.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from .behaviour import ARTICLES_OPTIONS, OPTIONS, ArticlesBehaviour, Behaviour
from .serve import DEFAULT_PORT, serve

APIS: dict[str, tuple[str, type[Behaviour] | type[ArticlesBehaviour]]] = {
    "tmdb": ("Simulated TMDB", Behaviour),
    "articles": ("Simulated web and LLM APIs", ArticlesBehaviour),
}


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C. Returns 0, or 2 after one line about what is wrong with the options."""
    parser = argparse.ArgumentParser(prog="python -m enricher.simulator", description="A simulated API on loopback.")
    parser.add_argument("--api", choices=APIS, default="tmdb", help="which one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--child", action="store_true", help="say ready in JSON, end when standard input is closed")
    for name in dict.fromkeys((*OPTIONS, *ARTICLES_OPTIONS)):
        parser.add_argument("--" + name.replace("_", "-"), help="see enricher/simulator/behaviour.py")
    options = vars(parser.parse_args(arguments))
    title, kind = APIS[options.pop("api")]
    host, port, child = options.pop("host"), options.pop("port"), options.pop("child")
    given = {name: text for name, text in options.items() if text is not None}

    def ready(address: str) -> None:
        said = json.dumps({"base_url": address, "pid": os.getpid()}) if child else f"{title} at {address}"
        sys.stdout.write(said + "\n")
        sys.stdout.flush()

    try:
        serve(kind.of(**given), host, port, ready, until_abandoned=child)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
