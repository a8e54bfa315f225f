/** Plots as SVG text: bars with their spread, and lines over two logarithmic axes. Nothing is fetched, nothing moves. */
import { shown } from "./table.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
  /** Drawn in the strong colour. */
  readonly isOurs: boolean;
}

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
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
const MARGIN = { left: 70, right: 150, top: 12, bottom: 40 };

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

/** Both axes logarithmic, with a line at each power of ten. Points that are not above 0 are left out. */
export function linePlot(series: readonly Series[], xName: string, yName: string): string {
  const points = series.flatMap((each) => each.points).filter(({ x, y }) => x > 0 && y > 0);
  if (points.length === 0) return "";
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: LINE_HEIGHT - MARGIN.top - MARGIN.bottom };
  const [fromX, toX] = decades(points.map(({ x }) => x));
  const [fromY, toY] = decades(points.map(({ y }) => y));
  const atX = (x: number): number => MARGIN.left + ((Math.log10(x) - fromX) / (toX - fromX)) * inner.width;
  const atY = (y: number): number =>
    MARGIN.top + inner.height - ((Math.log10(y) - fromY) / (toY - fromY)) * inner.height;
  const parts: string[] = [];
  for (let power = fromX; power <= toX; power++) {
    const x = atX(10 ** power).toFixed(1);
    parts.push(`<line x1="${x}" x2="${x}" y1="${MARGIN.top}" y2="${MARGIN.top + inner.height}" stroke="#ddd"/>`);
    parts.push(text(Number(x), LINE_HEIGHT - 22, shown(10 ** power), "middle"));
  }
  for (let power = fromY; power <= toY; power++) {
    const y = atY(10 ** power).toFixed(1);
    parts.push(`<line x1="${MARGIN.left}" x2="${MARGIN.left + inner.width}" y1="${y}" y2="${y}" stroke="#ddd"/>`);
    parts.push(text(MARGIN.left - 6, Number(y) + 4, shown(10 ** power), "end"));
  }
  parts.push(text(MARGIN.left + inner.width / 2, LINE_HEIGHT - 4, xName, "middle"));
  parts.push(text(4, MARGIN.top + 8, yName, "start"));
  for (const [i, { name, points: own }] of series.entries()) {
    const good = own.filter(({ x, y }) => x > 0 && y > 0);
    const colour = COLOURS[i % COLOURS.length]!;
    const path = good.map(({ x, y }) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const { x, y } of good)
      parts.push(`<circle cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="3" fill="${colour}"/>`);
    parts.push(text(WIDTH - MARGIN.right + 12, MARGIN.top + 14 + i * 18, name, "start", colour));
  }
  return svg(WIDTH, LINE_HEIGHT, parts.join("\n"));
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
