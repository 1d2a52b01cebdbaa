"""A passkey, from adding it to signing in with it, with an authenticator that the browser pretends to have."""

from urllib.parse import urlsplit

import pytest

from tests.browser.test_pages_for_everybody import faults
from tests.people import Person

pytestmark = [pytest.mark.browser, pytest.mark.network]


def pretend_authenticator(page):
    """Plug an authenticator into the browser that has its owner's finger on it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def at_localhost(browsing, site):
    """Open the site by a name: browsers bind no passkey to an address."""
    page = browsing.open("/accounts/login/")
    port = urlsplit(site.house.address).port
    page.goto(f"http://localhost:{port}/accounts/login/")
    return page


def sign_in(page, person):
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/wallet/")


def test_a_passkey_is_added_asked_for_and_signs_in_alone(site, browsing):
    ada: Person = site.person("passkey-ada", tao=1)
    page = at_localhost(browsing, site)
    pretend_authenticator(page)
    sign_in(page, ada)

    page.goto(page.url.replace("/wallet/", "/accounts/2fa/webauthn/add/"))
    page.get_by_label("Password").fill(ada.password)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("link", name="I have them, go on").click()
    assert page.get_by_role("link", name="Rename").count() == 1
    found = {}
    for name in ("Rename", "Remove"):
        page.get_by_role("link", name=name).click()
        found[name] = faults(page)
        page.go_back()

    page.get_by_role("button", name="Sign out").click()
    page.goto(page.url.rsplit("/", 1)[0] + "/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/wallet/")
    page.goto(page.url.replace("/wallet/", "/accounts/2fa/webauthn/reauthenticate/?next=/wallet/"))
    found["prove"] = faults(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/wallet/")
    assert not any(found.values()), found
