# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK: what it reads of each API."""

import asyncio
import json

import openai
import pytest

import stage as stages

PROMPT = "Which way to the station? ✓"
MESSAGES = [{"role": "user", "content": PROMPT}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
FLAT_TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
# Input, output, cached input and reasoning.
USAGE = "100,50,30,20"


def told(usage):
    """A usage of chat and completions as the ledger writes it."""
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return {
        "input": usage.prompt_tokens, "output": usage.completion_tokens,
        "cachedInput": prompt.cached_tokens if prompt else 0, "cacheCreation": 0,
        "reasoning": completion.reasoning_tokens if completion else 0,
    }


def told_by_response(usage):
    """A usage of responses as the ledger writes it."""
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    return {
        "input": usage.input_tokens, "output": usage.output_tokens,
        "cachedInput": usage.input_tokens_details.cached_tokens, "cacheCreation": 0,
        "reasoning": usage.output_tokens_details.reasoning_tokens,
    }


def test_chat(openai_at, call):
    answer = openai_at().chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, extra_headers=call.headers(usage=USAGE))
    assert stages.digest(PROMPT) in answer.choices[0].message.content
    assert answer.model == "gpt-4o-mini" and answer.choices[0].finish_reason == "stop"
    entry = call.reached()
    assert told(answer.usage) == entry["usage"] == {
        "input": 100, "output": 50, "cachedInput": 30, "cacheCreation": 0, "reasoning": 20}
    assert entry["path"] == "/v1/chat/completions" and entry["modelAsked"] == "gpt-4o-mini"


@pytest.mark.parametrize("asked", [None, False, True])
def test_chat_stream(openai_at, call, asked):
    options = {} if asked is None else {"stream_options": {"include_usage": asked}}
    with openai_at().chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, extra_headers=call.headers(), **options) as stream:
        chunks = list(stream)
    entry = call.reached()
    assert entry["includeUsage"] and entry["usageSent"], "the gateway asks for usage in any case"
    assert [bool(chunk.choices) for chunk in chunks] == [True] * (len(chunks) - bool(asked)) + [False] * bool(asked)
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert [told(usage) for usage in usages] == ([entry["usage"]] if asked else [])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert stages.digest(PROMPT) in text
    assert entry["outcome"] == "complete"


@pytest.mark.parametrize("wish", [
    {"split": 1}, {"eol": "crlf"}, {"comments": "true"}, {"usage_null": "true"}, {"encoding": "gzip"},
])
def test_chat_stream_in_other_forms(openai_at, call, wish):
    with openai_at().chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, extra_headers=call.headers(chunks=5, **wish)) as stream:
        chunks = list(stream)
    assert stages.digest(PROMPT) in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert not any(chunk.usage for chunk in chunks)
    call.reached()


def test_chat_stream_arrives_piece_by_piece(openai_at, call):
    """The first piece is there while the rest is not yet made."""
    with openai_at().chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, extra_headers=call.headers(chunks=3, stall="1h")) as stream:
        pieces = (chunk.choices[0].delta.content for chunk in stream)
        assert next(piece for piece in pieces if piece)
        assert call.reached()["outcome"] == "open"
    call.settled("client-gone")


def test_chat_by_an_asynchronous_client(stage, call):
    async def ask():
        async with openai.AsyncOpenAI(base_url=stage.openai(), api_key=stages.CLIENT_KEY, max_retries=0) as client:
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=MESSAGES, stream=True, extra_headers=call.headers())
            return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert stages.digest(PROMPT) in "".join(asyncio.run(ask()))
    call.reached()


def test_a_long_chat(openai_at, call):
    """As long as one with pictures in it: most of it is behind the model's name."""
    content = "é✓\\n" * 1_000_000
    answer = openai_at().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": content}], extra_headers=call.headers())
    assert stages.digest(content) in answer.choices[0].message.content
    assert call.reached()["bodyBytes"] > 5_000_000


def test_a_file_on_a_route_that_forwards(openai_at, call):
    """The stand-in knows no files, but it is TARS that says so, and got all of it."""
    with pytest.raises(openai.NotFoundError) as caught:
        openai_at("forward").files.create(file=("a.txt", b"x" * 100_000), purpose="user_data", extra_headers=call.headers())
    assert stages.source(caught.value.response) == "tars"
    entry = call.reached()
    assert entry["path"] == "/v1/files" and entry["bodyBytes"] > 100_000
    assert entry["headers"]["content-type"].startswith("multipart/form-data; boundary=")


def test_tools(openai_at, stage):
    client, messages = openai_at(), list(MESSAGES)
    first = stages.Call(stage)
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, tools=[TOOL], extra_headers=first.headers())
    assert answer.choices[0].finish_reason == "tool_calls"
    tool = answer.choices[0].message.tool_calls[0]
    assert tool.function.name == "weather"
    assert json.loads(tool.function.arguments) == {"prompt_sha256": stages.digest(PROMPT)}
    assert told(answer.usage) == first.reached()["usage"]

    second = stages.Call(stage)
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": tool.id, "content": "sunny"}]
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, tools=[TOOL], extra_headers=second.headers())
    assert stages.digest(PROMPT) in answer.choices[0].message.content
    second.reached()


def test_tools_in_a_stream(openai_at, call):
    with openai_at().chat.completions.stream(
            model="gpt-4o-mini", messages=MESSAGES, tools=[TOOL], extra_headers=call.headers(chunks=9)) as stream:
        answer = stream.get_final_completion()
    tool = answer.choices[0].message.tool_calls[0]
    assert tool.function.name == "weather"
    assert json.loads(tool.function.arguments) == {"prompt_sha256": stages.digest(PROMPT)}
    assert answer.usage is None
    assert call.reached()["usageSent"]


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_embeddings(openai_at, call, encoding):
    options = {} if encoding is None else {"encoding_format": encoding}
    answer = openai_at().embeddings.create(
        model="text-embedding-3-small", input=["a", "b"], dimensions=4, extra_headers=call.headers(), **options)
    assert len(answer.data) == 2
    if encoding != "base64":
        assert answer.data[1].embedding == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    usage = call.reached()["usage"]
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (usage["input"], usage["input"])


def test_responses(openai_at, call):
    answer = openai_at().responses.create(model="gpt-5-mini", input=PROMPT, extra_headers=call.headers(usage=USAGE))
    assert stages.digest(PROMPT) in answer.output_text
    assert told_by_response(answer.usage) == call.reached()["usage"]
    assert answer.usage.output_tokens_details.reasoning_tokens == 20


def test_responses_stream(openai_at, call):
    with openai_at().responses.create(
            model="gpt-5-mini", input=PROMPT, stream=True, extra_headers=call.headers(usage=USAGE)) as stream:
        events = list(stream)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].type == "response.completed"
    assert stages.digest(PROMPT) in text and text == events[-1].response.output_text
    assert told_by_response(events[-1].response.usage) == call.reached()["usage"]
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_responses_tools(openai_at, stage):
    client, first, second = openai_at(), stages.Call(stage), stages.Call(stage)
    asked = [{"role": "user", "content": PROMPT}]
    with client.responses.create(
            model="gpt-5-mini", input=asked, tools=[FLAT_TOOL], stream=True, extra_headers=first.headers(chunks=7)) as stream:
        events = list(stream)
    deltas = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    tool = events[-1].response.output[0]
    assert tool.type == "function_call" and tool.name == "weather" and tool.arguments == deltas
    assert json.loads(deltas) == {"prompt_sha256": stages.digest(PROMPT)}
    first.reached()

    result = {"type": "function_call_output", "call_id": tool.call_id, "output": "sunny"}
    answer = client.responses.create(
        model="gpt-5-mini", input=[*asked, tool, result], tools=[FLAT_TOOL], extra_headers=second.headers())
    assert stages.digest(PROMPT) in answer.output_text
    second.reached()


def test_completions(openai_at, call):
    answer = openai_at().completions.create(model="gpt-4o-mini", prompt=PROMPT, extra_headers=call.headers())
    assert stages.digest(PROMPT) in answer.choices[0].text
    assert told(answer.usage) == call.reached()["usage"]


@pytest.mark.parametrize("asked", [False, True])
def test_completions_stream(openai_at, call, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    with openai_at().completions.create(
            model="gpt-4o-mini", prompt=PROMPT, stream=True, extra_headers=call.headers(), **options) as stream:
        chunks = list(stream)
    entry = call.reached()
    assert [told(chunk.usage) for chunk in chunks if chunk.usage] == ([entry["usage"]] if asked else [])
    assert stages.digest(PROMPT) in "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert all(chunk.choices for chunk in chunks) != asked
    assert entry["includeUsage"]


def test_models(openai_at, call):
    names = [model.id for model in openai_at("narrow").models.list(extra_headers=call.headers())]
    assert names == ["gpt-4o-mini", "claude-haiku-4-5", "claude-sonnet-5", "fast"]
    assert call.reached()["path"] == "/v1/models"


def test_models_of_a_route_without_a_list(openai_at, call):
    names = [model.id for model in openai_at().models.list(extra_headers=call.headers())]
    assert "xai/grok-4.5" in names and "text-embedding-3-small" in names
    call.reached()


@pytest.mark.parametrize("route, name, upstream", [
    ("", "gpt-4o-mini", "gpt-4o-mini"), ("", "xai/grok-4.5", "xai/grok-4.5"),
    ("narrow", "claude-sonnet-5", "claude-sonnet-5"), ("narrow", "fast", "xai/grok-4.5"),
])
def test_a_model(openai_at, call, route, name, upstream):
    assert openai_at(route).models.retrieve(name, extra_headers=call.headers()).id == name
    assert call.reached()["path"] == "/v1/models/" + upstream


def test_an_alias(openai_at, call):
    answer = openai_at("narrow").chat.completions.create(model="fast", messages=MESSAGES, extra_headers=call.headers())
    assert answer.model == "xai/grok-4.5"
    assert call.reached()["modelAsked"] == "xai/grok-4.5"


def test_the_request_id(openai_at, call, stage):
    client = openai_at()
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, extra_headers=call.headers())
    assert answer._request_id == call.id
    call.reached()
    # Without one of the client's, the gateway makes one, and TARS gets it.
    made = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)._request_id
    assert len(stage.ledger(made)) == 1


def test_the_clients_own_retry(openai_at, call, stage):
    """An SDK with retries gets over a limit of TARS."""
    stage.wish(path="/v1/embeddings", set={"error": "429", "retry-after": "0"})
    answer = openai_at(max_retries=2).embeddings.create(model="text-embedding-3-small", input="a", extra_headers=call.headers())
    assert len(answer.data) == 1
    call.reached(times=2)
