// What went wrong, in plain words and next to the field it concerns.

import { count, duration } from "./numbers.js";
import { words } from "./words.js";

/** Milliseconds to wait where the worker names none. */
const A_MOMENT_MS = 2000;

/** Where a failure is told and how: `{field, key, named}`, where `field` is the id of an input, "token" or "". */
export function explain(failure) {
  const { code, field } = failure;
  if (code === "UNAUTHENTICATED") return { field: "token", key: "token.refused" };
  if (code === "PERMISSION_DENIED") return { field: "", key: "error.denied" };
  if (code === "UNREACHABLE") return { field: "", key: "error.unreachable" };
  if (code === "DEADLINE_EXCEEDED") return { field: "", key: "error.late" };
  if (code === "RESOURCE_EXHAUSTED") return { field: "", key: "error.busy", named: wait(failure) };
  if (code === "UNAVAILABLE") return { field: "", key: "error.unavailable", named: wait(failure) };
  const input = inputOf(field, failure.value);
  if (input === "context" || input === "question") return ofText(input, failure);
  if (code === "TOO_LARGE") return { field: "context", key: "error.context.large" };
  if (input) return outOfRange(document.getElementById(input));
  return { field: input, key: "error.other", named: { message: failure.message } };
}

/** What to say of an input that takes whole numbers from its `min` to its `max`. */
export function outOfRange(input) {
  return { field: input.id, key: "error.range", named: { low: input.min, high: input.max } };
}

/** The input that a field of the contract was taken from. */
function inputOf(field, value) {
  const name = field.replace(/\.\d+|\[\d+\]/, "");
  if (name === "questions.text") return "question";
  if (name === "context" || (name === "questions" && value.endsWith("windows"))) return "context";
  return { "options.n_best": "n_best", "options.max_answer_length": "max_answer_length" }[name] ?? "";
}

function ofText(input, failure) {
  const [value, unit] = failure.value.split(" ");
  if (failure.code === "OUT_OF_RANGE" && unit) {
    const limit = parseInt(failure.limit, 10);
    const named = { value: () => count(Number(value)), limit: () => count(limit), unit: () => words(`unit.${unit}`) };
    return { field: input, key: `error.${input}.long`, named };
  }
  if (failure.value === "0 words") return { field: input, key: `error.${input}.empty` };
  if (failure.value === "0 tokens") return { field: input, key: "error.context.unknown" };
  if (input === "context" && /^\d/.test(failure.limit)) {
    return { field: input, key: "error.context.most", named: { limit: () => count(parseInt(failure.limit, 10)) } };
  }
  return { field: input, key: "error.other", named: { message: failure.message } };
}

function wait(failure) {
  return { wait: () => duration((failure.retryAfterMs ?? A_MOMENT_MS) / 1000) };
}
