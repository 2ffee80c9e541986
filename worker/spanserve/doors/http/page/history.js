// What a worker did in the last minutes, by what it said of itself from time to time.

/** Seconds that are kept. */
const SPAN_S = 300;
/** Seconds between two points that belong together. */
export const LONGEST_S = 12;

/** How each figure is taken from a status; null: there was nothing to count. */
const FIGURES = {
  rate: ({ lately }) => lately.questions_per_s,
  backlog: (status) => status.backlog_windows,
  fill: ({ lately }) => lately.batch_fill,
  padding: ({ lately }) => lately.padding,
  latency: ({ lately }) => (lately.latency_ms === null ? null : lately.latency_ms.p50 / 1000),
};

/** Names of the figures. */
export const NAMES = Object.keys(FIGURES);

/** The last minutes of one worker. */
export class History {
  /** [{at, rate, backlog, fill, padding, latency}], oldest first; times and latency in seconds. */
  points = [];

  /** Note what the worker says at a time, in seconds. */
  add(at, status) {
    this.points.push({ at, ...Object.fromEntries(NAMES.map((name) => [name, FIGURES[name](status)])) });
    while (this.points[0].at < at - SPAN_S) this.points.shift();
  }

  /** Seconds from the left edge of a chart to now: whole minutes, as many as there are points for. */
  spanAt(now) {
    const age = this.points.length ? now - this.points[0].at : 0;
    return Math.min(SPAN_S, 60 * Math.max(1, Math.ceil(age / 60)));
  }

  /** The point nearest to a time; undefined of none. */
  near(at) {
    const distance = (point) => Math.abs(point.at - at);
    return this.points.toSorted((a, b) => distance(a) - distance(b))[0];
  }
}
