/** CPU time of other processes, from Linux's /proc: what a busy machine does not stretch. */
import { readdirSync, readFileSync } from "node:fs";

/** Of /proc/PID/stat; Linux has had no other since 2.6. */
const TICKS_PER_SECOND = 100;

export interface ProcessTime {
  pid: number;
  parent: number;
  group: number;
  /** In user and system mode, so far. */
  seconds: number;
}

/** Every process that can be seen; none where there is no /proc. */
export function processTimes(): ProcessTime[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? timeOf(name) : []));
}

function timeOf(pid: string): ProcessTime[] {
  try {
    // After the command, which may hold spaces: state, parent, group; the times are 11 and 12.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const seconds = (fields[11]! + fields[12]!) / TICKS_PER_SECOND;
    return [{ pid: Number(pid), parent: fields[1]!, group: fields[2]!, seconds }];
  } catch {
    return []; // it ended meanwhile
  }
}

/** CPU time of those processes so far, s; null where there is no /proc. */
export function cpuSeconds(which: (one: ProcessTime) => boolean): number | null {
  const times = processTimes();
  if (times.length === 0) return null;
  return times.filter(which).reduce((sum, { seconds }) => sum + seconds, 0);
}
