"""The tables of docs/ that come from the code: `make tables` writes them, test_docs.py compares them."""

import importlib
import re
import sys

from tests.project import tree

MARK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def rows(head, body):
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def refusals():
    """Return every domain error of the server, in the order of the apps and their files."""
    from ledger.errors import DomainError

    for name in tree.files():
        is_server = tree.is_python(name) and tree.in_app(name, *tree.SERVER_APPS)
        if is_server and re.search(r"^class \w+\(DomainError\b", tree.text(name), re.MULTILINE):
            importlib.import_module(name.removesuffix(".py").replace("/", "."))
    waiting, found = [DomainError], []
    while waiting:
        for refusal in waiting.pop().__subclasses__():
            waiting.append(refusal)
            if refusal.__module__.split(".")[0] in tree.SERVER_APPS:
                found.append(refusal)
    place = {app: number for number, app in enumerate(tree.SERVER_APPS)}
    return sorted(found, key=lambda one: (place[one.__module__.split(".")[0]], one.code))


def signature_refusals():
    """Return what can be wrong with a signature, each with its own code and the status 401."""
    from neurons import protocol

    found, waiting = [], [protocol.AuthRefused]
    while waiting:
        for refusal in waiting.pop(0).__subclasses__():
            found.append(refusal)
            waiting.append(refusal)
    return found


def errors():
    """Code, status, meaning and fields of every domain error."""
    body = []
    for refusal in refusals():
        if refusal.__name__ == "RequestNotAuthentic":
            continue
        fields = dict.fromkeys(re.findall(r"{(\w+)", refusal.message))
        meaning = refusal.__doc__.splitlines()[0]
        named = ", ".join(f"`{field}`" for field in fields)
        body.append([f"`{refusal.code}`", refusal.http_status, meaning, named])
    return rows(["code", "status", "meaning", "fields"], body)


def signatures():
    """Code and meaning of every refusal of a signature."""
    body = [[f"`{one.code}`", one.__doc__.splitlines()[0]] for one in signature_refusals()]
    replay = ["`replayed_request`", "The same hotkey and nonce were accepted before."]
    return rows(["code", "meaning"], [*body, replay])


def endpoints():
    """Method, path, caller and purpose of every operation of the API."""
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    body = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            said = " ".join(operation.get("description", "").split())
            answers = ", ".join(code for code in operation["responses"] if code[0] in "23")
            place = f"`{method.upper()} {path.removeprefix('/api/v1/')}`"
            body.append([place, caller(operation), said, answers])
    return rows(["call", "who", "what", "answers"], body)


def caller(operation):
    """Say in a word who may call: the schemes of OpenAPI, where an empty one lets anybody in."""
    schemes = [name for scheme in operation.get("security", [{}]) for name in (scheme or {"": 0})]
    if "" in schemes:
        return "anyone"
    if "btauth" in schemes:
        return "hotkey"
    scope = operation.get("x-scope")
    return f"session, key: `{scope.replace(' or ', '` or `')}`" if scope else "session"


def hyperparameters():
    """Name, default, bounds, authority and wait of every hyperparameter."""
    from subnets.hyperparameters import HYPERPARAMETERS, RATE_LIMIT_TEMPOS, Authority

    body = []
    for row in HYPERPARAMETERS:
        low, high = row.bounds(Authority.ROOT)
        root = "" if (low, high) == (row.low, row.high) else f"{low} to {high}"
        bounds = f"{row.low} to {row.high}"
        waits = {None: f"{RATE_LIMIT_TEMPOS} tempos", 0: "none"}
        wait = waits.get(row.limit_blocks, f"{row.limit_blocks} blocks")
        wait = wait if row.who is Authority.OWNER else ""
        name, who = f"`{row.name}`", row.who.value
        body.append([name, row.default, row.unit, bounds, root, who, wait, row.doc])
    head = ["name", "default", "unit", "bounds", "root's bounds", "set by", "wait", "what it does"]
    return rows(head, body)


def shapings():
    """Kind, parameters and meaning of every shaping of a rule."""
    from subnets.shaping import SHAPINGS

    body = []
    for kind, shaping in SHAPINGS.items():
        told = [
            f"`{name}`, {one.low} to {one.high}"
            f"{'' if one.default is None else f', left out: {one.default}'}: {one.doc}"
            for name, one in shaping.parameters.items()
        ]
        body.append([f"`{kind}`", shaping.doc, "<br>".join(told)])
    return rows(["kind", "what it does", "parameters"], body)


def metrics():
    """Name, type, unit and meaning of every metric a rule may read."""
    from subnets.metrics import METRICS

    body = [[f"`{name}`", one.type, one.unit, one.doc] for name, one in METRICS.items()]
    return rows(["metric", "type", "unit", "meaning"], body)


def functions():
    """Name and meaning of every function a rule may call."""
    from subnets.rule_expression import FUNCTIONS

    return rows(["function", "meaning"], [[f"`{name}`", doc] for name, doc in FUNCTIONS.items()])


def _missed(*cases):
    """Write what samples miss; cases: (looked at, jobs, cheated)."""
    from compute import replication

    return "; ".join(
        f"{replication.missed_by_samples(count, looked_at=looked_at, cheated=cheated):.2g}"
        for looked_at, count, cheated in cases
    )


def misses():
    """What a check misses, by its formula and for some figures."""
    from compute import replication
    from neurons.workloads import matmul

    freivalds = replication.missed_by_freivalds(
        challenge_range=matmul.CHALLENGE_RANGE, rounds=matmul.ROUNDS
    )
    prefix = replication.missed_by_prefix(altered=0.2, looked_at=40)
    share = replication.REPLICA_LEAST_PPM / replication.PPM
    body = [
        ["Freivalds, k rounds of 0..R-1", "R^-k", "R = 2^23, k = 3", f"{freivalds:.1e}"],
        [
            "canaries, a share c, of m jobs a part b cheated",
            "(1 - c b)^m",
            "c = 5 %, b = 1, m = 90; b = 0.1, m = 919",
            _missed((0.05, 90, 1.0), (0.05, 919, 0.1)),
        ],
        [
            "chats at temperature 0 or jobs repeated, a share r, of m invented by the best of records",
            "(1 - r)^m",
            "r = 3 %, m = 32; 152",
            _missed((share, 32, 1.0), (share, 152, 1.0)),
        ],
        [
            "2 of 2 agree, a ring of 10, 20, 33 % of 200 miners",
            "drawn without repetition",
            "about f^2",
            _quorums(2),
        ],
        ["2 of 3 agree, the same ring", "the same", "about 3 f^2 - 2 f^3", _quorums(3)],
        [
            "a text's tokens, k looked at, a part a altered anywhere",
            "(1 - a)^k",
            "a = 20 %, k = 40",
            f"{prefix:.1e}",
        ],
        [
            "a text's later stretch, one drawn a text, a part a of it invented in each of m",
            "at most (1 - a)^m",
            "a = 100 %, m = 1; 50 %, 7; 10 %, 44",
            _missed((1.0, 1, 1.0), (1.0, 7, 0.5), (1.0, 44, 0.1)),
        ],
    ]
    return rows(["check", "a cheat is missed with", "for", "is"], body)


def _quorums(answers):
    from compute import replication

    shares = [
        replication.missed_by_quorum(miners=200, colluders=ring, answers=answers)
        for ring in (20, 40, 66)
    ]
    return ", ".join(f"{share:.2g}" for share in shares)


def replicas():
    """How much of an honest miner's work is done again, by how much it did."""
    from compute import replication

    counts = (10, 100, 1_000, 10_000)
    done = [f"{replication.replicated_share(count):.1%}" for count in counts]
    return rows(
        ["first jobs", *[f"{count:,}".replace(",", " ") for count in counts]],
        [["replicated", *done]],
    )


def cheats():
    """What cheating earns for each hundred of an honest miner, from epochs and from jobs."""
    from tests.compute import cheating

    worlds = [
        (kind, busy) for kind in ("matmul", "embeddings", "language") for busy in (False, True)
    ]
    found = [cheating.earned(kind, is_busy=busy) for kind, busy in worlds]
    body = [
        [who, *(f"{one[who].epochs_percent:.0f}, {one[who].jobs_percent:.0f}" for one in found)]
        for who in found[0]
    ]
    return rows(["who", *(f"{kind}{', busy' if busy else ''}" for kind, busy in worlds)], body)


def halves():
    """What doing half of the work pays on a busy subnet that could be told canaries: calculated, and drawn once."""
    from tests.compute import cheating

    who, kind = "lazy, knowing canaries", "language"
    paper, drawn = cheating.halves_on_paper(kind), cheating.earned(kind, is_busy=True)[who]
    return rows(
        ["who", "on paper", "one run's spread", "drawn in the table above"],
        [
            [
                f"{who}, {kind}, busy",
                f"{paper.percent:.1f}",
                f"{paper.spread:.1f}",
                f"{drawn.epochs_percent:.0f}",
            ]
        ],
    )


TABLES = {
    "halves": halves,
    "misses": misses,
    "cheats": cheats,
    "replicas": replicas,
    "shapings": shapings,
    "metrics": metrics,
    "functions": functions,
    "errors": errors,
    "signatures": signatures,
    "endpoints": endpoints,
    "hyperparameters": hyperparameters,
}


def written(page):
    """Return a page with its tables as the code has them now."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], page)


def pages():
    """Name the pages of docs/."""
    return [name for name in tree.files() if name.startswith("docs/") and name.endswith(".md")]


def main():
    """Write the tables into the pages that hold them."""
    import django

    django.setup()
    for name in pages():
        (tree.ROOT / name).write_text(written(tree.text(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
