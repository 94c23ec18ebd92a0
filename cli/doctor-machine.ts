/** What of this machine Brink needs: Node, its dependencies, the build, a private configuration. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Check, fail, ok, warn } from "./check.ts";
import { othersMayRead, profilesPath, readProfiles } from "./profiles.ts";
import { root } from "./run-script.ts";

/** What `npm run build` makes, and a part of the command that makes it. */
const BUILT = ["build/kernels.wasm", "build/assets/docs.ndjson", "build/assets/models"];
/** What the local service and a deployment need of node_modules. */
const TOOLS = ["wrangler", "assemblyscript"];

export function checkMachine(): Check[] {
  return [checkNode(), checkTools(), checkBuild(), checkProfiles()];
}

function checkNode(): Check {
  const { node } = process.versions;
  if (Number(node.split(".")[0]) >= 24) return ok("node", `${node}, ${process.execPath}`);
  return fail("node", `${node} is too old`, "install Node 24");
}

function checkTools(): Check {
  const { devDependencies } = readPackage(join(root, "package.json"));
  const found = TOOLS.map((name) => {
    const path = join(root, "node_modules", name, "package.json");
    const version = existsSync(path) ? readPackage(path).version : "missing";
    return { name, version, right: version === devDependencies?.[name] };
  });
  const wrong = found.filter(({ right }) => !right);
  if (wrong.length === 0)
    return ok("tools", found.map(({ name, version }) => `${name} ${version}`).join(", "));
  const what = wrong.map(({ name, version }) => `${name} is ${version}`).join(", ");
  return fail("tools", `${what}, not as package.json has it`, `npm ci in ${root}`);
}

function readPackage(path: string): { version: string; devDependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(path, "utf8"));
}

function checkBuild(): Check {
  const missing = BUILT.filter((path) => !existsSync(join(root, path)));
  if (missing.length === 0) return ok("build", "kernels, models and assets are there");
  const what = `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing`;
  return warn("build", what, "npm run build; npm start and npm run deploy do it too");
}

function checkProfiles(): Check {
  const path = profilesPath();
  if (!existsSync(path)) return ok("profiles", "none: npx brink init writes one down");
  if (othersMayRead(path))
    return fail("profiles", `others may read ${path}, which holds keys`, `chmod 600 ${path}`);
  const { current, profiles } = readProfiles(path);
  const names = Object.keys(profiles).map((name) => (name === current ? `${name} (in use)` : name));
  return ok("profiles", `${names.join(", ")} in ${path}`);
}
