// The worker behind this page: what may be asked of it, and what can go wrong.

const STORED = "spanserve.token";
/** Milliseconds after which a question is given up; the worker's own limit is 30 s. */
const ANSWER_MS = 40_000;
const LOOK_MS = 5_000;

/** Why the worker gave nothing. `code` is that of its error, or UNREACHABLE, UNAUTHENTICATED, PERMISSION_DENIED. */
export class Failure extends Error {
  constructor({ code, message = "", field = "", value = "", limit = "", retry_after_ms: retryAfterMs = null }) {
    super(message);
    Object.assign(this, { code, field, value, limit, retryAfterMs });
  }
}

let token = stored();

/** Whether a token was given. */
export function hasToken() {
  return token !== "";
}

/** Show this token from now on, in this tab alone. */
export function useToken(text) {
  token = text;
  try {
    sessionStorage.setItem(STORED, text);
  } catch {
    // A browser that keeps nothing: it holds until the page is left.
  }
}

/** The result of a question about a context, as the contract has it; its one question's error is thrown. */
export async function answer(context, question, options) {
  const body = JSON.stringify({ context, questions: [{ id: "1", text: question }], options });
  const response = await call("v1/answer", ANSWER_MS, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/json" },
  });
  const result = await response.json();
  const outcome = result.questions[0];
  if (outcome.error) throw new Failure(outcome.error);
  return { ...outcome, timing: result.timing };
}

/** What the worker says of itself. */
export async function look() {
  return (await call("v1/status", LOOK_MS)).json();
}

async function call(path, patienceMs, request = {}) {
  const headers = { ...request.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  let response;
  try {
    const signal = AbortSignal.timeout(patienceMs);
    response = await fetch(path, { ...request, headers, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    throw new Failure({ code: error.name === "TimeoutError" ? "DEADLINE_EXCEEDED" : "UNREACHABLE" });
  }
  if (!response.ok) throw new Failure(await reason(response));
  return response;
}

async function reason(response) {
  if (response.status === 401) return { code: "UNAUTHENTICATED" };
  const said = await response.json().catch(() => ({}));
  // What has no code was said by something in between.
  return said.code ? said : { code: "INTERNAL", message: `HTTP ${response.status}` };
}

function stored() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}
