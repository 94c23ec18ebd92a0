/** What the repository's programs do with wrong words and options, each in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../docs/markdown.ts";

async function run(program: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(root, program), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, said] = ["", ""];
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    said += text;
  });
  const code = await new Promise((done) => child.once("close", done));
  return { code, out, said };
}

const PROGRAMS = [
  "bench/main.ts",
  "eval/main.ts",
  "scripts/demo.ts",
  "scripts/fuzz.ts",
  "scripts/torture.ts",
];

it("each has help, and refuses an option that there is not", async () => {
  for (const program of PROGRAMS) {
    const [help, wrong] = await Promise.all([run(program, "--help"), run(program, "--nope")]);
    expect([help.code, help.out.slice(0, 6), help.said], program).toEqual([0, "usage:", ""]);
    expect([wrong.code, wrong.out], program).toEqual([2, ""]);
    expect(wrong.said, program).toMatch(/^Unknown option '--nope'.*\n-- --help lists/);
  }
}, 120_000);

it("a wrong word or value is told in a line, before anything is done", async () => {
  const wrong: [said: string, program: string, ...args: string[]][] = [
    ["no bench named", "bench/main.ts"],
    ["no bench is named toString: there are kernels", "bench/main.ts", "toString"],
    ["unexpected more", "bench/main.ts", "engine", "more"],
    ["kernels has no part x: it has roofline", "bench/main.ts", "kernels", "--only", "x"],
    ["no evaluation named", "eval/main.ts"],
    ["no evaluation is named toString: there are retr", "eval/main.ts", "toString"],
    ["the data is needed: --data PATH", "eval/main.ts", "reader"],
    ["/none does not exist", "eval/main.ts", "reader", "--data", "/none"],
    ["--setting is gold, open, both", "eval/main.ts", "reader", "--setting", "x"],
    ["there is no suite x: there are crash", "scripts/torture.ts", "x"],
    ["--kills is a whole number from 1", "scripts/torture.ts", "crash", "--kills", "x"],
    ["--minutes is a number from 0.001", "scripts/torture.ts", "api", "--minutes", ""],
    ["there is no mutation x: ", "scripts/torture.ts", "simulation", "--mutation", "x"],
    ["there is no x: there are ", "scripts/torture.ts", "fuzz", "--only", "x"],
    ["--cases is a whole number", "scripts/fuzz.ts", "--cases", "1.5"],
  ];
  const ended = await Promise.all(wrong.map(([, program, ...args]) => run(program, ...args)));
  for (const [i, { code, said }] of ended.entries()) {
    expect([code, said], wrong[i]!.join(" ")).toEqual([2, expect.stringContaining(wrong[i]![0])]);
    expect(said).not.toContain("    at "); // no stack
  }
}, 120_000);
