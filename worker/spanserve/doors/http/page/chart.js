// A small chart of one figure over the last minutes.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 56;

/** A chart without a point yet. */
export function chart() {
  const drawing = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  drawing.append(
    make("path", { class: "ground", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
    make("path", { class: "area" }),
    make("path", { class: "curve" }),
    make("path", { class: "dots" }),
    make("path", { class: "pointer" }),
  );
  return drawing;
}

/**
 * Draw points.
 * @param points [{age, value}], oldest first, ages in seconds; a null value is a gap
 * @param span seconds from the left edge to the right
 * @param most the value at the upper edge
 * @param longest seconds between two points that belong together
 */
export function draw(drawing, points, { span, most, longest }) {
  const runs = [];
  let last = null;
  for (const { age, value } of points) {
    if (value === null || age > span) {
      last = null;
      continue;
    }
    const x = round(WIDTH * (1 - age / span));
    const y = round(HEIGHT - 2 - (HEIGHT - 4) * Math.min(1, value / (most || 1)));
    if (last === null || last - age > longest) runs.push([]);
    runs.at(-1).push(`${x} ${y}`);
    last = age;
  }
  const curve = runs.map((run) => `M${run.join("L")}`).join("");
  // A line of no length, which round caps make a dot.
  const dots = runs.map((run) => (run.length === 1 ? `M${run[0]}h0` : "")).join("");
  const area = runs.map((run) => `M${xOf(run[0])} ${HEIGHT}L${run.join("L")}L${xOf(run.at(-1))} ${HEIGHT}Z`).join("");
  drawing.querySelector(".curve").setAttribute("d", curve);
  drawing.querySelector(".dots").setAttribute("d", dots);
  drawing.querySelector(".area").setAttribute("d", area);
}

/** Point at an age, in seconds; null: at none. */
export function pointAt(drawing, age, span) {
  const x = age === null ? "" : `M${round(WIDTH * (1 - age / span))} 0V${HEIGHT}`;
  drawing.querySelector(".pointer").setAttribute("d", x);
}

/** A round number that is not below a value: 1, 2 or 5 times a power of ten. */
export function roomFor(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function xOf(point) {
  return point.slice(0, point.indexOf(" "));
}

function round(value) {
  return Math.round(value * 10) / 10;
}
