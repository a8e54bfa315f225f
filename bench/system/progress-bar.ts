/** One line that is written over while a long benchmark runs; where nobody looks, a line at every tenth. */

/** What is done, its share, and something to look at. Empty: the line goes. */
export type ProgressBar = (what: string, share?: number, detail?: string) => void;

const WIDTH = 30;

export function progressBar(): ProgressBar {
  let told = "";
  return (what, share = 0, detail = "") => {
    const filled = Math.round(Math.min(1, share) * WIDTH);
    const line = what === "" ? "" : `[${"#".repeat(filled).padEnd(WIDTH, ".")}] ${what} ${detail}`;
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${line}`);
      return;
    }
    const step = `${what} ${Math.floor(share * 10)}`;
    if (line === "" || step === told) return;
    told = step;
    process.stderr.write(`${line}\n`);
  };
}
