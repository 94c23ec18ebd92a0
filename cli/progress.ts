/** How far a long step is: a bar on a terminal, a line every tenth elsewhere; all on stderr. */
import cliProgress from "cli-progress";

export interface Progress {
  /** What is done so far, of the total. */
  update(done: number): void;
  /** Prints a line that stays, above the bar. */
  log(line: string): void;
  end(): void;
}

/** Whether stderr is a terminal that can write over a line. */
function movesCursor(): boolean {
  return process.stderr.isTTY === true && process.env.TERM !== "dumb";
}

/** Starts one. `total` and what `update` gets are bytes, or what `show` says otherwise; `silent`
 *  shows nothing. */
export function startProgress(
  label: string,
  total: number,
  silent: boolean,
  show: (total: number) => string = showBytes,
): Progress {
  if (silent) return { update() {}, log: (line) => console.error(line), end() {} };
  if (!movesCursor()) return plainLines(label, total, show(total));
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: `${label} [{bar}] {percentage} % of {size}, {eta_formatted} left`,
    barCompleteChar: "=",
    barIncompleteChar: " ",
    hideCursor: true,
    etaBuffer: 100,
  });
  bar.start(total, 0, { size: show(total) });
  const off = onLeaving(() => bar.stop());
  const end = () => {
    off();
    bar.stop();
  };
  return { update: (done) => bar.update(done), log: logOverLine, end };
}

/** Does it before a signal ends the process: a bar's terminal would stay without a cursor. Gives
 *  what takes that back. */
function onLeaving(restore: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const off = () => {
    for (const signal of signals) process.off(signal, leave);
  };
  const leave = (signal: NodeJS.Signals) => {
    off();
    restore();
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, leave);
  return off;
}

/** A step whose length nobody knows: counts what is done, as `what`. */
export function startCounter(label: string, what: string, silent: boolean): Progress {
  const tty = movesCursor() && !silent;
  let told = 0;
  return {
    update(done) {
      if (silent || done === told || (!tty && done < 2 * told)) return;
      told = done;
      process.stderr.write(`${tty ? "\r\x1b[K" : ""}${label}: ${done} ${what}${tty ? "" : "\n"}`);
    },
    log: tty ? logOverLine : (line) => console.error(line),
    end() {
      if (tty && told > 0) process.stderr.write("\n");
    },
  };
}

/** Prints a line that stays, whether there is a bar or not. */
export function logBeside(line: string): void {
  if (movesCursor()) logOverLine(line);
  else console.error(line);
}

/** In the place of the bar's line, which comes back with its next update. */
function logOverLine(line: string): void {
  process.stderr.write(`\r\x1b[K${line}\n`);
}

function plainLines(label: string, total: number, size: string): Progress {
  let told = -1;
  return {
    update(done) {
      const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
      if (tenth > told) console.error(`${label}: ${tenth * 10} % of ${size}`);
      told = Math.max(told, tenth);
    },
    log: (line) => console.error(line),
    end() {},
  };
}

/** In MB of 10^6 bytes, or KB below one. */
export function showBytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
