"""A network of one process for tests of neurons: the contract's answers, kept in memory.

It checks every signature as the server does and remembers nonces, so that a client that signs wrongly or
twice with one nonce fails here too.
"""

import json
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from neurons import keys, protocol

SERVER = keys.Keypair.from_seed("11" * 32)


def problem(status, code, **headers):
    body = {"type": f"urn:problem:{code}", "status": status, "code": code, "detail": code + "."}
    return httpx.Response(status, json=body, headers=headers)


class FakeNetwork:
    """Answers requests; tests read and set its fields."""

    def __init__(self, *, linked=True, code="code"):
        self.receiver = SERVER.ss58_address
        self.linked = linked
        self.code = code
        self.neurons = {}
        self.stakes = {}
        self.stake_keys = {}
        self.machines = []
        self.jobs = []
        self.leases = {}
        self.bad_leases = set()
        self.results = []
        self.samples = []
        self.scores = []
        self.seen = []
        self.given_scores = []
        self.nonces = set()
        self.faults = []
        """Answers (or exceptions) given instead of the next ones."""

    def transport(self):
        return httpx.MockTransport(self.answer)

    def answer(self, request):
        path = request.url.raw_path.decode()
        self.seen.append(f"{request.method} {path}")
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        if path == "/api/v1/network/":
            return httpx.Response(200, json=self.figures())
        if request.method == "GET" and path.startswith("/api/v1/subnets/"):
            return httpx.Response(200, json={"next_epoch_block": 107})
        try:
            signed = protocol.check_auth(
                headers=request.headers,
                method=request.method,
                path=path,
                body=request.content,
                receiver=self.receiver,
                now_ns=time.time_ns(),
            )
        except protocol.AuthRefused as refusal:
            return problem(401, refusal.code)
        if signed in self.nonces:
            return problem(401, "replayed_request")
        self.nonces.add(signed)
        body = json.loads(request.content) if request.content else None
        return self.signed_answer(signed.hotkey, request, path.removeprefix("/api/v1/"), body)

    def figures(self):
        return {"receiver": self.receiver, "block": 7, "block_ms": 500, "subnet_count": 1}

    def signed_answer(self, hotkey, request, path, body):
        if path == "hotkeys/":
            if body["code"] != self.code:
                return problem(404, "challenge_unknown")
            self.linked = True
            return httpx.Response(201, json={"hotkey": hotkey, "owner": str(uuid.UUID(int=1))})
        if not self.linked:
            return problem(403, "hotkey_not_linked")
        first, *rest = path.partition("?")[0].strip("/").split("/")
        return getattr(self, f"_{first}")(hotkey, request, rest, body)

    def _hotkeys(self, hotkey, request, rest, body):
        neurons = [
            {
                "netuid": netuid,
                "uid": uid,
                "incentive_u16": 65535,
                "dividends_u16": 0,
                "rank": 1,
                "stake_rao": str(self.stakes.get(netuid, 0)),
                "last_payout_rao": "1500000000",
            }
            for netuid, uid in self.neurons.items()
        ]
        return httpx.Response(
            200,
            json={"hotkey": hotkey, "owner": "x", "neurons": neurons, "scores": self.given_scores},
        )

    def _subnets(self, hotkey, request, rest, body):
        netuid = int(rest[0])
        if rest[1] == "neurons":
            if int(body["max_burn_rao"]) < 5:
                return problem(409, "burn_above_limit")
            uid = self.neurons.setdefault(netuid, len(self.neurons))
            return httpx.Response(201, json={"netuid": netuid, "uid": uid, "burn_rao": "5"})
        key = request.headers["Idempotency-Key"]
        if key not in self.stake_keys:
            self.stake_keys[key] = body
            self.stakes[netuid] = self.stakes.get(netuid, 0) + int(body["amount_rao"])
        answer = {"netuid": netuid, "hotkey": hotkey, "stake_rao": str(self.stakes[netuid])}
        return httpx.Response(201, json=answer)

    def _machines(self, hotkey, request, rest, body):
        if not rest:
            self.machines.append(body)
            return httpx.Response(200, json={"machine_id": str(uuid.UUID(int=2))})
        if rest[1] == "leases":
            given = [self._lease() for _ in self.jobs[: body["limit"]]]
            held = [self.leases[pk] for pk in self.leases if pk not in body["holding"]]
            lost = [lease for lease in held if lease not in given and not lease.get("is_done")]
            return httpx.Response(200, json={"leases": given + lost})
        return httpx.Response(200, json=self._lease()) if self.jobs else httpx.Response(204)

    def _lease(self):
        blueprint, payload = self.jobs.pop(0)
        lease = {
            "lease_id": str(uuid.uuid4()),
            "job_id": str(uuid.uuid4()),
            "netuid": 1,
            "blueprint": blueprint,
            "payload": payload,
            "deadline_at": "2030-01-01T00:00:00Z",
        }
        self.leases[lease["lease_id"]] = lease
        return lease

    def _results(self, hotkey, request, rest, body):
        taken, refused = [], []
        for each in body["results"]:
            if each["lease_id"] in self.bad_leases:
                refused.append({"lease_id": each["lease_id"], "code": "x", "detail": "x."})
                continue
            answer = self._leases(hotkey, request, [each["lease_id"]], each)
            taken.append({"lease_id": each["lease_id"]} | answer.json())
        return httpx.Response(200, json={"taken": taken, "refused": refused})

    def _leases(self, hotkey, request, rest, body):
        lease = self.leases[rest[0]]
        lease["is_done"] = True
        digest = protocol.output_digest(body["output"])
        message = protocol.result_message(
            lease_id=lease["lease_id"], job_id=lease["job_id"], digest=digest
        )
        assert digest == body["output_digest"]
        assert keys.verify(hotkey, message, body["signature"])
        self.results.append(body)
        result = {key: lease[key] for key in ("job_id", "netuid", "blueprint", "payload")} | {
            "result_id": str(uuid.uuid4()),
            "output": body["output"],
            "output_digest": digest,
            "miner": hotkey,
            "latency_ms": 1,
            "known_answer": None,
        }
        self.samples.append(result)
        return httpx.Response(201, json={"result_id": result["result_id"]})

    def _samples(self, hotkey, request, rest, body):
        limit = int(request.url.params["limit"])
        scored = {score["result_id"] for score in self.scores}
        waiting = [sample for sample in self.samples if sample["result_id"] not in scored]
        return httpx.Response(200, json={"samples": waiting[:limit]})

    def _scores(self, hotkey, request, rest, body):
        digests = {sample["result_id"]: sample["output_digest"] for sample in self.samples}
        for score in body["scores"]:
            message = protocol.score_message(
                result_id=score["result_id"],
                digest=digests[score["result_id"]],
                score_ppm=score["score_ppm"],
                reason=score["reason"],
            )
            assert keys.verify(hotkey, message, score["signature"])
            self.scores.append(score)
        return httpx.Response(201, json={"accepted_count": len(body["scores"]), "refused": []})


@contextmanager
def served(network):
    """Serve a fake network on a loopback port; yields its URL."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two writes

        def do_GET(self):
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            url = f"http://127.0.0.1{self.path}"
            request = httpx.Request(self.command, url, headers=dict(self.headers), content=content)
            with lock:
                answer = network.answer(request)
            if answer.status_code == 204:
                time.sleep(0.05)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - the name the base class calls

        def log_message(self, *_):
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
