// The worker, watched: its state, figures over the last minutes, and what it serves.

import { chart, draw, pointAt, roomFor } from "./chart.js";
import { History, LONGEST_S, NAMES } from "./history.js";
import { count, duration, percent } from "./numbers.js";
import { has, onChange, say, words } from "./words.js";
import { Failure, hasToken, look } from "./worker.js";

const element = (id) => document.getElementById(id);
const EVERY_MS = 2000;
const LONGEST_PAUSE_MS = 10_000;
const SHOWN_AS = { rate: count, backlog: count, fill: percent, padding: percent, latency: duration };
const history = new History();
const figures = new Map();
let status = null;
let state = "unknown";
let pauseMs = EVERY_MS;
let timer = null;
let looking = false;
/** The age in seconds that the reader points at; null: now. */
let pointed = null;
let wantToken = () => {};

/** Watch the worker while the page is seen. `onToken` is told that a token is wanted. */
export function begin(onToken) {
  wantToken = onToken;
  element("figures").replaceChildren(...NAMES.map(figure));
  document.addEventListener("visibilitychange", again);
  onChange(render);
  render();
  again();
}

/** Look now; not at all while nobody sees the page. */
export async function again() {
  clearTimeout(timer);
  if (!document.hidden && !looking) await once();
}

async function once() {
  looking = true;
  try {
    status = await look();
    history.add(performance.now() / 1000, status);
    pauseMs = EVERY_MS;
    become(status.state);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failed(error);
  } finally {
    looking = false;
    render();
    // Who may not watch is not asked again by itself.
    if (!document.hidden && state !== "closed" && state !== "denied") timer = setTimeout(once, pauseMs);
  }
}

function failed({ code }) {
  pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5);
  if (code === "UNAUTHENTICATED") wantToken(hasToken());
  const states = { UNAUTHENTICATED: "closed", PERMISSION_DENIED: "denied", RESOURCE_EXHAUSTED: state };
  become(states[code] ?? "lost");
}

/** Be in a state, and say so where it is news. */
function become(next) {
  const known = has(`state.${next}`) ? next : "unknown";
  if (known === state) return;
  const line = element("lost");
  if (["lost", "closed", "denied"].includes(known)) {
    line.hidden = false;
    line.classList.toggle("calm", known !== "lost");
    say(line, `live.${known}`);
    say(element("announcement"), `live.${known}`);
  } else {
    line.hidden = true;
    if (state === "lost") say(element("announcement"), "live.back", { state: () => words(`state.${known}`) });
  }
  state = known;
}

/** Whether what was seen last is of no use now. */
function isStale() {
  return ["lost", "closed", "denied"].includes(state);
}

function render() {
  element("state").dataset.state = state;
  say(element("state").firstElementChild, `state.${state}`);
  element("live").toggleAttribute("data-stale", isStale());
  drawFigures();
  if (status) drawFacts();
}

function figure(name) {
  const card = document.createElement("div");
  card.className = "figure";
  card.id = `figure-${name}`;
  const label = document.createElement("p");
  label.className = "name";
  say(label, `figure.${name}`);
  const value = document.createElement("span");
  value.className = "number";
  const drawing = chart();
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    pointed = history.spanAt(performance.now() / 1000) * (1 - (event.clientX - box.left) / box.width);
    drawFigures();
  });
  drawing.addEventListener("pointerleave", () => {
    pointed = null;
    drawFigures();
  });
  const most = document.createElement("span");
  most.className = "most";
  most.setAttribute("aria-hidden", "true");
  const line = document.createElement("p");
  line.className = "above";
  line.append(value, most);
  card.append(label, line, drawing);
  figures.set(name, { value, drawing, most });
  return card;
}

function drawFigures() {
  const now = performance.now() / 1000;
  const at = pointed === null ? history.points.at(-1) : history.near(now - pointed);
  const fresh = at && (pointed !== null || !isStale()) ? at : null;
  const span = history.spanAt(now);
  const minutes = { minutes: span / 60 };
  const spanKey = span === 60 ? "live.minute" : "live.minutes";
  for (const [name, { value, drawing, most }] of figures) {
    const show = SHOWN_AS[name];
    const points = history.points.map((point) => ({ age: now - point.at, value: point[name] }));
    const highest = Math.max(0, ...points.map((point) => point.value ?? 0));
    const top = show === percent ? 1 : roomFor(highest);
    draw(drawing, points, { span, most: top, longest: LONGEST_S });
    pointAt(drawing, pointed !== null && fresh ? now - fresh.at : null, span);
    const shown = fresh === null || fresh[name] === null ? words("figure.none") : show(fresh[name]);
    value.textContent = shown;
    most.textContent = points.length ? show(top) : "";
    const named = { name: words(`figure.${name}`), span: words(spanKey, minutes), now: shown, most: show(highest) };
    drawing.setAttribute("aria-label", words("live.chart", named));
  }
  const age = pointed !== null && fresh ? `${count(Math.round(now - fresh.at))} s` : null;
  say(element("moment"), age ? "live.ago" : spanKey, { ...minutes, time: age });
}

function drawFacts() {
  document.title = `${status.model} · spanserve`;
  const facts = {
    model: `${status.model} ${status.model_digest.slice(0, 12)}`,
    precision: status.precision,
    device: status.simulated ? words("fact.simulated", { device: status.device }) : status.device,
    runtime: status.runtime,
    tokenizer: status.tokenizer,
    window: words("fact.window.value", { tokens: count(status.max_seq_length) }),
    batch: words("fact.batch.value", { windows: count(status.max_batch_size) }),
    ended: count(status.ended_questions),
    restarts: count(status.host_restarts),
    worker: status.worker,
    version: status.version,
  };
  element("facts").replaceChildren(
    ...Object.entries(facts).filter(([, value]) => value).map(([name, value]) => {
      const item = document.createElement("div");
      const term = document.createElement("dt");
      term.textContent = words(`fact.${name}`);
      const said = document.createElement("dd");
      said.textContent = value;
      item.append(term, said);
      return item;
    }),
  );
}
