"""The owners' console: a mistake in a rule is shown while it is typed, and a rule without one is published."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.network]


def test_a_mistake_shows_at_once_and_the_mended_rule_is_published(site, browsing):
    page = browsing.open(
        f"/owner/subnets/incentiverule/add/?subnet={site.netuid}", person=site.owner
    )
    before = site.owner.get(f"subnets/{site.netuid}/rules/")["results"][0]["version"]
    document, report = page.get_by_label("Document"), page.locator(".rule-report")
    right = document.input_value()
    expect(report.locator(".rule-valid")).to_have_text("Valid. It can be published.")

    document.fill(right.replace("success_rate * credited", "success_rat * credited"))
    expect(report.locator(".rule-problem")).to_contain_text("/score")
    expect(report).to_contain_text("success_rat")
    page.get_by_role("button", name="Save and publish").click()
    expect(page.locator(".errorlist")).to_contain_text("/score")

    mended = right.replace("success_rate * credited", "quality * credited")
    page.get_by_label("Document").fill(mended)
    expect(page.locator(".rule-valid")).to_have_text("Valid. It can be published.")
    page.get_by_role("button", name="Save and publish").click()
    expect(page.locator(".messagelist")).to_contain_text(f"Version {before + 1} of subnet")

    newest = site.owner.get(f"subnets/{site.netuid}/rules/")["results"][0]
    assert (newest["version"], newest["state"]) == (before + 1, "published")
    assert newest["document"]["score"].startswith("quality *")


def test_a_warning_shows_while_typing_and_who_read_it_may_publish(site, browsing):
    page = browsing.open(
        f"/owner/subnets/incentiverule/add/?subnet={site.netuid}", person=site.owner
    )
    document = page.get_by_label("Document")
    expect(page.locator(".rule-valid")).to_be_visible()

    document.fill(document.input_value().replace("1000000.0", "double(failed_count)"))
    warning = page.locator(".rule-warning").filter(has_text="a miner without a failure")
    expect(warning).to_be_visible()
    expect(page.locator(".rule-valid")).to_contain_text("with warnings")
    page.get_by_role("button", name="Save and publish").click()

    expect(page.locator(".messagelist")).to_contain_text("is published")
