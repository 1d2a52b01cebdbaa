"""Nothing in a bundle can be changed unseen, and what was promised while scores were sealed is held against it."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import audit, bundle, bundle_sources, commitments, payroll, signatures
from tests.subnets import worlds

OLD = Path(__file__).parents[1] / "vectors" / "bundles_format_1"


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture(scope="module")
def chain():
    """Return the bundles of three epochs in a row."""
    bundles, before, paid = [], None, None
    with worlds.quick_cel():
        for _ in range(3):
            record = worlds.following(before, paid) if before else worlds.record()
            record = worlds.proven(record, before)
            paid = payroll.settle(record)
            previous = bundles[-1]["digest"] if bundles else ""
            bundles.append(bundle.made(record, paid, previous_digest=previous))
            before = record
    return json.loads(json.dumps(bundles))


def audited(folder, bundles, *options):
    """Audit bundles as files; return the exit status and the findings as JSON."""
    for place, public in enumerate(bundles):
        (folder / f"{place}.json").write_text(json.dumps(public))
    return audit.main([str(folder), "--json", *options])


def findings(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def leaves(value, path=()) -> Iterator[tuple]:
    """Yield the path of everything that is no object and no list."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for step, child in children:
        if isinstance(child, dict | list):
            yield from leaves(child, (*path, step))
        else:
            yield (*path, step)


def changed(value):
    """Return another value of the same type, and of the same kind of text."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.isdecimal():
            return str(int(value) + 1)
        case str():
            return ("1" if value[:1] != "1" else "2") + value[1:]
    return "something"


def forged(public, path):
    """Change one leaf and put the right digest under it, as a forger would."""
    copied = copy.deepcopy(public)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = changed(inner[path[-1]])
    return copied | ({"digest": bundle.digest(copied)} if path[0] != "digest" else {})


def fault(public, following):
    """Return where a bundle, or the one after it, shows that something was changed; None when nothing does."""
    try:
        found = audit.audit(public)
    except audit.Unreadable:
        return "unreadable"
    if not found.is_match:
        return found.pointer
    seen = audit.Chain()
    for later in (public, following):
        for broken in seen.add(later, source="a bundle"):
            return broken.pointer
    return None


def test_no_leaf_of_a_bundle_can_be_changed_unseen(chain):
    first, second, _ = chain
    paths = list(leaves({name: first[name] for name in ("record", "payroll", "digest")}))
    assert len(paths) > 200

    unseen = [path for path in paths if fault(forged(first, path), second) is None]

    assert unseen == []


def test_no_leaf_of_a_payroll_or_of_what_was_signed_can_be_changed_even_in_a_bundle_alone(chain):
    second = chain[1]
    signed = {
        "result_id",
        "validator",
        "miner",
        "score_ppm",
        "reason",
        "output_digest",
        "signature",
    }
    paths = [path for path in leaves(second) if path[0] == "payroll"]
    paths += [
        path
        for path in leaves({"record": second["record"]})
        if path[1] in ("results", "commitments")
        or (path[1] in ("scores", "scored") and path[-1] in signed)
    ]

    # Where a chain stood before is told by the bundle before.
    for path in (path for path in paths if path[-1] != "before_count"):
        try:
            found = audit.audit(forged(second, path))
        except audit.Unreadable:
            continue
        assert not found.is_match, path


REAL = [json.loads((OLD / name).read_text()) for name in ("3-2.json", "3-3.json")]


# Which subnet a bundle of the first format speaks of, only its address and its chain tell.
REAL_LEAVES = sorted(set(leaves(REAL[0])) - {("record", "netuid")}, key=str)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(REAL_LEAVES))
def test_a_real_bundle_of_the_first_format_shows_every_change(path):
    with worlds.quick_cel():
        assert fault(forged(REAL[0], path), REAL[1]) is not None


def test_a_chain_of_scores_that_begins_anew_is_named(tmp_path, capsys, chain):
    first, second, third = copy.deepcopy(chain)
    record = bundle.record_read(second["record"])
    record = worlds.proven(record)  # as if nobody had scored before
    second = bundle.made(record, payroll.settle(record), previous_digest=first["digest"])

    assert audited(tmp_path, [first, second, third]) == 1

    broken = [said for said in findings(capsys) if not said["match"]]
    assert broken[0]["pointer"].startswith(f"/record/commitments/{min(worlds.VALIDATORS)}/before")


@pytest.mark.parametrize(
    ("name", "value"), [("has_permit", False), ("last_update_block", 1), ("bonds", {"2": 7})]
)
def test_a_neuron_that_lost_what_it_was_left_is_named(tmp_path, capsys, chain, name, value):
    first, second, _ = copy.deepcopy(chain)
    second["record"]["neurons"][0][name] = value
    record = bundle.record_read(second["record"])
    second = bundle.made(record, payroll.settle(record), previous_digest=first["digest"])

    assert audited(tmp_path, [first, second]) == 1

    [broken] = [said for said in findings(capsys) if not said["match"]]
    assert broken["pointer"].startswith(f"/record/neurons/0/{name}")


def test_two_bundles_that_claim_to_be_one_epoch_are_named(tmp_path, capsys, chain):
    first = copy.deepcopy(chain[0])
    first["record"]["number"] = 2

    assert audited(tmp_path, [chain[1], first | {"digest": bundle.digest(first)}]) == 1
    assert findings(capsys)[-1]["pointer"] == "/record/number"


def test_epochs_before_since_are_left_out(tmp_path, capsys, chain):
    assert audited(tmp_path, chain, "--since", "3") == 0

    assert [Path(said["source"]).name for said in findings(capsys)] == ["2.json"]


def test_folders_are_read_as_people_count(tmp_path):
    for name in ("1-10.json", "1-9.json", "2-1.json"):
        (tmp_path / name).write_text("{}")

    found = [Path(source.name).name for source in bundle_sources.sources([str(tmp_path)])]

    assert found == ["1-9.json", "1-10.json", "2-1.json"]


def kept_answer(folder, public, count, *, digest=None):
    """Write what somebody kept of the commitments after `count` scores of an epoch."""
    validator = worlds.VALIDATORS[0]
    stated = public["record"]["commitments"][validator]
    own = commitments.by_validator(bundle.scores_read(public["record"]))[validator][:count]
    line = {
        "validator": validator,
        "count": count,
        "total_count": stated["before_count"] + count,
        "digest": digest or commitments.heads(stated["before"], own)[-1],
        "committed_at": "2026-11-22T12:00:00Z",
    }
    file = folder / "kept.answer"
    file.write_text(json.dumps({"netuid": 3, "since": "…", "results": [line]}))
    return str(file)


@pytest.mark.parametrize("count", [1, 3])
def test_a_promise_that_was_kept_is_found_kept(tmp_path, capsys, chain, count):
    kept = kept_answer(tmp_path, chain[1], count)

    assert audited(tmp_path, chain, "--commitments", kept) == 0
    assert all("match" in said for said in findings(capsys))


def test_a_promise_that_was_broken_is_named(tmp_path, capsys, chain):
    kept = kept_answer(tmp_path, chain[1], 2, digest="ab" * 32)

    assert audited(tmp_path, chain, "--commitments", kept) == 1

    [broken] = [said for said in findings(capsys) if said.get("match") is False]
    assert broken["pointer"] == f"/record/commitments/{worlds.VALIDATORS[0]}"
    assert "ab" * 32 in broken["detail"]


def test_a_promise_that_lies_in_no_bundle_is_told_and_ends_with_1(tmp_path, capsys, chain):
    kept = kept_answer(tmp_path, chain[2], 1)

    assert audited(tmp_path, chain[:2], "--commitments", kept) == 1
    assert findings(capsys)[-1]["validator"] == worlds.VALIDATORS[0]


ODD_PROMISE = '{"netuid": 1, "results": [{"validator": "v", "total_count": "1", "digest": "d"}]}'


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"netuid": 1, "results": [7]}', ODD_PROMISE]
)  # fmt: skip
def test_promises_that_cannot_be_read_end_with_2(tmp_path, capsys, chain, text):
    (tmp_path / "kept.answer").write_text(text)

    assert audited(tmp_path, chain, "--commitments", str(tmp_path / "kept.answer")) == 2


@contextmanager
def served(pages):
    """Serve JSON by path; a callable gets the path with its query."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            found = pages.get(self.path.split("?")[0])
            body = json.dumps(found(self.path) if callable(found) else found).encode()
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def row(public):
    netuid, number = public["record"]["netuid"], public["record"]["number"]
    url = f"/b/{number}.json"
    return {"netuid": netuid, "number": number, "bundle_url": url, "digest": public["digest"]}


def site(chain):
    """Return a site's pages: a list of epochs over two pages, newest first, and their bundles."""

    def listed(path):
        if "before=" in path:
            return {"results": [row(chain[0])], "next": None}
        return {"results": [row(chain[2]), row(chain[1])], "next": f"{path.split('?')[0]}?before=x"}

    pages = {f"/b/{public['record']['number']}.json": public for public in chain}
    return pages | {"/api/v1/epochs/": listed, "/api/v1/subnets/3/epochs/": listed}


@pytest.mark.parametrize(
    "path", ["/api/v1/epochs/?netuid=3", "/api/v1/subnets/3/", "/subnets/3/", "/api/v1/subnets/3/epochs/"]
)  # fmt: skip
def test_the_address_of_a_subnet_leads_to_all_its_bundles_oldest_first(capsys, chain, path):
    with served(site(chain)) as origin:
        assert audit.main([origin + path, "--json"]) == 0

    assert [said["source"][-6:] for said in findings(capsys)] == ["1.json", "2.json", "3.json"]


def test_since_spares_the_bundles_before(capsys, chain):
    with served(site(chain)) as origin:
        assert audit.main([f"{origin}/subnets/3/", "--json", "--since", "2"]) == 0

    assert [said["source"][-6:] for said in findings(capsys)] == ["2.json", "3.json"]


def test_a_bundle_that_is_not_the_one_its_list_names_is_told(capsys, chain):
    pages = site(chain)
    other = copy.deepcopy(chain[2])
    other["record"]["deliveries"][0]["offered_count"] += 1
    pages["/b/3.json"] = other | {"digest": bundle.digest(other)}

    with served(pages) as origin:
        assert audit.main([f"{origin}/subnets/3/", "--json"]) == 1

    said = findings(capsys)[-1]
    assert (said["pointer"], said["match"]) == ("/digest", False)


@pytest.mark.parametrize(
    "answer",
    [
        {"results": [], "next": "http://127.0.0.2:9/api/v1/epochs/"},
        {"results": [{"netuid": 3, "number": 1, "bundle_url": "http://127.0.0.2:9/b", "digest": "x"}], "next": None},
        {"results": [{"netuid": 3, "number": 1, "bundle_url": "file:///etc/passwd", "digest": "x"}], "next": None},
        {"results": [7], "next": None},
        {"results": None},
    ],
)  # fmt: skip
def test_a_list_that_leads_elsewhere_or_is_none_is_not_followed(capsys, answer):
    with served({"/api/v1/epochs/": answer}) as origin:
        assert audit.main([f"{origin}/api/v1/epochs/"]) == 2

    assert capsys.readouterr().out.startswith("UNREADABLE")


def test_a_list_that_never_ends_is_given_up(capsys, monkeypatch, chain):
    monkeypatch.setattr(bundle_sources, "PAGES_MAX", 3)

    def endless(path):
        return {"results": [], "next": path}

    with served({"/api/v1/epochs/": endless}) as origin:
        assert audit.main([f"{origin}/api/v1/epochs/"]) == 2


def test_signatures_shared_among_processes_name_the_same_first_fault(chain, monkeypatch):
    claims = signatures.claims_of(bundle.record_read(chain[0]["record"]))
    many = (claims * 4)[:30]
    false = signatures.Claim("/here", many[0].signer, b"another message", many[0].signature)
    many[17] = many[25] = false
    monkeypatch.setattr(signatures, "SHARED_MIN", 1)
    monkeypatch.setattr(signatures, "BATCH", 4)

    assert signatures.first_false(many) == false
    assert signatures.first_false(many[:17]) is None


def test_the_command_explains_a_uid(tmp_path, capsys, chain):
    (tmp_path / "2.json").write_text(json.dumps(chain[1]))

    assert audit.main([str(tmp_path / "2.json"), "--explain", "2"]) == 0
    words = capsys.readouterr().out
    assert audit.main([str(tmp_path / "2.json"), "--explain", "2", "--json"]) == 0
    told = findings(capsys)[-1]["explanation"]

    assert "Epoch 2 of subnet 3 paid uid 2" in words
    assert told["miner_rao"] == chain[1]["payroll"]["terms"][2]["miner_rao"]


def test_the_command_says_when_nobody_held_the_uid(tmp_path, capsys, chain):
    (tmp_path / "2.json").write_text(json.dumps(chain[1]))

    assert audit.main([str(tmp_path / "2.json"), "--explain", "99"]) == 2
    assert "Nobody held the uid 99" in capsys.readouterr().out


def test_the_help_says_what_the_exit_status_means(capsys):
    with pytest.raises(SystemExit):
        audit.main(["--help"])

    told = capsys.readouterr().out
    assert "1  one differs" in told
    assert "UNSEEN" in told
    assert "nothing to audit" in told
