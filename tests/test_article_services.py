"""Several services behind one run: which of them there are, what they are called, and whose key goes where."""

import json

import pytest

from enricher.cli.articles import articles_of, keys_of
from enricher.errors import SettingError
from enricher.pipelines.articles.providers.endpoints import NO_KEY
from enricher.settings import load_for_articles

HERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def keys_are_set(monkeypatch):
    for name in ("ANTHROPIC", "OPENAI", "MISTRAL"):
        monkeypatch.setenv(f"{name}_API_KEY", f"key-of-{name.lower()}")


def chosen(*fallbacks, **flags):
    settings = load_for_articles({"fallback": " ".join(fallbacks) or None, **flags})
    return settings, articles_of(settings)


def keys(*fallbacks, **flags):
    """What each service is sent as its key, by its address."""
    settings, made = chosen(*fallbacks, **flags)
    by_name = keys_of(settings, made)
    return {service.base_url: by_name[service.name] for service in made.pipeline.services if service.base_url}


def test_fallbacks_are_asked_in_their_order_each_with_its_model_and_address():
    _, made = chosen(f"openai:llama3.2:3b@{HERE}/v1", "mistral", "local", provider="anthropic")
    assert [one.name for one in made.analysts] == [
        "anthropic:claude-haiku-5-5",
        "compatible:llama3.2:3b",
        "mistral:mistral-small-2603",
        "local",
    ]
    assert made.analysts[1].service.base_url == HERE


def test_services_at_several_addresses_have_names_of_their_own_and_models_at_one_address_share_one():
    _, made = chosen(
        f"openai:b@{HERE}/v1", "openai:c@http://b.example", f"openai:d@{HERE}/x/v1", provider="openai", model="a",
        base_url=HERE,
    )  # fmt: skip
    first, again, *others = [one.service for one in made.analysts]
    assert first is again
    assert len({service.name for service in (first, *others)}) == 3


def test_the_key_of_a_provider_goes_home_and_nowhere_else():
    home = "https://api.openai.com"
    assert keys(f"openai:m@{HERE}/v1", provider="openai") == {home: "key-of-openai", HERE: NO_KEY}
    assert keys("openai", provider="openai", model="m", base_url=HERE) == {HERE: NO_KEY, home: "key-of-openai"}


def test_a_server_of_ones_own_is_sent_the_key_if_it_is_the_only_one_that_speaks_like_the_provider():
    assert keys(provider="openai", model="m", base_url=HERE) == {HERE: "key-of-openai"}
    told = keys(f"openai:m@{HERE}/v1", "openai:n@http://b.example/v1", provider="anthropic")
    assert told == {"https://api.anthropic.com": "key-of-anthropic", HERE: "key-of-openai", "http://b.example": NO_KEY}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9"])
def test_a_host_is_sent_the_key_that_is_set_for_it(host):
    told = keys(f"openai:m@{HERE}/v1", provider="openai", api_keys=f"{host}=own")
    assert told == {"https://api.openai.com": "key-of-openai", HERE: "own"}


def test_a_missing_key_is_named_by_where_it_is_to_be_set(monkeypatch):
    with pytest.raises(SettingError, match=r"set api_keys \(`HOST: KEY` in --config\) for b\.example"):
        keys("mistral@https://b.example", provider="mistral")
    monkeypatch.delenv("MISTRAL_API_KEY")
    with pytest.raises(SettingError, match="set MISTRAL_API_KEY"):
        keys(provider="mistral")


def test_what_a_job_keeps_of_an_address_holds_no_query():
    address = "https://a.example/v1?key=geheim"
    _, made = chosen(f"openai:m@{address}", provider="openai", model="m", base_url=address)
    options = made.pipeline.options
    assert options["base_url"] == options["fallback_urls"] == "https://a.example/v1"
    assert "geheim" not in json.dumps(dict(options)) + repr(made)


def test_what_is_set_of_room_and_effort_is_what_is_asked_for():
    _, made = chosen("mistral", provider="openai", max_tokens="3000", reasoning_effort="low")
    assert [(one.max_tokens, one.effort) for one in made.analysts] == [(3000, "low")] * 2
    assert made.pipeline.options["reasoning_effort"] == "low"
    assert "reasoning_effort" not in chosen(provider="openai")[1].pipeline.options
