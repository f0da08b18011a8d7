# SPDX-License-Identifier: Apache-2.0
"""What every test gets."""

import os

import anthropic
import openai
import pytest

import stage as stages


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_developers():
    """The SDKs read keys and addresses, and HTTP clients a proxy, from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(("OPENAI_", "ANTHROPIC_")) or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def stage(nothing_of_the_developers):
    running = stages.Stage()
    yield running
    running.close()


@pytest.fixture
def call(stage):
    return stages.Call(stage)


@pytest.fixture
def openai_at(stage):
    """Makes OpenAI's client of a route, without retries of its own."""
    made = []

    def make(route="", **options):
        client = openai.OpenAI(**{"base_url": stage.openai(route), "api_key": stages.CLIENT_KEY, "max_retries": 0, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def anthropic_at(stage):
    """Makes Anthropic's client of a route, without retries of its own."""
    made = []

    def make(route="", **options):
        if "auth_token" not in options:
            options.setdefault("api_key", stages.CLIENT_KEY)
        client = anthropic.Anthropic(**{"base_url": stage.anthropic(route), "max_retries": 0, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
