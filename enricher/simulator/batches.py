"""The batch APIs of the three: work handed in by the hundred, in progress for a while, then fetched as lines of JSON.

    Anthropic   POST, GET /v1/messages/batches; GET .../{id}, .../{id}/results; POST .../{id}/cancel
    OpenAI      POST /v1/files (multipart, purpose batch), GET .../{id}, .../{id}/content; POST, GET /v1/batches;
                GET .../{id}; POST .../{id}/cancel
    Mistral     POST, GET /v1/batch/jobs (requests within, or an input file); GET .../{id}; POST .../{id}/cancel;
                files as OpenAI's

A job is worked off at once when its time has come, and paid then at half the price, whether or not anybody looks. Its
results come in another order than its requests. Jobs live as long as the process: no reset ends them.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from aiohttp import web

from .analyst import Reading
from .behaviour import Behaviour, chance
from .meter import Account, Paid
from .wording import Malformed, Wording, compose

BATCH_PRICE_SHARE = 0.5
EXPIRES_S = 24 * 3600
# What has no connection of its own can't be slow or dripped; whatever else befalls a request spoils it.
_HARMLESS = {"slow", "drip"}


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one request of a job: a status, and the body of an answer or of an error."""

    custom_id: str
    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Job:
    """Requests handed in together. `created_at` and `ends_at` are Unix time, `due` is a moment on the monotonic clock."""

    id: str
    requests: Sequence[tuple[str, Any]]
    created_at: float
    ends_at: float
    due: float
    said: Mapping[str, Any]
    lines: Sequence[Line] | None = None
    cancelled: bool = False

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.cancelled or self.lines is not None

    @property
    def succeeded(self) -> int:
        """How many requests have an answer."""
        return sum(line.status == 200 for line in self.lines or ())


class Desk(ABC):
    """One provider's desk. `behaviour` and `latency_s` tell how it behaves when a job is taken or worked off."""

    def __init__(
        self, wording: Wording, account: Account, behaviour: Callable[[], Behaviour], latency_s: Callable[[], float]
    ) -> None:
        self._wording, self._account, self._behaviour, self._latency_s = wording, account, behaviour, latency_s
        self._jobs: dict[str, Job] = {}
        self._files: dict[str, tuple[str, bytes, float]] = {}
        self._attempts: Counter[str] = Counter()

    @abstractmethod
    def routes(self, root: str) -> list[web.RouteDef]:
        """The desk's routes under a path."""

    @property
    def taken(self) -> int:
        """How many jobs were taken since the process began."""
        return len(self._jobs)

    def work(self) -> None:
        """Work off every job whose time has come."""
        now = time.monotonic()
        for job in self._jobs.values():
            if not job.ended and now >= job.due:
                lines = [self._answer(job, custom_id, body) for custom_id, body in job.requests]
                job.lines = sorted(lines, key=lambda line: chance(0, job.id, line.custom_id))

    def _answer(self, job: Job, custom_id: str, body: Any) -> Line:
        wording, behaviour = self._wording, self._behaviour()
        try:
            asked = wording.asked({"anthropic-version": ""}, body)
        except Malformed as error:
            return Line(custom_id, *wording.error(error.status, str(error)))
        reading = Reading.of(asked.user)
        who = f"BATCH {wording.name} {asked.model} {reading.name}"
        self._attempts[who] += 1
        fault = behaviour.fault(who, self._attempts[who])
        kind = "" if fault is None or fault.kind in _HARMLESS else fault.kind
        if kind not in ("", "invalid", "refusal"):
            return Line(custom_id, *wording.error(500, "Internal server error"))
        number = _number(job.id, custom_id)
        reply, ending = compose(asked, reading, number, kind, chance(behaviour.seed, "variety", who))
        self._account.paid.append(
            Paid(
                id=number,
                provider=wording.name,
                model=asked.model,
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
                cached=0,
                batch=True,
                price_share=BATCH_PRICE_SHARE,
                ended=ending,
                article=reading.name,
                custom_id=custom_id,
            )
        )
        return Line(custom_id, 200, wording.reply(reply))

    def _take(self, prefix: str, requests: Iterable[tuple[str, Any]], **said: Any) -> Job:
        number = f"{prefix}{_number(self._wording.name, len(self._jobs))}"
        now, latency_s = time.time(), self._latency_s()
        job = Job(number, list(requests), now, now + latency_s, time.monotonic() + latency_s, said)
        self._jobs[number] = job
        return job

    def _job(self, request: web.Request) -> Job:
        self.work()
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            raise web.HTTPNotFound
        return job

    def _cancelled(self, request: web.Request) -> Job:
        """A job that is over from now on; what was worked off already stays so."""
        job = self._job(request)
        job.cancelled = job.lines is None
        return job

    def _newest_first(self) -> list[Job]:
        self.work()
        return list(reversed(self._jobs.values()))

    def _refused(self, error: Malformed) -> web.Response:
        status, body = self._wording.error(error.status, str(error))
        return web.json_response(body, status=status)

    # ── files, of OpenAI and Mistral ───────────────────────────────────────────────────────────────────────────────

    def _file_routes(self, root: str) -> list[web.RouteDef]:
        return [
            web.post(f"{root}/v1/files", self._upload, name=f"{self._wording.name}-upload"),
            web.get(f"{root}/v1/files/{{id}}", self._file, name=f"{self._wording.name}-file"),
            web.get(f"{root}/v1/files/{{id}}/content", self._content, name=f"{self._wording.name}-content"),
        ]

    def _keep(self, name: str, content: bytes) -> str:
        number = f"file-{_number(self._wording.name, 'file', name, len(self._files))}"
        self._files[number] = (name, content, time.time())
        return number

    def _file_object(self, number: str) -> dict[str, Any]:
        name, content, at = self._files[number]
        return {
            "id": number,
            "object": "file",
            "bytes": len(content),
            "created_at": int(at),
            "filename": name,
            "purpose": "batch",
        }

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField) or form.get("purpose", "batch") != "batch":
            return self._refused(Malformed("file: a file with the purpose batch is required"))
        number = self._keep(file.filename, file.file.read())
        return web.json_response(self._file_object(number))

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in self._files:
            raise web.HTTPNotFound
        return web.json_response(self._file_object(request.match_info["id"]))

    async def _content(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[request.match_info["id"]][1], content_type="application/octet-stream")

    def _requests_in(self, number: Any) -> list[tuple[str, Any]]:
        """The requests in an input file. Raises `Malformed`."""
        if number not in self._files:
            raise Malformed("input_file_id: no such file")
        try:
            rows = [json.loads(row) for row in self._files[number][1].splitlines() if row.strip()]
        except ValueError:
            raise Malformed("the input file is not JSON Lines") from None
        return _checked(rows, "body")

    def _results(self, job: Job, *, good: bool) -> str | None:
        """The file of a job's answers, or of its errors; None: it is not over, or there are none."""
        rows = [
            {
                "id": f"batch_req_{_number(job.id, line.custom_id)}",
                "custom_id": line.custom_id,
                "response": {
                    "status_code": line.status,
                    "request_id": _number(job.id, line.custom_id),
                    "body": line.body,
                },
                "error": None,
            }
            for line in job.lines or ()
            if (line.status == 200) == good
        ]
        if not rows:
            return None
        name = f"{job.id}_{'output' if good else 'error'}.jsonl"
        known = next((number for number, (each, _, _) in self._files.items() if each == name), None)
        return known or self._keep(name, _lines(rows))


def _number(*parts: object) -> str:
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _checked(rows: Any, inside: str) -> list[tuple[str, Any]]:
    """(custom_id, what is `inside`) of each request. Raises `Malformed`: a wrong shape, an id that is missing or double."""
    if not isinstance(rows, list) or not rows:
        raise Malformed("requests: at least one is required")
    requests = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str) or inside not in row:
            raise Malformed(f"requests: each needs a custom_id and a {inside}")
        requests.append((row["custom_id"], row[inside]))
    if len({custom_id for custom_id, _ in requests}) < len(requests):
        raise Malformed("requests: custom_id must be unique")
    return requests


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Malformed("The request body is not valid JSON")
    return body


def _at(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat()


def _moment(text: str) -> float:
    """The Unix time of an RFC 3339 text; 0 for any other."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _page(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else otherwise


def _after(jobs: Sequence[Job], number: str | None) -> Sequence[Job]:
    """The jobs that follow one in a list, or all of them."""
    at = next((at for at, job in enumerate(jobs) if job.id == number), -1)
    return jobs[at + 1 :]


# ── Anthropic ──────────────────────────────────────────────────────────────────────────────────────────────────────


class AnthropicDesk(Desk):
    """Message Batches."""

    def routes(self, root: str) -> list[web.RouteDef]:
        path = f"{root}/v1/messages/batches"
        return [
            web.post(path, self._create, name="anthropic-batch"),
            web.get(path, self._list, name="anthropic-batches"),
            web.get(f"{path}/{{id}}", self._get, name="anthropic-poll"),
            web.get(f"{path}/{{id}}/results", self._fetch, name="anthropic-results"),
            web.post(f"{path}/{{id}}/cancel", self._cancel, name="anthropic-cancel"),
        ]

    def _shape(self, request: web.Request, job: Job) -> dict[str, Any]:
        count, errored = len(job.requests), len(job.lines or ()) - job.succeeded
        url = f"{request.scheme}://{request.host}/anthropic/v1/messages/batches/{job.id}/results"
        return {
            "id": job.id,
            "type": "message_batch",
            "processing_status": "ended" if job.ended else "in_progress",
            "request_counts": {
                "processing": 0 if job.ended else count,
                "succeeded": job.succeeded,
                "errored": errored,
                "canceled": count if job.cancelled else 0,
                "expired": 0,
            },
            "created_at": _at(job.created_at),
            "expires_at": _at(job.created_at + EXPIRES_S),
            "ended_at": _at(job.ends_at) if job.ended else None,
            "archived_at": None,
            "cancel_initiated_at": _at(job.created_at) if job.cancelled else None,
            "results_url": url if job.ended else None,
        }

    async def _create(self, request: web.Request) -> web.Response:
        try:
            requests = _checked((await _body(request)).get("requests"), "params")
        except Malformed as error:
            return self._refused(error)
        return web.json_response(self._shape(request, self._take("msgbatch_", requests)))

    async def _list(self, request: web.Request) -> web.Response:
        following = _after(self._newest_first(), request.query.get("after_id"))
        limit = _page(request, "limit", 20)
        shown = following[:limit]
        return web.json_response(
            {
                "data": [self._shape(request, job) for job in shown],
                "has_more": len(following) > limit,
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
            }
        )

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._shape(request, self._job(request)))

    async def _fetch(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if not job.ended:
            raise web.HTTPNotFound
        rows: list[dict[str, Any]] = []
        for line in job.lines or ():
            good = line.status == 200
            result = {"type": "succeeded", "message": line.body} if good else {"type": "errored", "error": line.body}
            rows.append({"custom_id": line.custom_id, "result": result})
        if job.cancelled:
            rows = [{"custom_id": custom_id, "result": {"type": "canceled"}} for custom_id, _ in job.requests]
        return web.Response(body=_lines(rows), content_type="application/x-jsonl")

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._cancelled(request)
        return web.json_response(self._shape(request, job))


# ── OpenAI ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class OpenAIDesk(Desk):
    """Files and batches."""

    def routes(self, root: str) -> list[web.RouteDef]:
        path = f"{root}/v1/batches"
        return [
            *self._file_routes(root),
            web.post(path, self._create, name="openai-batch"),
            web.get(path, self._list, name="openai-batches"),
            web.get(f"{path}/{{id}}", self._get, name="openai-poll"),
            web.post(f"{path}/{{id}}/cancel", self._cancel, name="openai-cancel"),
        ]

    def _shape(self, job: Job) -> dict[str, Any]:
        ended_at = int(job.ends_at) if job.lines is not None else None
        return {
            "id": job.id,
            "object": "batch",
            "endpoint": job.said["endpoint"],
            "errors": None,
            "input_file_id": job.said["input_file_id"],
            "completion_window": "24h",
            "status": "cancelled" if job.cancelled else "in_progress" if job.lines is None else "completed",
            "output_file_id": self._results(job, good=True),
            "error_file_id": self._results(job, good=False),
            "created_at": int(job.created_at),
            "in_progress_at": int(job.created_at),
            "expires_at": int(job.created_at + EXPIRES_S),
            "completed_at": ended_at,
            "failed_at": None,
            "request_counts": {
                "total": len(job.requests),
                "completed": job.succeeded,
                "failed": len(job.lines or ()) - job.succeeded,
            },
            "metadata": job.said["metadata"],
        }

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            if body.get("endpoint") != "/v1/chat/completions" or body.get("completion_window") != "24h":
                raise Malformed("endpoint and completion_window: /v1/chat/completions and 24h are supported")  # noqa: TRY301
            requests = self._requests_in(body.get("input_file_id"))
        except Malformed as error:
            return self._refused(error)
        said = {name: body.get(name) for name in ("endpoint", "input_file_id", "metadata")}
        return web.json_response(self._shape(self._take("batch_", requests, **said)))

    async def _list(self, request: web.Request) -> web.Response:
        following = _after(self._newest_first(), request.query.get("after"))
        limit = _page(request, "limit", 20)
        shown = following[:limit]
        return web.json_response(
            {
                "object": "list",
                "data": [self._shape(job) for job in shown],
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
                "has_more": len(following) > limit,
            }
        )

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._shape(self._job(request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._cancelled(request)
        return web.json_response(self._shape(job))


# ── Mistral ────────────────────────────────────────────────────────────────────────────────────────────────────────


class MistralDesk(Desk):
    """Batch jobs."""

    def routes(self, root: str) -> list[web.RouteDef]:
        path = f"{root}/v1/batch/jobs"
        return [
            *self._file_routes(root),
            web.post(path, self._create, name="mistral-batch"),
            web.get(path, self._list, name="mistral-batches"),
            web.get(f"{path}/{{id}}", self._get, name="mistral-poll"),
            web.post(f"{path}/{{id}}/cancel", self._cancel, name="mistral-cancel"),
        ]

    def _shape(self, job: Job) -> dict[str, Any]:
        ended_at = int(job.ends_at) if job.lines is not None else None
        return {
            "id": job.id,
            "object": "batch",
            "input_files": job.said["input_files"] or [],
            "metadata": job.said["metadata"],
            "endpoint": "/v1/chat/completions",
            "model": job.said["model"],
            "output_file": self._results(job, good=True),
            "error_file": self._results(job, good=False),
            "errors": [],
            "status": "CANCELLED" if job.cancelled else "RUNNING" if job.lines is None else "SUCCESS",
            "created_at": int(job.created_at),
            "started_at": int(job.created_at),
            "completed_at": ended_at,
            "total_requests": len(job.requests),
            "completed_requests": len(job.lines or ()),
            "succeeded_requests": job.succeeded,
            "failed_requests": len(job.lines or ()) - job.succeeded,
        }

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            files = body.get("input_files") or []
            requests = self._requests_in(files[0]) if files else _checked(body.get("requests"), "body")
        except Malformed as error:
            return self._refused(error)
        said = {name: body.get(name) for name in ("input_files", "metadata", "model")}
        # The job's model stands for every request that names none.
        filled = [
            (custom_id, {"model": said["model"], **each} if isinstance(each, dict) else each)
            for custom_id, each in requests
        ]
        return web.json_response(self._shape(self._take("", filled, **said)))

    async def _list(self, request: web.Request) -> web.Response:
        since = _moment(request.query.get("created_after", ""))
        jobs = [job for job in self._newest_first() if job.created_at >= since]
        size, page = _page(request, "page_size", 100), _page(request, "page", 0)
        shown = jobs[page * size : (page + 1) * size]
        return web.json_response({"object": "list", "data": [self._shape(job) for job in shown], "total": len(jobs)})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._shape(self._job(request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._cancelled(request)
        return web.json_response(self._shape(job))
