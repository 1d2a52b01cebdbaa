"""Somebody with a browser's manners: signs in through the page, keeps the cookies, speaks JSON to the API."""

import uuid
from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT_S = 20.0


class VisitRefused(Exception):
    """The server said no. code: the problem document's stable code, empty when there was none."""

    def __init__(self, *, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class Visitor:
    """One signed-in person."""

    def __init__(self, address: str, *, email: str, password: str) -> None:
        self.email, self._password = email, password
        # The environment's proxies cannot reach this machine's own server.
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        self.sign_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def sign_in(self) -> None:
        """Sign in through the login form. Raises: VisitRefused."""
        page = "/accounts/login/"
        self._http.get(page).raise_for_status()
        answer = self._http.post(
            page,
            data={
                "login": self.email,
                "password": self._password,
                "csrfmiddlewaretoken": self._http.cookies["csrftoken"],
            },
            headers={"Referer": str(self._http.base_url)},
        )
        if answer.status_code != httpx.codes.FOUND:
            raise VisitRefused(status=answer.status_code, code="", detail=f"login of {self.email}")

    def get(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  JSON
        """Read below /api/v1/. Raises: VisitRefused."""
        return self._answer(self._http.get(f"/api/v1/{path}", params=params))

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Any:  # noqa: ANN401
        """Write below /api/v1/ under an idempotency key, a new one unless told. Raises: VisitRefused."""
        return self._written("POST", path, body, key=key or uuid.uuid4().hex)

    def put(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
        """Set what stands below /api/v1/. Raises: VisitRefused."""
        return self._written("PUT", path, body, key=uuid.uuid4().hex)

    def _written(self, method: str, path: str, body: dict[str, Any], *, key: str) -> Any:  # noqa: ANN401
        headers = {
            "X-CSRFToken": self._http.cookies["csrftoken"],
            "Idempotency-Key": key,
            "Referer": str(self._http.base_url),
        }
        address = f"/api/v1/{path}"
        return self._answer(self._http.request(method, address, json=body, headers=headers))

    @staticmethod
    def _answer(answer: httpx.Response) -> Any:  # noqa: ANN401
        if answer.is_success:
            return answer.json()
        said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise VisitRefused(
            status=answer.status_code,
            code=said.get("code", ""),
            detail=said.get("detail", answer.text[:200]),
        )
