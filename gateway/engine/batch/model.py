"""One model file: its weights, vocabulary, chat template and adapters. What computes with it is a Context."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cpp import llama_cpp as lib

from gateway.core.errors import ConfigurationError
from gateway.engine.batch.stretches import pieces
from gateway.engine.controls import looks_like_control

if TYPE_CHECKING:
    from gateway.engine.files.adapters import AdapterFile


class EngineFault(Exception):
    """llama.cpp returned an error; the message holds its code and no text."""


_SPECIAL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
"""Kinds of tokens that llama.cpp reads as such wherever their text stands in a prompt."""


def _never() -> bool:
    return False


class Model:
    """Weights and vocabulary; the methods on text may be used by several threads at once."""

    def __init__(
        self, path: Path, *, stopped: Callable[[], bool] = _never, adapters: Sequence[AdapterFile] = ()
    ) -> None:
        """Load the file; `stopped` is asked meanwhile. Raises ConfigurationError."""
        # Every C callback is kept here: ctypes frees what Python forgets, and the library calls it all the same.
        self._log = lib.llama_log_callback(_ignore)
        lib.llama_log_set(self._log, None)
        lib.llama_backend_init()
        self._progress = lib.llama_progress_callback(lambda _done, _data: not stopped())
        self._adapters: Mapping[str, tuple[Any, float]] = {}
        self.pointer = self._load(path)
        try:
            self.vocab = lib.llama_model_get_vocab(self.pointer)
            # Others, as SentencePiece's, run no regular expression, and write a space before each piece.
            self._cuts = int(lib.llama_vocab_type(self.vocab)) == lib.LLAMA_VOCAB_TYPE_BPE
            self.n_vocab = int(lib.llama_vocab_n_tokens(self.vocab))
            self.n_trained = int(lib.llama_model_n_ctx_train(self.pointer))
            self._pieces: dict[int, bytes] = {}
            self._ends = frozenset(token for token in range(self.n_vocab) if lib.llama_vocab_is_eog(self.vocab, token))
            if adapters:
                from gateway.engine.files.adapters import load_adapters

                loaded = load_adapters(self.pointer, adapters)
                self._adapters = {file.name: (loaded[file.name], file.scale) for file in adapters}
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path) -> Any:
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 999 if lib.llama_supports_gpu_offload() else 0
        params.progress_callback = self._progress
        model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ConfigurationError(f"llama.cpp cannot read {path.name!r}: it is damaged, no GGUF, or too new")
        return model

    @property
    def cell_bytes(self) -> int:
        """What one token takes in a context: keys and values of every layer, 16 bits each."""
        heads = max(1, int(lib.llama_model_n_head(self.pointer)))
        width = int(lib.llama_model_n_embd(self.pointer)) // heads * int(lib.llama_model_n_head_kv(self.pointer))
        return 4 * int(lib.llama_model_n_layer(self.pointer)) * width

    def adapter(self, name: str) -> tuple[Any, float]:
        """An adapter and its scale. Raises KeyError."""
        return self._adapters[name]

    @property
    def template(self) -> str | None:
        raw = lib.llama_model_chat_template(self.pointer, None)
        return raw.decode("utf-8", "replace") if raw else None

    @property
    def bos(self) -> str:
        return self.token_text(int(lib.llama_vocab_bos(self.vocab)))

    @property
    def eos(self) -> str:
        return self.token_text(int(lib.llama_vocab_eos(self.vocab)))

    def token_text(self, token: int) -> str:
        """A special token as the template writes it."""
        raw = lib.llama_vocab_get_text(self.vocab, token) if token >= 0 else b""
        return (raw or b"").decode("utf-8", "replace")

    def control_texts(self) -> frozenset[str]:
        """How the tokens that structure a chat are written: `<|im_start|>`, `<|im_end|>` …"""
        return frozenset(
            text
            for token in range(self.n_vocab)
            if (kind := int(lib.llama_vocab_get_attr(self.vocab, token))) & _SPECIAL
            and len(text := self.token_text(token)) > 1
            and (kind & lib.LLAMA_TOKEN_ATTR_CONTROL or looks_like_control(text))
        )

    def tokens(self, text: str) -> list[int]:
        """Tokens of a rendered prompt; special tokens are read as such, none are added (the template wrote them)."""
        parts = pieces(text) if self._cuts else (text,)
        return [token for part in parts for token in self._tokens(part.encode("utf-8", "replace"))]

    def _tokens(self, raw: bytes) -> list[int]:
        room = len(raw) + 8
        while True:
            tokens = (lib.llama_token * room)()
            count = int(lib.llama_tokenize(self.vocab, raw, len(raw), tokens, room, False, True))
            if count >= 0:
                return list(tokens[:count])
            if -count <= room:
                raise EngineFault("llama_tokenize failed")
            room = -count

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes a token adds to the answer; none for a special token unless `special`."""
        if special:
            return self._piece(token, special=True)
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._piece(token, special=False)
        return piece

    def _piece(self, token: int, *, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            written = int(lib.llama_token_to_piece(self.vocab, token, buffer, size, 0, special))
            if written >= 0:
                return buffer.raw[:written]
            size = -written

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return token in self._ends

    def close(self) -> None:
        if self.pointer:
            lib.llama_model_free(self.pointer)  # and the adapters with it
            self.pointer = None


def _ignore(_level: int, _text: bytes, _data: Any) -> None:
    """llama.cpp's own log: no line of it is worth the risk of showing text."""
