"""What the environment says of the way to a service: its proxy and its bundle of certificates, the same in every mode."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import requests

from ..model import Service
from .causes import Unsuitable


def proxy_of(service: Service) -> str | None:
    """The address of the proxy that the environment names for a service (NO_PROXY is heeded); None: there is none.

    The open web and guarded services go through none: what a proxy connects to can't be judged here.

    :raises Unsuitable: if it is a SOCKS proxy, which no transport speaks.
    :raises ValueError: if it is no address of a proxy.
    """
    if not service.base_url or service.reach is not None:
        return None
    told = requests.utils.select_proxy(service.base_url, requests.utils.get_environ_proxies(service.base_url))
    if told is None:
        return None
    proxy: str = requests.utils.prepend_scheme_if_needed(told, "http")  # type: ignore[no-untyped-call]
    parts = urlsplit(proxy)
    if parts.scheme.startswith("socks"):
        raise Unsuitable("SOCKS proxies are not supported")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("a proxy is http(s) and a host")
    return proxy


def bundle() -> str:
    """The file or folder of the certificates that are trusted."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or requests.utils.DEFAULT_CA_BUNDLE_PATH
