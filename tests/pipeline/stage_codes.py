"""Print the code hash of each of a recipe's stages, as JSON; PYTHONPATH names the copy of our packages.

``python stage_codes.py RECIPE STORE EDITS [every]`` prints them as they are, then after each of EDITS: a JSON list of
files, each with the names in it that are bound a second time. With ``every``, also after such an edit of each module,
of all its names. Which stages depend on the file goes with every edit.
"""

import json
import sys

from curate.api.run import stage_specs
from curate.pipeline.run_state import RunState
from curate.pipeline.source_reader import SourceReader
from curate.steps import code_hash as module
from curate.storage.rows import RowSet
from curate.storage.store import Store
from schemas.load_recipe import load_recipe

PARSE = module._parse


def main(recipe, store, edits, every=""):
    """Go through the stages of a recipe whose store holds them all, under whichever ids."""
    state = RunState(load_recipe(recipe), Store(store), SourceReader())
    made = {path.name.rsplit("-", 1)[0]: path.name.rsplit("-", 1)[1] for path in state.store.stages().values()}
    code = {}
    for spec in stage_specs(state):
        code[spec.label] = (spec.build, spec.adopt, RowSet, *spec.code)
        spec.adopt(state.store.stage(made[spec.label]))
    files = {label: {one.file for one in module.reachable(*of)} for label, of in code.items()}
    found = {"before": hashes(code), "edits": []}
    for file, names in [*json.loads(edits), *(every_module() if every else ())]:
        path = module.ROOT / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "".join(f"\n{name} = {name}" for name in names) + "\n", encoding="utf-8")
        module._parse = reading(path)
        after = hashes(code)
        module._parse = PARSE
        path.write_text(text, encoding="utf-8")
        changed = [label for label in code if after[label] != found["before"][label]]
        found["edits"].append([file, changed, [label for label in code if path in files[label]]])
    sys.stdout.write(json.dumps(found))


def reading(path):
    """A parser that reads one file anew, and takes the others as they were read before."""
    edited = PARSE.__wrapped__(path)
    return lambda file: edited if file == path else PARSE(file)


def every_module():
    """Each module of schemas and curate with the names that it binds."""
    for package in ("schemas", "curate"):
        for path in sorted((module.ROOT / package).rglob("*.py")):
            names = [name for name in module._parse(path).bound if name.isidentifier()]
            yield str(path.relative_to(module.ROOT)), names


def hashes(code):
    """Hash anew what each stage depends on, as it is on disk now."""
    for cached in (module._code, module._references, module._resolve):
        cached.cache_clear()
    return {label: module.code_hash(*of) for label, of in code.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
