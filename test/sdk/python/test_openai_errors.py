# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK: what it raises for each error, and who it says is to blame."""

import openai
import pytest

import stage as stages

MESSAGES = [{"role": "user", "content": "hello"}]


def chat(client, call, model="gpt-4o-mini", wishes=None, **options):
    headers = {**call.headers(**(wishes or {})), **options.pop("extra_headers", {})}
    return client.chat.completions.create(model=model, messages=MESSAGES, extra_headers=headers, **options)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error, raised, status, times", [
    ("400", openai.BadRequestError, 400, 1),
    ("401", openai.AuthenticationError, 401, 1),
    ("402", openai.APIStatusError, 402, 1),
    ("403", openai.PermissionDeniedError, 403, 1),
    ("404", openai.NotFoundError, 404, 1),
    ("413", openai.APIStatusError, 413, 1),
    ("429", openai.RateLimitError, 429, 1),
    ("500", openai.InternalServerError, 500, 1),
    # What the gateway asks for once more.
    ("503", openai.InternalServerError, 503, 2),
    ("model_not_ready", openai.InternalServerError, 503, 2),
    ("html", openai.InternalServerError, 502, 1),
])
def test_of_tars(openai_at, call, error, raised, status, times, stream):
    with pytest.raises(raised) as caught:
        chat(openai_at(), call, wishes={"error": error}, stream=stream)
    refusal = caught.value
    assert type(refusal) is raised and refusal.status_code == status
    assert stages.source(refusal.response) == "tars"
    assert refusal.request_id == call.id
    retry_after = {"429": "7", "model_not_ready": "3"}.get(error)
    assert refusal.response.headers.get("retry-after") == retry_after
    if error == "html":
        assert "<h1>502 Bad Gateway</h1>" in refusal.response.text
    else:
        assert set(refusal.body) == {"code", "message"}, "TARS's own words, nothing added"
        assert refusal.code == (error if error == "model_not_ready" else str(status))
    call.reached(times)


@pytest.mark.parametrize("model, part", [
    ("", 'must be a string of 1 to 256 bytes'),
    (None, 'must be a string'),
])
def test_no_model(openai_at, call, model, part):
    with pytest.raises(openai.BadRequestError, match=part) as caught:
        chat(openai_at(), call, model=model)
    assert caught.value.param == "model" and caught.value.type == "invalid_request_error"
    assert stages.source(caught.value.response) == "client"
    assert caught.value.request_id == call.id
    call.refused()


def test_a_model_that_is_not_allowed(openai_at, call):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(openai_at("narrow"), call, model="gpt-5-mini", stream=True)
    refusal = caught.value
    assert (refusal.code, refusal.param, refusal.type) == ("model_not_found", "model", "invalid_request_error")
    assert 'The model "gpt-5-mini" is not allowed on this gateway. Allowed: fast, gpt-4o-mini, claude-*.' in refusal.message
    assert stages.source(refusal.response) == "client"
    call.refused()


def test_the_target_of_an_alias_by_its_own_name(openai_at, call):
    with pytest.raises(openai.NotFoundError, match="Allowed: fast, gpt-4o-mini, claude-"):
        chat(openai_at("narrow"), call, model="xai/grok-4.5")
    call.refused()


def test_a_model_that_the_key_does_not_reach(openai_at, call):
    """Without an allow-list, TARS decides."""
    with pytest.raises(openai.NotFoundError) as caught:
        chat(openai_at(), call, model="no-such-model")
    assert stages.source(caught.value.response) == "tars"
    call.reached()


def test_a_model_to_show_that_is_not_allowed(openai_at, call):
    with pytest.raises(openai.NotFoundError, match="Allowed: fast, gpt-4o-mini, claude-"):
        openai_at("narrow").models.retrieve("gpt-5-mini", extra_headers=call.headers())
    call.refused()


def test_a_path_that_is_not_served(openai_at, call):
    with pytest.raises(openai.NotFoundError) as caught:
        openai_at("narrow").images.generate(model="gpt-4o-mini", prompt="a cat", extra_headers=call.headers())
    assert caught.value.code == "unknown_url"
    assert stages.source(caught.value.response) == "client"
    call.refused()


def test_a_body_that_is_too_large(openai_at, call):
    with pytest.raises(openai.APIStatusError) as caught:
        openai_at("small").embeddings.create(model="text-embedding-3-small", input="x" * 1000, extra_headers=call.headers())
    refusal = caught.value
    assert (refusal.status_code, refusal.code) == (413, "request_too_large")
    assert "1000 bytes" in refusal.message and "spec.requestBody.maxSize" in refusal.message
    assert stages.source(refusal.response) == "client"
    call.refused()


def test_a_content_type(openai_at, call):
    with pytest.raises(openai.APIStatusError) as caught:
        chat(openai_at(), call, extra_headers={"content-type": "text/plain"})
    assert (caught.value.status_code, caught.value.code) == (415, "unsupported_media_type")
    assert stages.source(caught.value.response) == "client"
    call.refused()


def test_a_compressed_body(openai_at, call):
    with pytest.raises(openai.APIStatusError) as caught:
        chat(openai_at(), call, extra_headers={"content-encoding": "gzip"})
    assert (caught.value.status_code, caught.value.code) == (415, "unsupported_content_encoding")
    call.refused()


def test_without_a_client_key(openai_at, call):
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(openai_at("secured"), call)
    assert caught.value.code == "unauthorized" and caught.value.type == "authentication_error"
    assert stages.source(caught.value.response) == "gateway"
    assert caught.value.request_id == call.id
    call.refused()


def test_with_a_client_key(openai_at, call, stage):
    assert chat(openai_at("secured", api_key=stage.client_key), call).choices
    call.reached()


def test_a_limit_of_the_platform(openai_at, stage):
    """One request an hour passes, whoever comes first."""
    client, raised = openai_at("limited"), []
    for _ in range(2):
        call = stages.Call(stage)
        try:
            chat(client, call)
        except openai.RateLimitError as refusal:
            raised.append(refusal)
            call.refused()
    refusal = raised[-1]
    assert (refusal.code, refusal.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert stages.source(refusal.response) == "limit"
    headers = refusal.response.headers
    assert headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(headers["retry-after"]) <= 3600, "the SDK has to know how long to wait"


def test_tars_out_of_reach(openai_at, call):
    with pytest.raises(openai.InternalServerError) as caught:
        chat(openai_at("dead"), call)
    assert (caught.value.status_code, caught.value.code) == (503, "upstream_connect_error")
    assert stages.source(caught.value.response) == "gateway"
    call.refused()


def test_a_time_limit_of_the_platform(openai_at, call):
    with pytest.raises(openai.InternalServerError) as caught:
        chat(openai_at("hurried"), call, wishes={"silent": "true"})
    assert (caught.value.status_code, caught.value.code) == (504, "gateway_timeout")
    assert stages.source(caught.value.response) == "gateway"
    call.settled("client-gone")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_loses_patience(openai_at, call, stream):
    with pytest.raises(openai.APITimeoutError):
        chat(openai_at(), call, wishes={"silent": "true"}, timeout=0.5, stream=stream)
    call.settled("client-gone")


def test_a_cut_before_the_answer(openai_at, call):
    with pytest.raises(openai.InternalServerError) as caught:
        chat(openai_at(), call, wishes={"cut": "before-headers"})
    assert (caught.value.status_code, stages.source(caught.value.response)) == (503, "gateway")
    call.settled("cut")


def test_a_cut_answer(openai_at, call):
    with pytest.raises(openai.APIConnectionError):
        chat(openai_at(), call, wishes={"cut": "half", "split": 50, "split_gap": "50ms"})
    call.settled("cut")


def read(stream):
    """What a stream brings, until it breaks off."""
    pieces = []
    try:
        for chunk in stream:
            pieces.append(chunk)
    except openai.APIError as broken:
        return pieces, broken
    return pieces, None


@pytest.mark.parametrize("route, wishes, outcome", [
    ("", {"cut": "half", "gap": "50ms"}, "cut"), ("impatient", {"stall": "1h", "stall_after": 2}, "client-gone"),
])
def test_a_stream_that_is_cut(openai_at, call, route, wishes, outcome):
    pieces, broken = read(chat(openai_at(route), call, wishes={"chunks": 6, **wishes}, stream=True))
    assert type(broken) is openai.APIConnectionError
    assert [piece for piece in pieces if piece.choices[0].delta.content]
    assert not [piece for piece in pieces if piece.choices[0].finish_reason]
    call.settled(outcome)


@pytest.mark.parametrize("wish, code, message", [
    ({"error": "mid-stream"}, 502, "Provider disconnected"),
    ({"error": "402", "error_after": 0}, 402, "Insufficient credits"),
    ({"error": "model_not_ready", "error_after": 1}, "model_not_ready", "The model is not active yet for this key"),
])
def test_an_error_within_a_stream(openai_at, call, wish, code, message):
    _, broken = read(chat(openai_at(), call, wishes=wish, stream=True))
    assert type(broken) is openai.APIError and broken.message == message
    assert broken.body == {"code": code, "message": message}
    call.reached()


def test_an_error_within_a_200(openai_at, call):
    """The SDK does not raise: TARS's answer comes as it is, and holds no choice."""
    answer = chat(openai_at(), call, wishes={"error": "inside-200"})
    assert answer.choices is None
    assert answer.error == {"code": 402, "message": "Insufficient credits"}
    call.reached()


def test_an_error_within_a_200_instead_of_a_stream(openai_at, call):
    """Nor does it here: an app that asked for a stream gets one without a chunk."""
    with chat(openai_at(), call, wishes={"error": "inside-200"}, stream=True) as stream:
        assert stream.response.headers["content-type"] == "application/json"
        assert list(stream) == []
    call.reached()


@pytest.mark.parametrize("error, raised", [("500", openai.InternalServerError), ("429", openai.RateLimitError)])
@pytest.mark.parametrize("ask", [
    lambda client, headers: client.responses.create(model="gpt-5-mini", input="hello", extra_headers=headers),
    lambda client, headers: client.completions.create(model="gpt-4o-mini", prompt="hello", extra_headers=headers),
    lambda client, headers: client.embeddings.create(model="text-embedding-3-small", input="hello", extra_headers=headers),
    lambda client, headers: client.models.list(extra_headers=headers),
], ids=["responses", "completions", "embeddings", "models"])
def test_of_the_other_apis(openai_at, call, ask, error, raised):
    with pytest.raises(raised) as caught:
        ask(openai_at(), call.headers(error=error))
    assert stages.source(caught.value.response) == "tars" and caught.value.request_id == call.id
    call.reached()


def test_an_error_within_a_stream_of_responses(openai_at, call):
    with openai_at().responses.create(
            model="gpt-5-mini", input="hello", stream=True, extra_headers=call.headers(error="mid-stream")) as stream:
        pieces, broken = read(stream)
    assert type(broken) is openai.APIError and broken.message == "Provider disconnected"
    assert pieces[-1].type == "response.output_text.delta"
    call.reached()
