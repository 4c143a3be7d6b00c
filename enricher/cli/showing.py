"""`enricher simulate` and `enricher demo`: the simulated APIs, by hand and in a show."""

from __future__ import annotations

from typing import Any

import click


@click.command("simulate", short_help="Run a simulated TMDB on this machine.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="A loopback address.")
@click.option("--port", default=8787, show_default=True, metavar="N", help="0 takes a free one.")
@click.option("--latency", metavar="L", help="175ms, 100-300ms or lognormal:350ms:0.5.")
@click.option("--quota", metavar="RATE", help="A strict sliding window: 40/1s, 40/10s,35/1s.")
@click.option("--faults", metavar="F", help="5xx=5%,reset=4%,truncated=3%,html=2%,429=2%, …")
@click.option("--retry-after", metavar="S", help="What a 429 says: seconds.")
@click.option("--key", metavar="KEY", help="The only key that is accepted; any is, otherwise.")
@click.option("--seed", metavar="N", help="Decides latencies and faults.")
@click.option("--films", metavar="N", help="Generated films, beside some hundred real ones.")
@click.option("--details-bytes", metavar="N", help="Pad details to the size of real ones.")
def simulate(host: str, port: int, **options: Any) -> int:
    """Run a simulated TMDB on this machine until Ctrl-C: give its address to --base-url."""
    import errno

    from ..errors import SettingError
    from ..simulator.behaviour import Behaviour
    from ..simulator.serve import serve

    def ready(address: str) -> None:
        click.echo(f"Simulated TMDB at {address}\nTry: TMDB_API_KEY=any enricher movies LIST.csv --base-url {address}")

    try:
        serve(Behaviour.of(**options), host, port, ready)
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise SettingError(f"port {port} is taken; choose another with --port") from None
        raise click.UsageError(str(error)) from None
    return 0


@click.command("demo", short_help="Show it all, without a key and without a network.")
@click.argument("pipeline", type=click.Choice(["movies", "articles"]), default="movies")
@click.option("--dir", "folder", metavar="DIR", help="Where the files go.  [default: a new temporary folder]")
def demo(pipeline: str, folder: str | None) -> int:
    """Start the simulated APIs, run the real command over real HTTP, show what came of it, and end.

    movies: a bundled film diary against a simulated TMDB. articles: simulated feeds and pages, analysed by a simulated model.
    """
    if pipeline == "articles":
        from . import demonstration_articles

        return demonstration_articles.show(folder)
    from .demonstration import show

    return show(folder)
