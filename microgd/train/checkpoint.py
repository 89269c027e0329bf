"""Files that cannot run code: nested containers of arrays, numbers and text in one npz.

The structure is kept as JSON beside the arrays, and read with ``allow_pickle=False``. Files are written under a
temporary name in the same folder, flushed to disk and renamed, so that a crash leaves the old file as it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from microgd.core.tensor import Tensor, tensor
from microgd.errors import DataError, DtypeError
from microgd.files import replacing


def save(path: str | Path, obj: Any) -> None:
    """Write nested dicts, lists and tuples of arrays, tensors, numbers, text, booleans and None.

    Args:
        path: where to; conventionally ending in ``.npz``. obj: what to write. Leaf tensors stay tensors.

    Raises:
        DtypeError: something else is inside, or a container that holds itself. OSError: the file cannot be written;
            an older one is left as it was.

    >>> import numpy as np, os, tempfile, microgd as mg
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> mg.save(path, {"w": np.array([1.0, 2.0]), "name": "line"})
    >>> mg.load(path)
    {'w': array([1., 2.]), 'name': 'line'}
    """
    arrays: dict[str, Any] = {}
    try:
        structure = json.dumps(encoded(obj, arrays, ""))
    except RecursionError:
        raise DtypeError("save: the object holds itself, or is nested too deeply; expected a tree") from None
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, structure=np.array(structure), **arrays)


def load(path: str | Path) -> Any:
    """Read what ``save`` wrote.

    Raises:
        DataError: the file cannot be read, is damaged, or is not one that ``save`` wrote.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            return decoded(json.loads(str(stored["structure"])), stored)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception:  # damage can show anywhere: in the zip, in the header of an array, in the structure
        raise DataError(f"{path}: not a file written by mg.save, or damaged") from None


def encoded(obj: Any, arrays: dict[str, Any], path: str) -> Any:
    """``obj`` as JSON, with its arrays put aside under the names that stand in their places."""
    if obj is None or isinstance(obj, bool | str) or type(obj) in (int, float):
        return obj
    if isinstance(obj, list):
        return [encoded(item, arrays, f"{path}[{k}]") for k, item in enumerate(obj)]
    if isinstance(obj, tuple):
        return {"tuple": [encoded(item, arrays, f"{path}[{k}]") for k, item in enumerate(obj)]}
    if isinstance(obj, dict):
        return {"dict": [[encoded(k, arrays, path), encoded(v, arrays, f"{path}[{k!r}]")] for k, v in obj.items()]}
    value = obj.data if isinstance(obj, Tensor) else obj
    if not isinstance(value, np.ndarray | np.generic) or isinstance(value, np.ma.MaskedArray) or not kept(value.dtype):
        kind = type(obj).__name__ + (f" of dtype {value.dtype}" if isinstance(value, np.ndarray) else "")
        raise DtypeError(
            f"save: {path or 'the object'} is a {kind}; expected arrays without a mask, of NumPy's "
            f"own dtypes, numbers, text, None, or of a model its named_parameters()"
        )
    name = f"array{len(arrays)}"
    arrays[name] = value
    return {"tensor": name, "requires_grad": obj.requires_grad} if isinstance(obj, Tensor) else {"array": name}


def kept(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of this dtype come back from a file as they were: not objects, nor dtypes of other packages."""
    return not dtype.hasobject and np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype)) == dtype


def decoded(obj: Any, stored: Any) -> Any:
    """The inverse of ``encoded``."""
    if isinstance(obj, list):
        return [decoded(item, stored) for item in obj]
    if not isinstance(obj, dict):
        return obj
    if "tuple" in obj:
        return tuple(decoded(item, stored) for item in obj["tuple"])
    if "dict" in obj:
        return {decoded(k, stored): decoded(v, stored) for k, v in obj["dict"]}
    if "tensor" in obj:
        return tensor(stored[obj["tensor"]], requires_grad=obj["requires_grad"])
    return stored[obj["array"]][()]
