"""Mistral's chat completions and its batch jobs: OpenAI's shape with differences.

Sources: docs.mistral.ai/api, /capabilities/batch, its client for Python (checked 2026-11).

* The bound on the answer is `max_tokens`; there are no stream_options, the last chunk tells the usage unasked.
* The quota is told by the minute in the headers' names, and without a reset.
* A batch takes its requests inline, with one model for all; its answers come inline as well where they are few.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from ....model import BatchApi, BatchResult, BatchState, Hints, Request, Response
from .base import (
    CLOCK_SLACK_S,
    JSON_HEADERS,
    MARK,
    MOST_PAGES,
    Ask,
    Flow,
    Provider,
    checked_id,
    count,
    header_count,
    hints_from,
    mapping,
    mappings,
    mark_of,
    one_model,
    packed,
    result_of,
    taken_id,
    undecided,
    unstreamed,
)
from .openai import CHAT_PATH, build_compatible, count_deltas, place_key, read, results_in

_BATCHES = "/v1/batch/jobs"
_PAGE = 100


def hints(response: Response, minute_s: float) -> Hints | None:
    """The quota in the `x-ratelimit-limit-…-minute` headers."""
    return hints_from(
        header_count(response, "x-ratelimit-limit-req-minute"),
        header_count(response, "x-ratelimit-limit-tokens-minute"),
        minute_s,
    )


_UNENDED = {"QUEUED", "RUNNING", "CANCELLATION_REQUESTED"}


def batch(asked: Ask) -> BatchApi:
    """Batch jobs: half the price, up to 24 hours; 10,000 inline requests at most, of which we use few."""

    def submit(requests: Sequence[tuple[str, Request]]) -> Flow[str]:
        bodies = [unstreamed(request) for _, request in requests]
        job = {
            "endpoint": CHAT_PATH,
            "model": one_model(bodies),
            "timeout_hours": 24,
            "metadata": {MARK: mark_of([name for name, _ in requests])},
            "requests": [
                {"custom_id": name, "body": {field: value for field, value in body.items() if field != "model"}}
                for (name, _), body in zip(requests, bodies, strict=True)
            ],
        }
        hand_in = asked(_BATCHES, method="POST", headers=JSON_HEADERS, body=packed(job), expects="bytes")
        return taken_id((yield hand_in))

    def state(batch_id: str) -> Flow[BatchState]:
        data = mapping((yield asked(f"{_BATCHES}/{batch_id}")).data)
        status = data.get("status")
        if status == "FAILED" and not count(data.get("succeeded_requests")):
            return BatchState(ended=True, reason="the provider could not use the batch")
        return BatchState(ended=isinstance(status, str) and status not in _UNENDED)

    def results(batch_id: str) -> Flow[list[BatchResult]]:
        data = mapping((yield asked(f"{_BATCHES}/{batch_id}", params={"inline": "true"})).data)
        inline = mappings(data.get("outputs"))
        if inline:
            return [result for line in inline if (result := result_of(line)) is not None]
        return (yield from results_in(asked, [data.get("output_file"), data.get("error_file")]))

    def find(custom_ids: Sequence[str], since: float, known: Collection[str] = ()) -> Flow[str | None]:
        mark = mark_of(custom_ids)
        after = datetime.fromtimestamp(since - CLOCK_SLACK_S, UTC).isoformat(timespec="seconds")
        for page_number in range(MOST_PAGES):
            params = {"page": str(page_number), "page_size": str(_PAGE), "created_after": after}
            page = mappings(mapping((yield asked(_BATCHES, params=params)).data).get("data"))
            for one in page:
                batch_id = checked_id(one.get("id"))
                if mapping(one, "metadata").get(MARK) == mark and batch_id is not None and batch_id not in known:
                    return batch_id
            if len(page) < _PAGE:
                return None
        raise undecided("the provider lists too many batches")

    return BatchApi(submit, state, results, find)


MISTRAL = Provider(
    name="mistral",
    key_variable="MISTRAL_API_KEY",
    base_url="https://api.mistral.ai",
    default_model="mistral-small-2603",
    build=build_compatible,
    read=read,
    place_key=place_key,
    hints=hints,
    count_deltas=count_deltas,
    batch_path=_BATCHES,
    batch=batch,
    bound="max_tokens",
)
