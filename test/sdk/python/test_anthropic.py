# SPDX-License-Identifier: Apache-2.0
"""Anthropic's SDK: what it reads of messages and models."""

import pytest

import stage as stages

MODEL = "claude-sonnet-5"
PROMPT = "Which way to the station? ✓"
MESSAGES = [{"role": "user", "content": PROMPT}]
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
# Input, output, read from the cache, no reasoning, written to the cache.
USAGE = "100,50,30,0,20"


def told(usage):
    """A usage as the ledger writes it: there, input has the cached tokens in it."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return {
        "input": usage.input_tokens + read + written, "output": usage.output_tokens,
        "cachedInput": read, "cacheCreation": written, "reasoning": 0,
    }


def ask(client, call, wishes=None, **options):
    return client.messages.create(**{
        "model": MODEL, "max_tokens": 100, "messages": MESSAGES, "extra_headers": call.headers(**(wishes or {})), **options})


def test_message(anthropic_at, call):
    answer = ask(anthropic_at(), call, {"usage": USAGE})
    assert stages.digest(PROMPT) in answer.content[0].text
    assert answer.model == MODEL and answer.stop_reason == "end_turn"
    entry = call.reached()
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (50, 50)
    assert (answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens) == (30, 20)
    assert told(answer.usage) == entry["usage"]
    assert entry["path"] == "/v1/messages" and entry["headers"]["anthropic-version"]


@pytest.mark.parametrize("place", ["start", "delta", "both"])
def test_stream(anthropic_at, call, place):
    with anthropic_at().messages.stream(
            model=MODEL, max_tokens=100, messages=MESSAGES,
            extra_headers=call.headers(usage=USAGE, anthropic_usage=place)) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert stages.digest(PROMPT) in text and answer.content[0].text == text
    entry = call.reached()
    assert told(answer.usage) == entry["usage"], "the later counts win"
    assert entry["usageSent"] and entry["outcome"] == "complete"


@pytest.mark.parametrize("wish", [{"split": 1}, {"eol": "crlf"}, {"comments": "true"}, {"encoding": "gzip"}])
def test_stream_in_other_forms(anthropic_at, call, wish):
    with ask(anthropic_at(), call, {"chunks": 5, **wish}, stream=True) as stream:
        events = list(stream)
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    assert stages.digest(PROMPT) in "".join(event.delta.text for event in events if event.type == "content_block_delta")
    call.reached()


def test_stream_arrives_piece_by_piece(anthropic_at, call):
    with ask(anthropic_at(), call, {"chunks": 3, "stall": "1h"}, stream=True) as stream:
        assert next(event for event in stream if event.type == "content_block_delta")
        assert call.reached()["outcome"] == "open"
    call.settled("client-gone")


def test_tools(anthropic_at, stage):
    client, first, second = anthropic_at(), stages.Call(stage), stages.Call(stage)
    answer = ask(client, first, tools=[TOOL])
    assert answer.stop_reason == "tool_use"
    tool = answer.content[0]
    assert (tool.type, tool.name, tool.input) == ("tool_use", "weather", {"prompt_sha256": stages.digest(PROMPT)})
    assert told(answer.usage) == first.reached()["usage"]

    result = {"type": "tool_result", "tool_use_id": tool.id, "content": "sunny"}
    answer = ask(client, second, tools=[TOOL], messages=[
        *MESSAGES, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}])
    assert stages.digest("sunny") in answer.content[0].text
    second.reached()


def test_tools_in_a_stream(anthropic_at, call):
    with anthropic_at().messages.stream(
            model=MODEL, max_tokens=100, messages=MESSAGES, tools=[TOOL], extra_headers=call.headers(chunks=9)) as stream:
        answer = stream.get_final_message()
    assert answer.content[0].input == {"prompt_sha256": stages.digest(PROMPT)}
    assert answer.stop_reason == "tool_use" and told(answer.usage) == call.reached()["usage"]


def test_an_alias(anthropic_at, call):
    assert ask(anthropic_at("narrow"), call, model="fast").model == "xai/grok-4.5"
    assert call.reached()["modelAsked"] == "xai/grok-4.5"


def test_models(anthropic_at, call):
    """TARS lists models in OpenAI's shape; Anthropic's SDK finds the ids in it."""
    names = [model.id for model in anthropic_at("narrow").models.list(extra_headers=call.headers())]
    assert names == ["gpt-4o-mini", "claude-haiku-4-5", "claude-sonnet-5", "fast"]
    call.reached()


@pytest.mark.parametrize("name, upstream", [("claude-sonnet-5", "claude-sonnet-5"), ("fast", "xai/grok-4.5")])
def test_a_model(anthropic_at, call, name, upstream):
    assert anthropic_at("narrow").models.retrieve(name, extra_headers=call.headers()).id == name
    assert call.reached()["path"] == "/v1/models/" + upstream


def test_the_request_id(anthropic_at, call, stage):
    client = anthropic_at()
    assert ask(client, call)._request_id == call.id
    call.reached()
    made = client.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES)._request_id
    assert len(stage.ledger(made)) == 1


@pytest.mark.parametrize("options", [{"auth_token": stages.CLIENT_KEY}, {"api_key": stages.CLIENT_KEY}])
def test_no_key_of_the_client_gets_through(anthropic_at, call, options):
    ask(anthropic_at(**options), call, {}, extra_headers={**call.headers(), "x-tars-api-key": stages.CLIENT_KEY})
    call.reached()


def test_the_clients_own_retry(anthropic_at, call, stage):
    stage.wish(path="/v1/messages", set={"error": "429", "retry-after": "0"})
    assert ask(anthropic_at(max_retries=2), call).content
    call.reached(times=2)
