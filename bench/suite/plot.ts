/** Plots as SVG text: bars with their spread, and lines over axes that are logarithmic or linear. Nothing is fetched, nothing moves. */
import { shown } from "./table.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
  /** Drawn in the strong colour. */
  readonly isOurs: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Of several samples; drawn as a thin line. */
  readonly lowest?: number;
  readonly highest?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export type AxisKind = "log" | "linear";

/** How far an axis goes, and where it has lines. */
interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 22;
const BAR_GAP = 6;
const OURS = "#1f6f8b";
const THEIRS = "#b9b4a7";
const COLOURS = [OURS, "#c0572b", "#5b7f3b", "#7a5195", "#8a8577"];
const LINE_HEIGHT = 300;
const MARGIN = { left: 70, right: 150, top: 26, bottom: 40 };
/** Of one line. */
const DOTS_MAX = 40;

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Bars from zero; the thin line in each goes from its lowest to its highest sample. */
export function barPlot(bars: readonly Bar[], unit: string): string {
  const top = Math.max(...bars.map(({ highest }) => highest), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / top;
  const rows = bars.map(({ label, value, lowest, highest, isOurs }, i) => {
    const y = i * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    const x = (of: number): string => (LABEL_WIDTH + of * scale).toFixed(1);
    return [
      text(LABEL_WIDTH - 8, middle + 4, label, "end"),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR_HEIGHT}" fill="${isOurs ? OURS : THEIRS}"/>`,
      `<line x1="${x(lowest)}" x2="${x(highest)}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="2"/>`,
      text(LABEL_WIDTH + highest * scale + 8, middle + 4, `${shown(value)} ${unit}`, "start"),
    ].join("");
  });
  return svg(WIDTH, bars.length * (BAR_HEIGHT + BAR_GAP), rows.join("\n"));
}

/**
 * Lines over two axes. A logarithmic one has a line at each power of ten and leaves out what is not above 0; a linear one begins at 0. Many points are drawn
 * without their dots.
 */
export function linePlot(
  series: readonly Series[],
  xName: string,
  yName: string,
  kinds: { readonly x: AxisKind; readonly y: AxisKind } = { x: "log", y: "log" },
): string {
  const isDrawn = ({ x, y }: Point): boolean => isOn(kinds.x, x) && isOn(kinds.y, y);
  const points = series.flatMap((each) => each.points).filter(isDrawn);
  if (points.length === 0) return "";
  const right = WIDTH - MARGIN.right;
  const bottom = LINE_HEIGHT - MARGIN.bottom;
  const x = scaleOf(
    kinds.x,
    points.map((point) => point.x),
    MARGIN.left,
    right,
  );
  const y = scaleOf(
    kinds.y,
    points.flatMap((point) => [point.y, point.highest ?? point.y]),
    bottom,
    MARGIN.top,
  );
  const parts: string[] = [];
  for (const tick of x.ticks) {
    const at = x.at(tick).toFixed(1);
    parts.push(`<line x1="${at}" x2="${at}" y1="${MARGIN.top}" y2="${bottom}" stroke="#ddd"/>`);
    parts.push(text(Number(at), LINE_HEIGHT - 22, tickText(tick), "middle"));
  }
  for (const tick of y.ticks) {
    const at = y.at(tick).toFixed(1);
    parts.push(`<line x1="${MARGIN.left}" x2="${right}" y1="${at}" y2="${at}" stroke="#ddd"/>`);
    parts.push(text(MARGIN.left - 6, Number(at) + 4, tickText(tick), "end"));
  }
  parts.push(text((MARGIN.left + right) / 2, LINE_HEIGHT - 4, xName, "middle"));
  parts.push(text(4, MARGIN.top - 8, yName, "start"));
  for (const [i, { name, points: own }] of series.entries()) {
    const good = own.filter(isDrawn);
    const colour = COLOURS[i % COLOURS.length]!;
    const path = good.map((point) => `${x.at(point.x).toFixed(1)},${y.at(point.y).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    if (good.length <= DOTS_MAX) parts.push(...good.flatMap((point) => dot(point, x, y, kinds.y, colour)));
    parts.push(text(right + 12, MARGIN.top + 14 + i * 18, name, "start", colour));
  }
  return svg(WIDTH, LINE_HEIGHT, parts.join("\n"));
}

function dot(point: Point, x: Scale, y: Scale, kind: AxisKind, colour: string): string[] {
  const { lowest = point.y, highest = point.y } = point;
  const at = x.at(point.x).toFixed(1);
  const circle = `<circle cx="${at}" cy="${y.at(point.y).toFixed(1)}" r="3" fill="${colour}"/>`;
  if (lowest === highest || !isOn(kind, lowest)) return [circle];
  const ends = `y1="${y.at(lowest).toFixed(1)}" y2="${y.at(highest).toFixed(1)}"`;
  return [circle, `<line x1="${at}" x2="${at}" ${ends} stroke="${colour}"/>`];
}

function isOn(kind: AxisKind, value: number): boolean {
  return kind === "log" ? value > 0 : value >= 0;
}

function scaleOf(kind: AxisKind, values: readonly number[], start: number, end: number): Scale {
  if (kind === "log") {
    const [from, to] = decades(values);
    return {
      at: (value) => start + ((Math.log10(value) - from) / (to - from)) * (end - start),
      ticks: Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i)),
    };
  }
  const step = stepOf(Math.max(...values));
  const steps = Math.max(1, Math.ceil(Math.max(...values) / step));
  return {
    at: (value) => start + (value / (step * steps)) * (end - start),
    ticks: Array.from({ length: steps + 1 }, (_, i) => i * step),
  };
}

/** One, two or five times a power of ten, so that there are four to ten of it up to the highest value. */
function stepOf(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  const share = highest / power;
  return power * (share > 4 ? 1 : share > 2 ? 0.5 : 0.2);
}

/** Without digits that say nothing. */
function tickText(value: number): string {
  return value >= 1000 ? shown(value) : String(Number(value.toPrecision(6)));
}

function decades(values: readonly number[]): [number, number] {
  const from = Math.floor(Math.log10(Math.min(...values)));
  return [from, Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))))];
}

function text(
  x: number,
  y: number,
  content: string,
  anchor: "start" | "middle" | "end",
  colour: string = "#222",
): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${escaped(content)}</text>`;
}

function svg(width: number, height: number, content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif" font-size="12">\n${content}\n</svg>`;
}
