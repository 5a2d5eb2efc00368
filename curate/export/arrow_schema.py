"""Arrow schemas of exported rows, with what the ``datasets`` library reads in them: JSON stays JSON, nothing is nulls.

A column's type is ``TEXT``, ``NUMBER``, ``INTEGER``, ``FLAG``, ``JSON`` (a value as JSON text), a list ``[type]``, or a
mapping of names to types.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.version import VERSION

if TYPE_CHECKING:
    import pyarrow as pa

TEXT, NUMBER, INTEGER, FLAG, JSON = "string", "float64", "int64", "bool", "json"
JSONS = [JSON]
Type = str | list[Any] | Mapping[str, Any]


def arrow_schema(columns: Mapping[str, Type]) -> "pa.Schema":
    """Return the schema of columns; its metadata has their features, and that gristmill wrote it."""
    import pyarrow as pa  # of the extra `arrow`, which other formats do without

    fields = [pa.field(name, _arrow(kind)) for name, kind in columns.items()]
    told = {"huggingface": json.dumps({"info": {"features": features(columns)}}), "gristmill": VERSION}
    return pa.schema(fields, told)


def features(columns: Mapping[str, Type]) -> dict[str, Any]:
    """Return the columns as ``datasets`` writes its features in JSON."""
    return {name: _feature(kind) for name, kind in columns.items()}


def _arrow(kind: Type) -> "pa.DataType":
    import pyarrow as pa

    plain = {TEXT: pa.string, NUMBER: pa.float64, INTEGER: pa.int64, FLAG: pa.bool_}
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, Mapping):
        return pa.struct([pa.field(name, _arrow(one)) for name, one in kind.items()])
    return pa.json_(pa.string()) if kind == JSON else plain[kind]()


def _feature(kind: Type) -> dict[str, Any]:
    if isinstance(kind, list):
        return {"feature": _feature(kind[0]), "_type": "List"}
    if isinstance(kind, Mapping):
        return features(kind)
    return {"_type": "Json"} if kind == JSON else {"dtype": kind, "_type": "Value"}


def card_features(columns: Mapping[str, Type]) -> list[dict[str, Any]]:
    """Return the columns as ``datasets`` reads its features in the YAML of a card."""
    return [{"name": name, **_card_feature(kind)} for name, kind in columns.items()]


def _card_feature(kind: Type) -> dict[str, Any]:
    if isinstance(kind, list):
        (key, value), *_ = _card_feature(kind[0]).items()
        return {"list": value if key == "dtype" else {key: value}}
    return {"struct": card_features(kind)} if isinstance(kind, Mapping) else {"dtype": kind}


def arrow_table(rows: list[dict[str, Any]], schema: "pa.Schema") -> "pa.Table":
    """Return rows as a table; values of the type JSON are its text."""
    import pyarrow as pa

    columns = [_column([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: list[Any], kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    if pa.types.is_list(kind) and isinstance(kind.value_type, pa.JsonType):
        plain = pa.array(values, pa.list_(pa.string()))
        items = pa.ExtensionArray.from_storage(kind.value_type, plain.values)
        return pa.ListArray.from_arrays(plain.offsets, items, type=kind, mask=plain.is_null())
    return pa.array(values, kind)
