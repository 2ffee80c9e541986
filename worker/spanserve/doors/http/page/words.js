// What the page says, in the reader's language. Elements keep the key of their words, so they can be said again in another.

import { en } from "./words.en.js";
import { zh } from "./words.zh.js";

const TABLES = { en, zh };
const STORED = "spanserve.language";
const values = new WeakMap();
const listeners = [];
let language = "en";

/** The language in use: "en" or "zh". */
export function current() {
  return language;
}

/** Words by their key; `{name}` is replaced by the value of that name, which may be a function. */
export function words(key, named = {}) {
  const found = TABLES[language][key];
  if (found === undefined) throw new Error(`no words for ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => {
    const value = named[name];
    return String(typeof value === "function" ? value() : value);
  });
}

/** Whether there are words for a key. */
export function has(key) {
  return key in en;
}

/** Let an element say something, now and after a change of language. */
export function say(element, key, named = {}) {
  element.dataset.t = key;
  values.set(element, named);
  element.textContent = words(key, named);
}

/** Let an element say nothing. */
export function hush(element) {
  delete element.dataset.t;
  element.textContent = "";
}

/** Call after each change of language; for what is drawn and not said. */
export function onChange(listener) {
  listeners.push(listener);
}

/** Speak the reader's language: the one chosen last time, else the browser's. */
export function begin() {
  const wanted = [remembered(), ...navigator.languages].map((tag) => (tag ?? "").slice(0, 2).toLowerCase());
  use(wanted.find((tag) => tag in TABLES) ?? "en");
}

/** Speak the other language from now on, and next time. */
export function turn() {
  const other = language === "en" ? "zh" : "en";
  try {
    localStorage.setItem(STORED, other);
  } catch {
    // A browser that keeps nothing: the choice holds for this page.
  }
  use(other);
}

function remembered() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function use(tag) {
  language = tag;
  document.documentElement.lang = tag === "zh" ? "zh-Hans" : tag;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = words(element.dataset.t, values.get(element));
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", words(element.dataset.tLabel));
  }
  for (const listener of listeners) listener();
}
