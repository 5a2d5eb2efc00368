"""Runs the llama.cpp server of the package xllamacpp until standard input ends; its arguments are llama-server's."""

import argparse
import importlib
import sys
from typing import Any


def main() -> None:
    """Start the server and wait."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ctx-size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    given, _ = parser.parse_known_args()
    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.hostnames = ["127.0.0.1"]
    params.port = given.port
    params.n_ctx = given.ctx_size
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
    params.use_jinja = True
    server = xllamacpp.Server(params)  # ends with this name
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
