// Offsets of the worker count code points; strings of JavaScript count UTF-16 units, two for an emoji.

/** The text in three: before, within and after a span. Offsets in code points, `end` exclusive. */
export function cut(text, start, end) {
  const from = unitsOf(text, start, 0);
  const to = from + unitsOf(text, end - start, from);
  return [text.slice(0, from), text.slice(from, to), text.slice(to)];
}

/** The last code points of a text, at most `count`; whole ones. */
export function lastOf(text, count) {
  return Array.from(text.slice(-2 * count)).slice(-count).join("");
}

/** The first code points of a text, at most `count`; whole ones. */
export function firstOf(text, count) {
  return text.slice(0, unitsOf(text, count, 0));
}

/** UTF-16 units of the `count` code points from unit `from` on; those that there are. */
function unitsOf(text, count, from) {
  let unit = from;
  for (let left = count; left > 0 && unit < text.length; left -= 1) {
    unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
  }
  return unit - from;
}
