"""NumPy's object arrays, read without unpickling: nothing that a file says is ever executed.

`np.save` writes an object array as a pickle, and a pickle is a program: it may name any function
of Python and have it called. Here `pickletools` takes the pickle apart, and the few operations
that arrays and numbers are made of are carried out on stand-ins; any other ends the reading. Even
NumPy's own functions are not called as the pickle asks, since a crafted `dtype` makes them read
memory that is not theirs.
"""

import math
import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: What the pickle of an array may name -> what it stands for here, by module and name.
_NAMES = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy.core.numeric _frombuffer": "frombuffer",
    "numpy._core.numeric _frombuffer": "frombuffer",
    "_codecs encode": "encode",  # of bytes in the pickles of protocol 2
}
_NUMBER = re.compile(r"[biuf]\d{1,2}")  # codes of numeric types, such as f8
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()
_MOST_AXES = 64  # of NumPy's arrays


class UnsafePickle(ValueError):
    """A pickle that is torn, or holds more than arrays and numbers."""


@dataclass(frozen=True)
class _Name:
    """Stands for a function or class of NumPy, by its value in `_NAMES`."""

    name: str


@dataclass
class _Type:
    """Stands for a dtype."""

    code: str
    order: str = "="

    def numeric(self) -> np.dtype:
        return np.dtype(self.order + self.code)


@dataclass
class _Array:
    """Stands for an array until its content is known."""

    content: Any = field(default=None)


class _Room:
    """What may be made of a pickle beside what it holds: as much again, however it repeats itself.

    A few bytes can name what was read before, so that a small file would fill the memory.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UnsafePickle("its pickle repeats itself")


def read_pickle(data: bytes) -> Any:
    """What a pickle of arrays and numbers holds.

    Args:
        data: the pickle, as `np.save` appends it to the header of an object array.

    Returns:
        A number, None, a numeric array, or a list or tuple of such. An object array is the list of
        its elements, or a float64 array of its shape if all of them are numbers.

    Raises:
        UnsafePickle: for anything else.
    """
    try:
        return _content(_execute(data))
    except UnsafePickle:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnsafePickle(f"its pickle is torn, or no array's ({error})") from None


def leaves(tree: Any, most: int) -> Iterator[Any]:
    """The arrays, numbers and None of what `read_pickle` returns.

    Raises:
        UnsafePickle: for more than `most` parts, which a small pickle has if it repeats itself.
    """
    waiting, parts = [tree], 1
    while waiting:
        part = waiting.pop()
        if isinstance(part, list | tuple):
            parts += len(part)
            if parts > most:
                raise UnsafePickle(f"its pickle has more than {most} parts")
            waiting.extend(_content(one) for one in reversed(part))
        else:
            yield part


def _content(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.content
    if isinstance(value, np.ndarray | list | tuple | bool | int | float | None):
        return value
    raise UnsafePickle(
        f"its pickle holds what is neither array nor number ({type(value).__name__})"
    )


def _execute(data: bytes) -> Any:
    """Carry out the operations of a pickle; what it leaves on its stack."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    room = _Room(len(data))
    for operation, argument, _ in pickletools.genops(data):
        name = operation.name
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            stack.append(argument)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "TUPLE":
            parts = _since_mark(stack)
            stack.append(tuple(parts))
        elif name == "APPEND":
            item = stack.pop()
            _list(stack[-1]).append(item)
        elif name == "APPENDS":
            parts = _since_mark(stack)
            _list(stack[-1]).extend(parts)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_name(*str(argument).split(" ", 1)))
        elif name == "STACK_GLOBAL":
            attribute = stack.pop()
            stack.append(_name(stack.pop(), attribute))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_call(stack.pop(), arguments, room))
        elif name == "BUILD":
            state = stack.pop()
            _set_state(stack[-1], state, room)
        elif name == "STOP":
            (result,) = stack
            return result
        elif name not in ("PROTO", "FRAME"):
            raise UnsafePickle(f"its pickle asks for {name}, which no array needs; not executed")
    raise UnsafePickle("its pickle has no end")


def _since_mark(stack: list) -> list:
    place = len(stack) - 1
    while stack[place] is not _MARK:
        place -= 1  # an IndexError below the bottom
        if place < 0:
            raise IndexError("no mark")
    parts = stack[place + 1 :]
    del stack[place:]
    return parts


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise UnsafePickle("its pickle appends to what is no list")
    return value


def _name(module: Any, attribute: Any) -> _Name:
    if not (isinstance(module, str) and isinstance(attribute, str)):
        raise UnsafePickle("its pickle names what is no text; not executed")
    if (name := f"{module} {attribute}") not in _NAMES:
        named = f"{module}.{attribute}"[:80]
        raise UnsafePickle(f"its pickle names {named!r}, which no array needs; not executed")
    return _Name(_NAMES[name])


def _call(function: Any, arguments: tuple, room: _Room) -> Any:
    """What NumPy's functions would make of these arguments, as a stand-in."""
    called = function.name if isinstance(function, _Name) else ""
    if called == "reconstruct" and arguments[0] == _Name("ndarray"):
        return _Array()
    if called == "dtype":
        return _type(arguments[0])
    if called == "scalar":
        kind, content = arguments
        return _numbers(kind, (), content).item()
    if called == "frombuffer":
        content, kind, shape, order = arguments
        return _Array(_numbers(kind, shape, content, order))
    if called == "encode" and arguments[1] == "latin1":
        room.take(len(arguments[0]))
        return arguments[0].encode("latin1")
    raise UnsafePickle("its pickle calls what no array needs; not executed")


def _type(code: Any) -> _Type:
    if isinstance(code, str) and (_NUMBER.fullmatch(code) or code in ("O", "O8")):
        return _Type(code)
    kind = repr(code[:20]) if isinstance(code, str) else type(code).__name__
    raise UnsafePickle(f"its pickle has values of type {kind}, not numbers")


def _set_state(target: Any, state: tuple, room: _Room) -> None:
    if isinstance(target, _Type):
        _, order, *structure = state
        if order not in ("<", ">", "=", "|") or any(part is not None for part in structure[:3]):
            raise UnsafePickle("its pickle has values with parts, not numbers")
        target.order = order
    elif isinstance(target, _Array):
        _, shape, kind, fortran, content = state
        target.content = _array(shape, kind, "F" if fortran else "C", content, room)
    else:
        raise UnsafePickle("its pickle changes what is no array")


def _array(shape: tuple, kind: _Type, order: str, content: Any, room: _Room) -> Any:
    if not kind.code.startswith("O"):
        return _numbers(kind, shape, content, order)
    _check_shape(shape, len(_list(content)))
    room.take(len(content))
    parts = [_content(part) for part in content]
    if parts and all(isinstance(part, bool | int | float) for part in parts):
        return np.array(parts, np.float64).reshape(shape)  # objects always come in C's order
    return parts


def _numbers(kind: _Type, shape: tuple, content: bytes, order: str = "C") -> np.ndarray:
    dtype = kind.numeric()
    _check_shape(shape, len(content) // dtype.itemsize)
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _check_shape(shape: tuple, size: int) -> None:
    """A shape is as large as its content, so that no memory is taken beyond the file's size."""
    if len(shape) > _MOST_AXES or not all(type(side) is int and side >= 0 for side in shape):
        raise UnsafePickle("its pickle has an array whose shape is none")
    if math.prod(shape) != size:
        raise UnsafePickle(f"its pickle has an array of shape {shape} with {size} values")
