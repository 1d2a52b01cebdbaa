"""Talk to the network's API: sign each request, try again where that helps, answer with records.

Every write is safe to repeat: the server replays a result by its digest, a registration by its hotkey, a
stake by its Idempotency-Key, a score by its result. That is why a lost answer can simply be asked again.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from statistics import mean
from typing import Any

import httpx

from neurons import protocol, wire
from neurons.keys import Keypair, NotAnAddress, checked_address

API = "/api/v1/"
ATTEMPTS_MAX = (
    5  # With the pauses below a call gives up after about 8 s; the loops then wait longer.
)
PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 60.0
TIMEOUT_S = 15.0
LEASE_WAIT_S = 20  # The longest the server holds a request for a lease.
ANSWER_MAX_BYTES = 32 * 2**20  # 20 samples of the largest matmul are 14 MB.
SAMPLES_MAX = 20
RESULTS_MAX = 64  # The server takes as many at once, and leases as many.


class Unreachable(Exception):
    """The server could not be reached, or could not answer, for as long as one call tries."""


class Refused(Exception):
    """The server answered no. `code` is stable (docs/api.md); `detail` is for people."""

    def __init__(self, *, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class Client:
    """One hotkey's connection to one network."""

    def __init__(
        self,
        url: str,
        keypair: Keypair,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock_ns: Callable[[], int] = time.time_ns,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.keypair = keypair
        self._sleep = sleep
        self._clock_ns = clock_ns
        self._receiver: str | None = None
        self._server_s: float | None = None
        self._last_nonce_ns = 0
        self._nonce_lock = threading.Lock()
        self._http = httpx.Client(
            transport=transport,
            timeout=TIMEOUT_S,
            headers={"Accept": "application/json", "User-Agent": "neurons/1"},
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def network(self) -> wire.Network:
        """Fetch what the network says of itself; its receiver is what requests are signed for."""
        network = wire.Network.from_wire(self._call("GET", "network/", signed=False))
        try:
            self._receiver = checked_address(network.receiver)
        except NotAnAddress as error:
            raise wire.AnswerMalformed(f"receiver: {error}") from None
        return network

    def timed_network(self) -> tuple[wire.Network, float | None]:
        """Fetch the network's figures, and how many seconds this clock is ahead of the server's."""
        asked_s = self._clock_ns() / 1e9
        network = self.network()
        answered_s = self._clock_ns() / 1e9
        if self._server_s is None:
            return network, None
        # Date is cut to whole seconds: half a second is the middle of what it may mean.
        return network, (asked_s + answered_s) / 2 - (self._server_s + 0.5)

    def link(self, *, code: str, name: str) -> str:
        """Link this hotkey to the account that made the code; answer the account."""
        return wire.read(self._call("POST", "hotkeys/", {"code": code, "name": name}), "owner", str)

    def standings(self) -> list[wire.Standing]:
        """Fetch how this hotkey stands on each subnet it is registered on. Refused when unlinked."""
        answer = self._call("GET", "hotkeys/me/")
        return [wire.Standing.from_wire(each) for each in wire.read_all(answer, "neurons")]

    def mean_scores(self) -> dict[int, float]:
        """Fetch what validators last said of this hotkey's results: the mean on each subnet, 0 to 1."""
        answer = self._call("GET", "hotkeys/me/")
        given = [wire.GivenScore.from_wire(each) for each in wire.read_all(answer, "scores")]
        return {
            netuid: mean(each.score_ppm for each in given if each.netuid == netuid) / 1_000_000
            for netuid in {each.netuid for each in given}
        }

    def next_payout_s(self, netuid: int) -> float:
        """Tell how long it is until a subnet pays, by its next epoch."""
        network = self.network()
        next_block = wire.read(
            self._call("GET", f"subnets/{netuid}/", signed=False), "next_epoch_block", int
        )
        return max(0, next_block - network.block) * network.block_ms / 1000

    def register(self, *, netuid: int, max_burn_rao: int) -> wire.Registration:
        """Register on a subnet for at most this burn; the same uid again when registered already."""
        body = {"max_burn_rao": str(max_burn_rao)}
        return wire.Registration.from_wire(self._call("POST", f"subnets/{netuid}/neurons/", body))

    def add_stake(self, *, netuid: int, amount_rao: int, key: str) -> int:
        """Stake from the account's wallet, once for each key; answer the hotkey's stake there."""
        answer = self._call(
            "POST",
            f"subnets/{netuid}/stake/",
            {"amount_rao": str(amount_rao)},
            headers={"Idempotency-Key": key},
        )
        return wire.read_rao(answer, "stake_rao")

    def report_machine(self, report: wire.MachineReport) -> str:
        """Say what this computer is and that it lives; answer its id."""
        return wire.read_id(self._call("POST", "machines/", report.to_wire()), "machine_id")

    def take_lease(self, *, machine_id: str, wait_s: int = LEASE_WAIT_S) -> wire.Lease | None:
        """Wait for a job for this machine. None when none came in `wait_s`."""
        answer = self._call(
            "POST",
            f"machines/{machine_id}/lease/",
            {"wait_s": wait_s},
            timeout_s=wait_s + TIMEOUT_S,
        )
        return None if answer is None else wire.Lease.from_wire(answer)

    def take_leases(
        self, *, machine_id: str, limit: int, holding: Sequence[str], wait_s: int = LEASE_WAIT_S
    ) -> list[wire.Lease]:
        """Wait for jobs for this machine, and take some together; what it took before and does not hold comes again."""
        answer = self._call(
            "POST",
            f"machines/{machine_id}/leases/",
            {"limit": limit, "holding": list(holding), "wait_s": wait_s},
            timeout_s=wait_s + TIMEOUT_S,
        )
        found = [] if answer is None else wire.read_all(answer, "leases")
        return [wire.Lease.from_wire(each) for each in found]

    def submit_result(self, *, lease_id: str, result: wire.SignedResult) -> str:
        """Hand in a result; answer its id."""
        answer = self._call("POST", f"leases/{lease_id}/result/", result.to_wire())
        return wire.read_id(answer, "result_id")

    def submit_results(self, results: Mapping[str, wire.SignedResult]) -> wire.ResultsTaken:
        """Hand in results by their leases; each is taken or refused on its own."""
        body = {"results": [{"lease_id": pk} | each.to_wire() for pk, each in results.items()]}
        return wire.ResultsTaken.from_wire(self._call("POST", "results/", body))

    def samples(self, *, netuid: int, limit: int = SAMPLES_MAX) -> list[wire.Sample]:
        """Fetch results this validator has not scored yet."""
        answer = self._call("GET", f"samples/?netuid={netuid}&limit={limit}")
        return [wire.Sample.from_wire(each) for each in wire.read_all(answer, "samples")]

    def submit_scores(self, scores: Sequence[wire.SignedScore]) -> wire.ScoresTaken:
        """Hand in scores; each is taken or refused on its own."""
        body = {"scores": [asdict(score) for score in scores]}
        return wire.ScoresTaken.from_wire(self._call("POST", "scores/", body))

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
        signed: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> object:
        """Send a request until it is answered: JSON, or None for 204. Raises: Unreachable, Refused."""
        content = b"" if body is None else json.dumps(body).encode()
        trouble = ""
        for attempt in range(ATTEMPTS_MAX):
            request = self._request(method, path, content, headers or {}, signed=signed)
            request.extensions["timeout"] = httpx.Timeout(TIMEOUT_S, read=timeout_s).as_dict()
            try:
                response = self._http.send(request, stream=True)
                answer = _answer_bytes(response)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
                self._sleep(pause_s(attempt))
                continue
            if _is_passing(response.status_code):
                trouble = f"the server answered {response.status_code}"
                self._sleep(_retry_after_s(response) or pause_s(attempt))
            elif response.is_success:
                self._server_s = _date_s(response)
                # Nothing yet, and no place to wait for it: the server says how long to stay away.
                if response.status_code == HTTPStatus.NO_CONTENT and (
                    later_s := _retry_after_s(response)
                ):
                    self._sleep(later_s)
                return _parsed(answer)
            else:
                refusal = _refusal(response.status_code, answer)
                if refusal.code != "wrong_receiver" or attempt > 0:
                    raise refusal
                # The server has a new key since this program asked for it.
                self.network()
        raise Unreachable(f"{self.url} does not answer ({trouble}).")

    def _request(
        self, method: str, path: str, content: bytes, headers: dict[str, str], *, signed: bool
    ) -> httpx.Request:
        url = httpx.URL(self.url + API + path)
        if signed:
            if self._receiver is None:
                self.network()
            assert self._receiver is not None
            headers = headers | protocol.auth_headers(
                keypair=self.keypair,
                method=method,
                path=url.raw_path.decode(),
                body=content,
                receiver=self._receiver,
                nonce_ns=self._nonce_ns(),
            )
        if content:
            headers = headers | {"Content-Type": "application/json"}
        return self._http.build_request(method, url, content=content, headers=headers)

    def signed_headers(self, method: str, path: str) -> dict[str, str]:
        """Sign a request without a body that another connection sends; any thread may ask."""
        if self._receiver is None:
            self.network()
        assert self._receiver is not None
        return protocol.auth_headers(
            keypair=self.keypair,
            method=method,
            path=path,
            body=b"",
            receiver=self._receiver,
            nonce_ns=self._nonce_ns(),
        )

    def _nonce_ns(self) -> int:
        """Name the time, later than any time named before: clocks have coarse ticks and step back."""
        with self._nonce_lock:
            self._last_nonce_ns = max(self._clock_ns(), self._last_nonce_ns + 1)
            return self._last_nonce_ns


def pause_s(attempt: int) -> float:
    """Wait twice as long each time, up to PAUSE_MAX_S, less a random part so that crowds disperse."""
    longest = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(attempt, 16))
    return longest * (0.5 + secrets.randbelow(1000) / 2000)


def _is_passing(status: int) -> bool:
    """Tell answers that may be another one soon from answers that stand."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _retry_after_s(response: httpx.Response) -> float | None:
    """Read Retry-After in seconds, at most PAUSE_MAX_S; None when it is absent or a date."""
    text = response.headers.get("Retry-After", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text), PAUSE_MAX_S)


def _date_s(response: httpx.Response) -> float | None:
    """Read when the server says it answered, in seconds since 1970."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _answer_bytes(response: httpx.Response) -> bytes:
    """Read an answer of bounded size. Raises: AnswerMalformed."""
    parts: list[bytes] = []
    size_bytes = 0
    try:
        for part in response.iter_bytes():
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > ANSWER_MAX_BYTES:
                raise wire.AnswerMalformed("The answer is larger than any of this API.")
    finally:
        response.close()
    return b"".join(parts)


def _parsed(answer: bytes) -> object:
    if not answer:
        return None
    try:
        return json.loads(answer)
    except ValueError:
        raise wire.AnswerMalformed(
            "The answer is no JSON; is this the address of the API?"
        ) from None


def _refusal(status: int, answer: bytes) -> Refused:
    """Read a problem document; any other body is refused under the code http_<status>."""
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return Refused(status=status, code=f"http_{status}", detail=f"HTTP status {status}")
    detail = str(problem.get("detail", ""))
    for error in problem.get("errors") or []:
        detail += f" {error.get('pointer', '')}: {error.get('detail', '')}"
    return Refused(status=status, code=str(problem.get("code", f"http_{status}")), detail=detail)
