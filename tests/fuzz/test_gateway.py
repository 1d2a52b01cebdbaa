"""The gateway answers whatever a consumer sends as docs/gateway.yaml says; a miner is there, so nothing is a 5xx."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.transport import Response

from compute.serving import Kind
from marketplace.errors import ApiKeyInvalid
from tests.compute.gateway_world import CONSUMER, GEMMA, WORDS, House, piece
from tests.fuzz import asking, drawing
from tests.fuzz.test_api import EXAMPLES, SEED, wrong_with
from tests.project import tree

EMBED = replace(GEMMA, name="embed", kind=Kind.EMBEDDINGS)
PLACES = {"model": ["gemma", "gemma", "embed"], "name": ["gemma"]}
WELL = {
    "/v1/chat/completions": {"model": "gemma", "messages": [{"role": "user", "content": "hello"}]},
    "/v1/completions": {"model": "gemma", "prompt": "hello"},
    "/v1/embeddings": {"model": "embed", "input": "hello"},
}


def operations():
    said = yaml.safe_load((tree.ROOT / "docs" / "gateway.yaml").read_text())
    return [found.ok() for found in schemathesis.openapi.from_dict(said).get_all_operations()]


def asked_well(operation):
    """Write a request in which nothing is wrong: of what is drawn, all may be refused."""
    url = asking.HOST + operation.path.format(name="gemma")
    return requests.Request(operation.method.upper(), url, json=WELL.get(operation.path)).prepare()


async def answers_as_asked(miner, call_id):
    """Answer in pieces who asks for a stream, and others at once."""
    is_streamed = miner.asked[-1]["body"].get("stream")
    datas = [piece(word) for word in WORDS] if is_streamed else [json.dumps({"object": "list"})]
    await miner.speak(call_id, datas)
    miner.end(call_id, datas)


def payer_of(token, address):
    if token != "snm_live_x":
        raise ApiKeyInvalid
    return CONSUMER


async def answered(folder, written, *, over):
    """Ask a gateway with one miner; return its answer as schemathesis reads one."""
    house = House(folder)
    house.app.callers = type(house.app.callers)(payer_of)
    house.app.catalogue.models = {"gemma": GEMMA, "embed": EMBED}
    miner = house.miner(answers_as_asked)
    miner.tunnel.models = frozenset({"gemma", "embed"})
    house.hub.enter(miner.tunnel)
    parts, got = urlsplit(written.url), {"body": b""}
    sent = iter([{"type": "http.request", "body": written.body or b""}])

    async def receive():
        for message in sent:
            return message
        return await asyncio.sleep(60)

    async def send(message):
        if message["type"] == "http.response.start":
            got.update(status=message["status"], headers=message["headers"])
        else:
            got["body"] += message["body"]

    headers = {name.lower(): value for name, value in written.headers.items()}
    headers["authorization"] = "Bearer snm_live_x"
    headers |= {name.lower(): value for name, value in over}
    raw = [
        (name.encode("latin-1"), value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
        for name, value in headers.items()
    ]  # fmt: skip
    scope = {
        "type": "http", "method": written.method, "path": unquote(parts.path), "headers": raw,
        "query_string": parts.query.encode(), "client": ("192.0.2.7", 5),
    }  # fmt: skip
    await house.app(scope, receive, send)
    found = {}
    for name, value in got["headers"]:
        found.setdefault(name.decode(), []).append(value.decode())
    return Response(got["status"], found, got["body"], written, 0.0, False)


@pytest.mark.parametrize("operation", operations(), ids=lambda one: one.label)
def test_the_gateway_answers_as_it_says(operation, tmp_path):
    found = {}
    assert asyncio.run(answered(tmp_path, asked_well(operation), over=[])).status_code == 200

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES * 10,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=drawing.cases(operation),
        pick=st.one_of(st.none(), st.integers(0, 5)),
        spoiled=drawing.spoils().filter(lambda one: one[0] != "head"),
    )
    def ask(case, pick, spoiled):
        drawing.settle_in(case, PLACES, pick=pick)
        if spoiled[0] == "value":
            drawing.with_odd_value(case, *spoiled[1:])
        if (written := asking.prepared(case)) is None:
            return
        drawing.spoil(written, spoiled)
        over = [spoiled[1:]] if spoiled[0] == "header" else []
        answer = asyncio.run(answered(tmp_path, written, over=over))
        for fault in wrong_with(case, written, answer):
            found.setdefault(fault, f"{written.url[:200]} {over} {(written.body or b'')[:300]!r} → {answer.content[:300]!r}")  # fmt: skip

    ask()

    assert not found, "\n".join(f"{fault}\n    {example}" for fault, example in found.items())
