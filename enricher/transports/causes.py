"""Foreign exceptions, told in our own words: what an exception of either library is by what lies beneath it."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Iterator
from socket import gaierror

from ..errors import Cause
from .framing import Unreadable


class Unsuitable(ValueError):
    """Something of this machine can't be used; `cause` says what."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was raised from or holds, each once."""
    seen: set[int] = set()
    todo: list[BaseException] = [error]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        todo.extend(each for each in inner if isinstance(each, BaseException))


_CERTIFICATE_DATES: dict[int, Cause] = {
    9: "certificate not valid yet, by this machine's clock",
    10: "certificate expired, by this machine's clock",
}
"""By OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def beneath(error: BaseException) -> Cause | None:
    """The cause that an exception, or one that it was raised from, says plainly; None if none does."""
    distrusted = False
    for one in chain(error):
        if isinstance(one, Unreadable | Unsuitable):
            return one.cause
        if isinstance(one, ssl.SSLCertVerificationError):
            distrusted = True
            dated = _CERTIFICATE_DATES.get(
                getattr(one, "verify_code", 0)
            )  # aiohttp raises one without, from one with it
            if dated is not None:
                return dated
        if isinstance(one, OSError) and (out_of_files(one) or (isinstance(one, gaierror) and _no_file_left())):
            return "too many open files"
    return "certificate not trusted" if distrusted else None


def _no_file_left() -> bool:
    """Whether no file can be opened now: a resolver that can't open one says that the name is not known, or not now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return out_of_files(error)
    return False


def out_of_files(error: OSError) -> bool:
    """Whether no file or socket could be opened, because too many are open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def over_a_kept_connection(cause: Cause) -> Cause:
    """The cause of an attempt that failed over a kept connection before a status line came: what is no HTTP there may be
    the late end of the answer before it, so the connection is lost and the host not to blame.
    """
    return "connection lost" if cause == "the answer is not HTTP" else cause
