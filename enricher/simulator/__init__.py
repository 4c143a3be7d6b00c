"""The simulated APIs: real HTTP on loopback, for the demo, the tests and the benchmarks.

    behaviour   how an API behaves, as a frozen value and as texts: latency, quota, faults, outages (pure)
    tally       what it counts, and the strict quota (pure)
    world       the middleware that does it, around any API; the control routes
    tmdb        the routes and shapes of TMDB v3
    catalogue   its films, real (films.txt) and generated (generated), and the search
    serve       a server in the foreground
    process     a server in a child process, from Python

The package imports the standard library, aiohttp and its own modules; of those that a parent process needs
(behaviour, process, generated) none imports aiohttp.
"""
