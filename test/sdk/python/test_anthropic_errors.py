# SPDX-License-Identifier: Apache-2.0
"""Anthropic's SDK: what it raises for each error, and who it says is to blame."""

import anthropic
import pytest

import stage as stages
from test_anthropic import MESSAGES, MODEL, ask


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error, raised, status, kind, times", [
    ("400", anthropic.BadRequestError, 400, "invalid_request_error", 1),
    ("401", anthropic.AuthenticationError, 401, "authentication_error", 1),
    ("402", anthropic.APIStatusError, 402, "billing_error", 1),
    ("403", anthropic.PermissionDeniedError, 403, "permission_error", 1),
    ("404", anthropic.NotFoundError, 404, "not_found_error", 1),
    ("413", anthropic.APIStatusError, 413, "request_too_large", 1),
    ("429", anthropic.RateLimitError, 429, "rate_limit_error", 1),
    ("500", anthropic.InternalServerError, 500, "api_error", 1),
    # What the gateway asks for once more.
    ("503", anthropic.InternalServerError, 503, "overloaded_error", 2),
    ("html", anthropic.InternalServerError, 502, None, 1),
])
def test_of_tars(anthropic_at, call, error, raised, status, kind, times, stream):
    with pytest.raises(raised) as caught:
        ask(anthropic_at(), call, {"error": error}, stream=stream)
    refusal = caught.value
    assert (refusal.status_code, refusal.type) == (status, kind)
    assert stages.source(refusal.response) == "tars" and refusal.request_id == call.id
    assert refusal.response.headers.get("retry-after") == ("7" if error == "429" else None)
    call.reached(times)


def of_ours(refusal, call, status, kind, blamed):
    """The error has Anthropic's shape whole, and the request did not get through."""
    assert (refusal.status_code, refusal.type, stages.source(refusal.response)) == (status, kind, blamed)
    assert refusal.request_id == call.id
    assert set(refusal.body) == {"type", "error", "request_id"} and refusal.body["type"] == "error"
    assert refusal.body["request_id"] == call.id
    assert refusal.api_message == refusal.body["error"]["message"]
    call.refused()


def test_no_model(anthropic_at, call):
    with pytest.raises(anthropic.BadRequestError, match="must be a string") as caught:
        ask(anthropic_at(), call, model="")
    of_ours(caught.value, call, 400, "invalid_request_error", "client")


def test_a_model_that_is_not_allowed(anthropic_at, call):
    with pytest.raises(anthropic.NotFoundError, match=r"Allowed: fast, gpt-4o-mini, claude-\*\.") as caught:
        ask(anthropic_at("narrow"), call, model="gpt-5-mini", stream=True)
    of_ours(caught.value, call, 404, "not_found_error", "client")


def test_a_model_to_show_that_is_not_allowed(anthropic_at, call):
    with pytest.raises(anthropic.NotFoundError, match="Allowed: fast, gpt-4o-mini, claude-") as caught:
        anthropic_at("narrow").models.retrieve("gpt-5-mini", extra_headers=call.headers())
    of_ours(caught.value, call, 404, "not_found_error", "client")


def test_a_path_that_is_not_served(anthropic_at, call):
    with pytest.raises(anthropic.NotFoundError, match="is not served by this gateway") as caught:
        anthropic_at("narrow").messages.count_tokens(model=MODEL, messages=MESSAGES, extra_headers=call.headers())
    of_ours(caught.value, call, 404, "not_found_error", "client")


def test_a_body_that_is_too_large(anthropic_at, call):
    with pytest.raises(anthropic.APIStatusError, match="1000 bytes") as caught:
        ask(anthropic_at("small"), call, messages=[{"role": "user", "content": "x" * 1000}])
    of_ours(caught.value, call, 413, "request_too_large", "client")


@pytest.mark.parametrize("header", [{"content-type": "text/plain"}, {"content-encoding": "gzip"}])
def test_a_form_that_cannot_be_read(anthropic_at, call, header):
    with pytest.raises(anthropic.APIStatusError, match="not supported") as caught:
        ask(anthropic_at(), call, extra_headers={**call.headers(), **header})
    of_ours(caught.value, call, 415, "invalid_request_error", "client")


def test_without_a_client_key(anthropic_at, call):
    with pytest.raises(anthropic.AuthenticationError, match="ask the platform team for a client key") as caught:
        ask(anthropic_at("secured"), call)
    of_ours(caught.value, call, 401, "authentication_error", "gateway")


def test_with_a_client_key(anthropic_at, call, stage):
    assert ask(anthropic_at("secured", auth_token=stage.client_key), call).content
    call.reached()


def test_a_limit_of_the_platform(anthropic_at, stage):
    """One request an hour passes, whoever comes first."""
    client, raised = anthropic_at("limited"), []
    for _ in range(2):
        call = stages.Call(stage)
        try:
            ask(client, call)
        except anthropic.RateLimitError as refusal:
            raised.append((refusal, call))
    of_ours(*raised[-1], 429, "rate_limit_error", "limit")
    assert 0 < int(raised[-1][0].response.headers["retry-after"]) <= 3600


def test_tars_out_of_reach(anthropic_at, call):
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(anthropic_at("dead"), call)
    of_ours(caught.value, call, 503, "overloaded_error", "gateway")


def test_a_time_limit_of_the_platform(anthropic_at, call):
    with pytest.raises(anthropic.InternalServerError, match="spec.timeouts") as caught:
        ask(anthropic_at("hurried"), call, {"silent": "true"})
    assert (caught.value.status_code, caught.value.type) == (504, "timeout_error")
    assert stages.source(caught.value.response) == "gateway"
    call.settled("client-gone")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_loses_patience(anthropic_at, call, stream):
    with pytest.raises(anthropic.APITimeoutError):
        ask(anthropic_at(), call, {"silent": "true"}, timeout=0.5, stream=stream)
    call.settled("client-gone")


def test_a_cut_before_the_answer(anthropic_at, call):
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(anthropic_at(), call, {"cut": "before-headers"})
    assert (caught.value.type, stages.source(caught.value.response)) == ("overloaded_error", "gateway")
    call.settled("cut")


def test_a_cut_answer(anthropic_at, call):
    with pytest.raises(anthropic.APIConnectionError):
        ask(anthropic_at(), call, {"cut": "half", "split": 50, "split_gap": "50ms"})
    call.settled("cut")


def read(stream):
    """What a stream brings, until it breaks off."""
    events = []
    try:
        for event in stream:
            events.append(event)
    except Exception as broken:
        return events, broken
    return events, None


@pytest.mark.parametrize("route, wishes, outcome", [
    ("", {"cut": "half", "gap": "50ms"}, "cut"), ("impatient", {"stall": "1h", "stall_after": 2}, "client-gone"),
])
def test_a_stream_that_is_cut(anthropic_at, call, route, wishes, outcome):
    events, broken = read(ask(anthropic_at(route), call, {"chunks": 6, **wishes}, stream=True))
    assert broken is not None, "an app must not take a part for the whole"
    assert events[-1].type == "content_block_delta"
    call.settled(outcome)


@pytest.mark.parametrize("wish, kind, message", [
    ({"error": "mid-stream"}, "api_error", "Provider disconnected"),
    ({"error": "429", "error_after": 0}, "rate_limit_error", "Rate limit exceeded"),
])
def test_an_error_within_a_stream(anthropic_at, call, wish, kind, message):
    _, broken = read(ask(anthropic_at(), call, wish, stream=True))
    assert isinstance(broken, anthropic.APIStatusError)
    assert (broken.type, broken.api_message) == (kind, message)
    call.reached()


def test_an_error_within_a_200(anthropic_at, call):
    """The SDK does not raise: TARS's answer comes as it is."""
    answer = ask(anthropic_at(), call, {"error": "inside-200"})
    assert answer.type == "error" and answer.error["type"] == "billing_error"
    call.reached()
