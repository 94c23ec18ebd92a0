/** What becomes of a Node that is too old: the one that npm ci brought takes its place, or what to
 *  do is said, which is another thing where npm ci brings none. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const bare = mkdtempSync(join(tmpdir(), "brink-bare-"));
cpSync(join(root, "bin"), join(bare, "bin"), { recursive: true });
cpSync(join(root, "package.json"), join(bare, "package.json"));
afterAll(() => rmSync(bare, { recursive: true }));

/** What `brink help` of `folder` says under a Node that takes itself for this one. */
async function help(folder: string, node: string, platform: string, arch: string) {
  const lies = { versions: { node }, platform, arch };
  const pretend = `for (const [name, value] of Object.entries(${JSON.stringify(lies)}))
    Object.defineProperty(process, name, { value });`;
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
  const args = ["--import", preload, join(folder, "bin/brink.js"), "help"];
  return new Promise<{ code: number; out: string; said: string }>((done) => {
    execFile(process.execPath, args, (error, out, said) =>
      done({ code: Number(error?.code ?? 0), out, said }),
    );
  });
}

it.each([
  ["darwin", "arm64"],
  ["darwin", "x64"],
  ["win32", "arm64"],
])("on %s-%s, where npm ci brings no Node, one is to be installed", async (platform, arch) => {
  const { code, said } = await help(bare, "22.20.0", platform, arch);
  expect(said).toBe("brink needs Node 24 or newer, this is 22.20.0: install Node 24\n");
  expect(code).toBe(1);
});

it.each([
  ["linux", "arm64"],
  ["win32", "x64"],
])("on %s-%s npm ci brings one", async (platform, arch) => {
  const { code, said } = await help(bare, "20.19.0", platform, arch);
  expect(said).toBe(`brink needs Node 24 or newer, this is 20.19.0: run npm ci in ${bare}\n`);
  expect(code).toBe(1);
});

const own = join(root, `node_modules/node-${process.platform}-${process.arch}`);

it.runIf(existsSync(own))(
  "the Node that npm ci brought takes the place of an old one",
  async () => {
    const { code, out, said } = await help(root, "20.19.0", process.platform, process.arch);
    expect(said).toBe("");
    expect(out).toContain("router status");
    expect(code).toBe(0);
  },
);
