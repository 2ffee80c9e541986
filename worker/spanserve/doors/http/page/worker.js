// The worker behind this page: what may be asked of it, and what can go wrong.

const STORED = "spanserve.token";
/** Milliseconds after which a question is given up; the worker's own limit is 30 s. */
const ANSWER_MS = 40_000;
const LOOK_MS = 8_000;

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

/** The outcome of a question about a context, with the times of its task; an error is thrown. `signal` withdraws it. */
export async function answer(context, question, options, signal) {
  const body = JSON.stringify({ context, questions: [{ id: "1", text: question }], options });
  const headers = { "Content-Type": "application/json" };
  const result = await call("v1/answer", ANSWER_MS, { method: "POST", body, headers, signal });
  const outcome = result.questions[0];
  if (outcome.error) throw new Failure(outcome.error);
  return { ...outcome, timing: result.timing };
}

/** What the worker says of itself. */
export function look() {
  return call("v1/status", LOOK_MS);
}

/** What the worker answers. */
async function call(path, patienceMs, request = {}) {
  const headers = { ...request.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const signal = AbortSignal.any([AbortSignal.timeout(patienceMs), ...(request.signal ? [request.signal] : [])]);
  let response, text;
  try {
    response = await fetch(path, { ...request, headers, signal, cache: "no-store", credentials: "omit" });
    text = await response.text();
  } catch (error) {
    throw new Failure({ code: error.name === "TimeoutError" ? "DEADLINE_EXCEEDED" : "UNREACHABLE" });
  }
  if (response.status === 401) throw new Failure({ code: "UNAUTHENTICATED" });
  const said = parsed(text);
  if (response.ok && said) return said;
  // What has no code was said by something in between.
  throw new Failure(said?.code ? said : { code: "INTERNAL", message: `HTTP ${response.status}` });
}

/** What a text in JSON says; null if it is none. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function stored() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}
