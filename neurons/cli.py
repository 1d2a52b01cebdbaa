"""The command `neuron`: run a miner or a validator, check all they need, keep keys, serve a model to try.

Secrets never stand in the arguments, where every user of a machine can read them: a key comes from a
file or from the environment variable NEURON_SEED.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from aiohttp import web

from neurons import checking, echo, gemma, wallet
from neurons.arguments import (
    UpstreamUnnamed,
    key_of,
    kinds_of,
    membership_of,
    parser,
    upstream_of,
)
from neurons.client import Client, Refused, Unreachable
from neurons.gemma import ModelMissing
from neurons.keys import KeyUnusable
from neurons.machine import cpu_count
from neurons.miner import Miner, MinerPlan
from neurons.model_server import language_of
from neurons.outbox import Outbox
from neurons.running import Say, Stop, Stopped
from neurons.telling import printed, told_finding
from neurons.terminal import Board, live
from neurons.tunnel import Plan
from neurons.tunnels import Tunnels
from neurons.upstream import Upstream
from neurons.validator import Validator, ValidatorPlan
from neurons.wire import AnswerMalformed
from neurons.workloads import Workload, workloads

WATCHED = {"miner", "validator"}  # They run on; a terminal shows their board instead of lines.
EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE = 1, 2, 3


def workloads_of(upstream: Upstream | None) -> Mapping[str, Workload]:
    """List what this program can do with this model server."""
    return workloads(model=None if upstream is None else language_of(upstream))


def run_miner(arguments: argparse.Namespace, say: Say, miner: type[Miner] = Miner) -> None:
    """Run a miner until a signal stops it."""
    stop = Stop()
    stop.on_signals()
    client = Client(arguments.url, key_of(arguments).keypair(), sleep=stop.sleep)
    folder = arguments.state.expanduser() / "outbox" / client.keypair.ss58_address
    upstream = upstream_of(arguments)
    plan = None if upstream is None else Plan(upstream=upstream, slots=arguments.slots)
    miner(
        client=client,
        plan=MinerPlan(
            membership=membership_of(arguments),
            machine_name=arguments.name[:40],
            workloads=kinds_of(arguments, upstream),
            jobs_at_once=arguments.jobs_at_once,
        ),
        say=say,
        stop=stop,
        outbox=Outbox(folder),
        tunnels=None if plan is None else Tunnels(client=client, plan=plan, say=say),
    ).run()


def run_validator(arguments: argparse.Namespace, say: Say) -> None:
    """Run a validator until a signal stops it."""
    stop = Stop()
    stop.on_signals()
    upstream = upstream_of(arguments)
    Validator(
        client=Client(arguments.url, key_of(arguments).keypair(), sleep=stop.sleep),
        plan=ValidatorPlan(
            membership=membership_of(arguments),
            stake_rao=arguments.stake_tao,
            workloads=kinds_of(arguments, upstream),
        ),
        say=say,
        stop=stop,
        workloads=workloads_of(upstream),
        rng=np.random.default_rng(),  # Seeded by the system: no miner can foresee a challenge.
    ).run()


def run_check(arguments: argparse.Namespace) -> int:
    """Try everything a neuron needs, and tell each finding; answer the exit status."""
    upstream = upstream_of(arguments)
    kinds = kinds_of(arguments, upstream)
    subject = checking.Subject(
        url=arguments.url,
        key=key_of(arguments),
        workloads={kind: each for kind, each in workloads_of(upstream).items() if kind in kinds},
        upstream=upstream,
    )
    failed = []
    for finding in checking.findings(subject):
        told_finding(finding, as_json=arguments.json)
        failed += [finding.name] if finding.state == checking.FAILED else []
    if "network" in failed:
        return EXIT_UNREACHABLE
    return EXIT_REFUSED if failed else 0


def run_wallet(arguments: argparse.Namespace, say: Say) -> None:
    """Make a hotkey into a file only its owner can read, list those there are, or show an address."""
    choice = key_of(arguments)
    match arguments.action:
        case "list":
            for found in wallet.hotkeys(arguments.wallet_path):
                told = {"hotkey": found.address} if found.address else {"trouble": found.trouble}
                say("hotkey", wallet=found.wallet, name=found.name, **told)
        case "show":
            say("hotkey", hotkey=choice.keypair().ss58_address)
        case _ if choice.wallet is not None:
            keypair = wallet.made_hotkey(choice)
            say("hotkey_made", hotkey=keypair.ss58_address, file=str(choice.path()))
        case _ if arguments.out is not None:
            keypair = wallet.made_seed_file(arguments.out)
            say("hotkey_made", hotkey=keypair.ss58_address, file=str(arguments.out))
        case _:
            raise KeyUnusable("Say where the key is to be written: --wallet NAME or --out FILE.")


def run_upstream(arguments: argparse.Namespace, say: Say) -> None:
    """Serve a model until a signal asks to stop."""
    if arguments.echo:
        url = f"http://{arguments.host}:{arguments.port}/v1"
        say("upstream", url=url, model=echo.MODEL)
        application = echo.Echo(token_delay_ms=arguments.token_delay_ms).application()
        web.run_app(application, host=arguments.host, port=arguments.port, print=None)
        return
    served = gemma.Gemma(
        host=arguments.host,
        port=arguments.port,
        folder=arguments.state.expanduser(),
        threads=max(1, cpu_count() - 1),
    )
    say("upstream", url=served.url, model=gemma.MODEL)
    served.wait()


def run(arguments: argparse.Namespace, say: Say, miner: type[Miner]) -> int:
    """Run one of the commands; answer its exit status."""
    match arguments.command:
        case "miner":
            run_miner(arguments, say, miner)
        case "validator":
            run_validator(arguments, say)
        case "check":
            return run_check(arguments)
        case "wallet":
            run_wallet(arguments, say)
        case _:
            run_upstream(arguments, say)
    return 0


def main(argv: Sequence[str] | None = None, *, miner: type[Miner] = Miner) -> int:
    """Run the command; answer its exit status."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.command in WATCHED and not arguments.json and sys.stdout.isatty():
            board = Board()
            with live(board):
                return run(arguments, board.say, miner)
        return run(arguments, printed(as_json=arguments.json), miner)
    except (KeyUnusable, UpstreamUnnamed, ModelMissing) as error:
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
