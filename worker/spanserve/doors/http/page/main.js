// The page of a worker: ask it, and watch it.

import * as answer from "./answer.js";
import * as ask from "./ask.js";
import * as live from "./live.js";
import * as words from "./words.js";

const other = document.getElementById("language");
other.addEventListener("click", words.turn);
words.onChange(() => {
  other.textContent = words.words("language.other");
  other.lang = words.current() === "en" ? "zh-Hans" : "en";
});

words.begin();
answer.begin();
ask.begin(live.again);
live.begin(ask.wantToken);
