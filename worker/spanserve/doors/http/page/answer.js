// An answer: the span in its text, the other candidates, and where the time went.

import { cut, firstOf, lastOf } from "./codepoints.js";
import { duration, percent } from "./numbers.js";
import { hush, onChange, say, words } from "./words.js";

const element = (id) => document.getElementById(id);
const STAGES = ["queue", "tokenise", "wait", "device", "decode"];
/** Candidates that are shown before somebody asks for all. */
const FEW = 5;
/** Code points of context around a span that are read out. */
const AROUND = 60;
let shown = null;

/** Show an answer in its text. `trip` is in seconds, from the click to here. */
export function reveal(text, result, trip) {
  const candidates = result.n_best;
  const none = shareOfNone(candidates, result.no_answer_score);
  shown = { text, candidates, none, timing: result.timing, trip, all: false, chosen: 0 };
  show(true);
  element("shortened").hidden = !result.question_truncated;
  draw();
  announce();
  element("best").scrollIntoView({ block: "nearest" });
}

/** Show no answer. */
export function conceal() {
  shown = null;
  show(false);
  element("reader").replaceChildren();
  hush(element("announcement"));
}

function show(is) {
  element("answer").hidden = !is;
  element("nothing").hidden = is;
}

/** Draw again what is shown, in the reader's language. */
export function begin() {
  element("more").addEventListener("click", () => {
    shown.all = true;
    drawCandidates();
    element("candidate-list").querySelectorAll("input")[FEW].focus();
  });
  onChange(() => shown && draw());
}

/** The probability that the text does not say, among all candidates: a softmax over their scores and its own. */
function shareOfNone(candidates, none) {
  const weights = candidates.map(({ score }) => Math.exp(score - none));
  return 1 / (1 + weights.reduce((sum, weight) => sum + weight, 0));
}

function draw() {
  const { candidates, none } = shown;
  const numbers = {
    share: () => percent(candidates[0].probability),
    count: candidates.length,
    none: () => percent(none),
  };
  element("best").textContent = candidates[0].text;
  say(element("sure"), candidates.length > 1 ? "answer.sure" : "answer.only", numbers);
  element("unsure").hidden = none < 0.5;
  mark();
  drawCandidates();
  drawTimes();
}

/** Mark the chosen candidate in the text, and bring it into sight. */
function mark() {
  const { text, candidates, chosen } = shown;
  const [before, within, after] = cut(text, candidates[chosen].start, candidates[chosen].end);
  const marked = document.createElement("mark");
  marked.textContent = within;
  const reader = element("reader");
  reader.replaceChildren(before, marked, after);
  const top = marked.offsetTop - reader.offsetTop;
  const isLow = top + marked.offsetHeight > reader.clientHeight;
  reader.scrollTop = isLow ? top - (reader.clientHeight - marked.offsetHeight) / 2 : 0;
}

function announce() {
  const { text, candidates, chosen } = shown;
  const { start, end, probability } = candidates[chosen];
  const [before, within, after] = cut(text, start, end);
  say(element("announcement"), "answer.said", {
    text: within,
    share: () => percent(probability),
    before: lastOf(before, AROUND),
    after: firstOf(after, AROUND),
  });
}

function drawCandidates() {
  const { candidates, all } = shown;
  const few = all ? candidates : candidates.slice(0, FEW);
  element("candidates").hidden = candidates.length < 2;
  element("candidate-list").replaceChildren(...few.map(candidateRow));
  element("more").hidden = few.length === candidates.length;
  say(element("more"), "candidates.more", { count: candidates.length });
}

function candidateRow({ text, probability }, at) {
  const row = document.createElement("label");
  row.className = "candidate";
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "candidate", checked: at === shown.chosen });
  input.addEventListener("change", () => {
    shown.chosen = at;
    mark();
    announce();
  });
  const said = document.createElement("span");
  Object.assign(said, { className: "said", dir: "auto", textContent: text });
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.setProperty("--share", probability);
  const value = document.createElement("span");
  Object.assign(value, { className: "value", textContent: percent(probability) });
  row.append(input, said, bar, value);
  return row;
}

function drawTimes() {
  const { timing, trip } = shown;
  const times = STAGES.map((stage) => ({ stage, seconds: timing[`${stage}_us`] / 1e6 }));
  const sum = times.reduce((total, { seconds }) => total + seconds, 0);
  const total = timing.total_us / 1e6 || sum;
  say(element("elapsed"), "time.total", { total: () => duration(total), trip: () => duration(trip) });
  element("split").replaceChildren(
    ...times.map(({ stage, seconds }) => {
      const part = document.createElement("span");
      part.dataset.stage = stage;
      part.style.flexGrow = seconds / (sum || 1);
      return part;
    }),
  );
  element("stages").replaceChildren(
    ...times.map(({ stage, seconds }) => {
      const item = document.createElement("div");
      item.dataset.stage = stage;
      const name = document.createElement("dt");
      name.textContent = words(`time.${stage}`);
      const value = document.createElement("dd");
      value.textContent = duration(seconds);
      item.append(name, value);
      return item;
    }),
  );
}
