"""The formats of ``gristmill export``, one a file: its name is what ``--format`` says (``ms-swift``: ``ms_swift.py``).

A format's module has:

- ``KINDS``: the types of datasets that it holds;
- ``SINK``: how its rows are written (``curate.export.sinks``);
- ``row(kind, one, form)``: the format's row for a row of ``curate.storage.dataset_rows`` (None where it cannot hold
  it), and the names of what is lost;
- ``simpler(kind, one)``, where it has a simpler form for datasets of which every row allows it: ``form`` is then
  whether all do;
- ``columns(kind, names, form)``, where its sink has typed columns: their types (``curate.export.arrow_schema``);
- ``HOLDS``, where it has no place for some of our columns: those for which it has one;
- ``PLACES``, where its rows are given their ``split`` and their ``index`` in it;
- ``files(about)``: further files by name, and ``train(about)``: the line that trains on the folder.
"""
