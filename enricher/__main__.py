"""`python -m enricher`: the same as the console script."""

from .cli import main

main()
