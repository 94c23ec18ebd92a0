/** `npm run licences [-- --json]`: what the lock file installs, by licence. Fails on a package that
 *  is deployed and whose licence is none of the permissive ones, and on any without a licence. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What a product under the Apache licence may carry along. */
const PERMISSIVE = new Set([
  "MIT",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "0BSD",
  "PSF-2.0",
]);

export interface Package {
  name: string;
  version: string;
  licence: string | null;
  /** Whether it only builds and tests. */
  dev: boolean;
}

interface LockedPackage {
  version: string;
  license?: string;
  dev?: boolean;
  optional?: boolean;
}

/** Every package of a lock file, by name. */
export function readPackages(lockFile: string): Package[] {
  const { packages } = JSON.parse(lockFile) as { packages: Record<string, LockedPackage> };
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, { version, license = null, dev = false }]) => {
      return { name: path.split("node_modules/").at(-1)!, version, licence: license, dev };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Those that may not be among them. */
export function findRefused(packages: readonly Package[]): Package[] {
  return packages.filter(({ licence, dev }) => {
    if (licence === null) return true;
    return !dev && !licence.split(" OR ").some((one) => PERMISSIVE.has(one));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const packages = readPackages(
    readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8"),
  );
  const refused = findRefused(packages);
  if (process.argv.includes("--json")) console.log(JSON.stringify({ packages, refused }, null, 2));
  else
    for (const [licence, own] of Map.groupBy(packages, (one) => one.licence ?? "none")) {
      const deployed = own.filter(({ dev }) => !dev).map(({ name }) => name);
      const rest = own.length - deployed.length;
      const only = rest === 0 ? "" : ` (and ${rest} that only build and test)`;
      console.log(`${licence}: ${deployed.join(", ") || "none deployed"}${only}`);
    }
  for (const { name, version, licence } of refused)
    console.error(`${name} ${version} has the licence ${licence ?? "none"}, which is not allowed`);
  if (refused.length > 0) process.exitCode = 1;
}
