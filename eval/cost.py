"""What a question costs in tokens, where a language model words the answers."""

from __future__ import annotations

import threading
from collections.abc import Generator as Yields
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from rag.generate import Generator, Message
from rag.prompts import count_tokens


@dataclass(frozen=True, slots=True)
class Tokens:
    """Estimated tokens of the prompts sent and of the replies that came; see `count_tokens`."""

    prompt: int = 0
    reply: int = 0
    calls: int = 0


class Meter:
    """A language model that counts what it is sent and what it says, each thread for itself.

    A question is answered on one thread from `start` to `read`; what other threads ask meanwhile
    is not in its count. The tokens are estimated, since few servers stream their own count.

    Args:
        model: the one that does the work.

    Attributes:
        name: the model's.
    """

    def __init__(self, model: Generator) -> None:
        self.name = model.name
        self._model = model
        self._of = threading.local()

    def start(self) -> None:
        """Begin to count anew on this thread."""
        self._of.tokens = Tokens()

    def read(self) -> Tokens:
        """What was spent on this thread since `start`."""
        tokens: Tokens = getattr(self._of, "tokens", Tokens())
        return tokens

    def generate(
        self, messages: Sequence[Message], *, tokens: int, until: float
    ) -> Yields[str, None, None]:
        """See `Generator.generate`; a reply that breaks off counts as far as it came."""
        said: list[str] = []
        sent = sum(count_tokens(m.content) for m in messages)
        try:
            with closing(self._model.generate(messages, tokens=tokens, until=until)) as pieces:
                for piece in pieces:
                    said.append(piece)
                    yield piece
        finally:
            before = self.read()
            came = count_tokens("".join(said)) if said else 0
            self._of.tokens = Tokens(before.prompt + sent, before.reply + came, before.calls + 1)

    def close(self) -> None:
        """Give up the model's connections."""
        self._model.close()
