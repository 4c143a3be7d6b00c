"""The simulated APIs: real HTTP on loopback, for the demo, the tests and the benchmarks.

    behaviour   how an API behaves, as a frozen value and as texts: latency, quota, faults, outages (pure)
    tally       what it counts, and the strict quota (pure)
    world       the middleware that does it, around any API; the control routes
    tmdb        the routes and shapes of TMDB v3
    catalogue   its films, real (films.txt) and generated (generated), and the search
    prose       invented articles in three languages (pure)
    press       the papers that print them, edition after edition (pure)
    pages       their pages and feeds, as they look on the wire (pure)
    sites       the routes of the web: feeds, pages, robots, redirects, what goes wrong
    hostile     routes that mean harm
    analyst     what the simulated models say of an article (pure)
    meter       limits by requests and tokens, and what is paid (pure)
    wording     the shapes of three LLM APIs (pure)
    llm         their routes, streams, limits and charges
    batches     their batch APIs
    articles    the web and the LLM APIs as one application
    serve       a server in the foreground
    process     a server in a child process, from Python

The package imports the standard library, aiohttp and its own modules; of those that a parent process needs
(behaviour, process, generated) none imports aiohttp.
"""
