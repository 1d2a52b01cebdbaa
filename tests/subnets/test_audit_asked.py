"""An audit answers for what was asked of it: these bundles, of this subnet, and not fewer."""

import copy
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from subnets import audit, bundle, bundle_chain, bundle_sources, payroll
from subnets.proving import Unreadable
from tests.subnets import worlds
from tests.subnets.test_audit_proof import chain, findings, row, served, site

__all__ = ["chain"]  # a fixture


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def downgraded(public):
    """Return a sound bundle of the first format in the place of another: no proof, and no scores."""
    copied = copy.deepcopy(public)
    for name in ("results", "commitments", "tenures", "ledger_head", "scored"):
        del copied["record"][name]
    copied["record"]["scores"] = []
    settled = payroll.settle(bundle.record_read(copied["record"]))
    copied |= {"format": 1, "payroll": json.loads(json.dumps(bundle.payroll_json(settled)))}
    return copied | {"digest": bundle.digest(copied)}


def written(folder, bundles):
    for place, public in enumerate(bundles):
        (folder / f"{place}.json").write_text(json.dumps(public))
    return str(folder)


# The places of the genuine epochs before and after the forged one, in the order they are read.
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("forged_place", [1, 2])
def test_a_format_older_than_that_of_an_earlier_epoch_is_named(
    tmp_path, capsys, chain, order, forged_place
):
    forged = downgraded(chain[forged_place])
    assert audit.audit(forged).is_match
    pair = (chain[0], forged)

    assert audit.main([written(tmp_path, [pair[place] for place in order]), "--json"]) == 1

    told = [said for said in findings(capsys) if said.get("match") is False]
    assert told[0]["pointer"] == "/format"
    assert told[0]["source"].endswith(f"/{order.index(1)}.json")


def test_the_formats_of_another_subnet_say_nothing(tmp_path, capsys, chain):
    other = downgraded(chain[1])
    other["record"]["netuid"] = 4
    other |= {"digest": bundle.digest(other)}

    assert audit.main([written(tmp_path, [chain[0], other])]) == 0


@pytest.mark.parametrize(
    ("path", "served_place", "pointer"),
    [
        ("/api/v1/subnets/4/epochs/1/bundle.json", 0, "/record/netuid"),
        ("/api/v1/subnets/3/epochs/2/bundle.json", 0, "/record/number"),
        ("/api/v1/subnets/3/epochs/1/bundle.json", 0, None),
    ],
)
def test_a_bundle_is_of_the_subnet_and_epoch_its_address_names(
    capsys, chain, path, served_place, pointer
):
    with served({path: chain[served_place]}) as origin:
        status = audit.main([origin + path, "--json"])

    [said] = findings(capsys)
    assert (status, said["pointer"]) == ((1, pointer) if pointer else (0, ""))


@pytest.mark.parametrize(
    "path", ["/subnets/4/", "/api/v1/subnets/4/epochs/", "/api/v1/epochs/?netuid=4"]
)
def test_a_list_of_another_subnet_s_bundles_is_told(capsys, chain, path):
    pages = site(chain)
    pages["/api/v1/subnets/4/epochs/"] = pages["/api/v1/subnets/3/epochs/"]

    with served(pages) as origin:
        assert audit.main([origin + path, "--json"]) == 1

    assert {said["pointer"] for said in findings(capsys)} == {"/record/netuid"}


@pytest.mark.parametrize("name", ["netuid", "number"])
def test_a_bundle_is_the_one_its_list_s_row_describes(capsys, chain, name):
    described = row(chain[1])
    described[name] += 1
    pages = site(chain) | {"/api/v1/epochs/": {"results": [described], "next": None}}

    with served(pages) as origin:
        assert audit.main([f"{origin}/api/v1/epochs/", "--json"]) == 1

    told = [said["pointer"] for said in findings(capsys) if "pointer" in said]
    assert told == [f"/record/{name}"]


def test_one_bundle_listed_under_two_numbers_is_told_even_beyond_since(capsys, chain):
    rows = [row(chain[0]) | {"number": 2}, row(chain[0])]
    pages = site(chain) | {"/api/v1/epochs/": {"results": rows, "next": None}}

    with served(pages) as origin:
        assert audit.main([f"{origin}/api/v1/epochs/", "--json"]) == 1
        told = findings(capsys)
        assert audit.main([f"{origin}/api/v1/epochs/", "--json", "--since", "2"]) == 1

    assert [said["pointer"] for said in told] == ["", "/record/number"]
    assert [said["pointer"] for said in findings(capsys)] == ["/record/number"]


@pytest.mark.parametrize(
    "change",
    [{"number": True}, {"number": "1"}, {"netuid": None}, {"digest": 7}, {"bundle_url": 7}],
)
def test_a_row_whose_members_are_of_a_wrong_type_is_no_row(capsys, chain, change):
    answer = {"results": [row(chain[0]) | change], "next": None}

    with served({"/api/v1/epochs/": answer}) as origin:
        assert audit.main([f"{origin}/api/v1/epochs/"]) == 2

    assert "is no list of epochs" in capsys.readouterr().out


def test_an_empty_list_leaves_nothing_to_audit(capsys):
    with served({"/api/v1/subnets/9/epochs/": {"results": [], "next": None}}) as origin:
        assert audit.main([f"{origin}/subnets/9/"]) == 2

    assert capsys.readouterr().out.startswith("NOTHING to audit: ")


def test_since_beyond_the_last_epoch_leaves_nothing_to_audit(tmp_path, capsys, chain):
    assert audit.main([written(tmp_path, chain), "--since", "1000", "--json"]) == 2

    [said] = findings(capsys)
    assert "from number 1000 on" in said["error"]


def test_a_subnet_that_does_not_exist_cannot_be_read(capsys, chain):
    with served(site(chain)) as origin:
        assert audit.main([f"{origin}/subnets/99/"]) == 2

    assert "404" in capsys.readouterr().out


def test_a_scheme_in_capitals_is_an_address(capsys, chain):
    with served(site(chain)) as origin:
        assert audit.main([origin.replace("http", "HTTP") + "/subnets/3/"]) == 0

    assert capsys.readouterr().out.count("MATCH") == 3


@pytest.mark.parametrize(
    ("numbers", "gaps"), [((1, 2, 3), []), ((2, 3), []), ((1, 3), [(2, 2)]), ((9, 2, 3), [(4, 8)])]
)
def test_epochs_between_the_bundles_are_missed(numbers, gaps):
    assert list(bundle_chain.gaps(numbers)) == gaps


def test_a_folder_that_leaves_out_an_epoch_between_is_told(tmp_path, capsys, chain):
    assert audit.main([written(tmp_path, [chain[0], chain[2]]), "--json"]) == 1
    assert findings(capsys)[-1] == {"missing": [2, 2], "netuid": 3}


@pytest.mark.parametrize(("left_out", "since"), [(0, 0), (1, 0), (1, 2)])
def test_a_list_that_leaves_out_an_epoch_is_told(capsys, chain, left_out, since):
    def listed(_):
        kept = [public for place, public in enumerate(chain) if place != left_out]
        return {"results": [row(public) for public in reversed(kept)], "next": None}

    with served(site(chain) | {"/api/v1/subnets/3/epochs/": listed}) as origin:
        said = audit.main([f"{origin}/subnets/3/", "--json", "--since", str(since)])

    assert said == 1
    assert findings(capsys)[-1] == {"missing": [left_out + 1] * 2, "netuid": 3}


class Hurried(BaseHTTPRequestHandler):
    """Says twice of each address that too much was asked for, before it answers."""

    refused: dict[str, int] = {}

    def do_GET(self):
        count = self.refused.get(self.path, 0)
        self.refused[self.path] = count + 1
        self.send_response(429 if count < 2 or self.path == "/never" else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b'{"read": true}')

    def log_message(self, *_):
        pass


def test_an_audit_waits_where_the_server_says_that_it_asks_too_much():
    with ThreadingHTTPServer(("127.0.0.1", 0), Hurried) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = bundle_sources.read(f"{address}/bundle.json")
        with pytest.raises(Unreadable, match="too much was asked for"):
            bundle_sources.read(f"{address}/never")
        server.shutdown()

    assert found == {"read": True}
