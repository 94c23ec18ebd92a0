/** What a local run leaves out of what wrangler prints: lines as wrangler 4.155 wrote them. */
import { expect, it } from "vitest";
import { withoutAnswered } from "../../scripts/answered-errors.ts";

const head = (text: string) =>
  `\u001b[31m✘ \u001b[41;31m[\u001b[41;97mERROR\u001b[41;31m]\u001b[0m \u001b[1m${text}\u001b[0m`;
const FRAMES = [
  "      at noNamespace (file:///src/store.ts:319:10)",
  "      at stats (x.ts:155:28)",
];
const ANSWERED = [head("Uncaught ServiceError: there is no such namespace Error"), ...FRAMES];

function kept(lines: readonly string[]): string[] {
  const printed: string[] = [];
  const take = withoutAnswered((line) => printed.push(line));
  for (const line of lines) take(line);
  return printed;
}

it("a ServiceError goes with its frames, however many follow, in colours or not", () => {
  const plain = ["✘ [ERROR] Uncaught ServiceError: a name Error", FRAMES[0]!];
  expect(kept([...ANSWERED, ...ANSWERED, ...plain])).toEqual([]);
});

it("nothing else goes: bugs, what nobody waited for, the service's own lines", () => {
  const others = [
    [head("Uncaught TypeError: a bug Error"), ...FRAMES],
    [head("Uncaught Error: invariant broken: ServiceError: x Error"), ...FRAMES],
    [head("Uncaught (in promise) ServiceError: nobody waits Error"), ...FRAMES],
    [head('{"level":"error","status":503,"code":"memory_busy"}')],
    [head("ServiceError: said by console.error"), ...FRAMES],
    ["a memory's alarm: too much waits", "    at alarm (memory-node.ts:1:1)"],
  ];
  for (const lines of others) {
    expect(kept(lines)).toEqual(lines);
    expect(kept([...ANSWERED, ...lines, ...ANSWERED, ...lines])).toEqual([...lines, ...lines]);
  }
});
