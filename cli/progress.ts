/** How far a long step is: a bar on a terminal, a line every tenth elsewhere; all on stderr. */
import cliProgress from "cli-progress";

export interface Progress {
  /** What is done so far, of the total. */
  update(done: number): void;
  end(): void;
}

/** Starts one. `total` and what `update` gets are bytes; `silent` shows nothing. */
export function startProgress(label: string, total: number, silent: boolean): Progress {
  if (silent) return { update() {}, end() {} };
  if (!process.stderr.isTTY) return plainLines(label, total);
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: `${label} [{bar}] {percentage} % of {size}, {eta_formatted} left`,
    barCompleteChar: "=",
    barIncompleteChar: " ",
    hideCursor: true,
    etaBuffer: 100,
  });
  bar.start(total, 0, { size: showBytes(total) });
  return { update: (done) => bar.update(done), end: () => bar.stop() };
}

function plainLines(label: string, total: number): Progress {
  let told = -1;
  return {
    update(done) {
      const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
      if (tenth > told) console.error(`${label}: ${tenth * 10} % of ${showBytes(total)}`);
      told = Math.max(told, tenth);
    },
    end() {},
  };
}

/** In MB of 10^6 bytes, or KB below one. */
export function showBytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
