"""A table that grows by rows: in memory, and past a limit in a .npy file."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np

NONE = np.empty((0, 0), np.float32)


class Rows:
    """float32 rows, in the order in which they came.

    Parameters:
        max_memory: bytes that they may take in memory.
        path: where they are written from the first merge on; otherwise a temporary file takes them once they are too many,
            and is gone when nobody holds the rows any more.
        expected: how many there will be: as many have room without being copied. More may come.
    """

    def __init__(self, max_memory: int, path: Path | None = None, expected: int = 0):
        self.max_memory, self.path, self.expected = max_memory, path, expected
        self._parts: list[np.ndarray] = []
        self._table = NONE
        self._file: _File | None = None

    def append(self, rows: np.ndarray) -> None:
        self._parts.append(np.ascontiguousarray(rows, np.float32))

    def extend(self, other: Rows) -> None:
        """Take in the rows of another one, which has them in memory."""
        self._parts += other._parts
        if self.path or self._file or sum(part.nbytes for part in self._parts) > self.max_memory:
            self._write()
        elif self._parts:
            self._together()

    def result(self) -> np.ndarray:
        """All rows, float32 (n, d), from memory or mapped from the file."""
        if self._file is None:
            return self._together()
        self._write()
        return self._file.mapped()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: the rows, or how many of them are in the file."""
        if self._file is None:
            return {"rows": self._together() if self._parts else None}
        if self.path is None:
            raise ValueError("rows past max_memory lie in a temporary file, which a checkpoint cannot hold: give path=")
        self._write()
        self._file.finish(durable=True)
        return {"written": self._file.rows, "width": self._file.width}

    def restore(self, state: dict[str, Any]) -> None:
        if "written" in state:
            self._file = _File(self.path, state["width"], state["written"])
        elif state["rows"] is not None:
            self._parts = [state["rows"]]

    def _together(self) -> np.ndarray:
        """The rows in memory as one array, which takes the place of its parts; one that was given before stays as it is."""
        if len(self._parts) != 1:
            count = sum(map(len, self._parts))
            if count > len(self._table):
                self._table = np.empty((max(self.expected, count), self._parts[0].shape[1]), np.float32)
            start = 0
            for part in self._parts:
                if part.base is not self._table:  # else it is there already
                    self._table[start : start + len(part)] = part
                start += len(part)
            self._parts = [self._table[:count]]
        return self._parts[0]

    def _write(self) -> None:
        for part in self._parts:
            self._file = self._file or _File(self.path, part.shape[1])
            self._file.append(part)
        self._parts, self._table = [], NONE


class _File:
    """A .npy file of float32 (rows, width) that grows at its end; without a path one that has no name, and leaves none."""

    def __init__(self, path: Path | None, width: int, rows: int = 0):
        self.width, self.rows = width, rows
        if rows and (path is None or not path.exists() or path.stat().st_size < self._end):
            raise ValueError(f"the checkpoint's {rows:,} rows are not in {str(path)!r}: delete the checkpoint to begin anew")
        self._file = path.open("r+b" if rows else "w+b") if path else _nameless()
        weakref.finalize(self, self._file.close)

    @property
    def _end(self) -> int:
        return len(self._header()) + 4 * self.width * self.rows

    def append(self, rows: np.ndarray) -> None:
        self._file.seek(self._end)
        self._file.write(rows.astype("<f4", copy=False).data)
        self.rows += len(rows)

    def finish(self, durable: bool = False) -> None:
        """Make it a file that ``np.load`` reads: with the number of rows, and without any that a killed run left."""
        self._file.seek(0)
        self._file.write(self._header())
        self._file.truncate(self._end)
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())

    def mapped(self) -> np.ndarray:
        self.finish()
        return np.memmap(self._file, "<f4", "r", offset=len(self._header()), shape=(self.rows, self.width))

    def _header(self) -> bytes:
        """Of the same length for any number of rows: NumPy leaves room for it to grow."""
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f4", "fortran_order": False, "shape": (self.rows, self.width)}
        )
        return head.getvalue()


def _nameless() -> IO[bytes]:
    """A temporary file that is open and has no name, where the system has such files."""
    return tempfile.TemporaryFile(prefix="cnnwidgets-")
