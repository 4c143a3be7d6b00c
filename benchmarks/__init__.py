"""How fast: the micro suite (pytest-benchmark) of what every request passes through."""
