"""People at the site's front door: they sign up through the form and speak to the API like a browser's script."""

import secrets
from collections.abc import Mapping
from uuid import UUID

import httpx

from launch.visitor import Visitor, VisitRefused
from marketplace.models import User


class Person(Visitor):
    """Somebody with an account of their own; `name` is the beginning of the e-mail address."""

    def __init__(self, address: str, name: str) -> None:
        self.password = f"long-{secrets.token_hex(6)}"
        super().__init__(address, email=f"{name}@example.com", password=self.password)

    def sign_up(self) -> None:
        """Open the account through the form; signed in from then on. Raises: VisitRefused."""
        page = "/accounts/signup/"
        self._http.get(page).raise_for_status()
        answer = self._http.post(
            page,
            data={
                "email": self.email,
                "password1": self.password,
                "csrfmiddlewaretoken": self._http.cookies["csrftoken"],
            },
            headers={"Referer": str(self._http.base_url)},
        )
        if answer.status_code != httpx.codes.FOUND:
            raise VisitRefused(
                status=answer.status_code, code="", detail=f"signing up {self.email}"
            )

    def send(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """Send a form to a page; redirects are answers."""
        token = {"csrfmiddlewaretoken": self._http.cookies["csrftoken"]}
        referer = {"Referer": str(self._http.base_url)}
        return self._http.post(path, data={**fields, **token}, headers=referer)

    def page(self, path: str) -> httpx.Response:
        """Open a page; redirects are answers."""
        return self._http.get(path)

    def close(self) -> None:
        """Leave."""
        self._http.close()

    @property
    def id(self) -> UUID:
        """Return the account that holds this person's money."""
        return User.objects.values_list("id", flat=True).get(email=self.email)

    @property
    def wallet(self) -> tuple[int, int]:
        """Return what is posted and what is held, in rao."""
        said = self.get("wallet/")
        return int(said["posted_rao"]), int(said["held_rao"])

    def statement(self) -> list[tuple[str, int]]:
        """Return the wallet's lines, oldest first: why, and by how many rao it changed."""
        lines = self.get("wallet/statement/", limit=100)["results"]
        return [(line["code"], int(line["change_rao"])) for line in reversed(lines)]
