"""Print the code hash of each of a recipe's stages, as JSON; PYTHONPATH names the copy of our packages.

``python stage_codes.py RECIPE STORE EDITS [every]`` prints them as they are, then after each of EDITS: a JSON list of
files, each with the names in it that are bound a second time. With ``every``, also after such an edit of each module,
of all its names; the modules that no stage depends on are edited together, since none of them may change anything.
Which stages depend on the file goes with every edit.
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
    groups = [[edit] for edit in json.loads(edits)]
    if every:
        used = {str(file.relative_to(module.ROOT)) for of in files.values() for file in of}
        groups += [[edit] for edit in every_module() if edit[0] in used]
        groups.append([edit for edit in every_module() if edit[0] not in used])
    for group in groups:
        after = hashes_after(group, code)
        changed = [label for label in code if after[label] != found["before"][label]]
        for file, _ in group:
            depending = [label for label in code if module.ROOT / file in files[label]]
            found["edits"].append([file, changed, depending])
    sys.stdout.write(json.dumps(found))


def hashes_after(group, code):
    """Hash what each stage depends on after the edits of a group, which are taken back."""
    texts = {module.ROOT / file: (module.ROOT / file).read_text(encoding="utf-8") for file, _ in group}
    for file, names in group:
        path = module.ROOT / file
        path.write_text(texts[path] + "".join(f"\n{name} = {name}" for name in names) + "\n", encoding="utf-8")
    module._parse = reading(texts)
    after = hashes(code)
    module._parse = PARSE
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return after


def reading(paths):
    """A parser that reads these files anew, and takes the others as they were read before."""
    edited = {path: PARSE.__wrapped__(path) for path in paths}
    return lambda file: edited[file] if file in edited else PARSE(file)


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
