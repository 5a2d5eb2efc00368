"""Print the hash of the code of each of a recipe's stages, as JSON; PYTHONPATH names the copy of our packages."""

import json
import sys

from curate.pipeline.run_state import RunState
from curate.pipeline.source_reader import SourceReader
from curate.run import stage_specs
from curate.storage.store import Store
from schemas.load_recipe import load_recipe


def main(recipe, store):
    """Go through the stages of a recipe whose store holds them all, under whichever ids."""
    state, codes = RunState(load_recipe(recipe), Store(store), SourceReader()), {}
    made = {path.name.rsplit("-", 1)[0]: path.name.rsplit("-", 1)[1] for path in state.store.stages().values()}
    for spec in stage_specs(state):
        codes[spec.label] = spec.depends_on["code"]
        spec.adopt(state.store.stage(made[spec.label]))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
