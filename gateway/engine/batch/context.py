"""llama.cpp's context: as many sequences side by side as it was made for, each with cells of its own (split KV).

Not thread-safe, `abort` and `resume` excepted. Six mistakes end the whole process here (a batch beyond n_batch, an
index without logits, a partial copy between sequences …), so every call is checked before it is made.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from gateway.core.errors import ConfigurationError
from gateway.engine.batch.model import EngineFault, Model
from gateway.engine.machine import available_bytes

BATCH = 512
"""Tokens computed in one go at most: more gains nothing on a CPU and only makes cancelling slower."""


class Interrupted(Exception):
    """`abort` was called while it computed."""


class Context:
    def __init__(self, model: Model, *, tokens: int, sequences: int = 1, threads: int, batch: int = BATCH) -> None:
        """Room for `sequences` of `tokens` tokens each. Raises ConfigurationError."""
        self._model = model
        _check(model, tokens, sequences)
        self.pointer = _open(model, tokens, sequences, threads, batch)
        self.n_sequences = sequences
        self.n_context = min(tokens, int(lib.llama_n_ctx_seq(self.pointer)))  # the library rounds up
        self.n_batch = int(lib.llama_n_batch(self.pointer))
        self._memory = lib.llama_get_memory(self.pointer)
        self.can_shift = bool(lib.llama_memory_can_shift(self._memory))
        self._flag = ctypes.create_string_buffer(2)
        self._stop = _stop_when_set()
        lib.llama_set_abort_callback(self.pointer, self._stop, ctypes.cast(self._flag, ctypes.c_void_p))
        self._batch = _Batch(self.n_batch)
        self._adapter: str | None = None
        self._logits: NDArray[np.float32] = np.empty((0, model.n_vocab), np.float32)
        self._logits_at = 0

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], wanted: Sequence[bool]
    ) -> NDArray[np.float32]:
        """Compute these tokens; rows of one sequence stand together, in the order of their positions.

        Returns the logits of the `wanted` ones, shape (count, n_vocab): a view that the next call overwrites.
        Raises Interrupted or EngineFault; which of the tokens are then in the cells is not known.
        """
        if not 0 < len(tokens) <= self.n_batch:
            raise EngineFault(f"a batch of {len(tokens)} tokens")
        code = int(lib.llama_decode(self.pointer, self._batch.fill(tokens, positions, sequences, wanted)))
        if code != 0:
            raise Interrupted if code == 2 else EngineFault(f"llama_decode returned {code}")
        return self._rows(sum(wanted))

    def _rows(self, count: int) -> NDArray[np.float32]:
        if not count:
            return self._logits[:0]
        at = ctypes.cast(lib.llama_get_logits(self.pointer), ctypes.c_void_p).value
        if not at:
            raise EngineFault("no logits")
        if at != self._logits_at or count > len(self._logits):
            # Making a view costs more than the rest of this function, and the buffer rarely moves.
            pointer = ctypes.cast(at, ctypes.POINTER(ctypes.c_float))
            self._logits = np.ctypeslib.as_array(pointer, shape=(count, self._model.n_vocab))
            self._logits_at = at
        return self._logits[:count]

    def keep(self, sequence: int, count: int) -> int:
        """Forget what a sequence holds beyond its first `count` tokens. Returns how many it still holds."""
        if count and lib.llama_memory_seq_rm(self._memory, sequence, count, -1):
            return count
        # Recurrent models cannot step back: they begin again.
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return 0

    def copy(self, source: int, target: int, count: int) -> int:
        """Let `target` hold the first `count` tokens of `source` and nothing else. Returns how many it holds."""
        lib.llama_memory_seq_rm(self._memory, target, -1, -1)
        # With split KV a copy of a part aborts the process: copy all, then forget the rest.
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        return self.keep(target, count)

    def shift(self, sequence: int, keep: int, discard: int) -> None:
        """Drop `discard` tokens after the first `keep`; those behind move up. Raises EngineFault."""
        if not self.can_shift or not lib.llama_memory_seq_rm(self._memory, sequence, keep, keep + discard):
            raise EngineFault("this model's memory cannot shift")
        lib.llama_memory_seq_add(self._memory, sequence, keep + discard, -1, -discard)

    def adapt(self, name: str | None) -> None:
        """Compute with this adapter from now on; None = with the bare model. Raises KeyError."""
        if name == self._adapter:
            return
        adapters, scales = (lib.llama_adapter_lora_p_ctypes * 1)(), (ctypes.c_float * 1)()
        if name is not None:
            adapters[0], scales[0] = self._model.adapter(name)
        if lib.llama_set_adapters_lora(self.pointer, adapters, int(name is not None), scales) != 0:
            raise EngineFault("the adapter could not be set")
        self._adapter = name

    def clear(self) -> None:
        """Forget everything and overwrite the cells with zeroes."""
        lib.llama_memory_clear(self._memory, True)

    def abort(self) -> None:
        """From any thread: stop computing now, or as soon as it starts."""
        self._flag[0] = b"\x01"

    def resume(self) -> None:
        self._flag[0] = b"\x00"

    def close(self) -> None:
        if self.pointer:
            lib.llama_free(self.pointer)
            self.pointer = None


class _Batch:
    """The arrays of a llama_batch, made once and filled for each step."""

    def __init__(self, most: int) -> None:
        self._tokens = np.zeros(most, np.int32)
        self._positions = np.zeros(most, np.int32)
        self._counts = np.ones(most, np.int32)
        self._sequences = np.zeros(most, np.int32)
        self._wanted = np.zeros(most, np.int8)
        first = self._sequences.ctypes.data
        # One pointer per row to its own sequence id: a row belongs to exactly one sequence.
        self._pointers = np.arange(first, first + 4 * most, 4, dtype=np.uintp)
        as_ids = ctypes.POINTER(lib.llama_seq_id)
        self._batch = lib.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(lib.llama_token)),
            embd=None,
            pos=self._positions.ctypes.data_as(ctypes.POINTER(lib.llama_pos)),
            n_seq_id=self._counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._pointers.ctypes.data_as(ctypes.POINTER(as_ids)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], wanted: Sequence[bool]
    ) -> Any:
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        self._sequences[:count] = sequences
        self._wanted[:count] = wanted
        self._batch.n_tokens = count
        return self._batch


def _check(model: Model, tokens: int, sequences: int) -> None:
    """Refuse what would fail later and slower: a context beyond the training, or beyond this machine's memory."""
    if model.n_trained and tokens > model.n_trained:
        raise ConfigurationError(f"local.context is {tokens}, but this model was trained for {model.n_trained}")
    needed = model.cell_bytes * tokens * sequences
    available = available_bytes()
    if available is not None and needed > available:
        raise ConfigurationError(
            f"local.context {tokens} for {sequences} at once needs {needed >> 20} MiB of memory, "
            f"{available >> 20} MiB are available: set local.context or local.parallel lower"
        )


def _open(model: Model, tokens: int, sequences: int, threads: int, batch: int) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = tokens * sequences
    params.n_batch = params.n_ubatch = min(batch, tokens)
    params.n_seq_max = sequences
    params.kv_unified = False  # with one cache for all, attention also visits the others' cells: a fifth slower
    params.n_threads = params.n_threads_batch = threads
    params.no_perf = True
    opened = lib.llama_init_from_model(model.pointer, params)
    if not opened:
        raise ConfigurationError(f"llama.cpp cannot make a context of {tokens} tokens for {sequences} at once")
    return opened


def _stop_when_set() -> Any:
    """An abort callback that needs no Python in the compute threads: C's own `strlen` of a flag of one character.

    It is called some five hundred times per step; a Python function would take the interpreter's lock each time.
    """
    address = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
    assert address is not None
    return lib.ggml_abort_callback(address)
