"""Compile the modules that run inside a sandbox, and hold the start-up script that loads them there.

The sandbox sees no file of this project, so the parent sends it the compiled code. Compiling happens once per process:
doing it in every sandbox would take longer than all the rest of its start.
"""

import functools
import marshal
from pathlib import Path
from typing import Any

PACKAGES = ("curate", "curate.verifiers", "curate.verifiers.sandbox")
# In this order: each module imports only those before it.
INSIDE = ("values", "entrance", "pytest", "numpy_parts", "remote", "link", "unfit", "checker", "response")
# The program of a sandbox: reads the frame of ``compiled_modules`` from the control channel, defines the modules, and
# calls ``entrance.main``. Its arguments: control descriptor, link descriptor or -1, user id or 0, role.
STARTUP = """
import marshal, os, sys
fd = int(sys.argv[1])
def get(n):
    b = b''
    while len(b) < n:
        p = os.read(fd, n - len(b))
        if not p: os._exit(3)
        b += p
    return b
for name, code in marshal.loads(get(int.from_bytes(get(4), 'big'))):
    sys.modules[name] = m = type(sys)(name)
    if code is None: m.__path__ = []
    else:
        parent, _, last = name.rpartition('.')
        setattr(sys.modules[parent], last, m)
        exec(code, m.__dict__)
sys.modules['curate.verifiers.sandbox.entrance'].main(fd, int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""


@functools.cache
def compiled_modules() -> bytes:
    """Return the modules of ``INSIDE`` as one frame: four bytes of length, then marshalled (name, code) pairs.

    A package has None in place of code.
    """
    code: list[tuple[str, Any]] = [(package, None) for package in PACKAGES]
    for name in INSIDE:
        file = Path(__file__).with_name(f"{name}.py")
        code.append((f"{PACKAGES[-1]}.{name}", compile(file.read_bytes(), file.name, "exec", dont_inherit=True)))
    data = marshal.dumps(code)
    return len(data).to_bytes(4, "big") + data
