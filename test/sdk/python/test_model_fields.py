# SPDX-License-Identifier: Apache-2.0
"""Where a request of the SDKs can name a model: all such places are known to the gateway."""

import collections.abc
import typing

import pytest
import typing_extensions
from anthropic.types import message_create_params as messages
from anthropic.types.beta import message_create_params as beta_messages
from openai.types import completion_create_params as completions
from openai.types import embedding_create_params as embeddings
from openai.types.beta import response_create_params as beta_responses
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

# models.allow holds for these (extproc/server/others.go); tools are named where they are.
GOVERNED = {
    "model", "fallbacks[].model", "moderation.model", "tools[].model", "tools[].svg.model",
    "input[].tools[].model", "input[].tools[].svg.model",
    "messages[].content[].tool.definition.model", "messages[].content[].tool_changes[].tool.definition.model",
}
# These tell of models that have answered before.
PAST = {"input[].svg_usage.model", "messages[].content[].from.model", "messages[].content[].to.model"}


def places(kind, path="", above=frozenset()):
    """The paths of all fields of a type of the SDK whose name has to do with a model."""
    origin = typing.get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        return  # its keys are the user's choice
    if origin is not None:
        for argument in typing.get_args(kind):
            yield from places(argument, path + "[]" * isinstance(origin, type), above)
    elif typing_extensions.is_typeddict(kind) and kind not in above:
        for name, field in typing_extensions.get_type_hints(kind).items():
            below = f"{path}.{name}".lstrip(".")
            if "model" in name:
                yield below
            yield from places(field, below, above | {kind})


@pytest.mark.parametrize("params", [
    chat.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsNonStreaming, embeddings.EmbeddingCreateParams,
    responses.ResponseCreateParamsNonStreaming, beta_responses.ResponseCreateParamsNonStreaming,
    messages.MessageCreateParamsNonStreaming, beta_messages.MessageCreateParamsNonStreaming,
], ids=lambda params: params.__module__)
def test_places_of_models_are_known(params):
    found = set(places(params))
    assert "model" in found
    assert found <= GOVERNED | PAST


def test_places_of_models_are_found():
    everything = set(places(responses.ResponseCreateParamsNonStreaming)) | set(places(beta_messages.MessageCreateParamsNonStreaming))
    assert everything == (GOVERNED | PAST), "what the SDKs do not have any more need not be looked for here"
