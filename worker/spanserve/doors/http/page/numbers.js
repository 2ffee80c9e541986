// Numbers as the reader writes them.

import { current } from "./words.js";

/** A share from 0 to 1 in per cent; what is not quite nothing or all is not said to be. */
export function percent(share) {
  if (share > 0 && share < 0.001) return `< ${format(0.001, { style: "percent", maximumFractionDigits: 1 })}`;
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return format(share < 1 ? Math.min(share, 0.99) : 1, { style: "percent", maximumFractionDigits: digits });
}

/** Seconds, in the unit that fits: 0.4 ms, 23 ms, 1.2 s. */
export function duration(seconds) {
  if (seconds >= 1) return `${format(seconds, { maximumSignificantDigits: 2 })} s`;
  return `${format(seconds * 1000, { maximumSignificantDigits: 2 })} ms`;
}

/** A count or a rate: whole from 10 on. */
export function count(value) {
  return format(value, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function format(value, options) {
  return new Intl.NumberFormat(current(), options).format(value);
}
