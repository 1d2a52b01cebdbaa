"""Anybody can recompute an epoch: a genuine bundle matches, and a change is named at its place."""

import copy
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from subnets import audit, bundle, bundle_sources, payroll
from tests.subnets import worlds

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def chain():
    """Return the bundles of two epochs in a row; the second one's newest rule cannot be read any more."""
    good = worlds.version(1, smoothing={"ema_alpha_ppm": 500_000})
    with worlds.quick_cel():
        first = worlds.proven(worlds.record(versions=(good,)))
        paid = payroll.settle(first)
        one = bundle.made(first, paid, previous_digest="")
        second = worlds.following(first, paid, versions=(worlds.broken_version(2), good))
        second = worlds.proven(second, first)
        two = bundle.made(second, payroll.settle(second), previous_digest=one["digest"])
    return one, two


@pytest.fixture
def public(chain):
    return copy.deepcopy(chain[1])


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def resealed(public):
    """Give a changed bundle the digest of its content, as a forger would."""
    return public | {"digest": bundle.digest(public)}


def finding(public):
    found = audit.audit(public)
    return None if found.is_match else found.pointer


def test_a_genuine_bundle_matches(public):
    assert str(audit.audit(public, source="epoch.json")) == "MATCH epoch.json (9 signatures)"


def test_a_bundle_matches_after_a_database_stored_it_in_another_order(public):
    assert finding(json.loads(json.dumps(public, sort_keys=True))) is None


def put(value, *path):
    """Return a change that puts a value somewhere."""

    def change(public):
        for step in path[:-1]:
            public = public[step]
        public[path[-1]] = value(public[path[-1]]) if callable(value) else value

    return change


def more(text):
    return str(int(text) + 1)


def drop_payout(public):
    public["payroll"]["payouts"].pop(worlds.MINERS[0])


def drop_score(public):
    public["record"]["scores"].pop(0)


def add_payout(public):
    public["payroll"]["payouts"]["x/y~z"] = "1"


def drop_result(public):
    public["record"]["results"].pop(1)


def drop_commitment(public):
    public["record"]["commitments"].pop(worlds.VALIDATORS[0])


def double_result(public):
    public["record"]["results"].append(public["record"]["results"][0])


def reorder_scores(public):
    scores = public["record"]["scores"]
    scores[0], scores[1] = scores[1], scores[0]


def reorder_told(public):
    told = public["record"]["scored"]
    told[0], told[1] = told[1], told[0] | {"is_canary": True}


def double_told(public):
    public["record"]["scored"].append(public["record"]["scored"][0])


def swap_scores(public):
    first, second = public["record"]["scores"][:2]
    first["signature"], second["signature"] = second["signature"], first["signature"]


COMMITTED = ("record", "commitments", worlds.VALIDATORS[0])
# A change, and where it is named once the forger has put the right digest under it.
FORGERIES = [
    (put(more, "payroll", "payouts", worlds.MINERS[0]), f"/payroll/payouts/{worlds.MINERS[0]}"),
    (drop_payout, f"/payroll/payouts/{worlds.MINERS[0]}"),
    (add_payout, "/payroll/payouts/x~1y~0z"),
    (put(more, "payroll", "owner_rao"), "/payroll/owner_rao"),
    (put(more, "payroll", "burned_rao"), "/record/emission_rao"),
    (put(more, "payroll", "terms", 2, "miner_rao"), "/payroll/terms/2/miner_rao"),
    (put(1, "payroll", "terms", 2, "incentive_u16"), "/payroll/terms/2/incentive_u16"),
    (put(9, "payroll", "weights", "0", "2"), "/payroll/weights/0/2"),
    (put(2, "payroll", "rule_version"), "/payroll/rule_version"),
    (put("", "payroll", "rule_fault"), "/payroll/rule_fault"),
    (put(None, "payroll", "note"), "/payroll/note"),
    (put(1, "record", "scores", 3, "score_ppm"), "/record/scores/3/signature"),
    (put("cheated", "record", "scores", 3, "reason"), "/record/scores/3/signature"),
    (put("00" * 32, "record", "scored", 2, "output_digest"), "/record/scores/2/signature"),
    (put("0x" + "00" * 64, "record", "scores", 1, "signature"), "/record/scores/1/signature"),
    (
        put(worlds.VALIDATORS[0], "record", "scores", 5, "validator"),
        "/record/scores/5/signature",
    ),
    (swap_scores, "/record/scores/0/signature"),
    (put(more, "record", "emission_rao"), "/record/emission_rao"),
    (put("quality * 2.0", "record", "rules", 1, "document", "score"), "/record/rules/1/digest"),
    (put("00" * 32, "record", "rules", 1, "digest"), "/record/rules/1/digest"),
    (drop_score, f"/record/commitments/{worlds.VALIDATORS[0]}/count"),
    (reorder_scores, f"/record/commitments/{worlds.VALIDATORS[0]}/after"),
    (put("00" * 32, *COMMITTED, "after"), f"/record/commitments/{worlds.VALIDATORS[0]}/after"),
    (put("00" * 32, *COMMITTED, "before"), f"/record/commitments/{worlds.VALIDATORS[0]}/after"),
    (put(0, *COMMITTED, "before_count"), f"/record/commitments/{worlds.VALIDATORS[0]}/before"),
    (drop_commitment, f"/record/commitments/{worlds.VALIDATORS[0]}"),
    (drop_result, "/record/scores/1/result_id"),
    (double_result, "/record/results/3/result_id"),
    (put("0" * 36, "record", "results", 2, "lease_id"), "/record/results/2/signature"),
    (put(worlds.HOTKEYS[2], "record", "scored", 0, "miner"), "/record/results/0/signature"),
    (put("r", "record", "scores", 4, "result_id"), "/record/scores/4/result_id"),
    (put("r", "record", "scored", 1, "result_id"), "/record/scores/1/result_id"),
    (reorder_told, "/record/scored/0/is_canary"),
    (double_told, "/record/scored"),
    (put(7, "record", "note"), "/record/note"),
    (put(f"{worlds.EMISSION_RAO:,}".replace(",", "_"), "record", "emission_rao"), "/record/emission_rao"),
    (put(7, "record", "neurons", 0, "note"), "/record/neurons/0/note"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "place"), FORGERIES)
def test_a_forgery_is_named_at_its_place(public, change, place):
    change(public)

    assert finding(resealed(public)) == place


@pytest.mark.parametrize(
    "change",
    [put(False, "record", "neurons", 0, "has_permit"), put("4000", "record", "neurons", 0, "stakes", 0, "amount_rao")],
)  # fmt: skip
def test_evidence_that_is_no_longer_whole_shows_in_the_payroll(public, change):
    change(public)

    assert finding(resealed(public)).startswith("/payroll/")


def test_what_no_other_check_covers_is_covered_by_the_digest(public):
    assert finding(public | {"previous_digest": "00" * 32}) == "/digest"
    assert finding(public | {"digest": "00" * 32}) == "/digest"
    public["record"]["scores"][0]["result_id"] = public["record"]["scores"][0]["result_id"].upper()
    assert finding(public) is not None


def test_a_rule_that_no_longer_can_be_read_is_passed_over_as_the_epoch_did(public):
    assert public["payroll"]["rule_version"] == 1
    assert public["payroll"]["rule_fault"].startswith("Version 2")
    public["record"]["rules"].pop(1)

    assert finding(resealed(public)) == "/record/rules"


GARBAGE = [
    "", "no json", "[]", "null", "7", "{}", '{"format": 3}', '{"format": true}', '{"format": 1, "record": {}}',
    '{"format": 1, "record": [], "payroll": {}, "digest": ""}', "[" * 100_000, '"' + "9" * 5_000,
    "9" * 5_000, '{"format": 1, "record": NaN}',
]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_is_unreadable_and_ends_with_2(tmp_path, capsys, text):
    file = tmp_path / "bundle.json"
    file.write_text(text)

    assert audit.main([str(file)]) == 2
    assert capsys.readouterr().out.startswith(f"UNREADABLE {file}")


@pytest.mark.parametrize("name", ["netuid", "hyperparameters", "rules", "neurons", "deliveries"])
@pytest.mark.parametrize("value", [None, {}, "text", -1, [1]])
def test_a_bundle_with_nonsense_inside_is_told_without_a_traceback(public, name, value):
    public["record"][name] = value

    try:
        found = audit.audit(resealed(public))
    except audit.Unreadable:
        return
    assert not found.is_match or name == "netuid"


def crowd(public, count):
    first = public["record"]["neurons"][0]
    return [first | {"uid": uid, "hotkey": f"{uid}", "bonds": {}} for uid in range(count)]


@pytest.mark.parametrize(
    ("neurons", "why"),
    [
        (lambda public: crowd(public, 257), "257 neurons; a subnet has at most 256"),
        (lambda public: crowd(public, 5)[::-1], "not 0 to 4, in order"),
        (lambda public: [crowd(public, 1)[0] | {"uid": 10**9}], "not 0 to 0, in order"),
        (lambda public: [crowd(public, 1)[0] | {"bonds": {"1": 7}}], "no neuron has"),
        (lambda public: [crowd(public, 1)[0] | {"bonds": {"-1": 7}}], "no neuron has"),
    ],
)
def test_neurons_that_no_subnet_can_have_are_no_record(public, neurons, why):
    public["record"]["neurons"] = neurons(public)

    with pytest.raises(ValueError, match=why):
        bundle.record_read(public["record"])


def test_a_crowd_of_neurons_is_refused_before_anything_is_computed(public, monkeypatch):
    monkeypatch.setattr(bundle, "_seat_read", None)
    public["record"]["neurons"] = crowd(public, 257)

    with pytest.raises(audit.Unreadable, match="257 neurons; a subnet has at most 256"):
        audit.audit(resealed(public))


def test_a_full_subnet_is_read(public):
    public["record"]["neurons"] = crowd(public, bundle.SEATS_MAX)

    assert len(bundle.record_read(public["record"]).seats) == 256


def test_a_missing_file_an_empty_folder_and_a_dead_address_cannot_be_read(tmp_path, capsys):
    for source in (tmp_path / "none.json", tmp_path, "http://127.0.0.1:9/b.json", "http://["):
        assert audit.main([str(source)]) == 2
        assert capsys.readouterr().out.startswith("UNREADABLE")


def test_a_folder_is_audited_file_by_file_and_the_worst_counts(tmp_path, capsys, chain):
    forged = copy.deepcopy(chain[1])
    forged["payroll"]["owner_rao"] = "1"
    (tmp_path / "1.json").write_text(json.dumps(chain[0]))
    (tmp_path / "2.json").write_text(json.dumps(forged))

    assert audit.main([str(tmp_path)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"MATCH {tmp_path}/1.json (9 signatures)"
    assert lines[1].startswith(f"MISMATCH {tmp_path}/2.json at /payroll/owner_rao: '1' stated")
    assert lines[2].startswith("2 bundles, 18 signatures, ")
    assert len(lines) == 3


def test_a_bundle_that_is_given_twice_is_compared_once(tmp_path, capsys, chain):
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file, public in zip(files, chain, strict=True):
        file.write_text(json.dumps(public))

    assert audit.main([str(tmp_path), *map(str, files)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["MATCH"] * 4


def test_a_folder_without_a_bundle_says_so(tmp_path, capsys):
    audit.main([str(tmp_path)])

    assert "holds no bundle: no file in it ends in .json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("00" * 32, "previous_digest"), "/previous_digest"),
        (
            put(more, "record", "smoothed", worlds.VALIDATORS[0], worlds.HOTKEYS[1]),
            f"/record/smoothed/{worlds.VALIDATORS[0]}/{worlds.HOTKEYS[1]}",
        ),
    ],
)
def test_an_epoch_that_does_not_take_up_what_its_predecessor_handed_on_is_named(
    tmp_path, capsys, chain, change, place
):
    one, two = copy.deepcopy(chain)
    change(two)
    # The forger recomputes the payroll as well: in itself the bundle is sound.
    record = bundle.record_read(two["record"])
    two = bundle.made(record, payroll.settle(record), previous_digest=two["previous_digest"])
    files = [tmp_path / "b.json", tmp_path / "a.json"]
    for file, public in zip(files, (one, two), strict=True):
        file.write_text(json.dumps(public))

    assert audit.main([str(files[1])]) == 0
    capsys.readouterr()
    assert audit.main([str(tmp_path), "--json"]) == 1

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["match"] for line in told] == [True, True, False]
    assert (told[2]["source"], told[2]["pointer"]) == (str(files[1]), place)


def test_a_bundle_is_fetched_over_http(chain, capsys):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(chain[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/bundle.json"
        code = audit.main([address])
        server.shutdown()

    assert code == 0
    assert capsys.readouterr().out == f"MATCH {address} (9 signatures)\n"


def test_a_bundle_larger_than_the_limit_is_not_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bundle_sources, "BUNDLE_BYTES_MAX", 10)
    (tmp_path / "big.json").write_text("[1, 2, 3, 4]")

    assert audit.main([str(tmp_path / "big.json")]) == 2
    assert "larger than 10 bytes" in capsys.readouterr().out


def test_the_command_needs_no_django_and_evaluates_rules_in_its_sandbox(tmp_path, chain):
    (tmp_path / "one.json").write_text(json.dumps(chain[0]))
    (tmp_path / "two.json").write_text(json.dumps(chain[1]))
    program = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('subnets.audit', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    found = [name for name in sys.modules if name.split('.')[0] == 'django']\n"
        "    print(end.code, found)\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={},
    )

    assert run.stderr == ""
    *matches, summary, end = run.stdout.splitlines()
    assert matches == [f"MATCH {tmp_path}/{name}.json (9 signatures)" for name in ("one", "two")]
    assert summary.startswith("2 bundles, 18 signatures, ")
    assert end == "0 []"
