"""Routes that mean harm, for tests of what bounds a client. None has a latency or a fault; each has its own way.

drip            a page a byte at a time, without end           ?every=SECONDS
silent          takes the request and never answers
bomb            a page that unpacks to many MB                 ?mb=100
large           a page of many MB, its length declared         ?mb=11
endless         a page without a length and without end, fast
short, long     a body that is shorter, or longer, than its Content-Length says
loop            redirects to itself;  chain/N: to chain/N+1;   away/FORM: to where nobody may be led (`AWAY`)
secret          what no redirect must reach
deep, links     pages that are hard to take apart: nested 200,000 times, with 200,000 links     ?n=200000
laughs.xml      a feed whose entities would grow to a billion
"""

from __future__ import annotations

import asyncio
import zlib
from functools import lru_cache

from aiohttp import web

MEGABYTE = 1024 * 1024
SECRET = "THE-SECRET-OF-THE-INNER-NETWORK"  # noqa: S105 - it protects nothing
AWAY = {
    "loopback": "http://127.0.0.1:{port}/hostile/secret",
    "localhost": "http://localhost:{port}/hostile/secret",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "ipv6": "http://[::1]:{port}/hostile/secret",
    "mapped": "http://[::ffff:127.0.0.1]:{port}/hostile/secret",
    "decimal": "http://2130706433:{port}/hostile/secret",
    "hex": "http://0x7f000001:{port}/hostile/secret",
    "octal": "http://0177.0.0.1:{port}/hostile/secret",
    "short": "http://127.1:{port}/hostile/secret",
    "zero": "http://0.0.0.0:{port}/hostile/secret",
    "private": "http://10.0.0.1/",
    "shared": "http://100.64.0.1/",
    "credentials": "http://user:word@127.0.0.1:{port}/hostile/secret",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/",
    "nothing": "",
}
_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + ']><rss version="2.0"><channel><title>&a9;</title><item><title>&a9;</title></item></channel></rss>'
)


def routes() -> list[web.RouteDef]:
    """All of them, under /hostile/."""
    handlers = {
        "drip": _drip,
        "silent": _silent,
        "bomb": _bomb,
        "large": _large,
        "endless": _endless,
        "short": _short,
        "long": _long,
        "loop": _loop,
        "chain/{n}": _chain,
        "away/{form}": _away,
        "secret": _secret,
        "deep": _deep,
        "links": _links,
        "laughs.xml": _laughs,
    }
    return [
        web.get(f"/hostile/{path}", handler, name=f"hostile-{path.partition('/')[0].partition('.')[0]}")
        for path, handler in handlers.items()
    ]


def _whole(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else otherwise


def _page(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/html")


async def _opened(request: web.Request, length: int | None = None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html"})
    if length is not None:
        response.content_length = length
    await response.prepare(request)
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    response = await _opened(request)
    every_s = float(request.query.get("every", "0.2"))
    while True:
        await response.write(b"<")
        await asyncio.sleep(every_s)


async def _silent(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError  # the client leaves first


@lru_cache(maxsize=4)
def _packed(megabytes: int) -> bytes:
    packer, piece = zlib.compressobj(9, wbits=31), b"<p>again and again" * (MEGABYTE // 18)
    return b"".join([*(packer.compress(piece) for _ in range(megabytes)), packer.flush()])


async def _bomb(request: web.Request) -> web.StreamResponse:
    body = await asyncio.to_thread(_packed, _whole(request, "mb", 100))
    return web.Response(body=body, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})


async def _large(request: web.Request) -> web.StreamResponse:
    megabytes = _whole(request, "mb", 11)
    response = await _opened(request, megabytes * MEGABYTE)
    for _ in range(megabytes):
        await response.write(b"<p>abcd " * (MEGABYTE // 8))
    return response


async def _endless(request: web.Request) -> web.StreamResponse:
    response = await _opened(request)
    while True:
        await response.write(b"<p>abcd " * 8192)


async def _short(request: web.Request) -> web.StreamResponse:
    response = await _opened(request, 100_000)
    await response.write(b"<p>It ends here.")
    if request.transport is not None:
        request.transport.close()
    return response


async def _long(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:  # past aiohttp, which would not write more than it has declared
        request.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10\r\n\r\n" + b"<p>" * 9
        )
        request.transport.close()
    return web.Response()


async def _loop(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/hostile/loop"})


async def _chain(request: web.Request) -> web.StreamResponse:
    step = request.match_info["n"]
    return web.Response(status=302, headers={"Location": f"/hostile/chain/{int(step) + 1 if step.isdecimal() else 1}"})


async def _away(request: web.Request) -> web.StreamResponse:
    form = request.match_info["form"]
    if form not in AWAY or request.transport is None:
        raise web.HTTPNotFound
    port = request.transport.get_extra_info("sockname")[1]
    return web.Response(status=302, headers={"Location": AWAY[form].format(port=port)})


async def _secret(_request: web.Request) -> web.StreamResponse:
    return _page(f"<html><body><article><h1>Inside</h1><p>{SECRET}</p></article></body></html>".encode())


async def _deep(request: web.Request) -> web.StreamResponse:
    return _page(b"<html><body>" + b"<div>" * _whole(request, "n", 200_000) + b"The bottom.")


async def _links(request: web.Request) -> web.StreamResponse:
    return _page(b"<html><body>" + b"<p><a href=/>a link</a></p>" * _whole(request, "n", 200_000))


async def _laughs(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=_LAUGHS, content_type="application/rss+xml")
