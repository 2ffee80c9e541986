"""Limits of the contract, one name each, the same at every door."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

#: Bytes of UTF-8 in a context.
MAX_CONTEXT_BYTES: Final = 48 * KIB
#: Code points of a question, and its bytes of UTF-8.
MAX_QUESTION_CHARS: Final = 512
MAX_QUESTION_BYTES: Final = 2 * KIB
#: Bytes of UTF-8 in a question id.
MAX_QUESTION_ID_BYTES: Final = 256
#: Questions in a task.
MAX_QUESTIONS: Final = 64
#: Windows of one question, and of all questions of a task.
MAX_WINDOWS_PER_QUESTION: Final = 64
MAX_WINDOWS_PER_TASK: Final = 512
#: Bytes of a serialised task, and of a frame.
MAX_TASK_BYTES: Final = 64 * KIB
MAX_FRAME_BYTES: Final = 1 * MIB
#: Bytes of a task, or of a line of tasks, as JSON: any character may be written as six.
MAX_JSON_BYTES: Final = 8 * MAX_TASK_BYTES
#: Tasks in a frame.
MAX_TASKS_PER_FRAME: Final = 256
#: Bytes of a gRPC message, both ways.
MAX_MESSAGE_BYTES: Final = 4 * MIB
#: Longest time a task may ask for, in milliseconds: 24 h.
MAX_TIMEOUT_MS: Final = 24 * 3600 * 1000
#: Time an `Answer` call gets when its task names none, in milliseconds.
ANSWER_TIMEOUT_MS: Final = 30_000
#: What task, run and tenant ids look like. Safe as a part of a key or a file name.
ID_PATTERN: Final = r"[A-Za-z0-9._:-]{1,128}"
#: Ranges of the options.
MAX_N_BEST: Final = 100
MAX_ANSWER_LENGTH: Final = 128
MAX_DOC_STRIDE: Final = 384
MAX_QUERY_LENGTH: Final = 128
#: Characters of each text of an error that a client keeps.
MAX_ERROR_CHARS: Final = 2 * KIB
#: Attempts that are told apart: from the third on a task runs alone, from the fourth on each of its questions.
MAX_ATTEMPTS: Final = 5
#: Deaths of a device or a worker that was alone with something, before that is given up as poison.
MAX_DEATHS: Final = 3
