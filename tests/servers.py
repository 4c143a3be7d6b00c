"""Small servers on loopback that answer as badly as a test wants, byte by byte, and count what arrives.

A server is a context manager around a function: `answer(talk)` is called for each request that has arrived whole, in the
thread of its connection. Nothing here waits for luck: who hangs is woken when the client goes or the server ends.
"""

import contextlib
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

# For tests only: a self-signed certificate for localhost and 127.0.0.1 with its key. It protects nothing.
TEST_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTeBBYgrMs7YGn/yf
EEl3H/njQZjQbRJK8zNy5Tq784ShRANCAASAuPwN0ZQoPCEHDCVgMBIwY3sEXOcw
LoYqnZh0ScrLgDgsm17NiBEI6w60ckc+/sSZXwPXraVWhGruJCHLi2Am
-----END PRIVATE KEY-----
"""
TEST_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBrDCCAVGgAwIBAgIUMJS86GVSHSjsbUEgBHWilylibNgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjAzMDIzM1oYDzIxMjYxMDI5
MDMwMjMzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASAuPwN0ZQoPCEHDCVgMBIwY3sEXOcwLoYqnZh0ScrLgDgsm17NiBEI
6w60ckc+/sSZXwPXraVWhGruJCHLi2Amo38wfTAdBgNVHQ4EFgQUVkARdJ4Et+8R
m9lrDmksLAVrwFAwHwYDVR0jBBgwFoAUVkARdJ4Et+8Rm9lrDmksLAVrwFAwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDgYDVR0P
AQH/BAQDAgKEMAoGCCqGSM49BAMCA0kAMEYCIQDJQ1c3LYu+SNP+mApGIRAyZkl0
WqkldFGDzumlm4xTSAIhAMi+PJIYmIpLITU7j8Vvqr46BZ9ct+AWRmQ6cD4Oc2G5
-----END CERTIFICATE-----
"""

# The same, valid in 2001 and from 2120 on: what a clock that is years ahead, or behind, makes of any certificate.
EXPIRED_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBiTCCAS6gAwIBAgIUd0q3QMoxdGL68zbBwr7PTQNFfGQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTAxMDEwMTAwMDAwMFoXDTAyMDEwMTAw
MDAwMFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEgLj8DdGUKDwhBwwlYDASMGN7BFznMC6GKp2YdEnKy4A4LJtezYgRCOsO
tHJHPv7EmV8D162lVoRq7iQhy4tgJqNeMFwwGgYDVR0RBBMwEYIJbG9jYWxob3N0
hwR/AAABMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFFZAEXSeBLfvEZvZaw5p
LCwFa8BQMA4GA1UdDwEB/wQEAwIChDAKBggqhkjOPQQDAgNJADBGAiEAg+0w8sln
WU1rapUEizxnOnqG6nWwM6C0bkzi5xzoE3QCIQC8b+TBmMaSpeBBMMpEPWia9Yt8
air1BXk/m7bMssXlEw==
-----END CERTIFICATE-----
"""
FUTURE_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBizCCATKgAwIBAgIUPFTer5X2c407vD4DwVP6y98fkqgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCIYDzIxMjAwMTAxMDAwMDAwWhgPMjEyNjAx
MDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABIC4/A3RlCg8IQcMJWAwEjBjewRc5zAuhiqdmHRJysuAOCybXs2I
EQjrDrRyRz7+xJlfA9etpVaEau4kIcuLYCajXjBcMBoGA1UdEQQTMBGCCWxvY2Fs
aG9zdIcEfwAAATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBRWQBF0ngS37xGb
2WsOaSwsBWvAUDAOBgNVHQ8BAf8EBAMCAoQwCgYIKoZIzj0EAwIDRwAwRAIgGi56
opThFTkFi1cL6L9b7MPxKAlJIxbXO0yukW+V9TUCIArfueeGyPiDcgrflsT5oQGq
0py4ixIYuIHEF3P3WJXi
-----END CERTIFICATE-----
"""

# A test that waits for something which must happen fails after so long, instead of hanging.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `connection` counts connections from 1."""

    method: str
    target: str
    headers: dict
    body: bytes
    connection: int


class Talk:
    """One request and the connection that it came over."""

    def __init__(self, server, sock, asked, number):
        self.server = server
        self.sock = sock
        self.asked = asked
        self.number = number  # of the request, over all connections, from 1
        self.over = False

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        """End the connection as a server does that just closes."""
        self.over = True

    def reset(self):
        """End the connection with RST: lingering for no time at all makes the kernel send one."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True

    def hang(self):
        """Say nothing more until the client goes, or the server ends."""
        self.over = True
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


def reply(body=b"{}", status="200 OK", length=None, **headers):
    """A whole answer; `length` is what it declares, where that is not the truth, and None declares the truth."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Server:
    """Serves `answer(talk)` on a free port of 127.0.0.1, over TLS where `tls` (an `ssl.SSLContext`) is given."""

    def __init__(self, answer, tls=None):
        self._answer = answer
        self._tls = tls
        self._lock = threading.Lock()
        self._open = set()
        self._threads = []
        self.ending = threading.Event()
        self.asked = []
        self.connections = 0
        self.most_open = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self._accepting = threading.Thread(target=self._accept, name="server", daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self._accepting.join()
        self._listener.close()
        self.cut_all()
        for thread in self._threads:
            thread.join()

    def cut_all(self):
        """Shut every connection that is open now."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @property
    def open(self):
        return len(self._open)

    def _accept(self):
        while not self.ending.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            thread = threading.Thread(target=self._talk, args=(sock, number), name="server-talk", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, sock, number):
        with contextlib.suppress(OSError):
            if self._tls is not None:
                try:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                except OSError:
                    sock.close()
                    return
        with self._lock:
            self._open.add(sock)
            self.most_open = max(self.most_open, len(self._open))
        try:
            with contextlib.suppress(OSError), sock.makefile("rb") as stream:
                while not self.ending.is_set() and (asked := self._read(stream, number)) is not None:
                    with self._lock:
                        self.asked.append(asked)
                        talk = Talk(self, sock, asked, len(self.asked))
                    self._answer(talk)
                    if talk.over or asked.headers.get("connection") == "close":
                        return
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _read(self, stream, number):
        first = stream.readline().decode("latin-1").split()
        if len(first) != 3:
            return None
        headers = {}
        while (line := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return Asked(first[0], first[1], headers, body, number)


def always(data):
    """Answers every request with the same bytes."""
    return lambda talk: talk.send(data)


def tls_context(folder, text=TEST_CERTIFICATE):
    """The server's side of TLS with the test certificate, and the path of that certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(text)
    key.write_text(TEST_KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def proxy(talk):
    """An HTTP proxy: fetches what it is asked for in full (`GET http://…`), or opens a tunnel (`CONNECT host:port`)."""
    if talk.asked.method == "CONNECT":
        host, port = talk.asked.target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as onward:
            talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, talk.sock), daemon=True)
            back.start()
            _pump(talk.sock, onward)
            back.join()
        talk.close()
        return
    url = urlsplit(talk.asked.target)
    with socket.create_connection((url.hostname, url.port or 80)) as onward:
        target = url.path + (f"?{url.query}" if url.query else "")
        onward.sendall(
            f"{talk.asked.method} {target} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode()
        )
        while data := onward.recv(65536):
            talk.send(data)
    talk.close()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
