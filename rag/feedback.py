"""What readers think of answers: one verdict an answer, in a SQLite file of its own.

It is kept apart from the corpus, which every index is made from: losing one harms nothing of the
other. Each write is one transaction that is on the disk when the call returns (WAL,
synchronous=FULL), so that a process killed at any moment loses no verdict that it confirmed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import FeedbackDamaged, HomeUnusable

FILE = "feedback.sqlite"
"""Its name in the home."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE feedback (
    number INTEGER PRIMARY KEY AUTOINCREMENT, answer_id TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('up', 'down')), question TEXT NOT NULL,
    answer TEXT NOT NULL, comment TEXT NOT NULL, article_ids TEXT NOT NULL,
    passage_ids TEXT NOT NULL);
"""
_COUNT = "SELECT count(*) FROM feedback WHERE ?1 IS NULL OR verdict = ?1"
_LIST = """
SELECT answer_id, verdict, question, answer, comment, at, article_ids, passage_ids FROM feedback
WHERE ?1 IS NULL OR verdict = ?1 ORDER BY number DESC LIMIT ?2 OFFSET ?3
"""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A reader's verdict on one answer.

    Attributes:
        answer_id: `Answer.id`; a later verdict on the same answer takes the earlier one's place.
        verdict: "up" or "down".
        answer: the answer as it was shown, with its [n] markers.
        comment: the reader's own words, or "".
        article_ids: articles that the answer cites.
        passage_ids: passages that it cites.
        at: ISO 8601 time.
    """

    answer_id: str
    verdict: str
    question: str
    answer: str
    comment: str = ""
    article_ids: tuple[str, ...] = ()
    passage_ids: tuple[str, ...] = ()
    at: str = ""


class FeedbackStore:
    """The verdicts of one home. Threads and processes may share it: each call connects anew.

    Nothing is written before the first verdict. Every method raises `HomeUnusable` where the file
    cannot be opened or written, and `FeedbackDamaged` where it is not what it should be.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    def put(self, feedback: Feedback) -> None:
        """Hold a verdict, in place of an earlier one on the same answer; it becomes the newest."""
        f = feedback
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM feedback WHERE answer_id = ?", (f.answer_id,))
            db.execute(
                "INSERT INTO feedback(answer_id, at, verdict, question, answer, comment,"
                " article_ids, passage_ids) VALUES (?,?,?,?,?,?,?,?)",
                (
                    f.answer_id,
                    f.at,
                    f.verdict,
                    f.question,
                    f.answer,
                    f.comment,
                    json.dumps(f.article_ids, ensure_ascii=False),
                    json.dumps(f.passage_ids, ensure_ascii=False),
                ),
            )
            db.execute("COMMIT")

    def withdraw(self, answer_id: str) -> bool:
        """Forget the verdict on an answer; says whether there was one."""
        if not self.path.exists():
            return False
        with self._connection() as db:
            done = db.execute("DELETE FROM feedback WHERE answer_id = ?", (answer_id,))
            return done.rowcount > 0

    def listing(
        self, *, limit: int = 50, offset: int = 0, verdict: str | None = None
    ) -> tuple[list[Feedback], int]:
        """Verdicts, newest first, and how many there are in all.

        Args:
            limit: at most so many.
            offset: skip so many.
            verdict: only "up" or only "down".
        """
        if not self.path.exists():
            return [], 0
        with self._connection() as db:
            count: int = db.execute(_COUNT, (verdict,)).fetchone()[0]
            rows = db.execute(_LIST, (verdict, limit, offset)).fetchall()
        return [_feedback(*row) for row in rows], count

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection; SQLite's errors become ours, and an open transaction is rolled back."""
        try:
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                self._prepare(db)
                yield db
        except sqlite3.OperationalError as error:
            raise HomeUnusable(self.path.parent, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise FeedbackDamaged(self.path, str(error)) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the table where it is not there; two processes may come at once."""
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                db.execute(_SCHEMA)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            db.execute("COMMIT")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise FeedbackDamaged(self.path, f"its format is {version}, not {SCHEMA_VERSION}")


def _feedback(
    answer_id: str,
    verdict: str,
    question: str,
    answer: str,
    comment: str,
    at: str,
    article_ids: str,
    passage_ids: str,
) -> Feedback:
    """A row of `_LIST`."""
    cited = tuple(json.loads(article_ids)), tuple(json.loads(passage_ids))
    return Feedback(answer_id, verdict, question, answer, comment, *cited, at)
