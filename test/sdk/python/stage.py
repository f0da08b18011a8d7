# SPDX-License-Identifier: Apache-2.0
"""The stage that the tests play on, and what really reached TARS there."""

import hashlib
import json
import os
import pathlib
import subprocess
import time
import urllib.parse
import urllib.request
import uuid

# What the tests were started with: the stage is built with Go, which may need a
# proxy that the SDKs must not use.
ENVIRONMENT = dict(os.environ)
ROOT = pathlib.Path(__file__).resolve().parents[3]
# How long what a client has given up may take to be seen upstream, in seconds.
SETTLE = 10
# No client of these tests may know a key that TARS takes.
CLIENT_KEY = "sk-of-the-app"
# What no request may carry beyond the gateway.
INTERNAL = ("x-api-key", "x-tars-api-key", "cookie", "x-tarsbackend-pass", "x-tarsbackend-model")


class Stage:
    """Envoy with ext_proc and the stand-in, as processes of their own."""

    def __init__(self):
        program = os.environ.get("TARS_SDK_STAGE")
        command = [program] if program else ["go", "run", "./test/sdk/stage"]
        self.process = subprocess.Popen(
            [*command, "--root", str(ROOT)], cwd=ROOT, env=ENVIRONMENT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stage ended with status {self.process.wait()}: see the error above")
        addresses = json.loads(line)
        self.url, self.admin = addresses["url"], addresses["admin"]
        self.key, self.client_key = addresses["key"], addresses["clientKey"]

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        if status != 0:
            raise RuntimeError(f"the stage ended with status {status}")

    def openai(self, route=""):
        """The base URL for OpenAI's SDK."""
        return self.anthropic(route) + "/v1"

    def anthropic(self, route=""):
        """The base URL for Anthropic's SDK, which adds /v1 itself."""
        return f"{self.url}/{route}".rstrip("/")

    def ledger(self, request_id):
        query = urllib.parse.urlencode({"request_id": request_id})
        with urllib.request.urlopen(f"{self.admin}/ledger?{query}", timeout=SETTLE) as answer:
            return json.load(answer)["entries"]

    def wish(self, **rule):
        """Changes the stand-in's answers to requests that cannot ask for it."""
        request = urllib.request.Request(f"{self.admin}/behaviour", json.dumps(rule).encode(), method="POST")
        urllib.request.urlopen(request, timeout=SETTLE).close()


class Call:
    """One call of an SDK, known by its request id on both sides."""

    def __init__(self, stage):
        self.stage = stage
        self.id = str(uuid.uuid4())

    def headers(self, **settings):
        """The headers of the call; the settings are the stand-in's x-fake-*."""
        wishes = {f"x-fake-{name.replace('_', '-')}": str(value) for name, value in settings.items()}
        return {"x-request-id": self.id, **wishes}

    def reached(self, times=1):
        """The stand-in's record: the call came so often, with the platform's key."""
        entries = self.stage.ledger(self.id)
        assert len(entries) == times, entries
        for entry in entries:
            assert entry["keyKnown"] and entry["key"] == self.stage.key and entry["keyFrom"] == "authorization"
            assert not entry.get("passthrough"), "a key of the client's own arrived"
            assert not set(INTERNAL) & set(entry["headerNames"])
            assert entry["host"] == "api.router.tetrate.ai" and entry["tls"]
        return entries[-1]

    def settled(self, outcome):
        """The record, once it has that outcome."""
        deadline = time.monotonic() + SETTLE
        while (entry := self.reached())["outcome"] != outcome:
            assert time.monotonic() < deadline, entry
            time.sleep(0.02)
        return entry

    def refused(self):
        """The call did not get through."""
        assert self.stage.ledger(self.id) == []


def digest(text):
    """What an answer to the prompt has to contain."""
    return hashlib.sha256(text.encode()).hexdigest()


def source(answer):
    """Who is to blame for an error, by the header of the gateway."""
    return answer.headers.get("x-tarsbackend-error-source")
