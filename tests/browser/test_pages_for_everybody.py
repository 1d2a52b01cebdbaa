"""Pages that people who see little, use a phone or like it dark can use, and that raise no error."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import Resolver404, get_resolver, resolve

from tests.browser.fair import Fair

pytestmark = [pytest.mark.browser, pytest.mark.network]

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Routes that no page stands behind, and why.
NO_PAGES = {
    "bids_file": "a file", "sales_file": "a file", "document": "a file",
    "mfa_download_recovery_codes": "a file", "openapi": "a file", "jsi18n": "a script",
    "auction_live": "a part of a page", "subnets_backtest_state": "a part of a page",
    "subnets_backtest_poses": "a part of a page", "rule_check": "an answer to a script",
    "statement_csv": "a file", "statement_json": "a file", "entry_receipt": "a file",
    "metrics": "figures for Prometheus", "usage_file": "a file", "report_answer": "an act", "choose_webhook_kinds": "an act",
    "autocomplete": "an answer to a script",
    "look_at_search": "an act", "delete_search": "an act", "withdraw_document": "an act",
    "pay_auction": "an act", "decline_chance": "an act", "cancel_auction": "an act",
    "test_tao": "an act", "revoke_api_key": "an act", "limit_api_key": "an act", "read_notices": "an act", "watch": "an act",
    "withdraw_confirm": "an act", "cancel_withdrawal": "an act", "add_withdrawal_address": "an act",
    "remove_withdrawal_address": "an act", "connect_payouts": "an act", "look_at_payouts": "an act",
    "rotate_webhook": "an act", "move_webhook": "an act", "test_webhook": "an act",
    "resend_webhook": "an act", "subnets_backtest_ask": "an act",
    "subnets_incentiverule_copy": "an act", "subnets_incentiverule_restore": "an act",
    "login": "leads to the site's own", "logout": "leads to the site's own",
    "password_change": "leads to the site's own", "password_change_done": "leads to the site's own",
    "view_on_site": "leads elsewhere", "account_set_password": "everybody has a password here",
    "account_confirm_login_code": "codes are off",
    "mfa_index": "leads to the security page", "mfa_list_webauthn": "likewise",
    "usersessions_list": "the site's own stands there", "end_sessions": "an act", "mfa_login_webauthn": "an act",
    "mfa_reauthenticate_webauthn": "test_passkeys.py opens it", "mfa_edit_webauthn": "likewise",
    "mfa_remove_webauthn": "likewise",
}  # fmt: skip
# Told of faults alone, axe takes half the time: it does not describe what is in order.
FAULTS_ALONE = {"resultTypes": ["violations"]}
# Django's own pages, which staff and owners get as Django makes them.
DJANGOS = ("_history", "_delete", "_add", "_change", "_changelist", "app_list")


def names_of(resolver, prefix=""):
    """Yield the names of all routes outside the API and the staff's admin."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(("api/", "admin/")):
            continue
        if hasattr(pattern, "url_patterns"):
            yield from names_of(pattern, path)
        elif pattern.name:
            yield pattern.name


def name_of(path):
    try:
        return resolve(path.split("?")[0]).url_name
    except Resolver404:
        return None


def faults(page):
    """Return what is wrong with a page on a desk by day and on a phone by night."""
    found = {
        fault["id"]: [node["html"][:160] for node in fault["nodes"]]
        for fault in Axe().run(page, options=FAULTS_ALONE).response["violations"]
    }
    if page.locator("h1").count() != 1:
        found["headings"] = page.locator("h1").count()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > PHONE["width"]:
        found["too wide"] = width
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    return found


def test_every_page_can_be_used_by_everybody(site, browsing):
    fair = site.ask(Fair, site.house, site.owner, site.netuid)
    stops = site.ask(fair.stops)
    walked = {name_of(stop.path) for stop in stops.values()}
    missing = set(names_of(get_resolver())) - walked - NO_PAGES.keys()
    assert {name for name in missing if not name.endswith(DJANGOS)} == set()

    # Without motion axe sees no colour half way from day to night.
    page = browsing.open("/", color_scheme="light", reduced_motion="reduce", viewport=DESK)
    found = {}
    for name, stop in stops.items():
        if stop.form is not None:
            stop.person.send(*stop.form)
        browsing.enter(page.context, stop.person)
        answer = page.goto(stop.path)
        landed = page.url.removeprefix(site.house.address)
        if landed.split("#")[0] != stop.path:
            found[name] = {"led elsewhere": landed, "status": answer.status}
        elif wrong := faults(page):
            found[name] = wrong
    assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())
    # A browser complains of pages that are refused on purpose, and of the style that axe adds to a page.
    refused = ("404 (Not Found)", "403 (Forbidden)", "405 (Method Not Allowed)")
    browsing.faults = [
        said
        for said in browsing.faults
        if not any(status in said for status in refused)
        and not (said.startswith("Applying inline style") and said.endswith("()"))
    ]
