"""The story of a chat: a consumer's client, the gateway, a miner behind it, its model server, and the books."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import openai
import pytest
from django.utils import timezone

from compute import operations as compute
from compute.models import Job, Result, ServedModel, Tab, Usage
from ledger import chart, invariants
from ledger import queries as books
from ledger.scopes import Scope
from marketplace import operations as market
from tests.flows.test_job_to_payout import slot

pytestmark = pytest.mark.network

BLOCK_MS = 12_000
WORDS = ["Subnets", " pay", " for", " useful", " work", "."]
QUESTION = [{"role": "user", "content": "What do subnets pay for?"}]


class ModelServer:
    """An OpenAI-compatible server beside a miner: says WORDS, a word every `pause_s`."""

    def __init__(self, pause_s=0.0):
        self.pause_s = pause_s
        server = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                usage = {"prompt_tokens": 9, "completion_tokens": len(WORDS), "total_tokens": 15}
                if not asked.get("stream"):
                    said = {"choices": [{"message": {"content": "".join(WORDS)}}], "usage": usage}
                    self.answer(json.dumps(said).encode(), "application/json")
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for word in WORDS:
                    self.event({"choices": [{"delta": {"content": word}}]})
                    time.sleep(server.pause_s)
                self.event({"choices": [], "usage": usage})
                self.wfile.write(b"data: [DONE]\n\n")

            def event(self, chunk):
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                self.wfile.flush()

            def answer(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


def consumer_key(person):
    """Make an API key that may spend on compute."""
    made = market.create_api_key(
        owner=person.id,
        name="a program",
        scopes=[Scope.READ, Scope.WORK],
        expires_at=timezone.now() + timezone.timedelta(days=30),
        now=timezone.now(),
    )
    return made.text


def served(netuid):
    """Put a model on offer: a rao a token of the prompt, ten a token of the answer."""
    now = timezone.now()
    ServedModel.objects.create(
        name="words",
        subnet_id=netuid,
        kind="chat",
        context_tokens_max=4_096,
        output_tokens_max=512,
        input_rao_per_mtok=1_000_000,
        output_rao_per_mtok=10_000_000,
        created_at=now,
        changed_at=now,
    )


def mining(house, name, owner, netuid, server):
    return house.neuron(
        name,
        *("miner", "--netuid", str(netuid), "--upstream", server.url, "--model", "words"),
        owner=owner,
    )


def language_job(netuid, owner):
    payload = {"messages": QUESTION, "max_tokens": 50, "temperature": 0, "seed": 7}
    return compute.submit_job(
        netuid=netuid,
        owner=owner.id,
        payload=payload,
        max_price_rao=10**9,
        key="a job",
        now=timezone.now(),
    )


def dispatched(job):
    """Stand for the worker, which this story needs for nothing else."""
    compute.dispatch_queued(now=timezone.now(), limit=5)
    job.refresh_from_db()
    return job.state != Job.State.QUEUED


def tunnels(house):
    return httpx.get(f"{house.gateway_address}/health").json()["tunnels"]


def client_of(house, key):
    """OpenAI's own client, told two things: where, and the key."""
    return openai.OpenAI(base_url=f"{house.gateway_address}/v1", api_key=key, max_retries=0)


def ask(client, **more):
    return client.chat.completions.with_raw_response.create(
        model="words", messages=QUESTION, timeout=30, **more
    )


def test_from_a_question_to_a_payment(house):
    house.start("web", "gateway")
    ada = house.person("ada", tao=100)
    eve = house.person("eve", tao=1)
    mia = house.person("mia", tao=30)
    netuid = slot(ada, blueprint="language")
    served(netuid)
    key = consumer_key(eve)
    quick, slow = ModelServer(), ModelServer(pause_s=0.3)
    miner = mining(house, "miner-1", mia, netuid, quick)
    house.until(lambda: tunnels(house) == 1, "the miner's tunnel is open")

    # An answer in one piece, and the same under a key again.
    client = client_of(house, key)
    assert [model.id for model in client.models.list()] == ["words"]
    whole = ask(client)
    assert whole.parse().choices[0].message.content == "".join(WORDS)
    assert whole.headers["x-miner"] == miner.ss58_address
    price = 9 + 10 * len(WORDS)
    assert whole.headers["x-price-rao"] == str(price)

    # A stream, as it comes.
    pieces = client.chat.completions.create(model="words", messages=QUESTION, stream=True)
    assert [piece.choices[0].delta.content for piece in pieces] == WORDS

    # A job that somebody ordered goes the same way, and comes back as a result for validators.
    job = language_job(netuid, ada)
    house.until(lambda: dispatched(job), "the tunnel is known, and the job offered")
    house.until(lambda: Result.objects.filter(job=job).exists(), "the miner answered it as a chat")
    result = Result.objects.get(job=job)
    assert (result.hotkey, result.output["text"]) == (miner.ss58_address, "".join(WORDS))
    assert Usage.objects.filter(pk=result.request_id).count() == 0

    # The gateway dies without a word, comes back, and pays what was answered before.
    house.kill("gateway")
    house.start("gateway")
    house.until(lambda: tunnels(house) == 1, "the miner came back by itself")
    house.until(lambda: Usage.objects.count() == 2, "both answers are in the books")
    house.until(lambda: not Tab.objects.filter(state="open").exists(), "the tab is settled")
    assert books.balance(chart.wallet(eve.id)).posted_rao == 10**9 - 2 * price

    # A miner that dies in the middle: the answer ends with an error, and costs nothing.
    house.kill("miner-1")
    house.until(lambda: tunnels(house) == 0, "the tunnel is gone")
    mining(house, "miner-2", mia, netuid, slow)
    house.until(lambda: tunnels(house) == 1, "the next miner's tunnel is open")
    pieces = client.chat.completions.create(model="words", messages=QUESTION, stream=True)
    assert next(pieces).choices[0].delta.content == WORDS[0]
    house.kill("miner-2")
    with pytest.raises(openai.APIError) as broken:
        list(pieces)
    assert broken.value.code == "answer_broke_off"
    house.until(lambda: Usage.objects.filter(outcome="failed").count() == 1, "it is written down")
    assert Usage.objects.get(outcome="failed").price_rao == 0
    with pytest.raises(openai.InternalServerError) as refused:
        ask(client)
    assert (refused.value.status_code, refused.value.code) == (503, "no_miner")
    house.stop()
    assert not invariants.check_all_books()
