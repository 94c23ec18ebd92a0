/** What a command prints, when it runs within the test. */
import { vi } from "vitest";
import type { Command, Values } from "../../cli/command.ts";

/** Runs the command; its result, its lines for people and those on stderr. */
export async function runCommand(command: Command, args: string[], values: Values) {
  const out = vi.spyOn(console, "log").mockImplementation(() => {});
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    const result = await command.run(args, values);
    const lines = (spy: typeof out) => spy.mock.calls.map(([line]) => String(line));
    return { result: result as never, out: lines(out).join("\n"), said: lines(said).join("\n") };
  } finally {
    out.mockRestore();
    said.mockRestore();
  }
}
