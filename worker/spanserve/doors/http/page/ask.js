// The form: a text, a question, and what was wrong with them.

import { conceal, reveal } from "./answer.js";
import { EXAMPLES } from "./examples.js";
import { explain, outOfRange } from "./faults.js";
import { current, hush, onChange, say } from "./words.js";
import { answer, Failure, hasToken, useToken } from "./worker.js";

const element = (id) => document.getElementById(id);
const form = element("ask");
const context = element("context");
const reader = element("reader");
const question = element("question");
const INPUTS = ["context", "question", "n_best", "max_answer_length", "token"];
const NUMBERS = ["n_best", "max_answer_length"];
/** Of the question that waits for its answer: to withdraw it. */
let asking = new AbortController();
/** Tries a token that was given; if it is refused, `wantToken` is called before that is over. */
let tokenGiven = async () => {};

/** Take questions. */
export function begin(onToken) {
  tokenGiven = onToken;
  form.addEventListener("submit", submitted);
  element("token-form").addEventListener("submit", useTyped);
  element("edit").addEventListener("click", () => edit());
  reader.addEventListener("click", () => window.getSelection().isCollapsed && edit());
  context.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  for (const input of INPUTS) element(input).addEventListener("input", () => clear(input));
  offerExamples();
  onChange(offerExamples);
  take(EXAMPLES.find((example) => example.language === current()));
}

/** Ask for a token; `refused` if one was given. */
export function wantToken(refused) {
  element("token-form").hidden = false;
  if (refused) complain("token", "token.refused");
}

async function submitted(event) {
  event.preventDefault();
  INPUTS.forEach(clear);
  const typed = { context: context.value, question: question.value };
  const faults = faultsOf(typed);
  if (faults.length) return faults.reverse().forEach(blame);
  const turn = next();
  busy(true);
  const began = performance.now();
  try {
    const options = Object.fromEntries(NUMBERS.map((id) => [id, element(id).valueAsNumber]));
    const result = await answer(typed.context, typed.question, options, turn.signal);
    if (turn === asking) show(typed.context, result, (performance.now() - began) / 1000);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (turn === asking) failed(error);
  } finally {
    if (turn === asking) busy(false);
  }
}

/** Withdraw what was asked last, and ask something else. */
function next() {
  asking.abort();
  asking = new AbortController();
  return asking;
}

/** What can be seen to be wrong before anybody is asked, in the order of the fields; other limits are the worker's to tell. */
function faultsOf(typed) {
  const texts = ["context", "question"].flatMap((id) => {
    if (!typed[id].trim()) return [{ field: id, key: `error.${id}.empty` }];
    return typed[id].isWellFormed() ? [] : [{ field: id, key: `error.${id}.broken` }];
  });
  const numbers = NUMBERS.map(element).filter((input) => !input.checkValidity() || input.value === "");
  return [...texts, ...numbers.map(outOfRange)];
}

function show(text, result, trip) {
  const wasTyping = document.activeElement === context;
  context.hidden = true;
  reader.hidden = element("edit").hidden = false;
  if (wasTyping) reader.focus({ preventScroll: true });
  reveal(text, result, trip);
}

function failed(failure) {
  conceal();
  edit({ focus: false });
  if (failure.code === "UNAUTHENTICATED" && !hasToken()) {
    element("token-form").hidden = false;
    return element("token").focus();
  }
  if (failure.code === "UNAUTHENTICATED") wantToken(true);
  return blame(explain(failure));
}

/** Tell a fault where it belongs, and go there. */
function blame({ field, key, named }) {
  if (field === "context") edit({ focus: false });
  if (NUMBERS.includes(field)) element("options").open = true;
  complain(field, key, named);
  if (field) element(field).focus();
}

function complain(field, key, named) {
  const line = element(field ? `${field}-error` : "form-error");
  line.hidden = false;
  say(line, key, named);
  if (field) element(field).setAttribute("aria-invalid", "true");
}

function clear(field) {
  for (const line of [element(`${field}-error`), element("form-error")]) {
    line.hidden = true;
    hush(line);
  }
  element(field).removeAttribute("aria-invalid");
}

function busy(is) {
  const button = element("submit");
  button.toggleAttribute("data-busy", is);
  say(button.firstElementChild, is ? "ask.busy" : "ask.do");
  element("answer").setAttribute("aria-busy", String(is));
}

/** Back to the text as it is typed. */
function edit({ focus = true } = {}) {
  if (context.hidden) {
    context.hidden = false;
    reader.hidden = element("edit").hidden = true;
    conceal();
  }
  if (focus) context.focus();
}

async function useTyped(event) {
  event.preventDefault();
  const typed = element("token").value.trim();
  if (!typed) return blame({ field: "token", key: "token.empty" });
  if (!/^[\x21-\x7e]+$/.test(typed)) return blame({ field: "token", key: "token.refused" }); // no header has others
  clear("token");
  useToken(typed);
  await tokenGiven();
  if (!element("token-error").hidden) return element("token").focus();
  element("token").value = "";
  element("token-form").hidden = true;
  return question.focus();
}

function offerExamples() {
  const list = element("examples");
  const own = current();
  const sorted = EXAMPLES.toSorted((a, b) => (b.language === own) - (a.language === own));
  list.replaceChildren(
    ...sorted.map((example) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      button.lang = example.language;
      button.textContent = example.title;
      button.addEventListener("click", () => {
        take(example);
        question.focus();
      });
      return button;
    }),
  );
}

function take(example) {
  next();
  busy(false);
  edit({ focus: false });
  INPUTS.forEach(clear);
  context.value = example.context;
  question.value = example.question;
}
