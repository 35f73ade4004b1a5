"""One llama.cpp context over one model file: tokens in, logits out, and a way to stop it at once.

The low-level interface, because the high-level class cannot be interrupted in a long prompt, keeps a copy of logits
for log-probabilities of the whole context, and points the process's own stderr elsewhere while it loads.
Not thread-safe, `abort` and `resume` excepted.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from gateway.core.errors import ConfigurationError
from gateway.engine.machine import available_bytes

BATCH = 512


class Interrupted(Exception):
    """`abort` was called while it computed."""


class EngineFault(Exception):
    """llama.cpp returned an error; the message holds its code and no text."""


class Llama:
    def __init__(self, path: Path, *, context: int, threads: int, stopped: Callable[[], bool]) -> None:
        # Every C callback is kept here: ctypes frees what Python forgets, and the library calls it all the same.
        self._log = lib.llama_log_callback(_ignore)
        lib.llama_log_set(self._log, None)
        lib.llama_backend_init()
        self._progress = lib.llama_progress_callback(lambda _done, _data: not stopped())
        self._model = self._load(path)
        self._context: Any = None
        try:
            self.vocab = lib.llama_model_get_vocab(self._model)
            self._check(context)
            self._context = self._open(context, threads)
        except BaseException:
            self.close()
            raise
        self.n_context = int(lib.llama_n_ctx(self._context))
        self.n_vocab = int(lib.llama_vocab_n_tokens(self.vocab))
        self._batch = int(lib.llama_n_batch(self._context))
        self._flag = ctypes.create_string_buffer(2)
        self._abort = _stop_when_set()
        lib.llama_set_abort_callback(self._context, self._abort, ctypes.cast(self._flag, ctypes.c_void_p))
        self._held: list[int] = []

    def _load(self, path: Path) -> Any:
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 999 if lib.llama_supports_gpu_offload() else 0
        params.progress_callback = self._progress
        model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ConfigurationError(f"llama.cpp cannot read {path.name!r}: it is damaged, no GGUF, or too new")
        return model

    def _check(self, context: int) -> None:
        """Refuse what would fail later and slower: a context beyond the training, or beyond this machine's memory."""
        trained = int(lib.llama_model_n_ctx_train(self._model))
        if trained and context > trained:
            raise ConfigurationError(f"local.context is {context}, but this model was trained for {trained}")
        heads = max(1, int(lib.llama_model_n_head(self._model)))
        width = int(lib.llama_model_n_embd(self._model)) // heads * int(lib.llama_model_n_head_kv(self._model))
        needed = 4 * context * int(lib.llama_model_n_layer(self._model)) * width  # keys and values, 16 bits each
        available = available_bytes()
        if available is not None and needed > available:
            raise ConfigurationError(
                f"local.context {context} needs {needed >> 20} MiB of memory, {available >> 20} MiB are available"
            )

    def _open(self, context: int, threads: int) -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = min(BATCH, context)
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        opened = lib.llama_init_from_model(self._model, params)
        if not opened:
            raise ConfigurationError(f"llama.cpp cannot make a context of {context} tokens")
        return opened

    # Text and tokens

    @property
    def template(self) -> str | None:
        raw = lib.llama_model_chat_template(self._model, None)
        return raw.decode("utf-8", "replace") if raw else None

    def token_text(self, token: int) -> str:
        """A special token as the template writes it."""
        raw = lib.llama_vocab_get_text(self.vocab, token) if token >= 0 else b""
        return (raw or b"").decode("utf-8", "replace")

    def control_texts(self) -> frozenset[str]:
        """How the tokens that structure a chat are written: `<|im_start|>`, `<|im_end|>` …"""
        return frozenset(
            text
            for token in range(self.n_vocab)
            if lib.llama_vocab_is_control(self.vocab, token) and len(text := self.token_text(token)) > 1
        )

    @property
    def bos(self) -> str:
        return self.token_text(int(lib.llama_vocab_bos(self.vocab)))

    @property
    def eos(self) -> str:
        return self.token_text(int(lib.llama_vocab_eos(self.vocab)))

    def tokens(self, text: str) -> list[int]:
        """Tokens of a rendered prompt; special tokens are read as such, none are added (the template wrote them)."""
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        while True:
            tokens = (lib.llama_token * room)()
            count = int(lib.llama_tokenize(self.vocab, raw, len(raw), tokens, room, False, True))
            if count >= 0:
                return list(tokens[:count])
            if -count <= room:
                raise EngineFault("llama_tokenize failed")
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes a token adds to the answer; none for a special token."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            written = int(lib.llama_token_to_piece(self.vocab, token, buffer, size, 0, False))
            if written >= 0:
                return buffer.raw[:written]
            size = -written

    def is_end(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    # Computing

    def prompt(self, tokens: Sequence[int], *, reuse: bool) -> None:
        """Take in a prompt. With `reuse`, the beginning it shares with what is held is not computed again."""
        shared = 0
        if reuse:
            # The last token is always computed: its logits are what the answer starts from.
            for held, token in zip(self._held, tokens[:-1], strict=False):
                if held != token:
                    break
                shared += 1
        self._keep(shared)
        self.take(tokens[len(self._held) :])

    def take(self, tokens: Sequence[int]) -> None:
        """Compute further tokens. Raises Interrupted or EngineFault; what is held then stays right."""
        for start in range(0, len(tokens), self._batch):
            piece = tokens[start : start + self._batch]
            array = (lib.llama_token * len(piece))(*piece)
            code = int(lib.llama_decode(self._context, lib.llama_batch_get_one(array, len(piece))))
            if code != 0:
                self._keep(len(self._held))
                raise Interrupted if code == 2 else EngineFault(f"llama_decode returned {code}")
            self._held.extend(piece)

    def _keep(self, count: int) -> None:
        """Forget everything computed after the first `count` tokens, finished parts of an aborted batch included."""
        memory = lib.llama_get_memory(self._context)
        if count == 0 or not lib.llama_memory_seq_rm(memory, 0, count, -1):
            # Recurrent models cannot step back: they begin again.
            lib.llama_memory_clear(memory, True)
            count = 0
        del self._held[count:]

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self.n_context - len(self._held)

    def logits(self) -> NDArray[np.float32]:
        """Of the last token taken; a view that the next `take` overwrites."""
        return np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, -1), shape=(self.n_vocab,))

    @property
    def context(self) -> Any:
        return self._context

    def abort(self) -> None:
        """From any thread: stop computing now, or as soon as it starts."""
        self._flag[0] = b"\x01"

    def resume(self) -> None:
        self._flag[0] = b"\x00"

    def close(self) -> None:
        if self._context:
            lib.llama_free(self._context)
            self._context = None
        if self._model:
            lib.llama_model_free(self._model)
            self._model = None


def _ignore(_level: int, _text: bytes, _data: Any) -> None:
    """llama.cpp's own log: no line of it is worth the risk of showing text."""


def _stop_when_set() -> Any:
    """An abort callback that needs no Python in the compute threads: C's own `strlen` of a flag of one character.

    It is called some five hundred times per step; a Python function would take the interpreter's lock each time.
    """
    address = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
    assert address is not None
    return lib.ggml_abort_callback(address)
